// Calls of the sip module: lets the events of the stack and the messages of the bus into the legs. Owned by module.cpp, which
// passes on what the transaction layer delivers. Engine thread only.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "call/redirects.h"
#include "call/referral.h"
#include "call/services.h"
#include "call/transfer.h"
#include "core.h"

namespace jackfield::sip::call {

class Calls {
 public:
  /// All three outlive it.
  Calls(Core& core, Admission& admission, const BindingTable& bindings);
  ~Calls();
  Calls(const Calls&) = delete;

  /// Installs the handlers of call.execute, call.ringing, call.progress, call.answered, call.update, call.drop, chan.connected,
  /// chan.control, chan.dtmf and chan.text.
  void start();
  /// Ends every call: BYE, CANCEL or 503; done when the far ends have answered, or after a second.
  Task<> drain();
  /// Withdraws the handlers and forgets every leg.
  void stop();

  // From the transaction layer; each answers whether it was for a call.
  /// INVITE, ACK, and every request within a dialog.
  bool request(const stack::IncomingRequest& request);
  bool cancelled(stack::ServerTransactionId invite, const Message& cancel);
  bool server_failed(stack::ServerTransactionId invite);
  bool response(stack::ClientTransactionId transaction, const Message& response, const stack::FlowId& flow);
  bool client_failed(stack::ClientTransactionId transaction, stack::ClientFailure failure);
  void flow_closed(const stack::FlowId& flow);

  /// Sends a request within the dialog of the answered leg `id`; its answer is the caller's. Nothing: there is no such leg.
  stack::ClientTransactionId send_within(std::string_view id, Method method, std::string_view body, std::string_view type,
                                         const stack::Transactions::ExtraHeaders& headers);

  /// The Request-URI of requests within the dialog of the leg `id`; empty: there is none.
  std::string target_of(std::string_view id) const;

  std::size_t legs() const { return services_->legs.size(); }
  std::size_t dialogs() const { return services_->legs.dialogs(); }
  std::size_t transfers() const { return transfers_.size(); }
  std::size_t referrals() const { return referrals_.size(); }
  std::size_t redirects() const { return redirects_.size(); }
  std::size_t transactions() const { return services_->legs.transactions(); }

 private:
  void new_call(const stack::IncomingRequest& request);
  void admitted(const Sender& sender, const stack::IncomingRequest& request, stack::ServerTransactionId transaction);
  void in_dialog(const stack::IncomingRequest& request);
  void timer(std::uint64_t id);

  Verdict execute(BusMessage& message);
  bool ringing(int code, BusMessage& message);
  bool answered(BusMessage& message);
  bool update(BusMessage& message);
  /// What passes from one leg to its peer, digits and text.
  bool passes(const BusMessage& message, bool (*send)(Leg&, const BusMessage&));
  bool drop(BusMessage& message);

  std::shared_ptr<Services> services_;
  Transfers transfers_{*services_};
  Redirects redirects_{*services_};
  Referrals referrals_{*services_};
  Pendings waits_;
  PendingId idle_ = 0;  // completed when the last leg is gone during drain
  std::vector<Bus::Subscription> handlers_;
};

}  // namespace jackfield::sip::call
