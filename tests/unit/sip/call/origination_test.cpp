// Calls that nobody's phone began: call.execute without a caller calls one party, and the other in his name once he has answered.
#include <jackfield/channel.h>

#include "two_phones.h"

namespace jackfield::sip::call {
namespace {

struct Origination : TwoPhones {
  using Parameters = std::vector<std::pair<std::string, std::string>>;

  /// What a console or a script says; gives what it is told.
  Parameters begin(const Parameters& more, bool expected = true) {
    BusMessage message(messages::kCallExecute);
    message.set("callto", "sip/sip:101@198.51.100.1:5060");
    for (const auto& [name, value] : more) message.set(name, value);
    const auto verdict = engine.bus().dispatch(message);
    CHECK(verdict.handled() == expected);
    Parameters out;
    for (const auto& [name, value] : message.parameters()) out.emplace_back(name, value);
    settle();
    return out;
  }
  static std::string at(const Parameters& parameters, std::string_view name) {
    for (const auto& [key, value] : parameters)
      if (key == name) return value;
    return {};
  }
  /// Ann picks up, and hears nothing yet.
  void pick_up() {
    ann.answer(ann.take_invite(), 200, sdp("ann"));
    const auto ack = ann.expect("ACK");
    CHECK(body(ack).find("m=audio 9 RTP/AVP 0\r\na=inactive\r\n") != std::string::npos);
  }
};

TEST_CASE_FIXTURE(Origination, "With target= the first party is called, then the number in his name, and their offers meet") {
  const auto told = begin({{"target", "102"}});
  CHECK(at(told, "id") == "sip/1");
  pick_up();
  const auto invite = ann.last_invite;
  CHECK(body(invite).empty());
  CHECK(header(invite, "From").find("sip:102@") != std::string::npos);  // he sees to whom he is about to talk

  const auto route = all("call.route").at(0);
  CHECK(route.at("id") == "sip/1");
  CHECK(route.at("caller") == "101");
  CHECK(route.at("called") == "102");
  const auto to_bob = bob.take_invite();
  CHECK(body(to_bob).empty());
  CHECK(header(to_bob, "From").find("sip:101@") != std::string::npos);
  bob.answer(to_bob, 180);
  bob.answer(to_bob, 200, sdp("bob"));
  bob.expect_nothing();  // his offer is not answered yet

  const auto reinvite = ann.expect("INVITE");
  CHECK(split_origin(body(reinvite)).second == split_origin(sdp("bob")).second);
  ann.answer(reinvite, 200, sdp("ann again"));
  ann.expect("ACK");
  CHECK(split_origin(body(bob.expect("ACK"))).second == split_origin(sdp("ann again")).second);

  CHECK(all("chan.startup").size() == 2);
  CHECK(all("chan.startup").at(0).at("billid") == all("chan.startup").at(1).at("billid"));
  CHECK(all("call.answered").size() == 2);
  bob.request("BYE");
  bob.expect("SIP/2.0 200");
  ann.answer(ann.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(Origination, "The first party's session keeps its streams where the other has fewer, and the other hears of his own alone") {
  begin({{"target", "102"}});
  const std::string video = "m=video 4002 RTP/AVP 96\r\n", refused = "m=video 0 RTP/AVP 96\r\n";
  ann.answer(ann.take_invite(), 200, sdp("ann") + video);
  ann.expect("ACK");
  bob.answer(bob.take_invite(), 200, sdp("bob"));
  const auto reinvite = ann.expect("INVITE");
  CHECK(split_origin(body(reinvite)).second == split_origin(sdp("bob") + refused).second);
  ann.answer(reinvite, 200, sdp("ann again") + refused);
  ann.expect("ACK");
  CHECK(split_origin(body(bob.expect("ACK"))).second == split_origin(sdp("ann again")).second);
  drop("sip");
  ann.answer(ann.expect("BYE"), 200);
  bob.answer(bob.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(Origination, "With direct= nobody is asked for a route, and copyparams travel on") {
  begin({{"direct", "sip/sip:102@198.51.100.2:5060"}, {"caller", "900"}, {"callername", "Reception"}, {"called", "7101"}, {"calledname", "Ann"},
         {"username", "101"}, {"billid", "mine"}, {"copyparams", "osip_X-Account, missing"}, {"osip_X-Account", "77"}});
  pick_up();
  CHECK(header(ann.last_invite, "From").starts_with("\"Reception\" <sip:900@"));
  CHECK(header(ann.last_invite, "X-Account") == "77");
  const auto to_bob = bob.take_invite();
  CHECK(header(to_bob, "From").starts_with("\"Ann\" <sip:7101@"));
  CHECK(header(to_bob, "X-Account") == "77");
  CHECK(all("call.route").empty());
  const auto executes = all("call.execute");
  REQUIRE(executes.size() == 2);
  CHECK(executes.at(1).at("username") == "101");
  CHECK(executes.at(1).at("billid") == "mine");
  SUBCASE("the first party gives up before the other answers") {
    ann.request("BYE");
    ann.expect("SIP/2.0 200");
    bob.answer(to_bob, 180);
    bob.answer(bob.expect("CANCEL"), 200);
    bob.answer(to_bob, 487);
    bob.expect("ACK");
  }
  SUBCASE("the other is busy") {
    bob.answer(to_bob, 486);
    bob.expect("ACK");
    const auto bye = ann.expect("BYE");
    CHECK(header(bye, "Reason").find("486") != std::string::npos);
    ann.answer(bye, 200);
  }
  SUBCASE("the first party does not take the other's offer") {
    bob.answer(to_bob, 200, sdp("bob"));
    ann.answer(ann.expect("INVITE"), 488);
    ann.expect("ACK");
    bob.expect("ACK");
    bob.answer(bob.expect("BYE"), 200);
    ann.answer(ann.expect("BYE"), 200);
  }
  SUBCASE("the other answers without an offer") {
    bob.answer(to_bob, 200);
    bob.expect("ACK");
    ann.expect_nothing();
    drop("sip");
    ann.answer(ann.expect("BYE"), 200);
    bob.answer(bob.expect("BYE"), 200);
  }
  check_all_gone();
}

TEST_CASE_FIXTURE(Origination, "The two have one session: who puts the other on hold later is asked for nothing more") {
  begin({{"target", "102"}});
  pick_up();
  bob.answer(bob.take_invite(), 200, sdp("bob"));
  ann.answer(ann.expect("INVITE"), 200, sdp("ann again"));
  ann.expect("ACK");
  bob.expect("ACK");
  for (auto [one, other] : {std::pair{&ann, &bob}, {&bob, &ann}}) {
    one->request("INVITE", sdp("hold"));
    other->answer(other->expect("INVITE"), 200, sdp("held"));
    other->expect("ACK");
    one->expect("SIP/2.0 200");
    one->ack();
    engine.advance(10s);
    one->expect_nothing();
    other->expect_nothing();
  }
  bob.request("BYE");
  bob.expect("SIP/2.0 200");
  ann.answer(ann.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(Origination, "P-11: The other's phone is picked up while it rings, and the first party answers what was offered") {
  FarEnd dan{*this, "198.51.100.4:5060"};
  dan.name = "104";
  begin({{"target", "102"}});
  pick_up();
  const auto invite = bob.take_invite();
  bob.answer(invite, 180);
  door.sender.username = "104";
  dan.invite(sdp("dan"), fmt::format("Replaces: {};to-tag={};from-tag={}\r\n", bob.call_id, bob.remote_tag, bob.local_tag));
  bob.answer(bob.expect("CANCEL"), 200);
  bob.answer(invite, 487);
  bob.expect("ACK");
  const auto offer = ann.expect("INVITE");
  CHECK(split_origin(body(offer)).second == split_origin(sdp("dan")).second);
  ann.answer(offer, 200, sdp("ann"));
  ann.expect("ACK");
  const auto ok = dan.expect("SIP/2.0 200");
  CHECK(split_origin(body(ok)).second == split_origin(sdp("ann")).second);
  dan.take_answer(ok);
  dan.ack();
  engine.advance(10s);
  ann.expect_nothing();
  dan.request("BYE");
  dan.expect("SIP/2.0 200");
  ann.answer(ann.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(Origination, "Where the first party does not answer, the other is not called") {
  begin({{"target", "102"}});
  ann.answer(ann.take_invite(), 486);
  ann.expect("ACK");
  CHECK(hangup("sip/1").at("reason") == "busy");
  CHECK(all("call.route").empty());
  bob.expect_nothing();
  check_all_gone();
}

TEST_CASE_FIXTURE(Origination, "A number without a route ends the call of who has answered") {
  route = [](BusMessage&) { return false; };
  begin({{"target", "999"}});
  pick_up();
  ann.answer(ann.expect("BYE"), 200);
  CHECK(hangup("sip/1").at("reason") == "noroute");
  check_all_gone();
}

TEST_CASE_FIXTURE(Origination, "A route that never says anything ends it after maxcall") {
  Pendings pendings(engine.timers());
  route = [&](BusMessage&) -> Verdict {
    static constexpr auto wait = [](Pendings* pendings) -> Task<bool> {
      auto pending = pendings->open<bool>(3600s);
      co_await pending.wait();
      co_return false;
    };
    return wait(&pendings);
  };
  begin({{"target", "102"}});
  pick_up();
  engine.advance(179s);
  ann.expect_nothing();
  engine.advance(2s);
  ann.answer(ann.expect("BYE"), 200);
  pendings.stop();
  check_all_gone();
}

TEST_CASE_FIXTURE(Origination, "An offer of encrypted streams alone cannot be held, and ends the call") {
  begin({{"target", "102"}});
  auto offer = sdp("ann");
  offer.replace(offer.find("RTP/AVP"), 7, "RTP/SAVP");
  ann.answer(ann.take_invite(), 200, offer);
  ann.expect("ACK");
  ann.answer(ann.expect("BYE"), 200);
  CHECK(hangup("sip/1").at("reason") == "unacceptable");
  bob.expect_nothing();
  check_all_gone();
}

TEST_CASE_FIXTURE(Origination, "Without a caller and without anybody to call on, call.execute is not for us") {
  begin({}, false);
  ann.expect_nothing();
  check_all_gone();
}

/// The first party is 101 at Ann's; 103 is Carol's phone.
struct RedirectedFirst : Origination {
  FarEnd carol{*this, "198.51.100.3:5060"};
  FarEnd dan{*this, "198.51.100.4:5060"};
  RedirectedFirst() {
    carol.name = "103";
    dan.name = "104";
    bindings.all["sip:101@198.51.100.1:5060"] = {.flow = ann.flow, .request_uri = "sip:101@198.51.100.1:5060", .route = {}, .username = "101"};
    route = [this](BusMessage& message) -> Verdict {
      for (const FarEnd* phone : {&bob, &carol, &dan})
        if (message.get("called") == phone->name) return message.set_retvalue(fmt::format("sip/sip:{}@{}", phone->name, phone->via_host)), true;
      return false;
    };
  }
  void redirect(const std::string& contacts) {
    ann.answer(ann.take_invite(), 302, {}, {}, "Contact: " + contacts + "\r\n");
    ann.expect("ACK");
  }
  void nothing_left() {
    for (FarEnd* phone : {&ann, &bob, &carol, &dan}) phone->expect_nothing();
    CHECK(calls->redirects() == 0);
    check_all_gone();
  }
};

TEST_CASE_FIXTURE(RedirectedFirst, "P-11 D6 A first party that redirects: who answers in its place is connected to the other") {
  begin({{"target", "102"}, {"billid", "mine"}, {"username", "200"}});
  redirect("<sip:104@192.0.2.1>;q=0.5, <sip:103@192.0.2.1>");
  const auto routed = all("call.route").at(0);
  CHECK(routed.at("called") == "103");
  CHECK(routed.at("username") == "101");  // who redirects pays
  CHECK(routed.at("diverter") == "101");
  CHECK(routed.at("billid") == "mine");
  carol.answer(carol.take_invite(), 486);
  carol.expect("ACK");
  const auto invite = dan.take_invite();
  CHECK(body(invite).empty());
  CHECK(header(invite, "From").find("sip:102@") != std::string::npos);
  dan.answer(invite, 180);
  dan.answer(invite, 200, sdp("dan"));
  CHECK(body(dan.expect("ACK")).find("a=inactive") != std::string::npos);
  CHECK(calls->redirects() == 0);
  CHECK(all("chan.replaced").at(0).at("id") == "sip/1");
  CHECK(all("chan.replaced").at(0).at("newid") == "sip/3");

  const auto to_bob = bob.take_invite();
  CHECK(header(to_bob, "From").find("sip:104@") != std::string::npos);
  const auto onward = all("call.route").back();
  CHECK(onward.at("called") == "102");
  CHECK(onward.at("username") == "200");  // the call is still of who began it
  CHECK(onward.at("id") == "sip/3");
  bob.answer(to_bob, 200, sdp("bob"));
  const auto reinvite = dan.expect("INVITE");
  CHECK(split_origin(body(reinvite)).second == split_origin(sdp("bob")).second);
  dan.answer(reinvite, 200, sdp("dan again"));
  dan.expect("ACK");
  CHECK(split_origin(body(bob.expect("ACK"))).second == split_origin(sdp("dan again")).second);
  bob.request("BYE");
  bob.expect("SIP/2.0 200");
  dan.answer(dan.expect("BYE"), 200);
  nothing_left();
}

TEST_CASE_FIXTURE(RedirectedFirst, "P-11 D6 Where nobody answers in its place the call is over, and the other was never called") {
  begin({{"target", "102"}});
  SUBCASE("refused") {
    redirect("<sip:103@192.0.2.1>, <sip:105@192.0.2.1>");
    carol.answer(carol.take_invite(), 486);
    carol.expect("ACK");
  }
  SUBCASE("by a 6xx, for everywhere") {
    redirect("<sip:103@192.0.2.1>, <sip:104@192.0.2.1>");
    carol.answer(carol.take_invite(), 603);
    carol.expect("ACK");
  }
  SUBCASE("redirected back") {
    redirect("<sip:103@192.0.2.1>");
    carol.answer(carol.take_invite(), 302, {}, {}, "Contact: <sip:101@198.51.100.1:5060>\r\n");
    carol.expect("ACK");
  }
  SUBCASE("not allowed to") {
    settings->redirect = RedirectPolicy::nobody;
    redirect("<sip:103@192.0.2.1>");
  }
  SUBCASE("dropped while it rings there") {
    redirect("<sip:103@192.0.2.1>");
    const auto invite = carol.take_invite();
    carol.answer(invite, 180);
    drop("redirect/1");
    carol.answer(carol.expect("CANCEL"), 200);
    carol.answer(invite, 487);
    carol.expect("ACK");
  }
  CHECK(all("call.answered").empty());
  nothing_left();
}

TEST_CASE_FIXTURE(RedirectedFirst, "P-11 D6 A route for its place that never says anything is waited for no longer than maxcall") {
  Pendings pendings(engine.timers());
  route = [&](BusMessage&) -> Verdict {
    static constexpr auto wait = [](Pendings* pendings) -> Task<bool> {
      auto pending = pendings->open<bool>(3600s);
      co_await pending.wait();
      co_return false;
    };
    return wait(&pendings);
  };
  begin({{"target", "102"}});
  redirect("<sip:103@192.0.2.1>");
  engine.advance(179s);
  CHECK(calls->redirects() == 1);
  engine.advance(2s);
  CHECK(calls->redirects() == 0);
  pendings.stop();
  nothing_left();
}

}  // namespace
}  // namespace jackfield::sip::call
