// One answer that somebody else will give: a script, a query, DNS, another leg. One shot, with a deadline, found by id,
// completed on the engine thread; a second or late completion is dropped and counted.
//
//   auto answer = pendings.open<Rows>(5s);       // answer.id() goes out with the question
//   auto rows = co_await answer.wait();          // tl::expected<Rows, PendingError>
//   …elsewhere…  pendings.complete<Rows>(id, rows);   pendings.fail(id, "connection lost");
#pragma once

#include <jackfield/task.h>
#include <jackfield/timers.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <typeinfo>

namespace jackfield {

using PendingId = std::uint64_t;

struct PendingError {
  enum class Kind { failed, late, stopped } kind;
  std::string text;  ///< only for failed
};

namespace detail {
struct PendingSlot;
}

class Pendings;

/// The waiting side. wait() is called once; destroying it unawaited gives the id up. Completion lets the waiter run on in a later
/// turn, never inside complete(); a wait() for what is already complete does not wait. The loop's Task decides where: the executor
/// of the coroutine that waits.
template <class T>
class Pending {
 public:
  Pending(Pending&&) noexcept = default;
  Pending& operator=(Pending&&) noexcept = default;
  PendingId id() const;
  Task<tl::expected<T, PendingError>> wait();

 private:
  friend class Pendings;
  explicit Pending(std::shared_ptr<detail::PendingSlot> slot) : slot_(std::move(slot)) {}
  std::shared_ptr<detail::PendingSlot> slot_;
};

/// The open questions of one owner (a module has one). stop() completes all of them with *stopped*; later ones at once.
class Pendings {
 public:
  explicit Pendings(TimerWheel& timers);
  ~Pendings();
  Pendings(const Pendings&) = delete;

  template <class T>
  Pending<T> open(Duration deadline);
  /// False when there is no such id any more (counted in dropped()) or it waits for another type.
  template <class T>
  bool complete(PendingId id, T value);
  bool fail(PendingId id, std::string text);
  void stop();

  std::size_t open_count() const;
  std::uint64_t dropped() const;

 private:
  std::shared_ptr<detail::PendingSlot> open_slot(const std::type_info& type, Duration deadline);
  /// Null when there is no such question (counted) or it waits for another type; a null `type` fits any.
  std::shared_ptr<detail::PendingSlot> find(PendingId id, const std::type_info* type);
  /// Forgets id and deadline; the slot is about to be finished.
  void close(detail::PendingSlot& slot);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace jackfield

#include <jackfield/detail/pending.h>
