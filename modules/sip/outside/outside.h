// Requests outside a dialog that neither begin a call nor register: a MESSAGE is routed and delivered to whom it is for, any other
// one becomes a message `sip.METHOD` where somebody has installed a handler for it. And the other way: what scripts send. Owned by
// module.cpp; engine thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "core.h"
#include "outside/sender.h"
#include "stack/client_auth.h"

#include <jackfield/bus.h>

namespace jackfield::sip::call {
class Calls;
}

namespace jackfield::sip::outside {

class Outside {
 public:
  /// All four outlive it.
  Outside(Core& core, Admission& admission, const BindingTable& bindings, call::Calls& calls);
  ~Outside();
  Outside(const Outside&) = delete;

  /// Installs the handlers of msg.execute and xsip.generate.
  void start();
  void stop();

  /// True when a request of this method is served now: MESSAGE, and those somebody handles.
  bool serves(const Message& request) const;
  void request(const stack::IncomingRequest& request);

  // From the transaction layer: whether it was for a request from here.
  bool response(stack::ClientTransactionId transaction, const Message& response) { return sender_.response(transaction, response); }
  bool client_failed(stack::ClientTransactionId transaction, stack::ClientFailure failure) { return sender_.client_failed(transaction, failure); }

  std::size_t open() const { return sender_.open() + deliveries_.size(); }

 private:
  /// A MESSAGE on its way to one or several phones of the called: the first that takes it is the answer.
  struct Delivery {
    stack::ServerTransactionId transaction;
    std::size_t waiting = 0;
    int code = 0;  ///< the best so far
  };
  /// A request of ours while it is under way.
  struct Attempt {
    OwnRequest request;
    std::string leg = {};  ///< within its dialog; empty: outside any
    stack::Credentials credentials = {};
    unsigned proofs = 0;  ///< challenges that were answered
    std::optional<MonoTime> until = {};  ///< when whoever waits for the answer is told that there is none
  };

  void admitted(const stack::IncomingRequest& request, stack::ServerTransactionId transaction, jackfield::Message message);
  static Task<> ask(Outside* self, std::weak_ptr<void> alive, stack::ServerTransactionId transaction, std::shared_ptr<jackfield::Message> message, Verdict verdict);
  void decided(stack::ServerTransactionId transaction, jackfield::Message& message, bool handled);
  void deliver(stack::ServerTransactionId transaction, const jackfield::Message& routed);
  void delivered(std::uint64_t delivery, int code);
  void answer_method(stack::ServerTransactionId transaction, const jackfield::Message& message, bool handled);
  void respond(stack::ServerTransactionId transaction, int code, std::string_view phrase = {}, const call::OwnHeaders& headers = {});

  Verdict execute(jackfield::Message& message);
  /// Over a connection its user sends, and proves it.
  void use_line(Attempt& attempt);
  std::optional<Pending<Answer>> send_text(Attempt& attempt, const jackfield::Message& message);
  static Task<bool> deliver_later(Outside* self, std::weak_ptr<void> alive, std::unique_ptr<Attempt> attempt, jackfield::Message* message);
  Verdict generate(jackfield::Message& message);
  static Task<bool> deliver_one(Outside* self, std::weak_ptr<void> alive, Attempt attempt, Pending<Answer> answer, jackfield::Message* message);

  // What is sent, and sent again where the answer asks for it (own_requests.cpp).
  std::optional<Pending<Answer>> send(Attempt& attempt);
  std::optional<Pending<Answer>> again(Attempt& attempt, const Answer& answer);
  /// Leaves the place that failed for the next one (D18, RFC 3263 §4.3). False: there is none, or the answer is the far side's word.
  bool move_on(Attempt& attempt, const Answer& answer);
  /// What move_on() went to is known now.
  std::optional<Pending<Answer>> send_elsewhere(Attempt& attempt);
  static Task<bool> generate_later(Outside* self, std::weak_ptr<void> alive, std::unique_ptr<Attempt> attempt, jackfield::Message* message);
  /// The last answer. Nothing: none came in time, or the module stopped.
  static Task<std::optional<Answer>> follow(Outside* self, std::weak_ptr<void> alive, Attempt attempt, Pending<Answer> answer);
  static Task<> unattended(Outside* self, std::weak_ptr<void> alive, Attempt attempt, Pending<Answer> answer);
  static Task<bool> report(Outside* self, std::weak_ptr<void> alive, Attempt attempt, Pending<Answer> answer, jackfield::Message* message);

  Core& core_;
  Admission& admission_;
  const BindingTable& bindings_;
  call::Calls& calls_;
  Sender sender_;
  std::uint64_t last_delivery_ = 0;
  std::unordered_map<std::uint64_t, Delivery> deliveries_;
  std::vector<Bus::Subscription> handlers_;
  std::shared_ptr<void> alive_ = std::make_shared<char>();
};

}  // namespace jackfield::sip::outside
