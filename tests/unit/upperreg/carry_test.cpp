// user.upstream: REGISTERs of phones, and what A is told of them.
#include "unit/upperreg/fixture.h"

#include <doctest/doctest.h>

using namespace jackfield;
using namespace jackfield::upperreg_test;

TEST_CASE("relayed: A's challenge goes to the phone and its answer back, untouched; nothing is bound before A agrees") {
  Site site(kUpper);
  site.code = 401;
  site.headers = {{"www-authenticate", "Digest realm=\"a\", nonce=\"n1\", opaque=\"o\""}, {"www-authenticate", "Digest realm=\"a\", nonce=\"n2\", algorithm=SHA-256"}};
  auto asked = site.upstream({.authorization = ""});
  REQUIRE(site.ask(asked));
  CHECK(asked.number("code") == 401);
  Lines challenges;
  for (const auto& [name, value] : asked.parameters())
    if (name == "osip_WWW-Authenticate") challenges.emplace_back(value);
  CHECK(challenges == Lines{"Digest realm=\"a\", nonce=\"n1\", opaque=\"o\"", "Digest realm=\"a\", nonce=\"n2\", algorithm=SHA-256"});
  CHECK(site.bindings().empty());
  site.code = 200;
  site.headers.clear();
  CHECK(site.registers({}) == "200 120");  // relay_expires
  CHECK(site.last["authorization"] == "Digest username=\"d\", realm=\"a\"");
  CHECK_FALSE(site.last.contains("authname"));
  CHECK(site.last["line"] == "upper");
  CHECK(site.last["sip_uri"] == "sip:a.example");
  CHECK(site.seen() == Lines{"d@a.example ?", "d@a.example 120"});
  CHECK(site.bindings("d") == Lines{"d sip/sip:d@10.0.0.1:5060"});
  CHECK(site.bindings("e").empty());
}

TEST_CASE("relayed: what comes without a proof registers nothing at A, it fetches the challenge") {
  Site site(kUpper);
  site.code = 401;
  CHECK(site.registers({.authorization = ""}) == "401");
  CHECK(site.seen() == Lines{"d@a.example ?"});
  CHECK(site.contacts.empty());
}

TEST_CASE("relayed: an A that asks for no credentials vouches for nobody, whatever a phone shows it, until somebody says so") {
  Site site(kUpper);
  site.asks_for_proof = false;
  CHECK(site.registers({.authorization = ""}) == "403");
  CHECK(site.registers({.authorization = "Digest username=\"d\", made=\"up\""}) == "403");
  CHECK(site.seen() == Lines{"d@a.example ?", "d@a.example ?"});
  CHECK(site.contacts.empty());
  CHECK(site.bindings().empty());
  // One that has asked once reads what it is shown.
  site.asks_for_proof = true;
  CHECK(site.registers({}) == "200 120");
  site.asks_for_proof = false;
  CHECK(site.registers({}) == "200 120");
  CHECK(site.registers({.authorization = ""}) == "403");

  Site trusting(std::string(kUpper) + "unchallenged=yes\n");
  trusting.asks_for_proof = false;
  CHECK(trusting.registers({.authorization = ""}) == "200 120");
}

TEST_CASE("one Call-ID and token for an AOR, CSeq rises with each, another AOR has others") {
  Site site(kUpper);
  CHECK(site.registers({}) == "200 120");
  const auto token = site.contacts["d@a.example"];
  CHECK(token.size() == 32);
  CHECK(site.registers({.key = "k2", .address = "10.0.0.2:5060"}) == "200 120");
  CHECK(site.contacts["d@a.example"] == token);
  CHECK(site.call_ids.size() == 1);
  REQUIRE(site.cseqs.size() == 2);
  CHECK(site.cseqs[1] == site.cseqs[0] + 1);
  CHECK(site.registers({.user = "e"}) == "200 120");
  CHECK(site.call_ids.size() == 2);
  CHECK(site.contacts["e@a.example"] != token);
}

TEST_CASE("A's grant is the longest: the phone is told no more, whatever else A lists") {
  Site site(kUpper);
  site.users["d"] = kStored;
  site.granted = 90;
  CHECK(site.registers({}) == "200 90");
  CHECK(site.registers({.key = "k2", .expires = 30}) == "200 30");
  site.forgets.insert("e@a.example");
  site.users["e"] = kStored;
  CHECK(site.registers({.user = "x", .expires = 60}) == "200 60");
  // A agreed but has not our contact: no binding.
  Site other(kUpper);
  other.forgets.insert("d@a.example");
  CHECK(other.registers({}) == "500");
  CHECK(other.bindings().empty());
}

