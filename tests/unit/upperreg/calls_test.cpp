// Calls from A to the contact it was given, and from phones to A.
#include "unit/upperreg/fixture.h"

#include <doctest/doctest.h>

using namespace jackfield;
using namespace jackfield::upperreg_test;

namespace {

/// `called` and where it goes; `-` where nobody says.
std::string route(Site& site, std::string_view called, std::initializer_list<Parameter> more = {}) {
  auto call = site.message("call.route", more);
  call.set("called", called);
  if (!site.ask(call)) return "-" + std::string(call.get("called"));
  if (call.retvalue() != "fork") return std::string(call.retvalue());
  return fmt::format("fork {} {}", call.get("callto.1"), call.get("callto.2"));
}

}  // namespace

TEST_CASE("a token that comes from its own server is the user's phones, from elsewhere it is a number like any other") {
  Site site(kUpper);
  REQUIRE(site.registers({}) == "200 120");
  const auto token = site.contacts["d@a.example"];
  CHECK(route(site, token, {{"in_line", "upper"}}) == "sip/sip:d@10.0.0.1:5060");
  CHECK(route(site, token) == "-" + token);
  CHECK(route(site, token, {{"in_line", "carrier"}}) == "-" + token);
  CHECK(route(site, std::string(32, '0'), {{"in_line", "upper"}}) == "-" + std::string(32, '0'));
  CHECK(route(site, "d") == "sip/sip:d@10.0.0.1:5060");
  REQUIRE(site.registers({.key = "k2", .address = "10.0.0.2:5060"}) == "200 120");
  REQUIRE(site.registers({.user = "e", .address = "10.0.0.3:5060"}) == "200 120");
  CHECK(route(site, token, {{"in_line", "upper"}}) == "fork sip/sip:d@10.0.0.1:5060 sip/sip:d@10.0.0.2:5060");
}

TEST_CASE("what comes from A's address is A's only where it calls a contact A was given; else it is a stranger's") {
  Site site(kThru);
  const auto asks = [&](std::string_view line, std::string_view called, std::string_view user = {}) {
    auto question = site.message("user.auth", {{"method", "INVITE"}, {"newcall", "true"}, {"in_line", line}, {"called", called}});
    if (!user.empty()) question.set("username", user);
    if (!site.ask(question)) return std::string("stranger");
    CHECK(question.retvalue().empty());
    CHECK(question.get("username") == user);
    return std::string(question.get("in_line"));
  };
  REQUIRE(site.registers({.domain = "a1.example"}) == "200 120");
  REQUIRE(site.registers({.user = "e", .domain = "y.far.example"}) == "200 120");
  site.server_address = "192.0.2.2:5060";
  REQUIRE(site.registers({.user = "f", .domain = "z.far.example"}) == "200 120");
  const auto token = site.contacts["d@a1.example"];
  CHECK(asks("thru.a1.example", token) == "thru.a1.example");
  CHECK(asks("thru.a1.example", site.contacts["e@y.far.example"]) == "thru.y.far.example");  // the same machine
  CHECK(asks("thru.z.far.example", token) == "stranger");
  CHECK(asks("thru.a1.example", "d") == "stranger");
  CHECK(asks("thru.a1.example", "0049900") == "stranger");
  CHECK(asks("thru.a1.example", std::string(32, '0')) == "stranger");
  CHECK(asks("carrier", token) == "stranger");
  // A has it no more.
  REQUIRE(site.registers({.domain = "a1.example", .expires = 0}) == "200 0");
  CHECK(asks("thru.a1.example", token) == "stranger");
}

TEST_CASE("rules see whom a token stands for") {
  Site site(kUpper);
  REQUIRE(site.registers({}) == "200 120");
  std::string seen;
  auto rule = site.engine().bus().install({.message = "call.route", .priority = 100}, [&](Message& call) {
    seen = call.get("called");
    call.set("error", "forbidden");
    call.set_retvalue("-");
    return true;
  });
  CHECK(route(site, site.contacts["d@a.example"], {{"in_line", "upper"}}) == "-");
  CHECK(seen == "d");
}

