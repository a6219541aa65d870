#include "watchdog.h"

namespace jackfield {

Watchdog::Watchdog(const std::atomic<std::uint64_t>& turns, const std::atomic<const char*>& running, Logger& log,
                   std::chrono::milliseconds look_every)
    : turns_(turns), running_(running), log_(log), look_every_(look_every), thread_([this] { watch(); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Watchdog::watch() {
  std::uint64_t seen_turn = 0;
  bool seen_running = false;
  std::uint64_t named_turn = UINT64_MAX;
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, look_every_, [this] { return ending_; })) {
    const std::uint64_t turn = turns_.load(std::memory_order_relaxed);
    const char* const handler = running_.load(std::memory_order_relaxed);
    if (handler != nullptr && seen_running && turn == seen_turn && turn != named_turn) {
      log_.error("event=handler_holds_engine handler=\"{}\" for_ms={}", handler, look_every_.count());
      named_turn = turn;
    }
    seen_turn = turn;
    seen_running = handler != nullptr;
  }
}

}  // namespace jackfield
