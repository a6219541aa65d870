// The walk along the servers of a connection, or the machines of a name, for the same call (D18, RFC 3263 §4.3).
#include "connection_table.h"

namespace jackfield::sip::call {
namespace {

using Told = std::vector<std::string>;

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

}  // namespace
}  // namespace jackfield::sip::call
