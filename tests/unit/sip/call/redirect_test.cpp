// 3xx from the called side: followed, passed on or refused (RFC 3261 §8.1.3.4, D6).
#include "call/redirect_targets.h"

#include "two_phones.h"

namespace jackfield::sip::call {
namespace {

struct Redirection : TwoPhones {
  FarEnd cid{*this, "198.51.100.3:5060"};
  FarEnd dan{*this, "198.51.100.4:5060"};

  Redirection() {
    cid.name = "103";
    dan.name = "104";
    for (FarEnd* phone : {&bob, &cid}) {
      const auto uri = fmt::format("sip:{}@{}", phone->name, phone->via_host);
      bindings.all[uri] = {.flow = phone->flow, .request_uri = uri, .route = {}, .username = phone->name};
    }
    route = [this](BusMessage& message) -> Verdict {
      for (const FarEnd* phone : {&bob, &cid, &dan})
        if (message.get("called") == phone->name) {
          message.set_retvalue(fmt::format("sip/sip:{}@{}", phone->name, phone->via_host));
          return true;
        }
      return false;
    };
  }
  /// Answers the call that comes in so.
  static void redirect(FarEnd& phone, const std::string& contacts, int code = 302) {
    phone.answer(phone.take_invite(), code, {}, {}, contacts.empty() ? std::string() : "Contact: " + contacts + "\r\n");
    phone.expect("ACK");
  }
  void nothing_left() {
    for (FarEnd* phone : {&ann, &bob, &cid, &dan}) phone->expect_nothing();
    CHECK(calls->redirects() == 0);
    check_all_gone();
  }
};

TEST_CASE_FIXTURE(Redirection, "P-11 D6 A phone's 302 is followed as a new call of its user, from the caller as he is") {
  ann.invite(sdp("offer"));
  redirect(bob, "<sip:103@192.0.2.1>");
  const auto invite = cid.take_invite();
  CHECK(header(invite, "From").find("<sip:101@") != std::string::npos);
  CHECK(header(invite, "From").starts_with("\"Ann \\\"A\\\"\""));
  CHECK(split_origin(body(invite)).second == split_origin(sdp("offer")).second);
  CHECK(header(invite, "Max-Forwards") == "68");
  const auto routed = all("call.route").at(1);
  CHECK(routed.at("caller") == "101");
  CHECK(routed.at("called") == "103");
  CHECK(routed.at("username") == "102");
  CHECK(routed.at("diverter") == "102");
  CHECK(routed.at("billid") == all("call.route").at(0).at("billid"));
  CHECK(hangup("sip/2").at("cause_sip") == "302");

  cid.answer(invite, 180);
  ann.expect("SIP/2.0 180");
  cid.answer(invite, 200, sdp("answer"));
  cid.expect("ACK");
  ann.take_answer(ann.expect("SIP/2.0 200"));
  ann.ack();
  CHECK(calls->redirects() == 0);
  ann.request("BYE");
  ann.expect("SIP/2.0 200");
  cid.answer(cid.expect("BYE"), 200);
  nothing_left();
}

TEST_CASE_FIXTURE(Redirection, "P-11 Contacts are called by their q, one after the other, and the last refusal is the caller's") {
  ann.invite(sdp("offer"));
  redirect(bob, "<sip:104@192.0.2.1>;q=0.2, <sip:105@192.0.2.1>;q=0.5, <sip:103@192.0.2.1>;q=0.7, <mailto:bob@example.org>", 300);
  cid.answer(cid.take_invite(), 486);
  cid.expect("ACK");
  const auto invite = dan.take_invite();  // 105 leads nowhere
  CHECK(all("call.route").size() == 4);
  SUBCASE("a refusal") {
    dan.answer(invite, 480);
    dan.expect("ACK");
    ann.expect("SIP/2.0 480");
  }
  SUBCASE("an end by the caller") {
    dan.answer(invite, 180);
    ann.expect("SIP/2.0 180");
    ann.cancel();
    ann.expect("SIP/2.0 200");
    ann.expect("SIP/2.0 487");
    dan.answer(dan.expect("CANCEL"), 200);
    dan.answer(invite, 487);
    dan.expect("ACK");
  }
  nothing_left();
}

TEST_CASE_FIXTURE(Redirection, "P-11 When the last contact leads nowhere the caller hears that") {
  ann.invite(sdp("offer"));
  redirect(bob, "<sip:105@192.0.2.1>");
  ann.expect("SIP/2.0 404");
  nothing_left();
}

TEST_CASE_FIXTURE(Redirection, "P-11 A 6xx of one ends it for all") {
  ann.invite(sdp("offer"));
  redirect(bob, "<sip:103@192.0.2.1>, <sip:104@192.0.2.1>");
  cid.answer(cid.take_invite(), 603);
  cid.expect("ACK");
  ann.expect("SIP/2.0 603");
  nothing_left();
}

TEST_CASE_FIXTURE(Redirection, "P-11 P-35 Nobody is called twice: a redirection in a circle, or to oneself, ends") {
  ann.invite(sdp("offer"));
  redirect(bob, "<sip:103@192.0.2.1>, <sip:103@192.0.2.1>");
  redirect(cid, "<sip:102@198.51.100.2:5060>, <sip:103@198.51.100.3:5060>, <sip:103@192.0.2.1>");
  ann.expect("SIP/2.0 410");
  nothing_left();
}

TEST_CASE_FIXTURE(Redirection, "P-11 P-35 One that always knows another number is asked a limited number of times") {
  route = [](BusMessage& message) {
    message.set_retvalue("sip/sip:102@198.51.100.2:5060");
    return true;
  };
  ann.invite(sdp("offer"));
  for (std::size_t time = 0; time <= RedirectTargets::kMost; ++time) redirect(bob, fmt::format("<sip:{}@192.0.2.1>", 200 + time));
  ann.expect("SIP/2.0 410");
  nothing_left();
}

TEST_CASE_FIXTURE(Redirection, "P-35 Every redirection costs a hop") {
  settings->max_forwards = 2;
  ann.invite(sdp("offer"), "Max-Forwards: 2\r\n");
  redirect(bob, "<sip:103@192.0.2.1>");
  ann.expect("SIP/2.0 483");
  nothing_left();
}

TEST_CASE_FIXTURE(Redirection, "D6 A redirection of a leg without a user is refused, unless all are followed, and then in nobody's name") {
  bindings.all.clear();
  SUBCASE("refused") {
    ann.invite(sdp("offer"));
    redirect(bob, "<sip:103@192.0.2.1>");
    ann.expect("SIP/2.0 403");
  }
  SUBCASE("refused to users too") {
    settings->redirect = RedirectPolicy::nobody;
    bindings.all["sip:102@198.51.100.2:5060"] = {.flow = bob.flow, .request_uri = "sip:102@198.51.100.2:5060", .route = {}, .username = "102"};
    ann.invite(sdp("offer"));
    redirect(bob, "<sip:103@192.0.2.1>");
    ann.expect("SIP/2.0 403");
  }
  SUBCASE("followed") {
    settings->redirect = RedirectPolicy::anyone;
    ann.invite(sdp("offer"));
    redirect(bob, "<sip:103@192.0.2.1>");
    CHECK(all("call.route").at(1).at("username").empty());
    cid.answer(cid.take_invite(), 486);
    cid.expect("ACK");
    ann.expect("SIP/2.0 486");
  }
  nothing_left();
}

TEST_CASE_FIXTURE(Redirection, "P-11 By key the caller gets the redirection, with where to") {
  settings->redirect = RedirectPolicy::pass;
  ann.invite(sdp("offer"));
  SUBCASE("as it came") {
    redirect(bob, "\"Cid\" <sip:103@192.0.2.1;user=phone?Subject=x>;q=0.25;expires=60, <mailto:x@y>, <sip:104@192.0.2.1>");
    const auto answer = ann.expect("SIP/2.0 302");
    CHECK(header(answer, "Contact") == "<sip:103@192.0.2.1;user=phone>;q=0.250, <sip:104@192.0.2.1>");
  }
  SUBCASE("but not one that says nowhere") {
    redirect(bob, {});
    ann.expect("SIP/2.0 410");
  }
  nothing_left();
}

TEST_CASE_FIXTURE(Redirection, "P-11 A caller who gives up while the new target is looked for ends it, and one who does not is not kept forever") {
  Pendings pendings(engine.timers());
  const auto direct = route;
  route = [&, first = true](BusMessage& message) mutable -> Verdict {
    if (std::exchange(first, false)) return direct(message);
    static constexpr auto wait = [](Pendings* pendings) -> Task<bool> {
      auto pending = pendings->open<bool>(3600s);
      co_await pending.wait();
      co_return false;
    };
    return wait(&pendings);
  };
  ann.invite(sdp("offer"));
  redirect(bob, "<sip:103@192.0.2.1>");
  CHECK(calls->redirects() == 1);
  SUBCASE("the caller") {
    ann.cancel();
    ann.expect("SIP/2.0 200");
    ann.expect("SIP/2.0 487");
  }
  SUBCASE("time") {
    engine.advance(179s);
    ann.expect_nothing();
    engine.advance(2s);
    ann.expect("SIP/2.0 480");
  }
  CHECK(calls->redirects() == 0);
  engine.advance(3600s);
  ann.inbox.clear();  // what is repeated without an ACK
  nothing_left();
}

TEST_CASE_FIXTURE(Redirection, "P-11 A caller who hides stays hidden from whom the call goes on to") {
  ann.invite(sdp("offer"), "Privacy: user\r\n");
  redirect(bob, "<sip:103@192.0.2.1>");
  const auto invite = cid.take_invite();
  CHECK(header(invite, "From").find("anonymous.invalid") != std::string::npos);
  cid.answer(invite, 486);
  cid.expect("ACK");
  ann.expect("SIP/2.0 486");
  nothing_left();
}

}  // namespace
}  // namespace jackfield::sip::call
