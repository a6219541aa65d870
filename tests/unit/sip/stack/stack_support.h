// What the tests of the stack share: messages as text, a user that notes what it is told, a transport that notes what is sent.
#pragma once

#include <fmt/format.h>

#include <doctest/doctest.h>

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sip/message.h"
#include "sip/writer.h"
#include "stack/transactions.h"
#include "stack/transport.h"

namespace jackfield::sip::stack {

struct RequestText {
  std::string method = "INVITE";
  std::string uri = "sip:bob@192.0.2.1";
  std::string branch = "z9hG4bK1";
  std::string sent_by = "192.0.2.9:5060";
  std::string via_parameters = ";rport";
  std::string call_id = "call-1";
  std::string from_tag = "from-1";
  std::string to_tag;
  unsigned cseq = 1;
  std::string extra;
  std::string transport = "UDP";

  std::string text() const {
    return fmt::format(
        "{} {} SIP/2.0\r\nVia: SIP/2.0/{} {};branch={}{}\r\nFrom: <sip:alice@192.0.2.9>;tag={}\r\nTo: <sip:bob@192.0.2.1>{}\r\n"
        "Call-ID: {}\r\nCSeq: {} {}\r\nMax-Forwards: 70\r\n{}Content-Length: 0\r\n\r\n",
        method, uri, transport, sent_by, branch, via_parameters, from_tag, to_tag.empty() ? "" : ";tag=" + to_tag, call_id, cseq,
        method, extra);
  }
};

/// A response to a request of ours, as the far end would write it.
inline std::string response_text(std::string_view request, int code, std::string_view to_tag = "far") {
  Message message;
  REQUIRE(message.parse(request));
  std::string out;
  start_response(out, message, code, {}, to_tag, "192.0.2.9", 5060).end();
  return out;
}

inline std::string first_line(std::string_view text) { return std::string(text.substr(0, text.find("\r\n"))); }

inline net::Address address(std::string_view text) { return net::Address::parse_with_port(text).value(); }

/// Notes events as lines: `request INVITE`, `cancelled`, `server_failed`, `response 180`, `client_failed timeout`, ….
class RecordingUser : public TransactionUser {
 public:
  std::vector<std::string> events;
  ServerTransactionId server;
  ClientTransactionId client;
  std::string last_request;
  std::function<void(const IncomingRequest&)> on_request;
  std::function<void(ClientTransactionId, const Message&)> on_response;

  std::vector<std::string> take() { return std::exchange(events, {}); }

  void request(const IncomingRequest& request) override {
    events.push_back("request " + std::string(request.message.method_text()));
    last_request = request.message.bytes();
    if (on_request) on_request(request);
  }
  void cancelled(ServerTransactionId invite, const Message&) override {
    server = invite;
    events.push_back("cancelled");
  }
  void server_failed(ServerTransactionId) override { events.push_back("server_failed"); }
  void response(ClientTransactionId id, const Message& response, const FlowId&) override {
    events.push_back("response " + std::to_string(response.status()));
    if (on_response) on_response(id, response);
  }
  void client_failed(ClientTransactionId, ClientFailure failure) override {
    switch (failure) {
      case ClientFailure::timeout: events.push_back("client_failed timeout"); break;
      case ClientFailure::flow_closed: events.push_back("client_failed flow_closed"); break;
      case ClientFailure::stopped: events.push_back("client_failed stopped"); break;
    }
  }
  void stray_response(const Message& response, const FlowId&) override {
    events.push_back("stray " + std::to_string(response.status()));
  }
  void flow_closed(const FlowId&, std::string_view) override { events.push_back("flow_closed"); }
};

/// Sockets made of memory. What is sent is noted; connections are alive until the test kills them.
class FakeTransport : public Transport {
 public:
  struct Sent {
    FlowId flow;
    std::string bytes;
  };
  std::vector<Sent> sent;
  std::set<std::uint32_t> dead;  // connections
  std::uint32_t last_connection = 100;
  bool can_connect = true;
  std::function<void(const FlowId&, std::string_view)> on_send;

  std::vector<Sent> take() { return std::exchange(sent, {}); }
  /// First lines of what was sent since the last time.
  std::vector<std::string> lines() {
    std::vector<std::string> all;
    for (const Sent& one : take()) all.push_back(first_line(one.bytes));
    return all;
  }

  tl::expected<std::uint16_t, std::string> open(const ListenerOptions&) override { return 0; }
  void close(std::uint16_t) override {}
  std::vector<std::pair<std::uint16_t, ListenerOptions>> listeners() const override { return {}; }
  bool send(const FlowId& flow, std::string_view bytes) override {
    if (dead.contains(flow.connection)) return false;
    if (on_send) on_send(flow, bytes);
    else sent.push_back({flow, std::string(bytes)});
    return true;
  }
  std::optional<FlowId> flow_to(TransportKind kind, const net::Address& remote, std::optional<std::uint16_t>) override {
    if (!is_reliable(kind)) return FlowId{remote, 0, 0, kind};
    if (!can_connect) return {};
    return FlowId{remote, ++last_connection, 0, kind};
  }
  void hold(const FlowId&) override {}
  void release(const FlowId&) override {}
  std::set<std::uint32_t> opening;  // connections
  bool alive(const FlowId& flow) const override { return !dead.contains(flow.connection); }
  bool connecting(const FlowId& flow) const override { return opening.contains(flow.connection); }
  void close(const FlowId& flow) override { dead.insert(flow.connection); }
  Reach reach(const FlowId&) const override { return {"192.0.2.1", 5060}; }
  bool is_ours(std::string_view, std::uint16_t) const override { return false; }
  void flush() override {}
};

}  // namespace jackfield::sip::stack
