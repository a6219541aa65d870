// A far side's challenges: who answers them, and with what.
#include "connection_table.h"

namespace jackfield::sip::call {
namespace {

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

/// Ann's call over the connection is up; its INVITE was challenged with the nonce `one`.
struct Proved : OverLine {
  std::string invite;
  void connect_proved() {
    ann.invite(sdp("offer"), kTakesAll);
    refuse_at(main, 401, challenge("one"));
    invite = main.take_invite();
    main.answer(invite, 200, sdp("answer"), {}, kTakesAll);
  }
  void acknowledged() {
    main.expect("ACK");
    ann.take_answer(ann.expect("SIP/2.0 200"));
    ann.ack();
  }
  static inline const std::string kTakesAll = "Allow: INVITE, ACK, CANCEL, BYE, UPDATE, INFO, MESSAGE\r\n";
};

TEST_CASE_FIXTURE(Proved, "RFC 3261 22.1 The ACK to a 2xx carries the credentials of its INVITE, as they were") {
  connect_proved();
  const auto proof = header(invite, "Authorization");
  REQUIRE(!proof.empty());
  CHECK(header(main.expect("ACK"), "Authorization") == proof);
  main.answer(invite, 200, sdp("answer"));  // it was lost
  CHECK(header(main.expect("ACK"), "Authorization") == proof);
  ann.take_answer(ann.expect("SIP/2.0 200"));
  ann.ack();
  ann.request("INVITE", sdp("again"));
  const auto again = main.expect("INVITE");
  CHECK(header(again, "Authorization") != proof);
  main.answer(again, 200, sdp("again-answer"));
  CHECK(header(main.expect("ACK"), "Authorization") == header(again, "Authorization"));
  ann.expect("SIP/2.0 200");
  ann.ack();
  hang_up_at(main);
}

TEST_CASE_FIXTURE(Proved, "ZY-6 Every request of the dialog that is challenged anew, stale or not, is sent again with the answer") {
  connect_proved();
  acknowledged();
  std::string method, description, type = "application/sdp";
  SUBCASE("re-INVITE") { method = "INVITE", description = sdp("again"); }
  SUBCASE("UPDATE") { method = "UPDATE", description = sdp("again"); }
  SUBCASE("INFO") { method = "INFO", description = "Signal=5\r\nDuration=100\r\n", type = "application/dtmf-relay"; }
  SUBCASE("MESSAGE") { method = "MESSAGE", description = "hello", type = "text/plain"; }
  ann.content_type = type;
  ann.request(method, description);
  auto asked = main.expect(method);
  const auto first = body(asked);
  for (const auto* nonce : {"two", "three"}) {
    CHECK(header(asked, "Authorization").find(fmt::format("nonce=\"{}\"", nonce == std::string_view("two") ? "one" : "two")) != std::string::npos);
    main.answer(asked, 401, {}, {}, challenge(nonce, false, nonce == std::string_view("three")));
    if (method == "INVITE") main.expect("ACK");
    const auto number = parse_leading_number(header(asked, "CSeq"));
    asked = main.expect(method);
    CHECK(parse_leading_number(header(asked, "CSeq")) == *number + 1);
    CHECK(header(asked, "Content-Type") == type);
    CHECK(header(asked, "Authorization").find(fmt::format("nonce=\"{}\"", nonce)) != std::string::npos);
    CHECK(body(asked) == first);
  }
  const bool session = type == "application/sdp";
  main.answer(asked, 200, session ? sdp("again-answer") : std::string());
  if (method == "INVITE") main.expect("ACK");
  ann.expect("SIP/2.0 200");
  if (method == "INVITE") ann.ack();
  ann.content_type = "application/sdp";
  hang_up_at(main);
}

TEST_CASE_FIXTURE(Proved, "ZY-6 A request whose answer is refused is not repeated, and ends nothing") {
  connect_proved();
  acknowledged();
  ann.content_type = "application/dtmf-relay";
  ann.request("INFO", "Signal=5\r\n");
  ann.expect("SIP/2.0 200");
  main.answer(main.expect("INFO"), 401, {}, {}, challenge("two"));
  main.answer(main.expect("INFO"), 401, {}, {}, challenge("three"));
  main.expect_nothing();
  ann.request("BYE");
  ann.expect("SIP/2.0 200");
  const auto bye = main.expect("BYE");
  main.answer(bye, 401, {}, {}, challenge("four"));  // a request of its own: that is no second refusal
  const auto proved = main.expect("BYE");
  CHECK(header(proved, "Authorization").find("nonce=\"four\"") != std::string::npos);
  main.answer(proved, 200);
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

}  // namespace
}  // namespace jackfield::sip::call
