// Two ends talk over a network that loses, repeats and reorders: whatever happens, each transaction ends, once, and nothing is
// left. The seed is printed with a failure; JACKFIELD_SEED repeats it.
#include <doctest/doctest.h>

#include <random>

#include "stack_support.h"
#include "support/test_engine.h"

namespace jackfield::sip::stack {
using namespace std::chrono_literals;

namespace {

const FlowId kFlow{address("192.0.2.9:5060"), 0, 0, TransportKind::udp};

/// Carries datagrams from one end to the other after a while, perhaps, perhaps twice.
class Network {
 public:
  Network(TestEngine& engine, std::mt19937& random, unsigned loss_percent)
      : engine_(engine), random_(random), loss_(loss_percent), sink_(engine.timers().add_sink([this](std::uint64_t id) { arrive(id); })) {}
  ~Network() { engine_.timers().remove_sink(sink_); }

  void connect(FakeTransport& from, TransportEvents& to) {
    from.on_send = [this, &to](const FlowId&, std::string_view bytes) {
      for (unsigned copies = 1 + (random_() % 100 < 15); copies != 0; --copies) {
        if (random_() % 100 < loss_) continue;
        const std::uint64_t id = ++last_;
        travelling_.emplace(id, Datagram{&to, std::string(bytes)});
        engine_.timers().start(sink_, id, Duration(random_() % 300), TimerKind::precise);
      }
    };
  }

 private:
  struct Datagram {
    TransportEvents* to;
    std::string bytes;
  };
  void arrive(std::uint64_t id) {
    const Datagram datagram = std::move(travelling_.extract(id).mapped());
    datagram.to->message(kFlow, datagram.bytes);
  }

  TestEngine& engine_;
  std::mt19937& random_;
  unsigned loss_;
  TimerSinkId sink_;
  std::uint64_t last_ = 0;
  std::map<std::uint64_t, Datagram> travelling_;
};

/// Calls and asks; counts how each ended.
class Client : public TransactionUser {
 public:
  Client(TestEngine& engine, std::mt19937& random) : transactions(engine, {}), random_(random) { transactions.attach(transport, *this); }

  void start() {
    const bool invite = random_() % 2 == 0;
    const std::string branch = transactions.new_branch();
    const std::string call_id = "call-" + std::to_string(++calls_);
    const std::string bytes = RequestText{.method = invite ? "INVITE" : "OPTIONS", .branch = branch, .call_id = call_id}.text();
    const auto id = transactions.send(kFlow, invite ? Method::invite : Method::options, branch, bytes);
    outcomes[id.value] = 0;
    if (invite && random_() % 4 == 0) to_cancel.push_back(id);
  }
  void request(const IncomingRequest&) override { FAIL("the client was asked something"); }
  void cancelled(ServerTransactionId, const Message&) override {}
  void server_failed(ServerTransactionId) override {}
  void response(ClientTransactionId id, const Message& response, const FlowId&) override {
    if (response.status() < 200) return;
    if (response.status() >= 300 || response.method() != Method::invite) ++outcomes[id.value];
    else accepted.insert(id.value);
    if (response.method() == Method::invite && response.status() < 300) acknowledge(response);
  }
  void client_failed(ClientTransactionId id, ClientFailure failure) override {
    CHECK(failure == ClientFailure::timeout);
    ++outcomes[id.value];
    ++timeouts;
  }
  void stray_response(const Message& response, const FlowId&) override {
    if (response.method() == Method::invite && response.status() / 100 == 2) acknowledge(response);
  }
  void flow_closed(const FlowId&, std::string_view) override {}

  FakeTransport transport;
  Transactions transactions;
  std::map<std::uint64_t, int> outcomes;  // final verdicts told, 2xx of an INVITE apart
  std::set<std::uint64_t> accepted;
  std::vector<ClientTransactionId> to_cancel;
  int timeouts = 0;