TEST_CASE("the last phone's leaving is A's to hear, another's is a refresh under that phone's own credentials (D20)") {
  Site site(kUpper);
  CHECK(site.registers({}) == "200 120");
  CHECK(site.registers({.key = "k2", .address = "10.0.0.2:5060", .expires = 60}) == "200 60");
  (void)site.seen();
  CHECK(site.registers({.authorization = "Digest of k1", .expires = 0}) == "200 0");
  CHECK(site.seen() == Lines{"d@a.example 60"});
  CHECK(site.last["authorization"] == "Digest of k1");
  CHECK(site.contacts.contains("d@a.example"));
  CHECK(site.bindings("d").size() == 1);
  CHECK(site.registers({.key = "k2", .address = "10.0.0.2:5060", .expires = 0}) == "200 0");
  CHECK(site.seen() == Lines{"d@a.example 0"});
  CHECK_FALSE(site.contacts.contains("d@a.example"));
  CHECK(site.bindings().empty());
  // OpenSIPS #1804: who returns at once is told to A.
  CHECK(site.registers({}) == "200 120");
  CHECK(site.contacts.contains("d@a.example"));
}

TEST_CASE("a phone that asks for little does not shorten what A gives another (OpenSIPS #2368)") {
  Site site(kUpper);
  CHECK(site.registers({.expires = 100}) == "200 100");
  site.engine().advance(10s);
  (void)site.seen();
  CHECK(site.registers({.key = "k2", .expires = 2}) == "200 2");
  CHECK(site.seen() == Lines{"d@a.example 90"});
}

TEST_CASE("Contact: * takes all phones away, and A is told so") {
  Site site(kUpper);
  CHECK(site.registers({}) == "200 120");
  CHECK(site.registers({.key = "k2"}) == "200 120");
  (void)site.seen();
  auto all = site.upstream({.key = "", .expires = 0}, {{"sip_contact", "*"}});
  REQUIRE(site.ask(all));
  CHECK(all.number("code") == 200);
  CHECK(site.seen() == Lines{"d@a.example 0"});
}

TEST_CASE("relayed: every REGISTER is A's to judge, a question and a leaving too (OpenSIPS #3193)") {
  Site site(kUpper);
  CHECK(site.registers({}) == "200 120");
  site.code = 401;
  site.headers = {{"www-authenticate", "Digest realm=\"a\", nonce=\"n\""}};
  CHECK(site.registers({.key = "k2", .address = "10.0.0.9:5060", .authorization = ""}) == "401");
  CHECK(site.registers({.address = "10.0.0.9:5060", .authorization = "", .expires = 0}) == "401");
  CHECK(site.registers({.key = "", .address = "10.0.0.9:5060", .authorization = ""}) == "401");
  CHECK(site.seen().back() == "d@a.example ?");
  CHECK(site.bindings("d").size() == 1);
  CHECK(site.ended.empty());
}

TEST_CASE("relayed: a refusal ends the bindings of who was refused, and of nobody else") {
  Site site(kUpper);
  CHECK(site.registers({}) == "200 120");
  CHECK(site.registers({.key = "k2", .address = "10.0.0.2:5060"}) == "200 120");
  site.code = 403;
  CHECK(site.registers({.key = "k3", .address = "10.9.9.9:5060"}) == "403");
  CHECK(site.bindings("d").size() == 2);
  CHECK(site.registers({}) == "403");
  CHECK(site.ended == Lines{"d k1"});
  CHECK(site.bindings("d") == Lines{"d sip/sip:d@10.0.0.2:5060"});
}

TEST_CASE("A is away: 504 with Retry-After, and what A granted lasts as long as that") {
  Site site(kUpper);
  CHECK(site.registers({}) == "200 120");
  site.away = true;
  auto asked = site.upstream({});
  REQUIRE(site.ask(asked));
  CHECK(asked.number("code") == 504);
  CHECK(asked.number("osip_Retry-After") == 5);
  CHECK(site.bindings("d").size() == 1);
  site.engine().advance(119s);
  CHECK(site.ended.empty());
  site.engine().advance(3s);
  CHECK(site.bindings("d").empty());
}

