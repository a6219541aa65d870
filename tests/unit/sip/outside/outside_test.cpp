// Requests outside a dialog: text messages to phones, methods that scripts answer, and requests that scripts send.
#include "outside/outside.h"

#include <jackfield/messages/sip.h>

#include "stack/auth.h"

#include "unit/sip/call/two_phones.h"

namespace jackfield::sip::call {
namespace {

struct World : TwoPhones {
  outside::Outside outside{core, door, bindings, *calls};
  World() {
    settings->generate = true;
    outside.start();
  }
  ~World() override {
    outside.stop();
    engine.run_until_idle();
  }

  /// A request outside a dialog, from Ann.
  std::string ask(const std::string& method, const std::string& extra = {}, const std::string& text = {}, const std::string& called = "102") {
    ann.call_id = fmt::format("outside-{}", ++count);
    ann.local = "<sip:101@192.0.2.1>";
    ann.remote = "<sip:" + called + "@192.0.2.1>";
    ann.target = "sip:" + called + "@192.0.2.1";
    ann.remote_tag.clear();
    ann.content_type = "text/plain;charset=utf-8";
    ann.request(method, text, extra);
    return ann.inbox.empty() ? std::string() : ann.expect("SIP/2.0");
  }
  int count = 0;

 private:
  void request(const stack::IncomingRequest& request) override {
    if (request.message.to()->tag.empty() && outside.serves(request.message)) outside.request(request);
    else calls->request(request);
  }
  void response(stack::ClientTransactionId transaction, const Message& response, const stack::FlowId& flow) override {
    if (!outside.response(transaction, response)) calls->response(transaction, response, flow);
  }
  void client_failed(stack::ClientTransactionId transaction, stack::ClientFailure failure) override {
    if (!outside.client_failed(transaction, failure)) calls->client_failed(transaction, failure);
  }
};

TEST_CASE_FIXTURE(World, "ZY-9: A text message is routed and delivered, and its answer is the phone's") {
  CHECK(ask("MESSAGE", "Subject: lunch\r\n", "Um zwölf?").empty());
  const auto message = bob.expect("MESSAGE sip:102@198.51.100.2:5060");
  CHECK(body(message) == "Um zwölf?");
  CHECK(header(message, "Content-Type") == "text/plain;charset=utf-8");
  CHECK(header(message, "From").starts_with("<sip:101@"));
  CHECK(header(message, "Max-Forwards") == "69");
  bob.answer(message, 202);
  ann.expect("SIP/2.0 202");
  CHECK(outside.open() == 0);
}

TEST_CASE_FIXTURE(World, "Routing decides about a text message as about a call, and says so by its code") {
  route = [](BusMessage& message) -> Verdict {
    CHECK(message.get("route_type") == "msg");
    CHECK(message.get("username") == "101");
    CHECK(message.get("xsip_body") == "hi");
    if (message.get("called") == "busy") return message.set("error", "busy"), message.set_retvalue("-"), true;
    return false;
  };
  CHECK(ask("MESSAGE", {}, "hi").starts_with("SIP/2.0 404"));
  CHECK(ask("MESSAGE", {}, "hi", "busy").starts_with("SIP/2.0 486"));
  door.refuses = true;
  CHECK(ask("MESSAGE", {}, "hi").starts_with("SIP/2.0 401"));
  bob.expect_nothing();
}

TEST_CASE_FIXTURE(World, "A text message for several phones goes to each, and the first that takes it is the answer") {
  FarEnd carol{*this, "198.51.100.3:5060"};
  route = [](BusMessage& message) {
    message.set_retvalue("fork");
    message.set("callto.1", "sip/sip:102@198.51.100.2:5060").set("callto.2", "|").set("callto.3", "sip/sip:102@198.51.100.3:5060");
    return true;
  };
  ask("MESSAGE", {}, "hi");
  const auto first = bob.expect("MESSAGE"), second = carol.expect("MESSAGE");
  bob.answer(first, 486);
  ann.expect_nothing();
  carol.answer(second, 200);
  ann.expect("SIP/2.0 200");

  ask("MESSAGE", {}, "hi");
  bob.answer(bob.expect("MESSAGE"), 486);
  carol.expect("MESSAGE");
  engine.advance(20s);  // she never answers, and the sender still waits
  ann.expect("SIP/2.0 480");
  engine.advance(13s);
  CHECK(outside.open() == 0);
}

TEST_CASE_FIXTURE(World, "Another method is a message of its own, answered as its handler says") {
  auto handler = engine.bus().install({.message = "sip.subscribe"}, [](BusMessage& message) {
    CHECK(message.get("caller") == "101");
    CHECK(message.get("called") == "102");
    CHECK(message.get("method") == "SUBSCRIBE");
    CHECK(message.get("sip_event") == "dialog");
    CHECK_FALSE(message.get("xsip_dlgtag").empty());
    message.set("osip_Expires", "600");
    if (message.get("sip_event") == "dialog") message.set_retvalue("202");
    return true;
  });
  const auto accepted = ask("SUBSCRIBE", "Event: dialog\r\n");
  CHECK(accepted.starts_with("SIP/2.0 202"));
  CHECK(header(accepted, "Expires") == "600");
  auto refuse = engine.bus().install({.message = "sip.publish"}, [](BusMessage& message) { return message.set("code", "489"), false; });
  CHECK(ask("PUBLISH").starts_with("SIP/2.0 489"));
  auto silent = engine.bus().install({.message = "sip.notify"}, [](BusMessage&) { return false; });
  CHECK(ask("NOTIFY").starts_with("SIP/2.0 405"));
}

TEST_CASE_FIXTURE(World, "xsip.generate sends a request and brings its answer back") {
  BusMessage generate(messages::kXsipGenerate);
  generate.set("method", "NOTIFY").set("uri", "sip:102@198.51.100.2:5060").set("user", "101").set("wait", "true");
  generate.set("sip_Event", "check-sync").set("sip_Via", "SIP/2.0/UDP evil").set("xsip_body", "now").set("xsip_type", "text/x");
  std::optional<bool> handled;
  BusMessage answer(messages::kXsipGenerate);
  engine.bus().enqueue(std::move(generate), [&](BusMessage& told, bool done) {
    handled = done;
    for (const auto& [name, value] : told.parameters()) answer.set(name, value);
  });
  settle();
  const auto notify = bob.expect("NOTIFY sip:102@198.51.100.2:5060");
  CHECK(header(notify, "Event") == "check-sync");
  CHECK(header(notify, "Via").find("evil") == std::string::npos);
  CHECK(header(notify, "Content-Type") == "text/x");
  CHECK(body(notify) == "now");
  CHECK_FALSE(handled);
  bob.answer(notify, 489, {}, {}, "X-Why: no\r\n");
  REQUIRE(handled);
  CHECK(*handled);
  CHECK(answer.get("code") == "489");
  CHECK(answer.get("sip_x-why") == "no");
  CHECK_FALSE(answer.has("xsip_body"));
  CHECK(outside.open() == 0);
}

TEST_CASE_FIXTURE(World, "xsip.generate sends within a dialog, and neither begins nor ends calls") {
  connect(ann, bob);
  BusMessage within(messages::kXsipGenerate);
  within.set("method", "INFO").set("id", "sip/2").set("xsip_body", "Signal=5").set("xsip_type", "application/dtmf-relay");
  CHECK(engine.dispatch(within).value_or(false));
  settle();
  const auto info = bob.expect("INFO");
  CHECK(header(info, "Content-Type") == "application/dtmf-relay");
  CHECK(header(info, "Call-ID") == bob.call_id);
  bob.answer(info, 200);
  for (const char* method : {"INVITE", "BYE", "CANCEL", "ACK", "UPDATE", "", "IN VITE"}) {
    BusMessage bad(messages::kXsipGenerate);
    bad.set("method", method).set("id", "sip/2");
    CHECK_FALSE(engine.dispatch(bad).value_or(true));
    CHECK_FALSE(bad.get("error").empty());
  }
  hang_up();
}

/// What a script is told of its request.
struct Generated : World {
  std::optional<bool> handled;
  std::map<std::string, std::string> told;

