// Who calls and who diverted: believed from trusted sources, removed from others, hidden where its user wants it (P-34, D6).
#include "two_phones.h"

#include "call/own_headers.h"

namespace jackfield::sip::call {
namespace {

constexpr const char* kClaims =
    "P-Asserted-Identity: \"Ann\" <sip:+4930101@example.org>\r\nRemote-Party-ID: <sip:101@h>;party=calling\r\n"
    "Diversion: \"Des\\\"k\" <sip:77@h>;reason=user-busy;privacy=off, <sip:78@h>\r\nHistory-Info: <sip:77@h>;index=1\r\n";

struct Identity : TwoPhones {
  void trust(const char* network) {
    for (auto& listener : core.listeners) listener.access.trusted.push_back(*net::Cidr::parse(network));
  }
  std::string called(const std::string& extra) {
    ann.invite(sdp("offer"), extra);
    return bob.take_invite();
  }
};

TEST_CASE_FIXTURE(Identity, "P-34: A trusted source is believed, on the bus and towards the called") {
  door.sender = {Sender::Kind::trusted, "", {}, {}};
  const auto invite = called(kClaims);
  const auto routed = all("call.route").at(0);
  CHECK(routed.at("sip_p-asserted-identity") == "\"Ann\" <sip:+4930101@example.org>");
  CHECK(routed.at("diverter") == "77");
  CHECK(routed.at("divert_reason") == "user-busy");
  CHECK(routed.at("divert_privacy") == "off");
  CHECK(header(invite, "P-Asserted-Identity") == "\"Ann\" <sip:+4930101@example.org>");
  CHECK(header(invite, "Remote-Party-ID") == "<sip:101@h>;party=calling");
  CHECK(header(invite, "Diversion").find("<sip:78@h>") != std::string::npos);
  CHECK(header(invite, "History-Info") == "<sip:77@h>;index=1");
}

TEST_CASE_FIXTURE(Identity, "P-34: Of all others, and with trust_identity=no, nothing is believed and nothing passes") {
  SUBCASE("a user") {}
  SUBCASE("nobody") { door.sender = {Sender::Kind::anonymous, "", {}, {}}; }
  SUBCASE("a trusted source, not believed") {
    door.sender = {Sender::Kind::trusted, "", {}, {}};
    settings->trust_identity = false;
  }
  const auto invite = called(kClaims);
  for (const auto* message : {"call.preroute", "call.route", "call.execute"})
    for (const auto* name : {"sip_p-asserted-identity", "sip_remote-party-id", "sip_diversion", "sip_history-info", "diverter", "diversion"})
      CHECK(all(message).at(0).at(name) == "");
  for (const auto* name : {"P-Asserted-Identity", "Remote-Party-ID", "Diversion", "History-Info"}) CHECK(header(invite, name) == "");
}

TEST_CASE_FIXTURE(Identity, "P-34: Privacy hides from those who are not trusted, and goes on to those who are") {
  door.sender = {Sender::Kind::trusted, "", {}, {}};
  SUBCASE("id") {
    const auto invite = called(std::string(kClaims) + "Privacy: id\r\n");
    CHECK(header(invite, "P-Asserted-Identity") == "");
    CHECK(header(invite, "Remote-Party-ID") == "");
    CHECK(header(invite, "Diversion") == "");
    CHECK(header(invite, "Privacy") == "");
    CHECK(header(invite, "From").find("sip:101@") != std::string::npos);
  }
  SUBCASE("user") {
    const auto invite = called(std::string(kClaims) + "Privacy: user;id\r\n");
    CHECK(header(invite, "From").starts_with("\"Anonymous\" <sip:anonymous@anonymous.invalid>"));
    CHECK(header(invite, "Contact").find("101") == std::string::npos);
  }
  SUBCASE("towards a trusted far end") {
    trust("198.51.100.2/32");
    const auto invite = called(std::string(kClaims) + "Privacy: user;id\r\n");
    CHECK(header(invite, "P-Asserted-Identity") == "\"Ann\" <sip:+4930101@example.org>");
    CHECK(header(invite, "Privacy") == "user;id");
    CHECK(header(invite, "From").find("sip:101@") != std::string::npos);
  }
}

TEST_CASE_FIXTURE(Identity, "P-34: Routing sets them: osip_ headers, and the diverter by parameters") {
  route = [](BusMessage& message) {
    message.set_retvalue("sip/sip:102@198.51.100.2:5060");
    message.set("osip_P-Asserted-Identity", "<sip:500@example.org>").set("diverter", "5\"00").set("divertername", "Front \"desk\"");
    message.set("divert_reason", "no-answer").set("divert_privacy", "full;x").set("domain", "example.org");
    return true;
  };
  const auto invite = called("P-Asserted-Identity: <sip:1@evil>\r\n");
  CHECK(header(invite, "P-Asserted-Identity") == "<sip:500@example.org>");
  CHECK(header(invite, "Diversion") == "\"Front \\\"desk\\\"\" <sip:5%2200@example.org>;reason=no-answer;privacy=\"full;x\"");
}

TEST_CASE_FIXTURE(Identity, "osip_ headers reach both sides, capped, and never become a second line; sip_ headers of answers reach the bus") {
  route = [](BusMessage& message) {
    message.set_retvalue("sip/sip:102@198.51.100.2:5060");
    message.set("osip_X-One", "a\r\nX-Injected: b").set("osip_X Two", "c").set("osip_X-Long", std::string(kMaxOwnValue + 1, 'x'));
    message.set("osip_Via", "SIP/2.0/UDP evil").set("osip_X-Two\r\nX-Injected", "d");
    for (int i = 0; i < 200; ++i) message.set(fmt::format("osip_X-Many-{}", i), "1");
    return true;
  };
  handle(messages::kCallAnswered, [](BusMessage& message) { return message.set("osip_X-Seen", message.get("sip_x-phone")), false; });
  const auto invite = called({});
  Message parsed;
  REQUIRE(parsed.parse(invite));
  CHECK(header(invite, "X-One") == "aX-Injected: b");
  CHECK(header(invite, "X-Injected") == "");
  CHECK(header(invite, "X-Long") == "");
  CHECK(parsed.header("X-Many-50") != nullptr);
  CHECK(parsed.header("X-Many-199") == nullptr);
  bob.answer(invite, 200, sdp("answer"), {}, "X-Phone: 7\r\n");
  CHECK(all("call.answered").at(0).at("sip_x-phone") == "7");
  CHECK(header(ann.expect("SIP/2.0 200"), "X-Seen") == "7");
}

}  // namespace
}  // namespace jackfield::sip::call
