// Calls out over a connection: who calls, whom, and what is believed of whom.
#include "connection_table.h"

namespace jackfield::sip::call {
namespace {

TEST_CASE_FIXTURE(OverLine, "SP-5 A call over a registered connection is its user's, and Contact names the connection") {
  up.own.type = line::Type::registration;
  up.exit.display = "Office";
  up.exit.contact_host = "192.0.2.99:5080";
  up.exit.servers[0].host = "example.net";
  up.exit.servers[0].route = {"<sip:edge.example.net;lr>", "<sip:core.example.net;lr>"};
  up.exit.parameters = {{"osip_X-Account", "77"}};
  SUBCASE("line/NUMBER") { target = "line/1234"; }
  SUBCASE("sip/NUMBER") { target = "sip/1234"; }
  ann.invite(sdp("offer"));
  const auto invite = main.take_invite();
  CHECK(invite.starts_with("INVITE sip:1234@example.net SIP/2.0\r\n"));
  CHECK(header(invite, "From").starts_with("\"Office\" <sip:jack@example.net>;tag="));
  CHECK(header(invite, "To") == "<sip:102@example.net>");
  CHECK(header(invite, "Contact") == "<sip:jack@192.0.2.99:5080>");
  CHECK(header(invite, "Route") == "<sip:edge.example.net;lr>");
  CHECK(header(invite, "X-Account") == "77");
  CHECK(invite.find("core.example.net;lr") != std::string::npos);
  main.answer(invite, 486);
  main.expect("ACK");
  ann.expect("SIP/2.0 486");
  nothing_left();
}

TEST_CASE_FIXTURE(OverLine, "SP-11 Over a trunk the caller keeps his number; a URI is called as it stands, by the trunk's server") {
  up.own.type = line::Type::trunk;
  target = "sip/sip:900@other.example";
  ann.invite(sdp("offer"));
  const auto invite = main.take_invite();
  CHECK(invite.starts_with("INVITE sip:900@other.example SIP/2.0\r\n"));
  CHECK(header(invite, "From").find("<sip:101@203.0.113.1>") != std::string::npos);
  main.answer(invite, 486);
  main.expect("ACK");
  ann.expect("SIP/2.0 486");
  nothing_left();
}

TEST_CASE_FIXTURE(OverLine, "SP-8 A connection that is offline, or is none, is error=offline") {
  SUBCASE("offline") { up.is_online = false; }
  SUBCASE("none") { table.all.clear(); }
  ann.invite(sdp("offer"));
  ann.expect("SIP/2.0 404");
  CHECK(all("call.execute").at(0).at("error") == "offline");
  nothing_left();
}

TEST_CASE_FIXTURE(OverLine, "D6 Who calls is told to a connection's servers, and believed of them, as the connection says") {
  bool believed = false;
  SUBCASE("trust_identity=yes") { believed = true, up.own.trust_identity = true; }
  SUBCASE("trust_identity=no") { up.own.trust_identity = false; }
  SUBCASE("nothing: as the module has it") { settings->trust_identity = believed = true; }
  ann.invite(sdp("offer"), "Privacy: id\r\n");
  route = [](BusMessage&) { return false; };
  auto invite = main.take_invite();
  CHECK(header(invite, "Privacy") == (believed ? "id" : ""));
  main.answer(invite, 200, sdp("answer"), {}, "P-Asserted-Identity: <sip:900@example.net>\r\n");
  main.expect("ACK");
  ann.take_answer(ann.expect("SIP/2.0 200"));
  ann.ack();
  CHECK(all("call.answered").at(0).at("sip_p-asserted-identity") == (believed ? "<sip:900@example.net>" : ""));
  hang_up_at(main);
}

TEST_CASE_FIXTURE(OverLine, "D6 A connection's 302 is followed where it says redirect=yes, and is 403 else") {
  bob.name = "102";
  const bool followed = [&] {
    bool yes = false;
    SUBCASE("redirect=yes") { up.own.redirect = yes = true; }
    SUBCASE("redirect=no, though everybody may") {
      up.own.redirect = false;
      settings->redirect = RedirectPolicy::anyone;
    }
    SUBCASE("nothing said") {}
    return yes;
  }();
  route = [this](BusMessage& message) {
    const bool first = message.get("called") == "102";
    message.set_retvalue(first ? "line/1234" : "sip/sip:105@198.51.100.2:5060");
    if (first) message.set("line", "up");
    return true;
  };
  ann.invite(sdp("offer"));
  refuse_at(main, 302, "Contact: <sip:105@192.0.2.1>\r\n");
  if (!followed) ann.expect("SIP/2.0 403");
  else {
    bob.answer(bob.take_invite(), 486);
    bob.expect("ACK");
    ann.expect("SIP/2.0 486");
  }
  bob.expect_nothing();
  nothing_left();
}

TEST_CASE_FIXTURE(OverLine, "D6 A connection's REFER is obeyed where it says transfer=yes, and is 403 else") {
  int code = 403;
  SUBCASE("transfer=yes") { up.own.transfer = true, code = 202; }
  SUBCASE("nothing said") {}
  ann.invite(sdp("offer"));
  answer_at(main);
  main.request("REFER", {}, "Refer-To: <sip:105@192.0.2.1>\r\nRefer-Sub: false\r\n");
  main.expect(fmt::format("SIP/2.0 {}", code == 202 ? 200 : 403));
}

TEST_CASE_FIXTURE(OverLine, "SP-13 A switchboard that registered here is called by the number, at the contact it gave") {
  const std::string contact = "sip:trunk@198.51.100.2:5060;ob";
  bindings.all[contact] = {.flow = bob.flow, .request_uri = contact, .route = {}, .username = "trunk"};
  route = [&](BusMessage& message) {
    message.set_retvalue("sip/" + contact);
    message.set("user", "+49 30/5");
    return true;
  };
  ann.invite(sdp("offer"));
  const auto invite = bob.take_invite();
  CHECK(stack::first_line(invite) == "INVITE sip:+49%2030/5@198.51.100.2:5060;ob SIP/2.0");
  bob.answer(invite, 486);
  bob.expect("ACK");
  ann.expect("SIP/2.0 486");
  check_all_gone();
}

TEST_CASE_FIXTURE(OverLine, "RFC 3261 12.2.1.1 After the answer requests go where its route set or Contact says") {
  std::string contact = "<sip:1234@203.0.113.2:5060>", route;
  FarEnd* next = &second;
  SUBCASE("Contact") {}
  SUBCASE("a Record-Route by name, which is known") {
    zone.address("edge.example", "203.0.113.3");
    resolver.resolve({"edge.example", 5060, stack::TransportKind::udp}, [](const stack::Resolved&) {});
    settle();
    zone.answer();
    settle();
    route = "Record-Route: <sip:edge.example:5060;lr>\r\n";
    next = &third;
  }
  SUBCASE("but not to a private address: that one is behind a NAT") {
    contact = "<sip:1234@192.168.1.7:5060>";
    next = &main;
  }
  SUBCASE("nor to a name that is not known") {
    contact = "<sip:1234@unknown.example>";
    next = &main;
  }
  ann.invite(sdp("offer"));
  const auto invite = main.take_invite();
  std::string answer;
  {
    Message message;
    REQUIRE(message.parse(invite));
    auto writer = start_response(answer, message, 200, {}, "far", "192.0.2.1", 5060);
    if (!route.empty()) writer.header("Record-Route", "<sip:edge.example:5060;lr>");
    writer.header(HeaderId::contact, contact);
    writer.body("application/sdp", sdp("answer"));
  }
  main.send(answer);
  const auto ack = next->expect("ACK");
  CHECK(ack.starts_with(fmt::format("ACK {} ", contact.substr(1, contact.size() - 2))));
  ann.take_answer(ann.expect("SIP/2.0 200"));
  ann.ack();
  ann.request("BYE");
  ann.expect("SIP/2.0 200");
  next->answer(next->expect("BYE"), 200);
  nothing_left();
}

TEST_CASE_FIXTURE(OverLine, "D17 A large INVITE to a name whose transport nothing says goes by TCP") {
  zone.address("far.example", "203.0.113.2");
  route = [](BusMessage& message) {
    message.set_retvalue("sip/sip:105@far.example:5060");
    return true;
  };
  ann.invite(sdp(std::string(1300, 'x')));
  zone.answer();
  settle();
  const auto invite = second.take_invite();
  CHECK(header(invite, "Via").starts_with("SIP/2.0/TCP"));
  second.answer(invite, 486);
  second.expect("ACK");
  ann.expect("SIP/2.0 486");
  nothing_left();
}

}  // namespace
}  // namespace jackfield::sip::call
