// Transfers: REFER and what becomes of it, on the wire and on the bus (P-11, D6).
#include "two_phones.h"

namespace jackfield::sip::call {
namespace {

struct ThreePhones : TwoPhones {
  FarEnd carol{*this, "198.51.100.3:5060"};
  ThreePhones() {
    carol.name = "103";
    route = [](BusMessage& message) {
      const auto called = message.get("called");
      if (called != "102" && called != "103") return false;
      message.set_retvalue(called == "102" ? "sip/sip:102@198.51.100.2:5060" : "sip/sip:103@198.51.100.3:5060");
      return true;
    };
  }
  /// Whose NOTIFY says so; answered.
  void hears(FarEnd& end, std::string_view line, std::string_view state = "active") {
    const auto notify = end.expect("NOTIFY");
    CHECK(body(notify) == std::string(line) + "\r\n");
    CHECK(header(notify, "Content-Type") == "message/sipfrag;version=2.0");
    CHECK(header(notify, "Event") == "refer");
    CHECK(header(notify, "Subscription-State").starts_with(state));
    CHECK_FALSE(header(notify, "Contact").empty());
    end.answer(notify, 200);
  }
  std::string refer(FarEnd& end, const std::string& to = "<sip:103@192.0.2.1>", const std::string& extra = {}) {
    end.request("REFER", {}, "Refer-To: " + to + "\r\n" + extra);
    return end.expect("SIP/2.0");
  }
  static int status(const std::string& response) { return std::stoi(response.substr(8, 3)); }
};

TEST_CASE_FIXTURE(ThreePhones, "P-11: A blind transfer calls the target for the party, tells the transferor how it goes, and ends his leg") {
  connect(ann, bob);
  seen.clear();
  CHECK(status(refer(ann)) == 202);
  hears(ann, "SIP/2.0 100 Trying");
  const auto routed = all("call.route").at(0);
  CHECK(routed.at("username") == "101");  // what the call may do is the transferor's
  CHECK(routed.at("caller") == "102");    // who is heard is the party
  CHECK(routed.at("called") == "103");
  CHECK(routed.at("reason") == "transfer");
  CHECK(routed.at("diverter") == "101");

  const auto invite = carol.take_invite();
  CHECK(body(invite).empty());
  CHECK(header(invite, "From").starts_with("<sip:102@"));
  CHECK(header(invite, "Referred-By").starts_with("<sip:101@"));
  carol.answer(invite, 180);
  hears(ann, "SIP/2.0 180 Ringing");
  bob.expect_nothing();  // nothing has changed for him

  carol.answer(invite, 200, sdp("carol"));
  const auto again = bob.expect("INVITE");
  CHECK(split_origin(body(again)).second == split_origin(sdp("carol")).second);
  carol.expect_nothing();
  bob.answer(again, 200, sdp("bob"));
  bob.expect("ACK");
  CHECK(split_origin(body(carol.expect("ACK"))).second == split_origin(sdp("bob")).second);

  hears(ann, "SIP/2.0 200 OK", "terminated");
  ann.answer(ann.expect("BYE"), 200);
  CHECK(calls->transfers() == 0);
  CHECK(all("chan.replaced").at(0).at("id") == "sip/1");
  CHECK(all("chan.replaced").at(0).at("newid") == "sip/3");

  bob.request("BYE");
  bob.expect("SIP/2.0 200");
  carol.answer(carol.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(ThreePhones, "P-11: A target who answers before the party has acknowledged his own call gets his answer as soon as that came") {
  bindings.all["sip:102@198.51.100.2:5060"] = {.flow = bob.flow, .request_uri = "sip:102@198.51.100.2:5060", .route = {}, .username = "102"};
  ann.invite(sdp("ann"));
  bob.answer(bob.take_invite(), 200, sdp("bob"));
  bob.expect("ACK");
  ann.take_answer(ann.expect("SIP/2.0 200"));
  CHECK(status(refer(bob)) == 202);
  hears(bob, "SIP/2.0 100 Trying");
  const auto invite = carol.take_invite();
  carol.answer(invite, 200, sdp("carol"));
  hears(bob, "SIP/2.0 200 OK", "terminated");
  bob.answer(bob.expect("BYE"), 200);
  engine.advance(400ms);
  carol.answer(invite, 200, sdp("carol"));  // the ACK is still to come
  carol.expect_nothing();
  SUBCASE("he acknowledges") {
    ann.inbox.clear();  // the 200 came again
    ann.ack();
    const auto offer = ann.expect("INVITE");
    CHECK(split_origin(body(offer)).second == split_origin(sdp("carol")).second);
    ann.answer(offer, 200, sdp("ann again"));
    ann.expect("ACK");
    CHECK(split_origin(body(carol.expect("ACK"))).second == split_origin(sdp("ann again")).second);
    engine.advance(10s);
    ann.expect_nothing();
    carol.expect_nothing();
    ann.request("BYE");
    ann.expect("SIP/2.0 200");
    carol.answer(carol.expect("BYE"), 200);
  }
  SUBCASE("he never does") {
    engine.advance(33s);
    carol.expect("ACK");
    carol.answer(carol.expect("BYE"), 200);
    ann.inbox.clear();
  }
  check_all_gone();
}

TEST_CASE_FIXTURE(ThreePhones, "P-11: The called phone transfers too, as the user it belongs to") {
  bindings.all["sip:102@198.51.100.2:5060"] = {.flow = bob.flow, .request_uri = "sip:102@198.51.100.2:5060", .route = {}, .username = "102"};
  connect(ann, bob);
  seen.clear();
  CHECK(status(refer(bob)) == 202);
  hears(bob, "SIP/2.0 100 Trying");
  CHECK(all("call.route").at(0).at("username") == "102");
  CHECK(all("call.route").at(0).at("caller") == "101");
  const auto invite = carol.take_invite();
  carol.answer(invite, 486);
  carol.expect("ACK");
  hears(bob, "SIP/2.0 486 Busy Here", "terminated");
  CHECK(calls->transfers() == 0);
  hang_up();
}

TEST_CASE_FIXTURE(ThreePhones, "P-11: A transfer that fails has changed nothing, and may be tried again") {
  connect(ann, bob);
  CHECK(status(refer(ann, "<sip:999@192.0.2.1>")) == 202);
  hears(ann, "SIP/2.0 100 Trying");
  hears(ann, "SIP/2.0 404 Not Found", "terminated");
  bob.expect_nothing();
  CHECK(status(refer(ann)) == 202);
  const auto notify = ann.expect("NOTIFY");
  CHECK(header(notify, "Event") == "refer;id=3");  // RFC 3515 §2.4.6
  ann.answer(notify, 200);
  carol.answer(carol.take_invite(), 603);
  carol.expect("ACK");
  ann.answer(ann.expect("NOTIFY"), 200);
  SUBCASE("the transferor hangs up") { hang_up(); }
  SUBCASE("or the party") {
    bob.request("BYE");
    bob.expect("SIP/2.0 200");
    ann.answer(ann.expect("BYE"), 200);
    check_all_gone();
  }
}

TEST_CASE_FIXTURE(ThreePhones, "P-11: A transferor who hangs up at once leaves the party to the new call") {
  connect(ann, bob);
  refer(ann);
  ann.answer(ann.expect("NOTIFY"), 200);
  ann.request("BYE");
  ann.expect("SIP/2.0 200");
  bob.expect_nothing();
  const auto invite = carol.take_invite();
  SUBCASE("answered") {
    carol.answer(invite, 200, sdp("carol"));
    bob.answer(bob.expect("INVITE"), 200, sdp("bob"));
    bob.expect("ACK");
    carol.expect("ACK");
    carol.request("BYE");
    carol.expect("SIP/2.0 200");
  }
  SUBCASE("refused: nobody is left to go back to") {
    carol.answer(invite, 486);
    carol.expect("ACK");
  }
  bob.answer(bob.expect("BYE"), 200);
  ann.expect_nothing();
  check_all_gone();
}

TEST_CASE_FIXTURE(ThreePhones, "P-11: A party that hangs up ends the transfer and the call it began") {
  connect(ann, bob);
  refer(ann);
  ann.answer(ann.expect("NOTIFY"), 200);
  const auto invite = carol.take_invite();
  carol.answer(invite, 180);
  ann.answer(ann.expect("NOTIFY"), 200);
  bob.request("BYE");
  bob.expect("SIP/2.0 200");
  const auto cancel = carol.expect("CANCEL");
  carol.answer(cancel, 200);
  carol.answer(invite, 487);
  carol.expect("ACK");
  while (!ann.inbox.empty()) {
    const auto request = ann.expect("");
    if (!request.starts_with("SIP/2.0")) ann.answer(request, 200);
  }
  CHECK(calls->transfers() == 0);
  check_all_gone();
}

TEST_CASE_FIXTURE(ThreePhones, "P-11: With Refer-Sub: false nothing is reported (RFC 4488)") {
  connect(ann, bob);
  const auto accepted = refer(ann, "<sip:103@192.0.2.1>", "Refer-Sub: false\r\n");
  CHECK(status(accepted) == 200);
  CHECK(header(accepted, "Refer-Sub") == "false");
  ann.expect_nothing();
  carol.answer(carol.take_invite(), 200, sdp("carol"));
  bob.answer(bob.expect("INVITE"), 200, sdp("bob"));
  bob.expect("ACK");
  carol.expect("ACK");
  ann.answer(ann.expect("BYE"), 200);
  carol.request("BYE");
  carol.expect("SIP/2.0 200");
  bob.answer(bob.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(ThreePhones, "D6: A leg without a user transfers nothing, unless transfer=yes; with transfer=no nobody does") {
  door.sender = {Sender::Kind::trusted, "", {}, {}};
  connect(ann, bob);
  CHECK(status(refer(ann)) == 403);
  CHECK(status(refer(bob)) == 403);
  settings->transfer = TransferPolicy::anyone;
  CHECK(status(refer(ann)) == 202);
  ann.answer(ann.expect("NOTIFY"), 200);
  carol.answer(carol.take_invite(), 486);
  ann.answer(ann.expect("NOTIFY"), 200);
  settings->transfer = TransferPolicy::nobody;
  CHECK(status(refer(ann)) == 403);
  carol.inbox.clear();
  hang_up();
}

TEST_CASE_FIXTURE(ThreePhones, "P-11: An attended transfer connects the two far ends, and both of the transferor's legs end") {
  FarEnd second{*this, "198.51.100.1:5062"};  // Ann's other call, to Carol
  connect(ann, bob);
  second.invite(sdp("second"), {}, "sip:103@192.0.2.1");
  carol.answer(carol.take_invite(), 200, sdp("carol"));
  carol.expect("ACK");
  second.take_answer(second.expect("SIP/2.0 200"));
  second.ack();
  seen.clear();

  const auto replaces = fmt::format("<sip:103@192.0.2.1?Replaces={}%3Bto-tag%3D{}%3Bfrom-tag%3D{}>", second.call_id, second.remote_tag, second.local_tag);
  CHECK(status(refer(ann, replaces)) == 202);
  hears(ann, "SIP/2.0 200 OK", "terminated");
  // One of the two is asked what it offers, and the other one answers that.
  auto& asked = bob.inbox.empty() ? carol : bob;
  auto& other = bob.inbox.empty() ? bob : carol;
  const auto offerless = asked.expect("INVITE");
  CHECK(body(offerless).empty());
  asked.answer(offerless, 200, sdp("offered"));
  const auto offer = other.expect("INVITE");
  CHECK(split_origin(body(offer)).second == split_origin(sdp("offered")).second);
  other.answer(offer, 200, sdp("agreed"));
  other.expect("ACK");
  CHECK(split_origin(body(asked.expect("ACK"))).second == split_origin(sdp("agreed")).second);

  ann.answer(ann.expect("BYE"), 200);
  second.answer(second.expect("BYE"), 200);
  CHECK(all("chan.replaced").size() == 2);
  bob.request("BYE");
  bob.expect("SIP/2.0 200");
  carol.answer(carol.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(ThreePhones, "P-11: Where one who is to be joined is busy with a change of his own (491), he is asked again later") {
  FarEnd second{*this, "198.51.100.1:5062"};
  connect(ann, bob);
  second.invite(sdp("second"), {}, "sip:103@192.0.2.1");
  carol.answer(carol.take_invite(), 200, sdp("carol"));
  carol.expect("ACK");
  second.take_answer(second.expect("SIP/2.0 200"));
  second.ack();
  refer(ann, fmt::format("<sip:103@192.0.2.1?Replaces={}%3Bto-tag%3D{}%3Bfrom-tag%3D{}>", second.call_id, second.remote_tag, second.local_tag));
  ann.answer(ann.expect("NOTIFY"), 200);
  ann.answer(ann.expect("BYE"), 200);
  second.answer(second.expect("BYE"), 200);
  auto& asked = bob.inbox.empty() ? carol : bob;
  auto& other = bob.inbox.empty() ? bob : carol;
  asked.answer(asked.expect("INVITE"), 491);
  asked.expect("ACK");
  asked.expect_nothing();
  SUBCASE("he says nothing more") { engine.advance(4s); }
  SUBCASE("his own change meets the other, who has no session with him yet") {
    asked.request("INVITE", sdp("asked"));
    const auto offer = other.expect("INVITE");
    other.answer(offer, 100);
    engine.advance(4s);  // both are busy
    asked.expect_nothing();
    other.answer(offer, 200, sdp("other"));
    other.expect("ACK");
    asked.expect("SIP/2.0 200");
    asked.ack();
  }
  auto& first = asked.inbox.empty() ? other : asked;
  auto& last = asked.inbox.empty() ? asked : other;
  const auto offerless = first.expect("INVITE");
  CHECK(body(offerless).empty());
  first.inbox.clear();  // it may have come again meanwhile
  first.answer(offerless, 200, sdp("offered"));
  last.answer(last.expect("INVITE"), 200, sdp("agreed"));
  last.expect("ACK");
  CHECK(split_origin(body(first.expect("ACK"))).second == split_origin(sdp("agreed")).second);
  engine.advance(10s);
  bob.expect_nothing();
  carol.expect_nothing();
  bob.request("BYE");
  bob.expect("SIP/2.0 200");
  carol.answer(carol.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(ThreePhones, "P-11: A phone that rings for a transferred party is picked up, and the party answers what was offered") {
  FarEnd dan{*this, "198.51.100.4:5060"};
  dan.name = "104";
  bindings.all["sip:102@198.51.100.2:5060"] = {.flow = bob.flow, .request_uri = "sip:102@198.51.100.2:5060", .route = {}, .username = "102"};
  connect(ann, bob);
  FarEnd* transferor = &ann;
  FarEnd* party = &bob;
  SUBCASE("the called is transferred") {}
  SUBCASE("the caller is") { std::swap(transferor, party); }
  refer(*transferor);
  transferor->answer(transferor->expect("NOTIFY"), 200);
  const auto invite = carol.take_invite();
  carol.answer(invite, 180);
  transferor->answer(transferor->expect("NOTIFY"), 200);

  door.sender.username = "104";
  dan.invite(sdp("dan"), fmt::format("Replaces: {};to-tag={};from-tag={}\r\n", carol.call_id, carol.remote_tag, carol.local_tag));
  carol.answer(carol.expect("CANCEL"), 200);
  carol.answer(invite, 487);
  carol.expect("ACK");
  const auto offer = party->expect("INVITE");
  CHECK(split_origin(body(offer)).second == split_origin(sdp("dan")).second);
  transferor->answer(transferor->expect("NOTIFY"), 200);
  transferor->answer(transferor->expect("BYE"), 200);
  party->answer(offer, 200, sdp("party"));
  party->expect("ACK");
  const auto ok = dan.expect("SIP/2.0 200");
  CHECK(split_origin(body(ok)).second == split_origin(sdp("party")).second);
  dan.take_answer(ok);
  dan.ack();
  engine.advance(10s);
  party->expect_nothing();
  dan.request("BYE");
  dan.expect("SIP/2.0 200");
  party->answer(party->expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(ThreePhones, "D6: Nobody transfers to a call of another user") {
  FarEnd other{*this, "198.51.100.4:5060"};
  other.name = "104";
  connect(ann, bob);
  door.sender.username = "104";
  other.invite(sdp("second"), {}, "sip:103@192.0.2.1");
  carol.answer(carol.take_invite(), 200, sdp("carol"));
  carol.expect("ACK");
  other.take_answer(other.expect("SIP/2.0 200"));
  other.ack();
  const auto replaces = fmt::format("<sip:103@192.0.2.1?Replaces={}%3Bto-tag%3D{}%3Bfrom-tag%3D{}>", other.call_id, other.remote_tag, other.local_tag);
  CHECK(status(refer(ann, replaces)) == 403);
  other.request("BYE");
  other.expect("SIP/2.0 200");
  carol.answer(carol.expect("BYE"), 200);
  hang_up();
}

}  // namespace
}  // namespace jackfield::sip::call
