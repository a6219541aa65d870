// The transaction layer over a transport made of memory and a clock that the test moves.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "stack/transactions.h"
#include "stack_support.h"
#include "support/test_engine.h"

namespace jackfield::sip::stack {
using namespace std::chrono_literals;

using Lines = std::vector<std::string>;

inline const FlowId kUdp{address("192.0.2.9:5062"), 0, 0, TransportKind::udp};
inline const FlowId kTcp{address("192.0.2.9:40000"), 1, 0, TransportKind::tcp};

struct TransactionsFixture {
  TestEngine engine;
  FakeTransport transport;
  RecordingUser user;
  Transactions transactions;
  TransportEvents& events = transactions;

  explicit TransactionsFixture(TransactionOptions options = {}) : transactions(engine, options) { transactions.attach(transport, user); }

  void receive(const std::string& text, const FlowId& flow = kUdp) { events.message(flow, text); }
  void begin_each() {
    user.on_request = [this](const IncomingRequest& request) {
      if (request.message.method() != Method::ack) user.server = transactions.begin(request);
    };
  }
  void reply_each(int code) {
    user.on_request = [this, code](const IncomingRequest& request) { transactions.reply(request, code); };
  }
  void keep_each(int code) {
    user.on_request = [this, code](const IncomingRequest& request) { transactions.reply_and_keep(request, code); };
  }
  bool respond(int code, std::string_view to_tag = "us") {
    const Message* request = transactions.request_of(user.server);
    REQUIRE(request != nullptr);
    std::string out;
    start_response(out, *request, code, {}, to_tag, "192.0.2.9", 5062).end();
    return transactions.respond(user.server, code, out);
  }
  std::string sent_request;
  ClientTransactionId request(const std::string& method, const FlowId& flow = kUdp, const std::string& extra = {}) {
    const std::string branch = transactions.new_branch();
    sent_request = RequestText{.method = method, .branch = branch, .sent_by = "192.0.2.1:5060", .extra = extra}.text();
    return transactions.send(flow, method_from(method), branch, sent_request);
  }
  void answer(int code, std::string_view to_tag = "far", const FlowId& flow = kUdp) {
    receive(response_text(sent_request, code, to_tag), flow);
  }
  void let_all_end() {
    engine.advance(200s);
    CHECK(transactions.live() == 0);
    CHECK(transactions.completed() == 0);
  }
};

inline std::string to_tag_of(std::string_view response) {
  Message message;
  REQUIRE(message.parse(response));
  return std::string(message.to()->tag);
}

}  // namespace jackfield::sip::stack