TEST_CASE("Thru: a bare number is a phone where one domain alone has it (D21); a token is its own server's only") {
  Site site(kThru);
  REQUIRE(site.registers({.domain = "a1.example"}) == "200 120");
  CHECK(route(site, "d") == "sip/sip:d@10.0.0.1:5060");
  const auto token = site.contacts["d@a1.example"];
  site.server_address = "192.0.2.2:5060";
  REQUIRE(site.registers({.domain = "x.far.example", .address = "10.0.0.2:5060"}) == "200 120");
  CHECK(route(site, "d") == "-d");
  CHECK(route(site, "d@X.far.example") == "sip/sip:d@10.0.0.2:5060");
  CHECK(route(site, token, {{"in_line", "thru.a1.example"}}) == "sip/sip:d@10.0.0.1:5060");
  CHECK(route(site, token, {{"in_line", "thru.x.far.example"}}) == "-" + token);
  // One machine may serve several domains; its calls come in by any of their connections.
  REQUIRE(site.registers({.user = "e", .domain = "y.far.example"}) == "200 120");
  CHECK(route(site, site.contacts["e@y.far.example"], {{"in_line", "thru.x.far.example"}}) == "sip/sip:e@10.0.0.1:5060");
}

TEST_CASE("a call to A carries what its caller is there: relayed credentials pass, kept ones are shown") {
  Site site(kUpper);
  REQUIRE(site.registers({}) == "200 120");
  site.users["e"] = {{"upper_username", "4930"}, {"upper_password", "secret"}};
  REQUIRE(site.registers({.user = "e"}) == "200 3600");
  const auto execute = [&](std::initializer_list<Parameter> parameters) {
    auto call = site.message("call.execute", parameters);
    CHECK_FALSE(site.ask(call));
    return call;
  };
  const auto relayed = execute({{"callto", "line/8a"}, {"line", "upper"}, {"username", "d"}, {"caller", "x"}, {"authorization", "Digest of d"}});
  CHECK(relayed.get("caller") == "d");
  CHECK(relayed.get("domain") == "a.example");
  CHECK(relayed.get("contact_user") == site.contacts["d@a.example"]);
  CHECK(relayed.flag("pass_challenge"));
  CHECK(relayed.get("authorization") == "Digest of d");
  const auto kept = execute({{"callto", "upper/8a"}, {"username", "e"}, {"caller", "x"}, {"authorization", "Digest of b"}});
  CHECK(kept.get("callto") == "line/8a");
  CHECK(kept.get("line") == "upper");
  CHECK(kept.get("caller") == "4930");
  CHECK(kept.get("password") == "secret");
  CHECK_FALSE(kept.has("authorization"));
  CHECK_FALSE(kept.has("pass_challenge"));
  // Others' calls, and others' lines, are left as they are.
  CHECK(execute({{"callto", "upper/8a"}, {"username", "nobody"}}).get("error") == "forbidden");
  CHECK_FALSE(execute({{"callto", "line/8a"}, {"line", "upper"}, {"username", "nobody"}}).has("contact_user"));
  CHECK_FALSE(execute({{"callto", "line/8a"}, {"line", "carrier"}, {"username", "d"}}).has("contact_user"));
  CHECK_FALSE(execute({{"callto", "line/8a"}, {"line", "upper"}, {"username", "d"}, {"in_line", "carrier"}}).has("contact_user"));
  CHECK_FALSE(execute({{"callto", "sip/sip:d@10.0.0.1"}, {"line", "upper"}, {"username", "d"}}).has("contact_user"));
}

