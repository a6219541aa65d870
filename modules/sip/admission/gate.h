// Decides who sent a request outside a dialog, in the order of D2; what it refuses is answered here, before a leg or a record
// exists. What user.auth answers at once is decided in the same turn and leaves nothing behind. Engine thread.
#pragma once

#include <jackfield/metrics.h>

#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>

#include "admission/known_sources.h"
#include "core.h"
#include "stack/auth.h"

namespace jackfield::sip::admission {

class Gate final : public Admission {
 public:
  explicit Gate(Core& core);
  ~Gate() override;

  void admit(const stack::IncomingRequest& request, Purpose purpose, Done done, stack::ServerTransactionId begun = {}) override;
  void challenge(const Message& request, const stack::FlowId& flow, stack::ServerTransactionId transaction) override;

  /// The caller gave up while user.auth waited: answers 487 and forgets the call. False: it was not waiting here.
  bool cancelled(stack::ServerTransactionId invite);

 private:
  using Transaction = stack::ServerTransactionId;

  /// One user.auth, from its making to its verdict.
  struct Question {
    jackfield::Message message;
    std::size_t given;  ///< parameters that were ours; later ones are the answer's
    Purpose purpose;
    bool with_credentials;
    std::string upstream = {};  ///< set: whether it is a call by this upstream connection
  };
  enum class Stale : bool { no, yes };

  std::unique_ptr<Question> ask(const stack::IncomingRequest& request, Purpose purpose, const AuthHeader* credentials) const;
  void decide(const stack::IncomingRequest& request, Transaction transaction, Question& question, bool handled,
              const AuthHeader* credentials, const Done& done);
  /// D2 (1) where the source is no other server's that calls are taken from as they come.
  void admit_known(const stack::IncomingRequest& request, Purpose purpose, const Done& done, Transaction begun);
  void put(std::unique_ptr<Question> question, const stack::IncomingRequest& request, Transaction begun, const AuthHeader* credentials, const Done& done);
  void decide_upstream(const stack::IncomingRequest& request, Transaction transaction, Question& question, bool handled, const Done& done);
  void decide_stranger(const stack::IncomingRequest& request, Transaction transaction, Question& question, bool handled, const Done& done);
  void decide_user(const stack::IncomingRequest& request, Transaction transaction, Question& question, bool handled,
                   const AuthHeader& credentials, const Done& done);
  void pass(const stack::IncomingRequest& request, Transaction transaction, Question& question, bool proved, const Done& done);
  void wrong(const stack::IncomingRequest& request, Transaction transaction, Question& question, std::string_view why);
  bool challenge_later(const stack::IncomingRequest& request, Transaction transaction, Duration delay);
  void challenge_due(Transaction transaction);
  void refuse(const stack::IncomingRequest& request, Transaction transaction, int code, std::string_view phrase, std::string_view why);
  void refuse_unproved(const stack::IncomingRequest& request, Transaction transaction, int code, std::string_view phrase, std::string_view why);
  void challenge(const stack::IncomingRequest& request, Transaction transaction, Stale stale, const stack::DigestSecret* known = nullptr);
  void explain_refusal(const stack::IncomingRequest& request, Purpose purpose);
  bool has_own_number(const stack::IncomingRequest& request, Purpose purpose, const Sender& sender) const;
  std::chrono::seconds now() const;

  static Task<> finish(Gate* gate, std::weak_ptr<void> alive, Transaction transaction, std::unique_ptr<Question> question,
                       Verdict verdict, Done done);

  Core& core_;
  stack::DigestAuth digest_;
  KnownSources sources_;
  std::unordered_set<std::uint64_t> waiting_;  ///< transactions whose user.auth has no verdict yet, or whose challenge is delayed
  std::size_t delayed_ = 0;                    ///< challenges whose time has not come
  TimerSinkId delays_;
  Counter& challenged_;
  Counter& refused_;
  Counter& wrong_;
  std::shared_ptr<void> alive_ = std::make_shared<char>();
};

}  // namespace jackfield::sip::admission
