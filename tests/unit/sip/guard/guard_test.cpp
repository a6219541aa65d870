// The guard before real sip messages: Site's users and phones, with the door between the network and the transactions.
#include "guard/door.h"

#include "unit/sip/site.h"

using namespace jackfield;
using namespace jackfield::sip;

namespace {

struct Guarded {
  Site site;
  guard::Guard guard{site.engine};
  guard::Door door{guard, site.transactions};
  int requests = 0, phones = 0;

  Guarded() {
    site.settings->guard.exempt.clear();
    site.core.guard = &guard;
    door.attach(site.network);
    guard.attach(site.core);
  }

  /// Through the door; what was answered at once.
  std::optional<Reply> deliver(const stack::FlowId& flow, std::string_view bytes) {
    site.network.take();
    door.message(flow, bytes);
    site.engine.run_until_idle();
    return site.last_reply();
  }
  std::optional<Reply> last_reply() { return site.last_reply(); }

  /// One REGISTER with these credentials for the challenge the phone has, which it asks for first.
  std::optional<Reply> attempt(Phone& phone) {
    if (phone.nonce.empty()) {
      phone.authorization.clear();
      const auto challenge = send(phone);
      if (!challenge || challenge->code != 401) return challenge;
      phone.learn(*challenge);
    }
    phone.authorize();
    const auto reply = send(phone);
    phone.nonce.clear();
    return reply;
  }
  std::optional<Reply> send(Phone& phone) {
    ++phone.cseq;
    return deliver(phone.flow, phone.text("Contact: <sip:200@198.51.100.7>\r\n", phone.cseq, fmt::format("branch{}", ++requests)));
  }
  Phone phone(std::string_view from, std::string password = "secret") {
    return Phone{.site = site, .flow = udp(from), .password = std::move(password), .call_id = fmt::format("{}@host", ++phones)};
  }
  bool banned(std::string_view host) { return guard.bans().active(guard::source_key(stack::address(host))) != nullptr; }
  /// Wrong passwords from there until one is not answered by a challenge any more.
  int guess_until_banned(std::string_view from, int most = 200) {
    auto attacker = phone(from, "guess");
    for (int i = 1; i <= most; ++i) {
      attempt(attacker);
      if (banned(std::string(from.substr(0, from.find(':'))) + ":1")) return i;
      site.engine.advance(1s);
    }
    return most + 1;
  }
};

}  // namespace

TEST_CASE("N-13: a challenge is never a failure, however often it is asked for") {
  Guarded here;
  auto phone = here.phone("203.0.113.5:5060");
  for (int i = 0; i < 500; ++i) CHECK(here.send(phone)->code == 401);
  CHECK_FALSE(here.banned("203.0.113.5:1"));
}

TEST_CASE("N-13: a response to a nonce that was not given to that address and port is no failure") {
  Guarded here;
  auto honest = here.phone("203.0.113.5:5060", "wrong");
  honest.learn(*here.send(honest));
  for (int i = 0; i < 50; ++i) {
    honest.flow = udp(fmt::format("198.51.100.9:{}", 1000 + i));  // anybody can write that address on a datagram
    honest.authorize();
    const auto reply = here.send(honest);
    REQUIRE(reply);
    CHECK(reply->value("WWW-Authenticate").find("stale=true") != std::string::npos);
  }
  CHECK_FALSE(here.banned("198.51.100.9:1"));
  CHECK(here.site.told.empty());
}

TEST_CASE("N-13: wrong passwords are told with the true source and ban it after ban_after of them") {
  Guarded here;
  jackfield::Message failure("none", WallTime{});
  here.site.install(messages::kUserAuthfail, [&](jackfield::Message& m) -> Verdict {
    failure = jackfield::Message(m.name(), WallTime{});
    for (const auto& [name, value] : m.parameters()) failure.set(name, value);
    return false;
  });
  CHECK(here.guess_until_banned("203.0.113.5:5070") == 10);
  auto late = here.phone("203.0.113.5:9999");
  CHECK_FALSE(here.send(late));  // dropped unread, whichever port it comes from
  auto other = here.phone("203.0.113.6:5060");
  CHECK(here.attempt(other)->code == 200);
  CHECK(here.site.engine.logged("event=banned address=203.0.113.5:5070"));
  here.site.engine.advance(601s);
  CHECK(here.attempt(late)->code == 200);
}

