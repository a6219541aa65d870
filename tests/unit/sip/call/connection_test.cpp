// Calls out over a connection: who calls, what proves it, and the walk along its servers for the same call (D18).
#include "connection_table.h"

namespace jackfield::sip::call {
namespace {

using Told = std::vector<std::string>;

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

TEST_CASE_FIXTURE(OverLine, "EL-2 EL-4 A server that does not even say 100 is left for the next one, for the same call and under another Call-ID") {
  ann.invite(sdp("offer"));
  const auto first = main.take_invite();
  engine.advance(999ms);
  second.expect_nothing();
  engine.advance(1ms);
  CHECK(table.told == Told{"up 0 unreachable"});
  REQUIRE(!second.inbox.empty());
  const auto next = second.inbox.front();
  CHECK(header(next, "Call-ID") != header(first, "Call-ID"));
  CHECK(tag_of(next, "From") != tag_of(first, "From"));
  CHECK(split_origin(body(next)).second == split_origin(sdp("offer")).second);
  main.inbox.clear();

  SUBCASE("and may stay silent") {}
  SUBCASE("D18: when it rings late it is cancelled") {
    main.answer(first, 180);
    const auto cancel = main.expect("CANCEL");
    main.answer(cancel, 200);
    main.answer(first, 487);
    main.expect("ACK");
  }
  SUBCASE("D18: when it answers late it is acknowledged and ended with BYE") {
    main.answer(first, 200, sdp("late"));
    CHECK(header(main.expect("ACK"), "Call-ID") == header(first, "Call-ID"));
    const auto bye = main.expect("BYE");
    CHECK(header(bye, "Call-ID") == header(first, "Call-ID"));
    main.answer(bye, 200);
  }
  answer_at(second);
  CHECK(table.told == Told{"up 0 unreachable", "up 1 answered 203.0.113.2:5060"});
  CHECK(all("call.answered").size() == 1);
  engine.advance(10s);
  main.inbox.clear();
  hang_up_at(second);
}

TEST_CASE_FIXTURE(OverLine, "EL-2 A 100 is a sign of life: the server is waited for") {
  ann.invite(sdp("offer"));
  const auto invite = main.take_invite();
  main.answer(invite, 100);
  engine.advance(20s);
  second.expect_nothing();
  CHECK(table.told == Told{"up 0 answered 203.0.113.1:5060"});
  main.answer(invite, 486);
  main.expect("ACK");
  ann.expect("SIP/2.0 486");
  nothing_left();
}

TEST_CASE_FIXTURE(OverLine, "EL-2 408 and 503 move the call on, at once, also after a 100") {
  int code = 0;
  SUBCASE("408") { code = 408; }
  SUBCASE("503") { code = 503; }
  ann.invite(sdp("offer"));
  refuse_at(main, code);
  const auto invite = second.take_invite();
  second.answer(invite, 100);
  second.answer(invite, code);
  second.expect("ACK");
  CHECK(table.told == Told{"up 0 refused", "up 1 answered 203.0.113.2:5060", "up 1 refused"});
  answer_at(third);
  hang_up_at(third);
}

TEST_CASE_FIXTURE(OverLine, "EL-2 What the called one says moves nothing") {
  int code = 0, told = 0;
  SUBCASE("403") { code = told = 403; }
  SUBCASE("404") { code = told = 404; }
  SUBCASE("486") { code = told = 486; }
  SUBCASE("603") { code = told = 603; }
  SUBCASE("500") { code = told = 500; }
  ann.invite(sdp("offer"));
  refuse_at(main, code);
  ann.expect(fmt::format("SIP/2.0 {}", told));
  nothing_left();
}

TEST_CASE_FIXTURE(OverLine, "D18 A 408 or 503 after it rang is the callee's, not the server's") {
  ann.invite(sdp("offer"));
  const auto invite = main.take_invite();
  main.answer(invite, 183);
  ann.expect("SIP/2.0 183");
  SUBCASE("408") { main.answer(invite, 408); }
  SUBCASE("503") { main.answer(invite, 503); }
  main.expect("ACK");
  ann.expect("SIP/2.0");
  CHECK(table.told == Told{"up 0 answered 203.0.113.1:5060"});
  nothing_left();
}

TEST_CASE_FIXTURE(OverLine, "EL-2 An ICMP refusal and a connection that does not open count at once") {
  SUBCASE("UDP") {
    ann.invite(sdp("offer"));
    main.take_invite();
    static_cast<stack::TransportEvents&>(transactions).closed(main.flow, "refused");
    settle();
  }
  SUBCASE("TCP") {
    up.exit.servers[0].hops[0].transport = stack::TransportKind::tcp;
    ann.invite(sdp("offer"));
    const auto invite = main.take_invite();
    CHECK(header(invite, "Via").starts_with("SIP/2.0/TCP"));
    close({main.flow.remote, network.last_connection, 0, stack::TransportKind::tcp});
  }
  CHECK(table.told == Told{"up 0 unreachable"});
  answer_at(second);
  hang_up_at(second);
}

TEST_CASE_FIXTURE(OverLine, "EL-4 When all have failed the caller hears it once, within the sum of the waits") {
  ann.invite(sdp("offer"));
  SUBCASE("all silent") {
    engine.advance(3s);
    for (FarEnd* server : {&main, &second, &third}) server->take_invite();
    ann.expect("SIP/2.0 480");
    engine.advance(100s);
    for (FarEnd* end : {&ann, &main, &second, &third}) end->inbox.clear();
  }
  SUBCASE("the last refuses") {
    refuse_at(main, 503), refuse_at(second, 408), refuse_at(third, 503);
    ann.expect("SIP/2.0 500");
  }
  CHECK(table.told.size() == 3);
  nothing_left();
}

TEST_CASE_FIXTURE(OverLine, "EL-4 The caller's CANCEL ends the walk") {
  ann.invite(sdp("offer"));
  refuse_at(main, 503);
  const auto invite = second.take_invite();
  second.answer(invite, 100);
  ann.cancel();
  ann.expect("SIP/2.0 200");
  ann.expect("SIP/2.0 487");
  second.answer(second.expect("CANCEL"), 200);
  second.answer(invite, 503);
  second.expect("ACK");
  nothing_left();
}

TEST_CASE_FIXTURE(OverLine, "EL-3 Retransmissions of an INVITE begin at the connection's own timeout and double") {
  up.exit.initial_timeout = 100ms;
  ann.invite(sdp("offer"));
  main.take_invite();
  for (const auto wait : {100ms, 200ms, 400ms}) {
    engine.advance(wait - 10ms);
    main.expect_nothing();
    engine.advance(10ms);
    main.expect("INVITE");
  }
  engine.advance(299ms);
  second.expect_nothing();
  engine.advance(1ms);
  answer_at(second);
  main.inbox.clear();
  hang_up_at(second);
}

TEST_CASE_FIXTURE(OverLine, "EL-12 A server that is a name with several machines is a list of its own, and is looked up when its turn comes") {
  zone.srv("_sip._udp.pool.example", 10, 0, 5060, "a.pool.example");
  zone.srv("_sip._udp.pool.example", 20, 0, 5060, "b.pool.example");
  zone.address("a.pool.example", "203.0.113.2");
  zone.address("b.pool.example", "203.0.113.3");
  auto& servers = up.exit.servers;
  servers.resize(2);
  servers[1] = {1, {"pool.example"}, {}, "pool.example", {}};
  ann.invite(sdp("offer"));
  CHECK(zone.questions.empty());
  refuse_at(main, 503);
  SUBCASE("and the call goes on when it is known") {
    zone.answer();
    settle();
    refuse_at(second, 503);
    answer_at(third);
    CHECK(table.told == Told{"up 0 refused", "up 1 refused", "up 1 answered 203.0.113.3:5060"});
    hang_up_at(third);
  }
  SUBCASE("and a caller who gives up meanwhile is done with") {
    ann.cancel();
    ann.expect("SIP/2.0 200");
    ann.expect("SIP/2.0 487");
    zone.answer();
    settle();
    CHECK(resolver.open() == 0);
    nothing_left();
  }
  SUBCASE("and a name that nobody knows is passed over") {
    zone.records.clear();
    zone.answer();
    settle();
    ann.expect("SIP/2.0 500");
    nothing_left();
  }
}

std::string challenge(const std::string& nonce, bool proxy = false, bool stale = false) {
  return fmt::format("{}: Digest realm=\"up\", nonce=\"{}\", qop=\"auth\"{}\r\n", proxy ? "Proxy-Authenticate" : "WWW-Authenticate", nonce, stale ? ", stale=true" : "");
}

TEST_CASE_FIXTURE(OverLine, "ZY-6 A 401 or 407 is answered with the connection's credentials, and every later request carries them") {
  ann.invite(sdp("offer"));
  const auto first = main.take_invite();
  bool proxy = false;
  SUBCASE("401") {}
  SUBCASE("407") { proxy = true; }
  const std::string name = proxy ? "Proxy-Authorization" : "Authorization";
  main.answer(first, proxy ? 407 : 401, {}, {}, challenge("one", proxy));
  main.expect("ACK");
  const auto invite = main.take_invite();
  CHECK(header(invite, "Call-ID") == header(first, "Call-ID"));
  CHECK(tag_of(invite, "From") == tag_of(first, "From"));
  CHECK(header(invite, "CSeq") == "2 INVITE");
  CHECK(header(invite, name).find("username=\"jack\"") != std::string::npos);
  CHECK(header(invite, name).find("nonce=\"one\"") != std::string::npos);
  CHECK(split_origin(body(invite)).second == split_origin(sdp("offer")).second);
  main.answer(invite, 200, sdp("answer"));
  main.expect("ACK");
  ann.take_answer(ann.expect("SIP/2.0 200"));
  ann.ack();

  ann.request("INVITE", sdp("again"));
  const auto again = main.expect("INVITE");
  CHECK(header(again, name).find("nc=00000002") != std::string::npos);
  main.answer(again, proxy ? 407 : 401, {}, {}, challenge("two", proxy, true));
  main.expect("ACK");
  const auto proved = main.expect("INVITE");
  CHECK(header(proved, name).find("nonce=\"two\"") != std::string::npos);
  CHECK(body(proved) == body(again));
  main.answer(proved, 200, sdp("again-answer"));
  main.expect("ACK");
  ann.expect("SIP/2.0 200");
  ann.ack();

  ann.request("BYE");
  ann.expect("SIP/2.0 200");
  const auto bye = main.expect("BYE");
  CHECK(header(bye, name).find("nonce=\"two\"") != std::string::npos);
  main.answer(bye, proxy ? 407 : 401, {}, {}, challenge("three", proxy, true));
  const auto last = main.expect("BYE");
  CHECK(header(last, name).find("nonce=\"three\"") != std::string::npos);
  main.answer(last, 200);
  nothing_left();
}

TEST_CASE_FIXTURE(OverLine, "ZY-6 A wrong password is not tried twice, and is no reason to go elsewhere") {
  ann.invite(sdp("offer"));
  refuse_at(main, 401, challenge("one"));
  refuse_at(main, 401, challenge("two"));
  ann.expect("SIP/2.0 4");
  second.expect_nothing();
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

// Without a connection.

TEST_CASE_FIXTURE(OverLine, "P-3 A call to a host that is a name waits until it is known, and tries its machines in order") {
  zone.srv("_sip._udp.far.example", 10, 0, 5060, "a.far.example");
  zone.srv("_sip._udp.far.example", 20, 0, 5060, "b.far.example");
  zone.address("a.far.example", "203.0.113.2");
  zone.address("b.far.example", "203.0.113.3");
  route = [](BusMessage& message) {
    message.set_retvalue("sip/sip:105@far.example");
    return true;
  };
  ann.invite(sdp("offer"));
  second.expect_nothing();
  SUBCASE("the next where one refuses with 503") {
    zone.answer();
    settle();
    const auto invite = second.take_invite();
    CHECK(invite.starts_with("INVITE sip:105@far.example SIP/2.0\r\n"));
    CHECK(header(invite, "To") == "<sip:102@far.example>");
    second.answer(invite, 503);
    second.expect("ACK");
    answer_at(third);
    hang_up_at(third);
  }
  SUBCASE("and at once the second time") {
    zone.answer();
    settle();
    second.answer(second.take_invite(), 486);
    second.expect("ACK");
    ann.expect("SIP/2.0 486");
    ann.ack();
    const auto asked = zone.questions.size();
    ann.call_id += "again";
    ann.invite(sdp("offer"));
    CHECK(zone.questions.size() == asked);
    second.answer(second.take_invite(), 486);
    second.expect("ACK");
    ann.expect("SIP/2.0 486");
    nothing_left();
  }
  SUBCASE("the caller's end ends the wait") {
    ann.cancel();
    ann.expect("SIP/2.0 200");
    ann.expect("SIP/2.0 487");
    zone.answer();
    settle();
    second.expect_nothing();
    nothing_left();
  }
  SUBCASE("no such name") {
    zone.records.clear();
    zone.answer();
    settle();
    ann.expect("SIP/2.0 404");
    CHECK(all("call.execute").at(0).at("reason").find("far.example") != std::string::npos);
    nothing_left();
  }
  SUBCASE("nobody answers") {
    engine.advance(5s);
    ann.expect("SIP/2.0 404");
    zone.waiting.clear();
    nothing_left();
  }
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