  void generate(std::map<std::string, std::string> parameters) {
    BusMessage message(messages::kXsipGenerate);
    for (const auto& [name, value] : parameters) message.set(name, value);
    engine.bus().enqueue(std::move(message), [this](BusMessage& answer, bool done) {
      handled = done;
      for (const auto& [name, value] : answer.parameters()) told[std::string(name)] = value;
    });
    settle();
  }
  static std::string challenge(const std::string& more = "qop=\"auth\"", const std::string& nonce = "n1") {
    return fmt::format("WWW-Authenticate: Digest realm=\"far side\", nonce=\"{}\", opaque=\"o\", {}\r\n", nonce, more);
  }
  std::pair<std::string, AuthHeader> proof(const std::string& request, const std::string& name = "Authorization") {
    kept = header(request, name);
    const auto parsed = parse_auth(kept);
    REQUIRE(parsed);
    return {kept, *parsed};
  }
  std::string kept;
};

TEST_CASE_FIXTURE(Generated, "xsip.generate is served where generate=yes, as Yate's") {
  settings->generate = false;
  generate({{"method", "OPTIONS"}, {"uri", "sip:102@198.51.100.2:5060"}});
  CHECK_FALSE(handled.value_or(true));
  CHECK(told["reason"].find("generate=yes") != std::string::npos);
  bob.expect_nothing();
}

TEST_CASE_FIXTURE(Generated, "xsip.generate answers a challenge with the credentials it was given, in the same conversation") {
  generate({{"method", "NOTIFY"}, {"uri", "sip:102@198.51.100.2:5060"}, {"user", "101"}, {"authname", "john"}, {"password", "an old song"}, {"wait", "true"}});
  CHECK_FALSE(told.contains("password"));
  const auto first = bob.expect("NOTIFY");
  CHECK(header(first, "Authorization").empty());
  bob.answer(first, 401, {}, {}, "WWW-Authenticate: Basic realm=\"x\"\r\n" + challenge("qop=\"auth,auth-int\", algorithm=MD5") + challenge("qop=\"auth\", algorithm=SHA-256"));
  CHECK_FALSE(handled);
  const auto second = bob.expect("NOTIFY");
  CHECK(header(second, "Call-ID") == header(first, "Call-ID"));
  CHECK(header(second, "From") == header(first, "From"));
  CHECK(header(second, "CSeq") == "2 NOTIFY");
  const auto [text, credentials] = proof(second);
  CHECK(credentials.username == "john");
  CHECK(credentials.algorithm == "SHA-256");
  CHECK(credentials.opaque == "o");
  const stack::DigestAuth verifier({1, 2});
  CHECK(verifier.verify(credentials, "NOTIFY", {.password = "an old song"}) == digest::Verdict::match);
  SUBCASE("accepted") {
    bob.answer(second, 200);
    REQUIRE(handled);
    CHECK(told["code"] == "200");
  }
  SUBCASE("a wrong password is told and not tried again") {
    bob.answer(second, 401, {}, {}, challenge());
    REQUIRE(handled);
    CHECK(told["code"] == "401");
    bob.expect_nothing();
  }
  SUBCASE("a nonce that is stale by then is replaced, but not forever") {
    auto next = second;
    for (int time = 2; time <= 3; ++time) {
      bob.answer(next, 401, {}, {}, challenge("qop=\"auth\", stale=true", "n2"));
      next = bob.expect("NOTIFY");
      CHECK(proof(next).second.nonce == "n2");
    }
    bob.answer(next, 401, {}, {}, challenge("qop=\"auth\", stale=true", "n2"));
    CHECK(told["code"] == "401");
  }
  bob.expect_nothing();
  CHECK(outside.open() == 0);
}

TEST_CASE_FIXTURE(Generated, "xsip.generate answers a proxy, and one that knows no qop; and no other scheme") {
  generate({{"method", "OPTIONS"}, {"uri", "sip:102@198.51.100.2:5060"}, {"user", "101"}, {"password", "p"}, {"wait", "true"}});
  const auto first = bob.expect("OPTIONS");
  SUBCASE("a proxy") {
    bob.answer(first, 407, {}, {}, "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n");
    const auto second = bob.expect("OPTIONS");
    const auto credentials = proof(second, "Proxy-Authorization").second;
    CHECK(credentials.username == "101");
    CHECK(credentials.qop.empty());
    const stack::DigestAuth verifier({1, 2});
    CHECK(verifier.verify(credentials, "OPTIONS", {.password = "p"}) == digest::Verdict::match);
    bob.answer(second, 200);
    CHECK(told["code"] == "200");
  }
  SUBCASE("Basic would give the password away") {
    bob.answer(first, 401, {}, {}, "WWW-Authenticate: Basic realm=\"x\"\r\n");
    CHECK(told["code"] == "401");
  }
  SUBCASE("auth-int alone") {
    bob.answer(first, 401, {}, {}, challenge("qop=\"auth-int\""));
    CHECK(told["code"] == "401");
  }
  CHECK(outside.open() == 0);
}

TEST_CASE_FIXTURE(Generated, "xsip.generate answers a challenge without being waited for, and within a dialog") {
  SUBCASE("not waited for") {
    generate({{"method", "NOTIFY"}, {"uri", "sip:102@198.51.100.2:5060"}, {"user", "101"}, {"password", "p"}});
    CHECK(handled.value_or(false));
    bob.answer(bob.expect("NOTIFY"), 401, {}, {}, challenge());
    const auto second = bob.expect("NOTIFY");
    CHECK(proof(second).second.username == "101");
    bob.answer(second, 200);
  }
  SUBCASE("within a dialog") {
    connect(ann, bob);
    generate({{"method", "INFO"}, {"id", "sip/2"}, {"user", "101"}, {"password", "p"}, {"wait", "true"}});
    const auto first = bob.expect("INFO");
    bob.answer(first, 401, {}, {}, challenge());
    const auto second = bob.expect("INFO");
    CHECK(header(second, "Call-ID") == header(first, "Call-ID"));
    const auto credentials = proof(second).second;
    CHECK(second.starts_with(fmt::format("INFO {} ", credentials.uri)));
    bob.answer(second, 200);
    CHECK(told["code"] == "200");
    hang_up();
  }
  settle();
  CHECK(outside.open() == 0);
}

struct LongText : Generated {
  const std::string text = std::string(1400, 'x');
  stack::FlowId connection() const { return {bob.flow.remote, network.last_connection, 0, stack::TransportKind::tcp}; }
  static std::string way(const std::string& message) { return header(message, "Via").substr(8, 3); }
};

TEST_CASE_FIXTURE(LongText, "P-2 RFC 3428 §8: A text message past udp_mtu to a server goes by TCP or not at all") {
  network.opening.insert(network.last_connection + 1);
  ask("MESSAGE", {}, text);
  const auto message = bob.expect("MESSAGE");
  CHECK(way(message) == "TCP");
  CHECK(header(message, "Contact").empty());
  CHECK(body(message) == text);
  SUBCASE("answered") {
    bob.answer(message, 200);
    ann.expect("SIP/2.0 200");
  }
  SUBCASE("somebody is there, and slow") {
    network.opening.clear();
    engine.advance(10s);
    CHECK(network.alive(connection()));
    bob.inbox.clear();
    bob.answer(message, 200);
    ann.expect("SIP/2.0 200");
  }
  SUBCASE("nobody listens: the sender hears that it is too long") {
    SUBCASE("refused") {}
    SUBCASE("or silent for 2 s") {
      engine.advance(1999ms);
      CHECK(network.alive(connection()));
      engine.advance(1ms);
      CHECK_FALSE(network.alive(connection()));
    }
    close(connection());
    ann.expect("SIP/2.0 513");
  }
  SUBCASE("no way by TCP at all") {
    bob.answer(message, 200);
    ann.expect("SIP/2.0 200");
    network.can_connect = false;
    CHECK(ask("MESSAGE", {}, text).starts_with("SIP/2.0 513"));
  }
  engine.advance(40s);
  bob.expect_nothing();
  CHECK(outside.open() == 0);
}

TEST_CASE_FIXTURE(LongText, "P-2 D17: A phone's flow, a transport that was said, and a short text stay as they are") {
  SUBCASE("a phone") {
    bindings.all["sip:102@198.51.100.2:5060"] = {.flow = bob.flow, .request_uri = "sip:102@198.51.100.2:5060", .route = {}, .username = "102"};
    ask("MESSAGE", {}, text);
  }
  SUBCASE("said") {
    route = [](BusMessage& message) { return message.set_retvalue("sip/sip:102@198.51.100.2:5060;transport=udp"), true; };
    ask("MESSAGE", {}, text);
  }
  SUBCASE("short") { ask("MESSAGE", {}, "hi"); }
  SUBCASE("no limit") {
    settings->udp_mtu = 0;
    ask("MESSAGE", {}, text);
  }
  const auto message = bob.expect("MESSAGE");
  CHECK(way(message) == "UDP");
  bob.answer(message, 200);
  ann.expect("SIP/2.0 200");
  CHECK(outside.open() == 0);
}

TEST_CASE_FIXTURE(LongText, "P-2 D17: Another long request goes by UDP after all") {
  network.opening.insert(network.last_connection + 1);
  generate({{"method", "NOTIFY"}, {"uri", "sip:102@198.51.100.2:5060"}, {"user", "101"}, {"xsip_body", text}, {"wait", "true"}});
  const auto first = bob.expect("NOTIFY");
  CHECK(way(first) == "TCP");
  CHECK(header(first, "Contact").find(";transport=tcp") != std::string::npos);
  close(connection());
  const auto second = bob.expect("NOTIFY");
  CHECK(way(second) == "UDP");
  bob.answer(second, 200);
  CHECK(told["code"] == "200");
  CHECK(outside.open() == 0);
}

}  // namespace
}  // namespace jackfield::sip::call
