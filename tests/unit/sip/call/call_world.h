// Calls over the real transaction layer and a network of memory: scripted far ends that send and expect messages, an admission that
// lets in whom the test says, a route that the test gives, and a list of what passed on the bus.
#pragma once

#include <jackfield/messages/call.h>
#include <jackfield/messages/chan.h>
#include <jackfield/messages/media.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "call/calls.h"
#include "settings.h"
#include "support/test_engine.h"
#include "unit/sip/stack/stack_support.h"

namespace jackfield::sip::call {

using namespace std::chrono_literals;

inline std::string header(std::string_view bytes, std::string_view name) {
  Message message;
  if (!message.parse(bytes)) return {};
  const auto* line = message.header(name);
  return line ? std::string(line->value) : std::string();
}
inline std::string tag_of(std::string_view bytes, std::string_view name) {
  const auto value = header(bytes, name);
  const auto at = value.find(";tag=");
  return at == std::string::npos ? std::string() : value.substr(at + 5);
}
inline std::string body(std::string_view bytes) {
  const auto end = bytes.find("\r\n\r\n");
  return end == std::string_view::npos ? std::string() : std::string(bytes.substr(end + 4));
}
inline std::string sdp(std::string_view marker, std::string_view origin = "- 7 7 IN IP4 198.51.100.9") {
  return fmt::format("v=0\r\no={}\r\ns={}\r\nc=IN IP4 198.51.100.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n", origin, marker);
}
/// The o= line, and the rest.
inline std::pair<std::string, std::string> split_origin(const std::string& text) {
  const auto from = text.find("o=");
  const auto to = from == std::string::npos ? from : text.find("\r\n", from);
  if (from == std::string::npos) return {"", text};
  return {text.substr(from, to - from), text.substr(0, from) + text.substr(to + 2)};
}

class Network final : public stack::FakeTransport {
 public:
  std::map<std::string, int> holds;
  std::vector<std::string> log;  ///< first lines, in order, with where they went
  void hold(const stack::FlowId& flow) override { ++holds[flow.remote.text()]; }
  void release(const stack::FlowId& flow) override { --holds[flow.remote.text()]; }
  std::optional<std::uint16_t> preferred;  ///< of the last flow asked for
  std::optional<stack::FlowId> flow_to(stack::TransportKind kind, const net::Address& remote, std::optional<std::uint16_t> prefer) override {
    preferred = prefer;
    return FakeTransport::flow_to(kind, remote, prefer);
  }
};

/// One line of what happened on the bus.
struct Seen {
  std::string name;
  std::map<std::string, std::string> parameters;
  bool handled;
  std::string at(const std::string& key) const {
    const auto found = parameters.find(key);
    return found == parameters.end() ? std::string() : found->second;
  }
};

class CallWorld;

/// A phone or gateway, which does what the test says and nothing by itself.
class FarEnd {
 public:
  FarEnd(CallWorld& world, std::string address, std::uint32_t connection = 0);

  stack::FlowId flow;
  std::string name = "101";
  std::deque<std::string> inbox;
  std::string via_host;
  std::string content_type = "application/sdp";  ///< of what its requests carry

  // The dialog it is in.
  std::string call_id, local_tag, remote_tag, local, remote, target;
  unsigned cseq = 1;
  std::string last_invite;  ///< sent or received

  void send(const std::string& bytes);
  /// The next message; it must begin so. Trying is passed over unless it is asked for.
  std::string expect(std::string_view start);
  void expect_nothing();

  /// Sends an INVITE for 102 outside a dialog.
  void invite(const std::string& description, const std::string& extra = {}, const std::string& uri = "sip:102@192.0.2.1");
  void cancel(const std::string& extra = {});
  void ack(const std::string& description = {});
  /// A request within the dialog.
  std::string request(const std::string& method, const std::string& description = {}, const std::string& extra = {});

  /// Answers a request that came in; takes the dialog from it when it was an INVITE.
  void answer(const std::string& request, int code, const std::string& description = {}, const std::string& tag = {}, const std::string& extra = {});
  /// As expect("INVITE"), and takes the dialog from it.
  std::string take_invite();
  /// Takes the dialog from an answer to its own INVITE.
  void take_answer(const std::string& response);