TEST_CASE("Thru with kept credentials, in sip's order: proved as our user, bound and called as the other server's, and calling as that") {
  Site site(kThru);
  site.users["d"] = {{"thru_domain", "a1.example"}, {"thru_username", "4930"}, {"thru_password", "secret"}};
  auto unproved = site.upstream({.domain = "a1.example"});
  REQUIRE_FALSE(site.ask(unproved));  // sip asks user.auth for d, and proves him
  auto proved = site.upstream({.domain = "a1.example", .authenticated = true});
  REQUIRE(site.ask(proved));
  REQUIRE(proved.number("code") == 200);
  CHECK(proved.get("username") == "d@a1.example");
  const auto keep = [&](std::string_view username) {
    auto kept = site.message("user.register", {{"username", username}, {"driver", "sip"}, {"data", "sip/sip:d@10.0.0.1:5060"}, {"binding", "k1"}, {"expires", "3600"}});
    Site::add_flow(kept, "10.0.0.1:5060");
    return site.ask(kept);
  };
  CHECK_FALSE(keep("d"));  // nobody's but his own
  CHECK(keep("d@a1.example"));
  CHECK(site.bindings() == Lines{"d@a1.example sip/sip:d@10.0.0.1:5060"});
  CHECK(site.seen() == Lines{"4930@a1.example 3600"});
  CHECK(route(site, site.contacts["4930@a1.example"], {{"in_line", "thru.a1.example"}}) == "sip/sip:d@10.0.0.1:5060");
  // His calls are d's, as he proved; to A he is what he is there.
  for (const auto* callto : {"upper/8a", "line/8a"}) {
    auto call = site.message("call.execute", {{"callto", callto}, {"username", "d"}, {"caller", "x"}});
    if (std::string_view(callto) == "line/8a") call.set("line", "thru.a1.example");
    CHECK_FALSE(site.ask(call));
    CHECK(call.get("callto") == "line/8a");
    CHECK(call.get("line") == "thru.a1.example");
    CHECK(call.get("caller") == "4930");
    CHECK(call.get("password") == "secret");
    CHECK(call.get("contact_user") == site.contacts["4930@a1.example"]);
  }
  auto nobody = site.message("call.execute", {{"callto", "upper/8a"}, {"username", "4930"}});
  CHECK_FALSE(site.ask(nobody));
  CHECK(nobody.get("error") == "forbidden");  // what he is called there is no user of ours
  // The last phone is gone: A hears it.
  site.unregister({{"username", "d@a1.example"}, {"binding", "k1"}});
  site.engine().advance(1s);
  CHECK(site.seen() == Lines{"4930@a1.example 0"});
}

TEST_CASE("kept credentials are asked for again after a restart") {
  auto engine = std::make_shared<TestEngine>();
  constexpr std::string_view kKept = "[general]\nprobe_interval=0\n[upper]\nserver=a.example\n";
  {
    Site site(engine, kKept);
    site.users["d"] = kStored;
    REQUIRE(site.registers({}) == "200 3600");
    site.stop();
  }
  Site again(engine, kKept);
  again.users["d"] = kStored;
  auto call = again.message("call.execute", {{"callto", "line/8a"}, {"line", "upper"}, {"username", "d"}});
  CHECK_FALSE(again.ask(call));
  CHECK(call.get("password") == "a song of A");
}

TEST_CASE("requests of a phone with relayed credentials are its own over its flow and from nowhere else (D20)") {
  Site site(kThru);
  REQUIRE(site.registers({.domain = "a1.example"}) == "200 120");
  const auto asks = [&](std::string_view from, const std::string& address, std::string_view transport = "UDP") {
    auto question = site.message("user.auth", {{"method", "MESSAGE"}, {"sip_from", from}});
    Site::add_flow(question, address);
    question.set("ip_transport", transport);
    return site.ask(question) ? fmt::format("{} {}", question.get("username"), question.get("alternatives")) : std::string("-");
  };
  CHECK(asks("sip:d@a1.example", "10.0.0.1:5060") == "d@a1.example d");
  CHECK(asks("sip:d@A1.EXAMPLE", "10.0.0.1:5060") == "d@a1.example d");
  CHECK(asks("sip:d@a2.example", "10.0.0.1:5060") == "-");
  CHECK(asks("sip:e@a1.example", "10.0.0.1:5060") == "-");
  CHECK(asks("sip:d@a1.example", "10.0.0.1:5061") == "-");
  CHECK(asks("sip:d@a1.example", "10.0.0.2:5060") == "-");
  CHECK(asks("sip:d@a1.example", "10.0.0.1:5060", "TCP") == "-");
  // Who proves to us who he is needs no such thing.
  Site kept(kUpper);
  kept.users["d"] = kStored;
  REQUIRE(kept.registers({}) == "200 3600");
  auto question = kept.message("user.auth", {{"method", "MESSAGE"}, {"sip_from", "sip:d@b.example"}});
  Site::add_flow(question, "10.0.0.1:5060");
  CHECK_FALSE(kept.ask(question));
}
