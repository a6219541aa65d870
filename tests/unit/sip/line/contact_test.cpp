// What a connection gives its registrar as its contact: where it is seen from, what it had before, and what outlives a restart.
#include "line_world.h"

#include <algorithm>

namespace jackfield::sip::line {

namespace {

constexpr auto kRegistrar = "192.0.2.10:5060";

}  // namespace

TEST_CASE("A server that sees us elsewhere gets that address as our contact in 2 s, and the old one is taken back in the same request") {
  World w;
  auto& registrar = w.server(kRegistrar);
  registrar.seen_as = "203.0.113.7:33001";
  w.login("acc");
  w.run(1s);
  CHECK(registrar.bindings.size() == 1);
  w.run(2s);
  REQUIRE(w.all_sent.size() == 2);
  const auto contacts = headers_of(w.all_sent[1], "Contact");
  REQUIRE(contacts.size() == 2);
  CHECK(contacts[0].starts_with("<sip:101@203.0.113.7:33001;line="));
  CHECK(contacts[1].starts_with("<sip:101@192.0.2.1:5060;line="));
  CHECK(contacts[1].ends_with(";expires=0"));
  REQUIRE(registrar.bindings.size() == 1);
  CHECK(registrar.bindings.begin()->first.starts_with("sip:101@203.0.113.7:33001"));
  CHECK(w.lines->exit("acc")->contact_host == "203.0.113.7:33001");
  w.run(100s);
  CHECK(w.all_sent.size() == 2);
  // Behind NAT the way is kept open (COMPAT §6).
  CHECK(std::ranges::count(registrar.requests, "\r\n\r\n") == 4);
}

TEST_CASE("A registrar that refuses to take the old contact back is not asked for it again") {
  World w;
  auto& registrar = w.server(kRegistrar);
  registrar.seen_as = "203.0.113.7:33001";
  w.login("acc", {{"retry_interval", "30"}});
  w.run(1s);
  REQUIRE(w.online("acc"));
  registrar.codes["REGISTER"] = 400;
  w.run(3s);
  CHECK_FALSE(w.online("acc"));
  registrar.codes.clear();
  const auto before = w.all_sent.size();
  w.run(40s);
  CHECK(w.online("acc"));
  REQUIRE(w.all_sent.size() == before + 1);
  CHECK(headers_of(w.all_sent.back(), "Contact").size() == 1);
}

TEST_CASE("An address that changes with every request does not make us register without end") {
  World w;
  auto& registrar = w.server(kRegistrar);
  unsigned port = 1000;
  registrar.seen_as = "203.0.113.7:1000";
  w.login("acc");
  for (int second = 0; second < 100; ++second) {
    registrar.seen_as = fmt::format("203.0.113.7:{}", ++port);
    w.run(1s);
  }
  CHECK(w.all_sent.size() == 2);
}

TEST_CASE("localaddress=no keeps our own address, and one that is given is given") {
  World w;
  w.server(kRegistrar).seen_as = "203.0.113.7:33001";
  w.login("own", {{"localaddress", "no"}});
  w.login("given", {{"localaddress", "198.51.100.1:5070"}});
  w.run(10s);
  REQUIRE(w.all_sent.size() == 2);
  CHECK(header_of(w.all_sent[0], "Contact").starts_with("<sip:101@192.0.2.1:5060;"));
  CHECK(header_of(w.all_sent[1], "Contact").starts_with("<sip:101@198.51.100.1:5070;"));
}

TEST_CASE("A contact of ours from another life is taken back") {
  World w;
  auto& registrar = w.server(kRegistrar);
  w.login("acc");
  w.run(1s);
  REQUIRE(registrar.bindings.size() == 1);
  const auto ours = registrar.bindings.begin()->first;
  const auto parameter = ours.substr(ours.find(";line="));
  w.logout("acc");
  w.run(1s);
  const auto now = w.engine.clock().now();
  registrar.bindings = {{"sip:101@192.0.2.99:5060" + parameter, {"", now + 1h}}, {"sip:101@192.0.2.50:5060", {"", now + 1h}}};
  w.login("acc");
  w.run(5s);
  CHECK(registrar.bindings.contains(ours));
  CHECK_FALSE(registrar.bindings.contains("sip:101@192.0.2.99:5060" + parameter));
  CHECK(registrar.bindings.contains("sip:101@192.0.2.50:5060"));  // a phone's
  const auto sent = w.all_sent.size();
  w.run(60s);
  CHECK(w.all_sent.size() == sent);
}

TEST_CASE("A restart keeps the contact, so that the registrar has one and not two") {
  World w;
  auto& registrar = w.server(kRegistrar);
  w.login("acc");
  w.run(1s);
  w.lines.emplace(w.core, w.resolver);
  w.lines->start();
  w.login("acc");
  w.run(5s);
  CHECK(w.all_sent.size() == 2);
  CHECK(registrar.bindings.size() == 1);
  CHECK(header_of(w.all_sent[0], "Call-ID") != header_of(w.all_sent[1], "Call-ID"));
}

}  // namespace jackfield::sip::line
