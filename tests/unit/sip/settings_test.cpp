// The key table and what it is read into.
#include <doctest/doctest.h>

#include <algorithm>

#include "settings.h"

using namespace jackfield;
using namespace jackfield::sip;
using namespace std::chrono_literals;

namespace {

struct Read {
  Problems problems;
  std::shared_ptr<const SipSettings> settings;
  explicit Read(std::vector<SettingsSection> sections, bool from_yate = false) {
    int line = 0;
    for (auto& section : sections)
      for (auto& entry : section.entries) entry.where = {"sip.conf", ++line};
    const Settings file(kSipKeys, std::move(sections), "sip.conf", from_yate);
    settings = read_settings(file, problems);
  }
  bool names(std::string_view text, Problem::Severity severity = Problem::Severity::error) const {
    return std::any_of(problems.begin(), problems.end(), [&](const Problem& problem) {
      return problem.severity == severity && problem.text.find(text) != std::string::npos;
    });
  }
};

}  // namespace

TEST_CASE("Without a file the server listens on UDP and TCP, 5060, IPv4 and where there is IPv6, and trusts nobody") {
  const Read read({});
  CHECK(read.problems.empty());
  std::vector<std::string> binds;
  for (const auto& listener : read.settings->listeners)
    binds.push_back(std::string(transport_name(listener.options.kind)) + " " + listener.options.bind.text() + (listener.optional ? " optional" : ""));
  CHECK(binds == std::vector<std::string>{"UDP 0.0.0.0:5060", "UDP [::]:5060 optional", "TCP 0.0.0.0:5060", "TCP [::]:5060 optional"});
  CHECK(read.settings->access.trusted.empty());
  CHECK(read.settings->auth_calls);
  CHECK(read.settings->registrar.expires_min == 60s);
  CHECK(read.settings->realm == "Yate");
}

TEST_CASE("A listener has its own address and port, and adds its rules to the general ones") {
  const Read read({{.name = "general", .where = {}, .entries = {{"addr", "192.0.2.1", {}}, {"type", "udp", {}}, {"trusted", "10.0.0.0/8", {}},
                                                                 {"advertise", "sip.example:5099", {}}}},
                   {.name = "listener office", .where = {}, .entries = {{"addr", "192.0.2.2, 2001:db8::2", {}}, {"port", "5080", {}},
                                                                         {"trusted", "192.0.2.99", {}}, {"digest", "SHA-256,MD5", {}}, {"advertise", "[2001:db8::7]", {}}}}});
  CHECK(read.problems.empty());
  REQUIRE(read.settings->listeners.size() == 3);
  const auto& general = read.settings->listeners[0];
  CHECK(general.options.advertise_host == "sip.example");
  CHECK(general.options.advertise_port == 5099);
  CHECK_FALSE(general.access.is_trusted(*net::Address::parse("192.0.2.99")));
  const auto& office = read.settings->listeners[2];
  CHECK(office.options.name == "office");
  CHECK(office.options.bind.text() == "[2001:db8::2]:5080");
  CHECK(office.options.advertise_host == "[2001:db8::7]");
  CHECK(office.access.is_trusted(*net::Address::parse("192.0.2.99")));
  CHECK(office.access.is_trusted(*net::Address::parse("10.1.2.3")));
  CHECK(office.access.digest == std::vector{digest::Algorithm::sha256, digest::Algorithm::md5});
}

TEST_CASE("What makes no sense is an error with file and line") {
  const Read read({{.name = "general", .where = {}, .entries = {{"trusted", "10.0.0.0/8, nowhere", {}}, {"digest", "MD4", {}}, {"addr", "localhost", {}}, {"type", "udp,tls", {}}}},
                   {.name = "registrar", .where = {}, .entries = {{"expires_min", "100", {}}, {"expires_max", "50", {}}}}});
  for (const auto* text : {"\"nowhere\"", "\"MD4\"", "\"localhost\"", "\"tls\"", "expires_min"}) {
    CAPTURE(text);
    CHECK(read.names(text));
  }
  for (const auto& problem : read.problems) CHECK(problem.where.line > 0);
}

TEST_CASE("Whoever brings Yate's file is told what differs and how to have Yate's way") {
  const Read read({{.name = "general", .where = {}, .entries = {{"auth_calls", "no", {}}, {"type", "udp,tls", {}}}}}, true);
  for (const auto* way : {"check_to=no", "maxcall=0", "drop_on_close=yes", "auth_dialog=yes"}) CHECK(read.names(way, Problem::Severity::warning));
  CHECK(read.names("\"tls\"", Problem::Severity::warning));
  CHECK_FALSE(read.names("auth_calls=no", Problem::Severity::warning));
  CHECK(std::none_of(read.problems.begin(), read.problems.end(), [](const Problem& problem) { return problem.severity == Problem::Severity::error; }));
}

TEST_CASE("A listener's TLS context is known and said to be of no use yet, in Yate's file and in ours") {
  for (const bool from_yate : {true, false}) {
    const Read read({{.name = "listener tls", .where = {}, .entries = {{"type", "tcp", {}}, {"sslcontext", "server_context", {}}}}}, from_yate);
    CHECK(read.names("this version has no TLS", Problem::Severity::warning));
    CHECK_FALSE(read.names("has no key", Problem::Severity::warning));
  }
}

TEST_CASE("Domains are compared without case") {
  const Read read({{.name = "general", .where = {}, .entries = {{"domains", "SIP.example, other.example", {}}}}});
  CHECK(read.settings->is_our_domain("sip.EXAMPLE"));
  CHECK_FALSE(read.settings->is_our_domain("sip.example.org"));
}