TEST_CASE("N-13: user.authfail names address, port, transport, user and reason") {
  Guarded here;
  std::vector<std::string> told;
  const auto note = here.site.engine.bus().install({.message = messages::kUserAuthfail, .priority = 1}, [&](jackfield::Message& m) -> Verdict {
    told.push_back(fmt::format("{} {} {} {} {}", m.get("ip_host"), m.get("ip_port"), m.get("ip_transport"), m.get("username"), m.get("reason")));
    return false;
  });
  auto wrong = here.phone("203.0.113.5:5070", "guess");
  here.attempt(wrong);
  auto unknown = here.phone("203.0.113.7:5071", "guess");
  unknown.user = "nobody";
  here.attempt(unknown);
  REQUIRE(told.size() == 2);
  CHECK(told[0] == "203.0.113.5 5070 UDP 200 wrong password");
  CHECK(told[1] == "203.0.113.7 5071 UDP nobody unknown user");
}

TEST_CASE("N-13: each further ban of a source lasts twice as long") {
  Guarded here;
  here.guess_until_banned("203.0.113.5:5070");
  here.site.engine.advance(601s);
  CHECK(here.guess_until_banned("203.0.113.5:5070") == 10);
  here.site.engine.advance(700s);
  CHECK(here.banned("203.0.113.5:1"));
  here.site.engine.advance(600s);
  CHECK_FALSE(here.banned("203.0.113.5:1"));
}

TEST_CASE("N-13: registered flows behind a banned address go on, and one misconfigured phone among them bans nobody") {
  Guarded here;
  auto good = here.phone("203.0.113.5:40000");
  CHECK(here.attempt(good)->code == 200);
  CHECK(here.guess_until_banned("203.0.113.5:50000") == 100);
  CHECK(here.attempt(good)->code == 200);
  auto bad = here.phone("203.0.113.5:50000", "guess");
  CHECK_FALSE(here.send(bad));
  auto fresh = here.phone("203.0.113.5:40001");
  CHECK_FALSE(here.send(fresh));
}

TEST_CASE("N-13: who guesses over his own registered flow is not spared for being registered") {
  Guarded here;
  auto insider = here.phone("203.0.113.5:40000");
  CHECK(here.attempt(insider)->code == 200);
  auto guesses = here.phone("203.0.113.5:40000", "guess");
  for (int i = 0; i < 12; ++i) here.attempt(guesses), here.site.engine.advance(1s);
  here.guard.bans().add(stack::address("203.0.113.5:1"), 600s, "test");
  CHECK_FALSE(here.attempt(insider));
}

TEST_CASE("N-13: trusted and exempt sources are neither delayed nor banned") {
  Guarded here;
  here.site.settings->access.trusted.push_back(*net::Cidr::parse("203.0.113.0/24"));
  here.site.use_access();
  here.site.settings->guard.exempt.push_back(*net::Cidr::parse("198.51.100.9"));
  for (const auto* from : {"203.0.113.5:5060", "198.51.100.9:5060"}) {
    auto phone = here.phone(from, "guess");
    for (int i = 0; i < 50; ++i) {
      const auto reply = here.attempt(phone);
      REQUIRE(reply);
      CHECK(reply->code == 401);
    }
    CHECK_FALSE(here.banned(from));
  }
}

TEST_CASE("N-13: the answer to wrong credentials takes longer each time") {
  Guarded here;
  auto phone = here.phone("203.0.113.5:5060", "guess");
  CHECK(here.attempt(phone)->code == 401);  // everybody mistypes once
  for (const auto expected : {500ms, 1000ms, 2000ms, 4000ms, 8000ms, 8000ms}) {
    CHECK_FALSE(here.attempt(phone));
    here.site.engine.advance(expected - 10ms);
    CHECK_FALSE(here.last_reply());
    here.site.engine.advance(20ms);
    REQUIRE(here.last_reply());
    CHECK(here.last_reply()->code == 401);
  }
}

