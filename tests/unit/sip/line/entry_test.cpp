// Which connection a request came in by (D2 (1), SP-7).
#include "line_world.h"

namespace jackfield::sip::line {

namespace {

std::string entry(World& w, const std::string& source, const std::string& uri) {
  const auto text = stack::RequestText{.uri = uri}.text();
  Message request;
  REQUIRE(request.parse(text));
  const auto* line = w.lines->entry({stack::address(source), 0, 0, stack::TransportKind::udp}, request);
  return line ? line->name() : "";
}

std::string contact_of(World& w, const std::string& user) {
  for (const auto& [uri, binding] : w.server("192.0.2.10:5060").bindings)
    if (uri.starts_with("sip:" + user + "@")) return uri;
  return {};
}

}  // namespace

TEST_CASE("SP-7: the contact we registered names its connection, wherever the call comes from and whatever number it is for") {
  World w;
  w.server("192.0.2.10:5060");
  w.login("one", {{"username", "101"}});
  w.login("two", {{"username", "102"}});
  w.run(1s);
  auto did = contact_of(w, "102");
  did.replace(4, 3, "4930123456");
  CHECK(entry(w, "198.51.100.1:5060", did) == "two");
  CHECK(entry(w, "198.51.100.1:5060", "sip:102@192.0.2.1") == "");
  CHECK(entry(w, "198.51.100.1:5060", "sip:102@192.0.2.1;line=guess") == "");
}

TEST_CASE("SP-7: several connections to one server are told apart by their users, and a number dialled through goes to one that lets it") {
  World w;
  w.server("192.0.2.10:5060");
  w.login("strict", {{"username", "100"}, {"match_user", "yes"}});
  w.login("one", {{"username", "101"}});
  w.login("two", {{"username", "102"}});
  w.run(1s);
  CHECK(entry(w, "192.0.2.10:5060", "sip:102@192.0.2.1") == "two");
  CHECK(entry(w, "192.0.2.10:5060", "sip:100@192.0.2.1") == "strict");
  CHECK(entry(w, "192.0.2.10:5061", "sip:101@192.0.2.1") == "one");
  CHECK(entry(w, "192.0.2.10:5060", "sip:4930123456@192.0.2.1") == "one");
  w.logout("one");
  w.logout("two");
  w.run(1s);
  CHECK(entry(w, "192.0.2.10:5060", "sip:4930123456@192.0.2.1") == "");
}

TEST_CASE("SP-12: a trunk's calls come from its allowed addresses, and from nowhere else") {
  World w;
  w.login("trunk", {{"type", "trunk"}, {"registrar", ""}, {"username", ""}, {"server", "192.0.2.10"}, {"allowed", "198.51.100.0/24, 2001:db8::7"}});
  w.run(1s);
  CHECK(entry(w, "198.51.100.200:4000", "sip:200@192.0.2.1") == "trunk");
  CHECK(entry(w, "[2001:db8::7]:5060", "sip:200@192.0.2.1") == "trunk");
  CHECK(entry(w, "192.0.2.10:5060", "sip:200@192.0.2.1") == "trunk");  // its own server
  CHECK(entry(w, "198.51.101.1:5060", "sip:200@192.0.2.1") == "");
  CHECK(w.lines->is_source(*net::Address::parse("198.51.100.1")));
  CHECK_FALSE(w.lines->is_source(*net::Address::parse("198.51.102.1")));
}

TEST_CASE("match_port wants the server's own port") {
  World w;
  w.login("trunk", {{"registrar", ""}, {"username", ""}, {"server", "192.0.2.10:5070"}, {"match_port", "yes"}});
  w.run(1s);
  CHECK(entry(w, "192.0.2.10:5070", "sip:200@192.0.2.1") == "trunk");
  CHECK(entry(w, "192.0.2.10:5060", "sip:200@192.0.2.1") == "");
}

TEST_CASE("D18: calls from any server of the list are the connection's, those not in use and found by name included") {
  World w;
  w.server("192.0.2.10:5060");
  w.dns->a["backup.example"] = {.status = stack::DnsAnswer::Status::found, .ttl = 60s, .addresses = {*net::Address::parse("192.0.2.99")}};
  w.login("acc", {{"servers", "192.0.2.10, backup.example"}});
  w.run(1s);
  CHECK(entry(w, "192.0.2.99:5060", "sip:101@192.0.2.1") == "acc");
  w.login("acc", {{"servers", "192.0.2.10"}});
  w.run(1s);
  CHECK(entry(w, "192.0.2.99:5060", "sip:101@192.0.2.1") == "");
}

TEST_CASE("SP-12: a trunk for everybody is refused, and what was there before ends") {
  World w;
  World::Parameters trunk{{"type", "trunk"}, {"registrar", ""}, {"username", ""}, {"server", "192.0.2.10"}, {"allowed", "198.51.100.1"}};
  CHECK(w.login("trunk", trunk));
  trunk["allowed"] = "0.0.0.0/0";
  std::string reason;
  CHECK_FALSE(w.login("trunk", trunk, &reason));
  w.run(1s);
  CHECK(reason == "allowed: 0.0.0.0/0 is everybody; write the addresses of the other side");
  CHECK(entry(w, "198.51.100.1:5060", "sip:200@192.0.2.1") == "");
  CHECK_FALSE(w.lines->exit("trunk"));
}

}  // namespace jackfield::sip::line
