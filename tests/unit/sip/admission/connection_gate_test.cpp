// Requests that come in by a connection (D2 (1), D7).
#include "guard/guard.h"
#include "unit/sip/call/connection_table.h"
#include "unit/sip/site.h"

using namespace jackfield;
using namespace jackfield::sip;

namespace {

struct Entry {
  Site site;
  call::ConnectionTable table;
  Phone caller{.site = site, .flow = udp("203.0.113.7:5060")};
  call::ConnectionTable::Own& up = table.all["up"];
  Entry() {
    site.core.connections = &table;
    up.own.name = "up";
    up.own.allowed = {net::Cidr::parse("203.0.113.0/24").value()};
    caller.method = "INVITE";
    caller.uri = "sip:201@192.0.2.1";
    caller.to = "201";
    caller.from = "555";
  }
  std::string parameter(std::string_view name) const {
    for (const auto& [key, value] : site.admitted.at(0).parameters)
      if (key == name) return value;
    return {};
  }
};

}  // namespace

TEST_CASE_FIXTURE(Entry, "SP-12 D2 A call from a connection's addresses is the connection's, with nobody asked, whatever From says") {
  up.own.username = "jack";
  up.own.domain = "example.net";
  up.own.transfer = true;
  up.own.inbound = {{"context", "from-provider"}};
  site.settings->access.deny = {net::Cidr::parse("203.0.113.0/24").value()};
  site.use_access();
  CHECK(caller.send("")->code == 480);  // what the site answers to those who were let in
  REQUIRE(site.admitted.size() == 1);
  const auto& sender = site.admitted[0];
  CHECK(sender.kind == Sender::Kind::line);
  CHECK(sender.line == "up");
  CHECK(sender.username.empty());  // nobody of ours
  CHECK(parameter("username") == "jack");
  CHECK(parameter("domain") == "example.net");
  CHECK(parameter("context") == "from-provider");
  CHECK(parameter("transfer") == "true");
  CHECK(site.times_asked == 0);
}

TEST_CASE_FIXTURE(Entry, "SP-12 A call from elsewhere is a stranger's, and a registration from there needs its password") {
  SUBCASE("elsewhere") {
    caller.flow = udp("203.0.112.255:5060");
    CHECK(caller.send("")->code == 401);
  }
  SUBCASE("a registration") {
    caller.method = "REGISTER";
    caller.uri = "sip:192.0.2.1";
    caller.to = "200";
    CHECK(caller.send("Contact: <sip:200@203.0.113.7>\r\n")->code == 401);
  }
  CHECK(site.admitted.empty());
}

TEST_CASE_FIXTURE(Entry, "D2 A call from another server's address is let in where whoever registered there knows it, by the connection he names") {
  up.own.type = line::Type::upstream;
  up.own.domain = "a.example";
  auto& thru = table.all["thru"];
  thru.own.name = "thru";
  thru.own.type = line::Type::upstream;
  std::string asked, other;
  bool handled = true;
  site.install(messages::kUserAuth, [&](jackfield::Message& m) -> Verdict {
    if (!m.has("in_line")) return false;
    asked = fmt::format("{} {} {}", m.get("in_line"), m.get("called"), m.has("username"));
    if (!other.empty()) m.set("in_line", other);
    if (handled) m.set("upper_secret", "s").set("note", "n");
    return handled;
  });
  CHECK(caller.send("")->code == 480);
  CHECK(asked == "up 201 false");
  REQUIRE(site.admitted.size() == 1);
  CHECK(site.admitted[0].kind == Sender::Kind::line);
  CHECK(site.admitted[0].line == "up");
  CHECK(site.admitted[0].username.empty());
  CHECK(parameter("domain") == "a.example");
  CHECK(parameter("note") == "n");
  CHECK(parameter("upper_secret").empty());
  other = "thru";
  CHECK(caller.send("")->code == 480);
  CHECK(site.admitted.at(1).line == "thru");
  // Whom nobody knows is a stranger, with a password a user, and where a trunk is at the same address the trunk's.
  handled = false, other.clear();
  CHECK(caller.send("")->code == 401);
  caller.from = "200";
  CHECK(caller.request("").code == 480);
  CHECK(site.admitted.at(2).username == "200");
  table.all["trunk"].own = {.name = "trunk", .type = line::Type::trunk, .allowed = up.own.allowed};
  caller.authorization.clear();
  CHECK(caller.send("")->code == 480);
  CHECK(site.admitted.at(3).line == "trunk");
}

TEST_CASE_FIXTURE(Entry, "What user.auth keeps secret for another server goes no further than a registration's question") {
  up.own.allowed.clear();
  site.users["200"].parameters = {{"upper_password", "p"}, {"password", "q"}, {"context", "c"}};
  caller.from = "200";
  CHECK(caller.request("").code == 480);
  REQUIRE(site.admitted.size() == 1);
  CHECK(parameter("context") == "c");
  CHECK(parameter("password").empty());
  CHECK(parameter("upper_password").empty());
}

TEST_CASE_FIXTURE(Entry, "D7 A connection's addresses are never banned") {
  guard::Guard guard(site.engine);
  guard.attach(site.core);
  CHECK(guard.is_spared(caller.flow.remote));
  CHECK_FALSE(guard.is_spared(net::Address::parse("203.0.112.255").value()));
}