 private:
  std::string write(const std::string& method, const std::string& uri, unsigned number, const std::string& branch, const std::string& description,
                    const std::string& extra) const;
  CallWorld& world_;
  unsigned branch_ = 0;
};

class OpenDoor final : public Admission {
 public:
  explicit OpenDoor(stack::Transactions& transactions) : transactions_(transactions) {}
  Sender sender{Sender::Kind::user, "101", {}, {}};
  bool refuses = false;
  std::vector<std::string> asked;  ///< methods
  int challenged = 0;
  void admit(const stack::IncomingRequest& request, Purpose, Done done, stack::ServerTransactionId begun = {}) override {
    asked.emplace_back(request.message.method_text());
    if (refuses) return transactions_.reply(request, 401);
    done(sender, request, begun);
  }
  void challenge(const Message& request, const stack::FlowId& flow, stack::ServerTransactionId transaction) override {
    ++challenged;
    std::string out;
    start_response(out, request, 401, {}, "challenge", flow.remote.host(), flow.remote.port()).end();
    transactions_.respond(transaction, 401, out);
  }

 private:
  stack::Transactions& transactions_;
};

class Bindings final : public BindingTable {
 public:
  std::map<std::string, BindingTarget, std::less<>> all;
  std::optional<BindingTarget> find(std::string_view data) const override {
    const auto found = all.find(data);
    return found == all.end() ? std::nullopt : std::optional(found->second);
  }
  std::map<std::string, stack::FlowId> connections;  ///< by user
  std::optional<Device> device_on(std::string_view username, const stack::FlowId& connection) const override {
    const auto found = connections.find(std::string(username));
    return found == connections.end() || !(found->second == connection) ? std::nullopt : std::optional(Device{found->first, "key"});
  }
  std::optional<stack::FlowId> connection_of(const Device& device) const override {
    const auto found = connections.find(device.username);
    return found == connections.end() ? std::nullopt : std::optional(found->second);
  }
};

class CallWorld : public stack::TransactionUser {
 public:
  TestEngine engine;
  std::shared_ptr<SipSettings> settings = std::make_shared<SipSettings>();
  Network network;
  stack::Transactions transactions{engine, {}};
  Core core;
  OpenDoor door{transactions};
  Bindings bindings;
  std::optional<Calls> calls;
  std::vector<Seen> seen;
  std::function<Verdict(BusMessage&)> route = [](BusMessage& message) {
    message.set_retvalue("sip/sip:102@198.51.100.2:5060");
    return true;
  };
  std::map<std::string, FarEnd*> ends;

  CallWorld() : CallWorld(std::nullopt) {}
  /// A seed of the test's own, for runs that are repeated exactly.
  explicit CallWorld(std::optional<std::uint64_t> seed);
  ~CallWorld() override;

  /// Installs a handler for the length of the test.
  void handle(const messages::MessageName& name, Handler handler, int priority = 50) {
    handlers_.push_back(engine.bus().install({.message = name, .priority = priority}, std::move(handler)));
  }
  std::vector<Seen> all(std::string_view name) const {
    std::vector<Seen> out;
    for (const auto& one : seen)
      if (one.name == name) out.push_back(one);
    return out;
  }
  /// The chan.hangup of a leg.
  Seen hangup(std::string_view id) const {
    for (const auto& one : all("chan.hangup"))
      if (one.at("id") == id) return one;
    FAIL("no chan.hangup of " << id);
    return {};
  }
  void settle() { engine.run_until_idle(); }
  void close(const stack::FlowId& flow) {
    network.dead.insert(flow.connection);
    static_cast<stack::TransportEvents&>(transactions).closed(flow, "gone");
    settle();
  }
  void drop(std::string_view id, std::string_view reason = {}) {
    BusMessage message(messages::kCallDrop);
    message.set("id", id).set("reason", reason);
    engine.bus().enqueue(std::move(message));
    settle();
  }
  /// Nothing may be left once every timer has had its time.
  void check_all_gone();

  // A call from `caller` to `callee` up to a point.
  std::string ring(FarEnd& caller, FarEnd& callee, const std::string& offer = sdp("offer"));
  void connect(FarEnd& caller, FarEnd& callee, const std::string& offer = sdp("offer"), const std::string& answer = sdp("answer"));

 private:
  void request(const stack::IncomingRequest& request) override { calls->request(request); }
  void cancelled(stack::ServerTransactionId invite, const Message& cancel) override { calls->cancelled(invite, cancel); }
  void server_failed(stack::ServerTransactionId invite) override { calls->server_failed(invite); }
  void response(stack::ClientTransactionId transaction, const Message& response, const stack::FlowId& flow) override {
    calls->response(transaction, response, flow);
  }
  void client_failed(stack::ClientTransactionId transaction, stack::ClientFailure failure) override { calls->client_failed(transaction, failure); }
  void stray_response(const Message&, const stack::FlowId&) override {}
  void flow_closed(const stack::FlowId& flow, std::string_view) override { calls->flow_closed(flow); }

  std::vector<Bus::Subscription> handlers_;
};

}  // namespace jackfield::sip::call
