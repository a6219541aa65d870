#include "line/pace.h"

#include <algorithm>
#include <utility>

namespace jackfield::sip::line {

namespace {

constexpr std::chrono::milliseconds kStep{10};  // of the timer wheel: what is due within one is served together

}  // namespace

Pace::Pace(Engine& engine, std::function<unsigned()> rate, std::function<void(LineNumber)> turn)
    : engine_(engine), rate_(std::move(rate)), turn_(std::move(turn)), sink_(engine.timers().add_sink([this](std::uint64_t) {
        running_ = false;
        serve();
      })) {}

Pace::~Pace() { engine_.timers().remove_sink(sink_); }

void Pace::ask(LineNumber number) {
  if (!waiting_.insert(number).second) return;
  queue_.push_back(number);
  wait();
}

void Pace::wait() {
  if (running_ || queue_.empty()) return;
  const auto now = std::chrono::microseconds(engine_.clock().now().time_since_epoch());
  running_ = true;
  engine_.timers().start(sink_, 0, std::chrono::ceil<Duration>(std::max(next_ - now, std::chrono::microseconds(0))));
}

void Pace::serve() {
  const auto now = std::chrono::microseconds(engine_.clock().now().time_since_epoch());
  const auto interval = std::chrono::microseconds(1'000'000 / std::max(1u, rate_()));
  while (!queue_.empty() && next_ <= now) {
    const auto number = queue_.front();
    queue_.pop_front();
    if (waiting_.erase(number) == 0) continue;
    // What a late turn of the loop missed is made up for, as far as one step of the clock goes.
    next_ = std::max<std::chrono::microseconds>(next_, now - kStep) + interval;
    turn_(number);
  }
  wait();
}

}  // namespace jackfield::sip::line
