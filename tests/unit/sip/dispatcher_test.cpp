// What every request is checked for before a part sees it (RFC 3261 §8.2), and what the server says of itself.
#include "unit/sip/site.h"

#include "dispatcher.h"
#include "status.h"

#include <jackfield/messages/engine.h>

namespace jackfield::sip {
namespace {

struct Server {
  TestEngine engine;
  std::shared_ptr<SipSettings> settings = Site::defaults();
  Network network;
  stack::Transactions transactions{engine, {}};
  Core core{engine, engine.log("sip"), network, transactions, settings, {settings->listeners[0], settings->listeners[1]}};
  admission::Gate gate{core};
  registrar::Registrar registrar{core, gate};
  call::Calls calls{core, gate, registrar};
  outside::Outside outside{core, gate, registrar, calls};
  stack::Resolver resolver{engine, {}, nullptr, {}};
  line::Lines lines{core, resolver};
  Dispatcher dispatcher{core, gate, registrar, calls, outside, lines};
  int count = 0;

  Server() { transactions.attach(network, dispatcher); }
  ~Server() { transactions.stop(); }

  Reply send(const std::string& method, const std::string& extra = {}, const std::string& uri = "sip:192.0.2.1", const std::string& to_tag = {}) {
    network.take();
    const stack::RequestText request{.method = method, .uri = uri, .branch = fmt::format("z9hG4bK{}", ++count), .to_tag = to_tag,
                                     .cseq = static_cast<unsigned>(count), .extra = extra};
    static_cast<stack::TransportEvents&>(transactions).message(udp("192.0.2.9:5060"), request.text());
    engine.run_until_idle();
    if (network.sent.empty()) return {};
    Message message;
    REQUIRE(message.parse(network.sent.back().bytes));
    return {message.status(), network.sent.back().bytes};
  }
};

}  // namespace

TEST_CASE("OPTIONS to the server is answered with what it does") {
  Server server;
  const auto reply = server.send("OPTIONS");
  CHECK(reply.code == 200);
  CHECK(reply.value("Allow").find("REGISTER") != std::string::npos);
  CHECK(reply.value("Accept") == "application/sdp, multipart/mixed");
  CHECK(reply.value("Supported") == "path");
  CHECK(server.transactions.live() == 0);
}

TEST_CASE("OPTIONS for another's domain is 404, and 503 while the server drains") {
  Server server;
  server.settings->domains = {"sip.example"};
  CHECK(server.send("OPTIONS", {}, "sip:200@elsewhere.example").code == 404);
  CHECK(server.send("OPTIONS", {}, "sip:200@SIP.example").code == 200);
  CHECK(server.send("OPTIONS", {}, "sip:192.0.2.1").code == 200);  // who looks whether we live may know the address only
  CHECK(server.send("OPTIONS", {}, "sip:192.0.2.1:5070").code == 404);
  server.engine.core().set_draining(true);
  CHECK(server.send("OPTIONS", {}, "sip:sip.example").code == 503);
}

TEST_CASE("A method we know but do not take is 405 with Allow, one nobody knows 501") {
  Server server;
  server.settings->messages = false;
  for (const auto* method : {"SUBSCRIBE", "NOTIFY", "PUBLISH", "REFER", "MESSAGE"}) {
    CAPTURE(method);
    const auto reply = server.send(method);
    CHECK(reply.code == 405);
    CHECK(reply.value("Allow").find("INVITE") != std::string::npos);
  }
  CHECK(server.send("JUGGLE").code == 501);
}

TEST_CASE("What means a dialog and fits none is 481") {
  Server server;
  for (const auto* method : {"BYE", "INFO", "UPDATE", "PRACK"}) CHECK(server.send(method).code == 481);
  for (const auto* method : {"BYE", "INVITE", "OPTIONS", "SUBSCRIBE"}) CHECK(server.send(method, {}, "sip:192.0.2.1", "gone").code == 481);
}

TEST_CASE("An extension we lack is 420 and named, one we have is not") {
  Server server;
  const auto reply = server.send("OPTIONS", "Require: 199, path\r\nRequire: nothing-known\r\n");
  CHECK(reply.code == 420);
  CHECK(reply.value("Unsupported") == "199, nothing-known");
  CHECK(server.send("OPTIONS", "Require: PATH\r\n").code == 200);
}

TEST_CASE("Another scheme is 416, a URI that is none 400") {
  Server server;
  CHECK(server.send("OPTIONS", {}, "http://192.0.2.1/").code == 416);
  CHECK(server.send("REGISTER", {}, "tel:+4930").code == 416);
  CHECK(server.send("OPTIONS", {}, "sip:200@").code == 400);
}

TEST_CASE("The status line says what there is, and is true only for who asked by name") {
  Server server;
  jackfield::Message all("engine.status");
  CHECK_FALSE(add_status(all, server.core, server.registrar.table(), server.calls));
  CHECK(all.retvalue().starts_with("name=sip,type=varchans,format="));
  CHECK(all.retvalue().ends_with("\r\n"));
  CHECK(all.retvalue().find("bindings=0") != std::string_view::npos);
  jackfield::Message own("engine.status");
  own.set("module", "sip");
  CHECK(add_status(own, server.core, server.registrar.table(), server.calls));
  jackfield::Message other("engine.status");
  other.set("module", "regfile");
  CHECK_FALSE(add_status(other, server.core, server.registrar.table(), server.calls));
  CHECK(other.retvalue().empty());
}

}  // namespace jackfield::sip