TEST_CASE("408 and 5xx of A are no refusal; what A says of when to come back goes on") {
  Site site(kUpper);
  CHECK(site.registers({}) == "200 120");
  site.code = 408;
  CHECK(site.registers({}) == "504");
  site.engine().advance(5s);
  site.code = 503;
  site.headers = {{"retry-after", "77"}};
  auto asked = site.upstream({});
  REQUIRE(site.ask(asked));
  CHECK(asked.number("code") == 500);  // D15: 503 would say that we have too much to do
  CHECK(asked.get("osip_Retry-After") == "77");
  CHECK(site.bindings("d").size() == 1);
}

TEST_CASE("423: what A wants is asked once, and from then on") {
  Site site(kUpper);
  site.meanwhile = [&] { site.code = 423, site.headers = {{"min-expires", "600"}}; };
  auto asked = site.upstream({});
  // The second round finds an A that is content.
  auto first = site.engine().bus().watch("upstream.register", [&](const Message&, bool) { site.code = 200, site.headers.clear(); });
  REQUIRE(site.ask(asked));
  CHECK(asked.number("code") == 200);
  CHECK(asked.get("expires") == "120");  // the phone's own limit stays
  CHECK(site.seen() == Lines{"d@a.example 120", "d@a.example 600"});
  CHECK(site.registers({}) == "200 120");
  CHECK(site.seen() == Lines{"d@a.example 600"});

  Site stubborn(kBelieved);
  stubborn.code = 423;
  stubborn.headers = {{"min-expires", "600"}};
  CHECK(stubborn.registers({}) == "423");
  CHECK(stubborn.seen().size() == 2);
}

TEST_CASE("stored: who has not shown who he is costs A nothing; then B answers A's challenge") {
  Site site(kUpper);
  site.users["d"] = {{"upper_username", "4930"}, {"upper_ha1", "realm:of:a:0123456789abcdef0123456789abcdef"}};
  auto first = site.upstream({});
  CHECK_FALSE(site.ask(first));
  CHECK(site.seen().empty());
  CHECK(site.registers({}) == "200 3600");
  CHECK(site.seen() == Lines{"4930@a.example 3600"});
  CHECK(site.last["authname"] == "4930");
  CHECK(site.last["ha1_md5"] == "0123456789abcdef0123456789abcdef");
  CHECK(site.last["ha1_realm"] == "realm:of:a");
  CHECK_FALSE(site.last.contains("authorization"));
  // P-9: A need not hear of the next, nor of one of two that leaves.
  CHECK(site.registers({}) == "200 3600");
  CHECK(site.registers({.key = "k2"}) == "200 3600");
  CHECK(site.registers({.key = "k2", .expires = 0}) == "200 0");
  CHECK(site.seen().empty());
  CHECK(site.registers({.expires = 0}) == "200 0");
  CHECK(site.seen() == Lines{"4930@a.example 0"});
}

TEST_CASE("stored: A does not accept what is kept: 403, bindings end, and the log says whose they are") {
  Site site(kUpper);
  site.users["d"] = kStored;
  CHECK(site.registers({}) == "200 3600");
  site.engine().advance(1900s);
  site.code = 401;
  CHECK(site.registers({}) == "403");
  CHECK(site.engine().logged("event=credentials-refused aor=d"));
  CHECK(site.bindings().empty());
}

TEST_CASE("stored: whoever cannot be looked up now is told to come back, and neither made a relayed one nor refused") {
  Site site(kUpper);
  site.users["d"] = kStored;
  REQUIRE(site.registers({}) == "200 3600");
  (void)site.seen();
  for (const bool fails : {true, false}) {
    CAPTURE(fails);
    site.lookup_fails = fails;
    site.users.clear();
    auto asked = site.upstream({});
    REQUIRE(site.ask(asked));
    CHECK(asked.number("code") == 500);
    CHECK(asked.number("osip_Retry-After") == 5);
  }
  CHECK(site.seen().empty());
  CHECK(site.bindings("d").size() == 1);
  site.users["d"] = kStored;
  site.engine().advance(2700s);
  CHECK(site.seen() == Lines{"d@a.example 3600"});
  // A stranger is no phone of A's either while nobody can say so.
  site.lookup_fails = true;
  CHECK(site.registers({.user = "e"}) == "500");
}

