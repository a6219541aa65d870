// What is said now and safe a moment later. A journal gives a Durability for what was appended to it; whoever has to answer for that
// holds the answer back until it is told. All who ask in one turn of the loop share one sync. Engine thread only.
#pragma once

#include <jackfield/detail/pending.h>

#include <memory>
#include <string>
#include <utility>

namespace jackfield {

namespace detail {

/// A function that is told of an outcome. The outcome owns it.
template <class Done>
struct Told final : Waiter {
  Told(const SharedOutcome& o, Done d) : outcome(o), done(std::move(d)) {}
  void resume() override { run_on(); }
  void run_on() override { done(outcome.error); }
  const SharedOutcome& outcome;
  Done done;
};

}  // namespace detail

class Durability {
 public:
  explicit Durability(std::shared_ptr<detail::SharedOutcome> outcome) : outcome_(std::move(outcome)) {}

  /// Calls `done(const std::string& error)`, with an empty text once it is durable, else with the reason why it is not: at once when that
  /// is known, else in a later turn, one after the other with all who wait for the same sync. Not at all when the loop ends first.
  /// `done` may be a function object that cannot be copied, and must not throw.
  template <class Done>
  void then(Done done) const {
    if (outcome_->finished) return done(std::as_const(outcome_->error));
    outcome_->waiters.push_back(std::make_unique<detail::Told<Done>>(*outcome_, std::move(done)));
  }
  /// The same for a coroutine: the error, empty when it is durable.
  Task<std::string> wait() const;

  friend bool operator==(const Durability&, const Durability&) = default;

 private:
  std::shared_ptr<detail::SharedOutcome> outcome_;
};

/// The condition of a verdict (bus.h): handled if `durable` comes true, else refused, with these parameters set in the message.
struct Proviso {
  Durability durable;
  int code = 500;            ///< becomes `code`
  std::string_view reason = {};  ///< a constant; becomes `reason`
};

}  // namespace jackfield