TEST_CASE("N-13: bans outlive the process") {
  TestEngine engine;
  const auto file = engine.state_dir() / "sip.bans.journal";
  {
    guard::Bans before(engine);
    before.open(file);
    before.add(stack::address("203.0.113.5:1"), 600s, "test of bans");
    before.add(stack::address("203.0.113.6:1"), 600s, "lifted");
    CHECK(before.lift(stack::address("203.0.113.6:1")));
  }
  guard::Bans after(engine);
  after.open(file);
  REQUIRE(after.list().size() == 1);
  CHECK(after.list()[0]->reason == "test of bans");
  CHECK(after.list()[0]->address.host() == "203.0.113.5");
  engine.advance(600s);
  CHECK(after.list().empty());
  CHECK(after.times(stack::address("203.0.113.5:1")) == 1);
}

TEST_CASE("P-29: what a source sends beyond its rate is dropped unread, but not what registered flows of its address send") {
  Guarded here;
  here.site.settings->guard.flood = guard::FloodTable::Limit::of(10, 20);
  auto good = here.phone("203.0.113.5:40000");
  CHECK(here.attempt(good)->code == 200);
  auto flooder = here.phone("203.0.113.5:50000");
  int answered = 0;
  for (int i = 0; i < 100; ++i) answered += here.send(flooder).has_value();
  CHECK(answered == 19);
  CHECK(here.attempt(good)->code == 200);
  CHECK(here.site.engine.logged("event=flood address=203.0.113.5:50000"));
  here.site.engine.advance(1s);
  CHECK(here.send(flooder));
}

TEST_CASE("P-29: exempt sources may send what they like") {
  Guarded here;
  here.site.settings->guard.flood = guard::FloodTable::Limit::of(10, 20);
  here.site.settings->guard.exempt.push_back(*net::Cidr::parse("203.0.113.5"));
  auto phone = here.phone("203.0.113.5:50000");
  for (int i = 0; i < 100; ++i) CHECK(here.send(phone));
}

TEST_CASE("P-29: scanners are known by their User-Agent") {
  Guarded here;
  here.site.settings->guard.scanners = guard::Words({"friendly-scanner"});
  sip::Message request;
  REQUIRE(request.parse("OPTIONS sip:100@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\nUser-Agent: Friendly-Scanner\r\nContent-Length: 0\r\n\r\n"));
  CHECK(here.guard.ignores(request));
  REQUIRE(request.parse("OPTIONS sip:100@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\nUser-Agent: Phone\r\nContent-Length: 0\r\n\r\n"));
  CHECK_FALSE(here.guard.ignores(request));
}

TEST_CASE("P-32: new work is shed while the server is behind; the answer to a challenge and emergency calls are not") {
  Guarded here;
  here.site.settings->guard.emergency = {"112"};
  for (int i = 0; i < 300; ++i) {
    here.guard.read(0, false);
    here.site.engine.advance(10ms);
  }
  const auto sheds = [&](const std::string& method, const std::string& uri, const std::string& headers) {
    int shed = 0;
    for (int i = 0; i < 100; ++i) {
      const auto text = method + " " + uri + " SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\n" + headers + "Content-Length: 0\r\n\r\n";
      sip::Message request;
      REQUIRE(request.parse(text));
      shed += here.guard.sheds({request, udp("203.0.113.5:5060")});
    }
    return shed;
  };
  CHECK(sheds("INVITE", "sip:200@192.0.2.1", "") == 100);
  CHECK(sheds("REGISTER", "sip:192.0.2.1", "") == 100);
  CHECK(sheds("INVITE", "sip:112@192.0.2.1", "") == 0);
  CHECK(sheds("INVITE", "sip:200@192.0.2.1", "Authorization: Digest username=\"200\", nonce=\"1\", nc=00000001\r\n") == 0);
  CHECK(here.site.engine.logged("event=overload state=begin"));
}