TEST_CASE("stored: a phone's own credentials take its place only once A has accepted them") {
  Site site(kUpper);
  site.users["d"] = kStored;
  REQUIRE(site.registers({}) == "200 3600");
  site.users["d"] = {{"upper", "yes"}};
  site.code = 403;
  CHECK(site.registers({.authorization = "Digest of a stranger"}) == "403");
  CHECK_FALSE(site.last.contains("password"));
  CHECK(site.bindings("d").size() == 1);
  CHECK(site.ended.empty());
  site.users["d"] = kStored;
  site.code = 200;
  (void)site.seen();
  site.engine().advance(2700s);
  CHECK(site.seen() == Lines{"d@a.example 3600"});
}

TEST_CASE("the answer to a REGISTER has nothing of the credentials that are kept") {
  Site site(kUpper);
  site.users["d"] = {{"upper_username", "d"}, {"upper_password", "a song of A"}, {"upper_ha1", "r:0123456789abcdef0123456789abcdef"}};
  auto asked = site.upstream({.authenticated = true});
  const auto given = asked.parameters().size();
  REQUIRE(site.ask(asked));
  std::vector<std::string> added;
  for (const auto& [name, value] : asked.parameters().subspan(given))
    if (name != "handlers") added.emplace_back(name);
  CHECK(added == Lines{"code"});
  auto unproved = site.upstream({});
  CHECK_FALSE(site.ask(unproved));
  for (const auto& [name, value] : unproved.parameters()) CHECK(value.find("song") == std::string::npos);
}

TEST_CASE("permission: of the user, by rule, by default; refused is registered here alone or rejected (BR-12)") {
  Site site(kUpper);
  site.users["d"] = {{"upper", "no"}};
  CHECK(site.registers({}) == "local");
  CHECK(site.registers({.user = "e"}) == "200 120");
  CHECK(site.registers({.user = "e"}, {{"upper", "no"}}) == "local");  // a rule before us said so
  CHECK(site.registers({}, {{"upper", "yes"}}) == "200 120");
  CHECK(site.registers({.user = ""}) == "local");
  CHECK(site.registers({.user = "d@a1.example"}) == "local");
  site.users["pbx"] = {{"in_line", "office"}};
  CHECK(site.registers({.user = "pbx"}) == "local");

  Site strict("[general]\nfile=\n[upper]\nserver=a.example\npermitted=no\nrefused=reject\n");
  CHECK(strict.registers({}) == "403");
  strict.users["d"] = {{"upper", "yes"}};
  CHECK(strict.registers({}) == "200 120");

  Site kept("[general]\nfile=\n[upper]\nserver=a.example\ncredentials=stored\nrefused=reject\n");
  kept.users["d"] = kStored;
  CHECK(kept.registers({}) == "200 3600");
  CHECK(kept.registers({.user = "e"}) == "403");

  // Another handler before ours decides altogether.
  auto rule = site.engine().bus().install({.message = "user.upstream", .priority = 10}, [](Message& message) {
    if (message.get("username") != "e") return false;
    message.set("code", 403ll);
    return true;
  });
  (void)site.seen();
  CHECK(site.registers({.user = "e"}) == "403");
  CHECK(site.seen().empty());
}

TEST_CASE("an A that may mind that the credentials name us is explained once per phone (D19)") {
  Site site(kUpper);
  site.code = 403;
  const std::string names_us = "Digest username=\"d\", realm=\"a\", nonce=\"n\", uri=\"sip:b.example\", response=\"0\"";
  CHECK(site.registers({.authorization = names_us}) == "403");
  CHECK(site.registers({.authorization = names_us}) == "403");
  const auto told = std::ranges::count_if(site.engine().lines(), [](const LoggedLine& line) { return line.text.find("event=uri-names-us") != std::string::npos; });
  CHECK(told == 1);
  Site content(kUpper);
  content.code = 403;
  CHECK(content.registers({.authorization = "Digest username=\"d\", realm=\"a\", nonce=\"n\", uri=\"sip:a.example\", response=\"0\""}) == "403");
  CHECK_FALSE(content.engine().logged("event=uri-names-us"));
}

