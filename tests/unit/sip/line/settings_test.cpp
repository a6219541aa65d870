// What a user.login says of a connection, and what is refused.
#include <jackfield/messages/user.h>

#include <doctest/doctest.h>

#include <map>

#include "line/settings.h"

namespace jackfield::sip::line {
namespace {

using namespace std::chrono_literals;
using Said = std::map<std::string, std::string>;

tl::expected<ConnectionSettings, std::string> read(const Said& said) {
  jackfield::Message login(messages::kUserLogin);
  login.set("account", "acc");
  for (const auto& [name, value] : said) login.set(name, value);
  return read_connection(login);
}

ConnectionSettings good(const Said& said) {
  const auto settings = read(said);
  REQUIRE_MESSAGE(settings, settings.error());
  return *settings;
}

std::string refused(const Said& said) {
  const auto settings = read(said);
  REQUIRE_FALSE(settings);
  return settings.error();
}

}  // namespace

TEST_CASE("An account of Yate's registers where it has a registrar and a username, and is a trunk else") {
  const auto account = good({{"registrar", "sip.example.net:5080"}, {"username", "101"}, {"password", "p"}, {"interval", "600"}});
  CHECK(account.type == Type::registration);
  CHECK(account.authname == "101");
  REQUIRE(account.servers.size() == 1);
  CHECK(account.servers[0].proxy == stack::Destination{"sip.example.net", 5080});
  CHECK(account.servers[0].registrar == account.servers[0].proxy);
  CHECK(account.interval == 600s);
  CHECK(account.retry == 300s);
  CHECK(account.domain_at(0) == "sip.example.net:5080");
  CHECK(good({{"server", "192.0.2.1"}}).type == Type::trunk);
  CHECK(good({{"username", "101"}}).type == Type::trunk);
}

TEST_CASE("Without an interval it is 300 s, and half of that, from 30 s to 600 s, until what failed is tried again") {
  CHECK(good({{"registrar", "r"}, {"username", "u"}}).interval == 300s);
  CHECK(good({{"registrar", "r"}, {"username", "u"}}).retry == 150s);
  CHECK(good({{"registrar", "r"}, {"username", "u"}, {"interval", "20"}}).retry == 30s);
  CHECK(good({{"registrar", "r"}, {"username", "u"}, {"interval", "7200"}}).retry == 600s);
  CHECK(good({{"registrar", "r"}, {"username", "u"}, {"retry_interval", "2"}}).retry == 2s);
  CHECK(refused({{"registrar", "r"}, {"username", "u"}, {"interval", "soon"}}).starts_with("interval: \"soon\""));
}

TEST_CASE("EL-1: servers are a list with the main one first, each with a registrar of its own (EL-14)") {
  const auto list = good({{"servers", "a.example, 192.0.2.2:5070, [2001:db8::1]"}, {"registrar.1", "192.0.2.3"}, {"username", "u"}});
  REQUIRE(list.servers.size() == 3);
  CHECK(list.servers[0].registrar.host == "a.example");
  CHECK(list.servers[1].proxy == stack::Destination{"192.0.2.2", 5070});
  CHECK(list.servers[1].registrar.host == "192.0.2.3");
  CHECK(uri_host(list.servers[2].proxy) == "[2001:db8::1]");
  const auto numbered = good({{"registrar", "r.example"}, {"server", "p.example"}, {"server.1", "q.example"}, {"username", "u"}});
  REQUIRE(numbered.servers.size() == 2);
  CHECK(numbered.servers[0] == ServerSettings{{"p.example", 0, {}}, {"r.example", 0, {}}});
  CHECK(numbered.servers[1].registrar.host == "q.example");
}

TEST_CASE("SP-12: a trunk needs the addresses its calls come from, and everybody is none") {
  CHECK(refused({{"type", "trunk"}, {"server", "192.0.2.1"}}).starts_with("allowed: a trunk needs"));
  for (const char* everybody : {"0.0.0.0/0", "::/0", "192.0.2.1, 0.0.0.0/0"}) CHECK(refused({{"type", "trunk"}, {"allowed", everybody}}).find("is everybody") != std::string::npos);
  CHECK(refused({{"type", "trunk"}, {"allowed", "carrier"}}).find("no address or network") != std::string::npos);
  CHECK(good({{"type", "trunk"}, {"allowed", "192.0.2.0/24, 2001:db8::/32"}}).allowed.size() == 2);
}

TEST_CASE("What makes no sense is refused with the name of the key") {
  CHECK(refused({{"type", "peer"}}).starts_with("type:"));
  CHECK(refused({{"type", "registration"}, {"registrar", "r"}}).starts_with("username:"));
  CHECK(refused({{"type", "registration"}, {"username", "u"}}).starts_with("registrar:"));
  CHECK(refused({{"registrar", "r"}, {"username", "u"}, {"ip_transport", "tls"}}).starts_with("ip_transport:"));
  CHECK(refused({{"registrar", "r"}, {"username", "u"}, {"homing", "sometimes"}}).starts_with("homing:"));
  CHECK(refused({{"server", "r"}, {"homing", "register"}}).starts_with("homing:"));
  CHECK(refused({{"registrar", "sips:r"}, {"username", "u"}}).find("TLS") != std::string::npos);
  CHECK(refused({{"registrar", "r"}, {"username", "u"}, {"use_domain", "yes"}}).starts_with("use_domain:"));
}

TEST_CASE("The outbound proxy is the next hop, and named by a Route where it asks for that") {
  const auto plain = good({{"registrar", "r"}, {"username", "u"}, {"outbound", "192.0.2.9:5090"}});
  CHECK(plain.outbound == stack::Destination{"192.0.2.9", 5090});
  CHECK(plain.outbound_route.empty());
  CHECK(good({{"registrar", "r"}, {"username", "u"}, {"outbound", "sip:192.0.2.9;lr"}}).outbound_route == "<sip:192.0.2.9;lr>");
  CHECK(good({{"registrar", "r"}, {"username", "u"}, {"ip_transport_remoteip", "192.0.2.9"}, {"ip_transport_remoteport", "5091"}}).outbound == stack::Destination{"192.0.2.9", 5091});
}

TEST_CASE("Prefixed parameters go where they belong") {
  const auto settings = good({{"registrar", "r"}, {"username", "u"}, {"inb:context", "trunk"}, {"out:privacy", "id"}, {"reg:osip_X-Token", "7"}});
  CHECK(settings.inbound == Parameters{{"context", "trunk"}});
  CHECK(settings.outbound_parameters == Parameters{{"privacy", "id"}});
  CHECK(settings.headers == Parameters{{"X-Token", "7"}});
}

TEST_CASE("ZY-5: what a change asks for is as little as it can be") {
  const Said said{{"registrar", "r"}, {"username", "u"}, {"password", "p"}};
  const auto with = [&](const std::string& name, const std::string& value) {
    auto other = said;
    other[name] = value;
    return good(other);
  };
  const auto before = good(said);
  CHECK(before == good(said));
  CHECK_FALSE(before == with("owner", "200"));
  CHECK(change_between(before, with("owner", "200")) == Change::unseen);
  CHECK(change_between(before, with("inb:context", "x")) == Change::unseen);
  CHECK(change_between(before, with("password", "q")) == Change::refresh);
  CHECK(change_between(before, with("interval", "60")) == Change::refresh);
  CHECK(change_between(before, with("username", "v")) == Change::renew);
  CHECK(change_between(before, with("servers", "r, s")) == Change::renew);
  CHECK(change_between(before, with("enabled", "no")) == Change::renew);
}

}  // namespace jackfield::sip::line
