// What the templates of pending.h need. Not for modules.
#pragma once

#include <jackfield/pending.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace jackfield::detail {

/// A coroutine that stands still. Destroyed without being resumed, it takes the coroutine with it.
struct Waiter {
  virtual ~Waiter() = default;
  /// Lets the coroutine run on in a later turn.
  virtual void resume() = 0;
  /// Lets it run on now. Only from a turn of the loop that has nothing else to do.
  virtual void run_on() = 0;
};

/// One question: its outcome, and the coroutine that waits for it. Shared by the asking side and whoever will answer.
struct PendingSlot {
  PendingSlot() = default;
  PendingSlot(const PendingSlot&) = delete;
  ~PendingSlot();
  /// With an empty `failure`: `answer` holds the value. Only the first call counts.
  void finish(std::shared_ptr<void> answer, std::optional<PendingError> failure);
  /// Nobody will answer any more: the waiting coroutine is destroyed where it stands.
  void abandon();

  PendingId id = 0;
  const std::type_info* type = &typeid(void);
  bool finished = false;
  std::shared_ptr<void> value;
  std::optional<PendingError> error;
  std::unique_ptr<Waiter> waiter;
  std::function<void()> given_up;  ///< the last one who could wait is gone before an outcome came
};

/// Returns when the slot is finished; at once when it already is.
Task<> wait_until_finished(std::shared_ptr<PendingSlot> slot);

/// One outcome that any number of coroutines wait for.
struct SharedOutcome {
  bool finished = false;
  std::string error;
  std::vector<std::unique_ptr<Waiter>> waiters;
};
Task<> wait_until_finished(std::shared_ptr<SharedOutcome> outcome);

/// The duty to bring a SharedOutcome about. Dropped unfulfilled, it destroys the coroutines that wait where they stand.
class Promise {
 public:
  Promise() : outcome_(std::make_shared<SharedOutcome>()) {}
  Promise(Promise&&) noexcept = default;
  Promise& operator=(Promise&&) = delete;
  ~Promise();
  const std::shared_ptr<SharedOutcome>& outcome() const { return outcome_; }
  /// Runs all who wait, one after the other, before it returns.
  void fulfil(const std::string& error);

 private:
  std::shared_ptr<SharedOutcome> outcome_;
};

template <class T>
Task<tl::expected<T, PendingError>> wait_for(std::shared_ptr<PendingSlot> slot) {
  co_await wait_until_finished(slot);
  if (slot->error) co_return tl::unexpected(std::move(*slot->error));
  co_return std::move(*static_cast<T*>(slot->value.get()));
}

}  // namespace jackfield::detail

namespace jackfield {

template <class T>
PendingId Pending<T>::id() const {
  return slot_->id;
}

template <class T>
Task<tl::expected<T, PendingError>> Pending<T>::wait() {
  return detail::wait_for<T>(slot_);
}

template <class T>
Pending<T> Pendings::open(Duration deadline) {
  return Pending<T>(open_slot(typeid(T), deadline));
}

template <class T>
bool Pendings::complete(PendingId id, T value) {
  const std::shared_ptr<detail::PendingSlot> slot = find(id, &typeid(T));
  if (!slot) return false;
  close(*slot);
  slot->finish(std::make_shared<T>(std::move(value)), {});
  return true;
}

}  // namespace jackfield
