#include "unit/regfile/fixture.h"

#include <doctest/doctest.h>

using namespace jackfield;
using namespace jackfield::regfile_test;

TEST_CASE("call.route: a user with one binding is its data, one without is offline, a stranger is nobody's") {
  Users users(kInMemory);
  CHECK(users.add({.user = "101"}));
  CHECK(users.route("101") == "sip/sip:101@10.0.0.1:5060");
  CHECK(users.route("102") == "-offline");
  CHECK(users.route("999") == "-");
  CHECK(users.route("") == "-");
  CHECK(users.route("101", {{"route_regfile", "false"}}) == "-");
}

TEST_CASE("call.route: driver and route_params go with the target") {
  Users users(kInMemory);
  auto registered = users.register_message({.user = "101"});
  registered.set("route_params", "oconnection_id, x_color").set("oconnection_id", "udp:1").set("x_color", "blue").set("x_other", "no");
  CHECK(users.ask(registered));
  auto routed = users.message("call.route", {{"called", "101"}});
  CHECK(users.ask(routed));
  CHECK(routed.get("driver") == "sip");
  CHECK(routed.get("oconnection_id") == "udp:1");
  CHECK(routed.get("x_color") == "blue");
  CHECK_FALSE(routed.has("x_other"));
  CHECK_FALSE(routed.has("sip_callid"));
}

TEST_CASE("call.route: an alternative rings whoever of its users is online") {
  Users users(kInMemory);
  CHECK(users.route("4000") == "-offline");
  CHECK(users.add({.user = "102", .at = "10.0.0.2:5060"}));
  CHECK(users.route("4000") == "sip/sip:102@10.0.0.2:5060");
  CHECK(users.add({.user = "101"}));
  CHECK(users.route("4000") == "fork sip/sip:101@10.0.0.1:5060 sip/sip:102@10.0.0.2:5060");
  CHECK(users.route("front desk") == "sip/sip:101@10.0.0.1:5060");
}

TEST_CASE("call.route: each target of a fork has its own driver and route_params") {
  Users users(kInMemory);
  for (const auto* at : {"10.0.0.1:5060", "10.0.0.2:5060"}) {
    auto registered = users.register_message({.user = "101", .at = at, .key = at});
    registered.set("route_params", "oconnection_id").set("oconnection_id", at);
    CHECK(users.ask(registered));
  }
  auto routed = users.message("call.route", {{"called", "101"}});
  CHECK(users.ask(routed));
  CHECK(routed.retvalue() == "fork");
  CHECK(routed.get("callto.1") == "sip/sip:101@10.0.0.1:5060");
  CHECK(routed.get("callto.1.driver") == "sip");
  CHECK(routed.get("callto.1.oconnection_id") == "10.0.0.1:5060");
  CHECK(routed.get("callto.2.oconnection_id") == "10.0.0.2:5060");
  CHECK_FALSE(routed.has("callto.3"));
  CHECK_FALSE(routed.has("oconnection_id"));
}

TEST_CASE("call.route: preferences order a user's phones in groups") {
  Users users(kInMemory);
  CHECK(users.add({.user = "101", .at = "low", .key = "1", .q = "0.1"}));
  CHECK(users.add({.user = "101", .at = "none", .key = "2"}));
  CHECK(users.add({.user = "101", .at = "half", .key = "3", .q = "0.5"}));
  CHECK(users.add({.user = "101", .at = "full", .key = "4", .q = "1.0"}));
  CHECK(users.route("101") == "fork sip/sip:101@none sip/sip:101@full | sip/sip:101@half | sip/sip:101@low");
}

TEST_CASE("call.route: a preference says nothing about somebody else's phones") {
  Users users(kInMemory);
  CHECK(users.add({.user = "101", .at = "a", .key = "1", .q = "0.2"}));
  CHECK(users.add({.user = "102", .at = "b", .key = "1", .q = "0.9"}));
  CHECK(users.add({.user = "102", .at = "c", .key = "2", .q = "0.3"}));
  CHECK(users.route("4000") == "fork sip/sip:101@a sip/sip:102@b | sip/sip:102@c");
}

TEST_CASE("call.route: parameters are those of the authenticated user, of the caller only where there is none") {
  Users users("[general]\nfile=\n[101]\npassword=x\nmark=of-101 called ${called}\n[102]\npassword=x\nmark=of-102\n");
  const auto mark = [&](std::initializer_list<Parameter> parameters) {
    auto routed = users.message("call.route", parameters);
    routed.set("called", "${mark}");
    CHECK_FALSE(users.ask(routed));
    return std::string(routed.get("mark", "none"));
  };
  CHECK(mark({{"caller", "101"}}) == "of-101 called ${mark}");
  CHECK(mark({{"caller", "101"}, {"username", "102"}}) == "of-102");
  CHECK(mark({{"caller", "101"}, {"username", "stranger"}}) == "none");
  CHECK(mark({{"caller", "101"}, {"username", ""}}) == "of-101 called ${mark}");
  CHECK(mark({{"caller", "anonymous"}}) == "none");
  CHECK(mark({{"caller", "101"}, {"username", "102"}, {"in_line", "provider"}}) == "none");  // the provider's 102
}
