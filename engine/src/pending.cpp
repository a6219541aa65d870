#include <jackfield/pending.h>

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <unordered_map>

namespace jackfield {
namespace detail {
namespace {

template <class Handler>
struct WaiterOf final : Waiter {
  explicit WaiterOf(Handler h) : handler(std::move(h)) {}
  void resume() override { boost::asio::post(std::move(handler)); }
  void run_on() override { std::move(handler)(); }
  Handler handler;
};

/// The one place where a coroutine of ours hands itself to somebody else: `keep` takes its Waiter.
template <class Keep>
Task<> stand_still(Keep keep) {
  auto hand_over = [keep = std::move(keep)](auto handler) { keep(std::make_unique<WaiterOf<decltype(handler)>>(std::move(handler))); };
  return boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void()>(std::move(hand_over), boost::asio::use_awaitable);
}

Task<> go_on() { co_return; }

}  // namespace

PendingSlot::~PendingSlot() {
  if (!finished && given_up) given_up();
}

void PendingSlot::finish(std::shared_ptr<void> answer, std::optional<PendingError> failure) {
  if (finished) return;
  finished = true;
  value = std::move(answer);
  error = std::move(failure);
  // The waiter owns the coroutine's frame, which owns this slot: taken out first, that circle is open.
  if (const std::unique_ptr<Waiter> waiting = std::move(waiter)) waiting->resume();
}

void PendingSlot::abandon() {
  finished = true;
  const std::unique_ptr<Waiter> dropped = std::move(waiter);
}

Task<> wait_until_finished(std::shared_ptr<PendingSlot> slot) {
  if (slot->finished) return go_on();
  return stand_still([slot = std::move(slot)](std::unique_ptr<Waiter> waiter) { slot->waiter = std::move(waiter); });
}

Task<> wait_until_finished(std::shared_ptr<SharedOutcome> outcome) {
  if (outcome->finished) return go_on();
  return stand_still([outcome = std::move(outcome)](std::unique_ptr<Waiter> waiter) { outcome->waiters.push_back(std::move(waiter)); });
}

Promise::~Promise() {
  if (!outcome_ || outcome_->finished) return;
  outcome_->finished = true;
  outcome_->error = "the loop ended first";
  // The waiters own the coroutines' frames, which own the outcome: taken out first, that circle is open.
  const auto dropped = std::exchange(outcome_->waiters, {});
}

void Promise::fulfil(const std::string& error) {
  outcome_->finished = true;
  outcome_->error = error;
  for (const auto& waiter : std::exchange(outcome_->waiters, {})) waiter->run_on();
}

}  // namespace detail

struct Pendings::Impl {
  struct Open {
    std::weak_ptr<detail::PendingSlot> slot;
    TimerHandle deadline;
  };
  explicit Impl(TimerWheel& wheel) : timers(wheel), sink(timers.add_sink([this](std::uint64_t id) { late(id); })) {}

  void late(PendingId id) {
    const auto found = open.find(id);
    if (found == open.end()) return;
    const auto slot = found->second.slot.lock();
    open.erase(found);
    if (slot) slot->finish(nullptr, PendingError{PendingError::Kind::late, {}});
  }
  void forget(PendingId id) {
    const auto found = open.find(id);
    if (found == open.end()) return;
    timers.stop(found->second.deadline);
    open.erase(found);
  }
  void stop() {
    stopped = true;
    auto ending = std::exchange(open, {});
    for (auto& [id, question] : ending) {
      timers.stop(question.deadline);
      if (const auto slot = question.slot.lock()) slot->finish(nullptr, PendingError{PendingError::Kind::stopped, {}});
    }
  }

  TimerWheel& timers;
  TimerSinkId sink;
  std::unordered_map<PendingId, Open> open;
  PendingId last_id = 0;
  std::uint64_t dropped = 0;
  bool stopped = false;
};

Pendings::Pendings(TimerWheel& timers) : impl_(std::make_unique<Impl>(timers)) {}

Pendings::~Pendings() {
  impl_->stop();
  impl_->timers.remove_sink(impl_->sink);
}

std::shared_ptr<detail::PendingSlot> Pendings::open_slot(const std::type_info& type, Duration deadline) {
  auto slot = std::make_shared<detail::PendingSlot>();
  slot->id = ++impl_->last_id;
  slot->type = &type;
  if (impl_->stopped) {
    slot->finish(nullptr, PendingError{PendingError::Kind::stopped, {}});
    return slot;
  }
  impl_->open.emplace(slot->id, Impl::Open{slot, impl_->timers.start(impl_->sink, slot->id, deadline)});
  // A slot that outlives us was finished by stop(), so the pointer is good whenever this is called.
  slot->given_up = [impl = impl_.get(), id = slot->id] { impl->forget(id); };
  return slot;
}

std::shared_ptr<detail::PendingSlot> Pendings::find(PendingId id, const std::type_info* type) {
  const auto found = impl_->open.find(id);
  auto slot = found == impl_->open.end() ? nullptr : found->second.slot.lock();
  if (!slot) {
    ++impl_->dropped;
    return nullptr;
  }
  return type == nullptr || *slot->type == *type ? slot : nullptr;
}

void Pendings::close(detail::PendingSlot& slot) { impl_->forget(slot.id); }

bool Pendings::fail(PendingId id, std::string text) {
  const auto slot = find(id, nullptr);
  if (!slot) return false;
  close(*slot);
  slot->finish(nullptr, PendingError{PendingError::Kind::failed, std::move(text)});
  return true;
}

void Pendings::stop() { impl_->stop(); }

std::size_t Pendings::open_count() const { return impl_->open.size(); }
std::uint64_t Pendings::dropped() const { return impl_->dropped; }

}  // namespace jackfield
