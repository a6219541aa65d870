// Requests outside a dialog: text messages to phones, methods that scripts answer, and requests that scripts send.
#include "outside/outside.h"

#include <jackfield/messages/sip.h>

#include "unit/sip/call/two_phones.h"

namespace jackfield::sip::call {
namespace {

struct World : TwoPhones {
  outside::Outside outside{core, door, bindings, *calls};
  World() { outside.start(); }
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
    if (!outside.client_failed(transaction)) calls->client_failed(transaction, failure);
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

}  // namespace
}  // namespace jackfield::sip::call