 private:
  void acknowledge(const Message& response) {
    transactions.send_stateless(kFlow, RequestText{.method = "ACK",
                                                   .branch = transactions.new_branch(),
                                                   .call_id = std::string(response.call_id()),
                                                   .to_tag = std::string(response.to()->tag)}
                                           .text());
  }
  std::mt19937& random_;
  int calls_ = 0;
};

/// Answers now, later or never; refuses, accepts, challenges without a trace.
class Server : public TransactionUser {
 public:
  Server(TestEngine& engine, std::mt19937& random)
      : transactions(engine, {}), engine_(engine), random_(random),
        sink_(engine.timers().add_sink([this](std::uint64_t id) { answer({id}); })) {
    transactions.attach(transport, *this);
  }
  ~Server() override { engine_.timers().remove_sink(sink_); }

  void request(const IncomingRequest& request) override {
    const std::string call_id(request.message.call_id());
    if (request.message.method() == Method::ack) {
      const auto call = calls.find(call_id);
      if (call != calls.end()) transactions.acknowledged(call->second);
      return;
    }
    // What was answered without a trace may come again; anything else is told once.
    if (stateless.contains(call_id)) return transactions.reply(request, 401);
    CHECK_MESSAGE(seen.insert(call_id).second, "told twice: ", call_id);
    switch (random_() % 4) {
      case 0:
        stateless.insert(call_id);
        return transactions.reply(request, 401);
      case 1:
        return transactions.reply_and_keep(request, 404);
      default:
        const auto id = transactions.begin(request);
        calls[call_id] = id;
        engine_.timers().start(sink_, id.value, Duration(random_() % 8000));
    }
  }
  void cancelled(ServerTransactionId invite, const Message&) override { respond(invite, 487); }
  void server_failed(ServerTransactionId) override { ++failures; }
  void response(ClientTransactionId, const Message&, const FlowId&) override {}
  void client_failed(ClientTransactionId, ClientFailure) override {}
  void stray_response(const Message&, const FlowId&) override {}
  void flow_closed(const FlowId&, std::string_view) override {}

  FakeTransport transport;
  Transactions transactions;
  std::map<std::string, ServerTransactionId> calls;
  std::set<std::string> stateless, seen;
  int failures = 0;

 private:
  void respond(ServerTransactionId id, int code) {
    const Message* request = transactions.request_of(id);
    if (!request) return;
    std::string out;
    start_response(out, *request, code, {}, "server", "192.0.2.9", 5060).end();
    transactions.respond(id, code, out);
  }
  void answer(ServerTransactionId id) {
    const Message* request = transactions.request_of(id);
    if (!request) return;
    if (request->method() == Method::invite && random_() % 3 != 0) {
      respond(id, 180);
      engine_.timers().start(sink_, id.value, Duration(random_() % 8000));
      if (random_() % 4 != 0) return;
    }
    respond(id, random_() % 2 ? 200 : 486);
  }

  TestEngine& engine_;
  std::mt19937& random_;
  TimerSinkId sink_;
};

}  // namespace

TEST_CASE("every transaction ends once and nothing is left, whatever the network does") {
  for (const unsigned loss : {0u, 10u, 40u, 80u, 100u}) {
    CAPTURE(loss);
    TestEngine engine;
    std::mt19937 random(static_cast<unsigned>(engine.seed()));
    Network network(engine, random, loss);
    Client client(engine, random);
    Server server(engine, random);
    network.connect(client.transport, server.transactions);
    network.connect(server.transport, client.transactions);
    for (int i = 0; i < 300; ++i) {
      client.start();
      engine.advance(Duration(random() % 200));
      while (!client.to_cancel.empty() && random() % 3 == 0) {
        client.transactions.cancel(client.to_cancel.back());
        client.to_cancel.pop_back();
      }
    }
    engine.advance(400s);
    CHECK(client.transactions.live() == 0);
    CHECK(server.transactions.live() == 0);
    CHECK(server.transactions.completed() == 0);
    for (const auto& [id, count] : client.outcomes) {
      CAPTURE(id);
      CHECK(count == (client.accepted.contains(id) ? 0 : 1));
    }
    if (loss == 0) CHECK(client.timeouts == 0);
    if (loss == 100) CHECK(client.timeouts == 300);
    if (loss == 0) CHECK(server.failures == 0);
  }
}

}  // namespace jackfield::sip::stack
