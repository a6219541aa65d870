#include "watchdog.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace jackfield {
namespace {

constexpr const char* kUnnamed = "a task or a socket";

int make_timer() {
  const int timer = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
  if (timer < 0) throw std::system_error(errno, std::generic_category(), "timerfd_create");
  return timer;
}

}  // namespace

Watchdog::Watchdog(const std::atomic<std::uint64_t>& turns, const std::atomic<const char*>& running, Logger& log,
                   std::function<void()> probe, std::chrono::milliseconds look_every)
    : turns_(turns), running_(running), log_(log), probe_(std::move(probe)), look_every_(look_every), timer_(make_timer()) {
  look_in(look_every_);
  thread_ = std::thread([this] { watch(); });
}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    look_in(std::chrono::milliseconds(0));
  }
  thread_.join();
  ::close(timer_);
}

void Watchdog::put_off() { look_in(look_every_ * 3 / 2); }

void Watchdog::look_in(std::chrono::milliseconds delay) {
  // A delay of nothing would stop the timer.
  const auto wait = std::max<std::chrono::nanoseconds>(delay, std::chrono::nanoseconds(1));
  const auto seconds = std::chrono::floor<std::chrono::seconds>(wait);
  itimerspec when{};
  when.it_value = {static_cast<time_t>(seconds.count()), static_cast<long>((wait - seconds).count())};
  ::timerfd_settime(timer_, 0, &when, nullptr);
}

void Watchdog::watch() {
  std::uint64_t seen_turn = 0;
  bool seen_running = false;
  std::uint64_t named_turn = UINT64_MAX, probed_turn = UINT64_MAX;
  for (;;) {
    std::uint64_t times = 0;
    while (::read(timer_, &times, sizeof times) < 0) {}  // signals, and a put-off in the moment it was due
    const std::uint64_t turn = turns_.load(std::memory_order_relaxed);
    const char* const handler = running_.load(std::memory_order_relaxed);
    const bool held = turn == seen_turn && (handler != nullptr ? seen_running : turn == probed_turn);
    if (held && turn != named_turn) {
      log_.error("event=handler_holds_engine handler=\"{}\" for_ms={}", handler != nullptr ? handler : kUnnamed, look_every_.count());
      named_turn = turn;
    } else if (handler == nullptr && turn == seen_turn && turn != std::exchange(probed_turn, turn)) {
      probe_();
    }
    seen_turn = turn;
    seen_running = handler != nullptr;
    const std::lock_guard lock(mutex_);
    if (ending_) return;
    look_in(look_every_);
  }
}

}  // namespace jackfield