TEST_CASE("Thru: the domain names the server; others are refused before anything is asked or sent (D21)") {
  Site site(kThru);
  CHECK(site.logins.empty());
  CHECK(site.registers({.domain = "A1.example"}) == "200 120");
  CHECK(site.logins == Lines{"login thru.a1.example upstream a1.example"});
  CHECK(site.seen() == Lines{"d@a1.example 120"});
  CHECK(site.last["sip_uri"] == "sip:A1.example");
  CHECK(site.registers({.domain = "x.far.example"}) == "200 120");
  CHECK(site.bindings() == Lines{"d@a1.example sip/sip:d@10.0.0.1:5060", "d@x.far.example sip/sip:d@10.0.0.1:5060"});
  (void)site.seen();
  CHECK(site.registers({.domain = "elsewhere.example"}, {{"own_domain", "false"}}) == "403");
  CHECK(site.registers({.domain = "far.example"}, {{"own_domain", "false"}}) == "403");
  CHECK(site.registers({.domain = "b.example"}, {{"own_domain", "true"}}) == "local");
  CHECK(site.seen().empty());
  CHECK(site.logins.size() == 2);
}

TEST_CASE("Thru: credentials that are kept here are for their own domain only") {
  Site site(kThru);
  site.users["d"] = {{"thru_domain", "a1.example"}, {"thru_username", "d"}, {"thru_password", "secret"}};
  CHECK(site.registers({.domain = "a1.example"}) == "200 3600");
  CHECK(site.last["password"] == "secret");
  CHECK(site.registers({.domain = "x.far.example"}) == "200 120");
  CHECK_FALSE(site.last.contains("password"));
}

TEST_CASE("Thru: connections are capped, and end with their last AOR") {
  Site site("[general]\nfile=\nmax_domains=1\nprobe_interval=10\n[thru]\nthru_domains=*.example\n");
  CHECK(site.registers({.domain = "a1.example"}) == "200 120");
  CHECK(site.registers({.domain = "a2.example"}) == "503");
  CHECK(site.registers({.domain = "a1.example", .expires = 0}) == "200 0");
  site.logins.clear();
  site.engine().advance(80s);
  CHECK(site.logins == Lines{"logout thru.a1.example upstream a1.example"});
  CHECK(site.registers({.domain = "a2.example"}) == "200 120");
}

TEST_CASE("max_aors: who A does not know gives way, others are told to come back") {
  Site site("[general]\nfile=\nmax_aors=1\n[upper]\nserver=a.example\n");
  site.code = 403;
  CHECK(site.registers({.user = "guess"}) == "403");
  site.code = 200;
  CHECK(site.registers({}) == "200 120");
  CHECK(site.registers({.user = "e"}) == "503");
}

TEST_CASE("REGISTERs of one AOR wait for one another") {
  Site site(kBelieved);
  std::string order;
  site.meanwhile = [&] { order += "1"; };
  auto one = site.upstream({}), two = site.upstream({.key = "k2"});
  auto slow = std::make_shared<Pendings>(site.engine().timers());
  auto pending = std::make_shared<std::optional<Pending<bool>>>(slow->open<bool>(60s));
  const auto id = (*pending)->id();
  bool held = true;
  auto hold = site.engine().bus().install({.message = "upstream.register", .priority = 1}, [&](Message&) -> Verdict {
    order += "q";
    if (!std::exchange(held, false)) return false;
    return [](std::shared_ptr<std::optional<Pending<bool>>> what) -> Task<bool> {
      (void)co_await (*what)->wait();
      co_return false;
    }(pending);
  });
  auto done = std::make_shared<std::vector<std::optional<bool>>>(2);
  site.engine().spawn("one", [](TestEngine& engine, Message& m, std::shared_ptr<std::vector<std::optional<bool>>> out, std::size_t n) -> Task<> {
    (*out)[n] = co_await settle(engine.bus().dispatch(m));
  }(site.engine(), one, done, 0));
  site.engine().run_until_idle();
  site.engine().spawn("two", [](TestEngine& engine, Message& m, std::shared_ptr<std::vector<std::optional<bool>>> out, std::size_t n) -> Task<> {
    (*out)[n] = co_await settle(engine.bus().dispatch(m));
  }(site.engine(), two, done, 1));
  site.engine().run_until_idle();
  CHECK(order == "q");
  CHECK_FALSE((*done)[1].has_value());
  slow->complete<bool>(id, true);
  site.engine().run_until_idle();
  CHECK((*done)[0].value_or(false));
  CHECK((*done)[1].value_or(false));
  CHECK(order == "q1q");
  CHECK(two.number("code") == 200);
}
