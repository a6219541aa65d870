// The transport on real sockets of the loopback interface, alone and under the transaction layer.
#include <doctest/doctest.h>

#include "stack_support.h"
#include "support/test_engine.h"

using namespace jackfield;
using namespace jackfield::sip;
using namespace jackfield::sip::stack;

namespace {

/// A server or a phone: transactions over sockets.
struct End {
  RecordingUser user;
  Transactions transactions;
  std::unique_ptr<Transport> transport;
  std::map<TransportKind, net::Address> bound;

  End(TestEngine& engine, std::string_view bind, TransportOptions options = {})
      : transactions(engine, {}), transport(make_transport(engine, options, transactions)) {
    transactions.attach(*transport, user);
    for (const TransportKind kind : {TransportKind::udp, TransportKind::tcp}) {
      const auto index = transport->open({.name = "general", .kind = kind, .bind = address(bind)});
      REQUIRE_MESSAGE(index.has_value(), index.error());
    }
    for (const auto& [index, listener] : transport->listeners()) bound[listener.kind] = listener.bind;
  }
  std::string branch, request_bytes;
  ClientTransactionId send(const FlowId& flow, std::string method, std::string extra = {}) {
    branch = transactions.new_branch();
    const auto reach = transport->reach(flow);
    request_bytes = RequestText{.method = method,
                                .branch = branch,
                                .sent_by = reach.host + ":" + std::to_string(reach.port),
                                .extra = std::move(extra),
                                .transport = std::string(transport_name(flow.kind))}
                        .text();
    return transactions.send(flow, method_from(method), branch, request_bytes);
  }
};

void call_and_hang_up(TransportKind kind, std::string_view bind) {
  TestEngine engine;
  End phone(engine, bind), server(engine, bind);
  server.user.on_request = [&](const IncomingRequest& request) {
    if (request.message.method() == Method::ack) return;
    if (request.message.method() != Method::invite) return server.transactions.reply_and_keep(request, 200);
    server.user.server = server.transactions.begin(request);
    for (const int code : {180, 200}) {
      std::string out;
      start_response(out, request.message, code, {}, "server", request.flow.remote.host(), request.flow.remote.port()).end();
      CHECK(server.transactions.respond(server.user.server, code, out));
    }
  };
  const auto flow = phone.transport->flow_to(kind, server.bound[kind]);
  REQUIRE(flow);
  phone.send(*flow, "INVITE");
  REQUIRE(engine.run_until([&] { return phone.user.events.size() >= 2; }));
  CHECK(phone.user.take() == std::vector<std::string>{"response 180", "response 200"});
  phone.transactions.send_stateless(*flow, RequestText{.method = "ACK", .branch = "z9hG4bKack", .to_tag = "server"}.text());
  REQUIRE(engine.run_until([&] { return server.user.events.size() >= 2; }));
  CHECK(server.user.take() == std::vector<std::string>{"request INVITE", "request ACK"});
  server.transactions.acknowledged(server.user.server);
  phone.send(*flow, "BYE");
  REQUIRE(engine.run_until([&] { return !phone.user.events.empty(); }));
  CHECK(phone.user.take() == std::vector<std::string>{"response 200"});
  engine.advance(std::chrono::seconds(40));
  CHECK(phone.transactions.live() == 0);
  CHECK(server.transactions.live() == 0);
  CHECK(server.transactions.completed() == 0);
}

}  // namespace

TEST_CASE("a call is made and ended over UDP and IPv4") { call_and_hang_up(TransportKind::udp, "127.0.0.2:0"); }
TEST_CASE("a call is made and ended over TCP and IPv4") { call_and_hang_up(TransportKind::tcp, "127.0.0.2:0"); }
TEST_CASE("a call is made and ended over UDP and IPv6") { call_and_hang_up(TransportKind::udp, "[::1]:0"); }
TEST_CASE("a call is made and ended over TCP and IPv6") { call_and_hang_up(TransportKind::tcp, "[::1]:0"); }
