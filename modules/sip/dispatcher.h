// Takes what the transaction layer delivers to the part that answers for it, after what RFC 3261 §8.2 wants checked of every
// request: method, scheme, extensions. Engine thread.
#pragma once

#include "admission/gate.h"
#include "call/calls.h"
#include "core.h"
#include "line/lines.h"
#include "outside/outside.h"
#include "registrar/registrar.h"

namespace jackfield::sip {

class Dispatcher final : public stack::TransactionUser {
 public:
  Dispatcher(Core& core, admission::Gate& gate, registrar::Registrar& registrar, call::Calls& calls, outside::Outside& outside, line::Lines& lines)
      : core_(core), gate_(gate), registrar_(registrar), calls_(calls), outside_(outside), lines_(lines) {}

  void request(const stack::IncomingRequest& request) override;
  void cancelled(stack::ServerTransactionId invite, const Message& cancel) override;
  void server_failed(stack::ServerTransactionId invite) override { calls_.server_failed(invite); }
  void response(stack::ClientTransactionId transaction, const Message& response, const stack::FlowId& flow) override;
  void client_failed(stack::ClientTransactionId transaction, stack::ClientFailure failure) override;
  void stray_response(const Message&, const stack::FlowId&) override {}
  void flow_closed(const stack::FlowId& flow, std::string_view reason) override;

 private:
  bool acceptable(const stack::IncomingRequest& request);
  void out_of_dialog(const stack::IncomingRequest& request);
  void options(const stack::IncomingRequest& request);

  Core& core_;
  admission::Gate& gate_;
  registrar::Registrar& registrar_;
  call::Calls& calls_;
  outside::Outside& outside_;
  line::Lines& lines_;
};

}  // namespace jackfield::sip
