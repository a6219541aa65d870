// REGISTERs that are carried for users of another server: what leaves, what is told of the answer, and the way from server to server.
#include <jackfield/messages/upstream.h>

#include "line_world.h"

#include <algorithm>

namespace jackfield::sip::line {

namespace {

constexpr auto kMain = "192.0.2.10:5060", kSecond = "192.0.2.11:5060";
using Said = World::Parameters;
const Said kOurs{{"password", "secret"}};  // what no stranger has written

/// A upstream.register on its way.
struct Carry {
  jackfield::Message message{messages::kUpstreamRegister};
  std::optional<bool> done;

  std::vector<std::string> all(std::string_view name) const {
    std::vector<std::string> out;
    for (const auto& [key, value] : message.parameters())
      if (key == name) out.emplace_back(value);
    return out;
  }
  std::string get(std::string_view name) const { return std::string(message.get(name)); }
};

Task<> settle_later(std::shared_ptr<Carry> carry, Verdict verdict) { carry->done = co_await settle(std::move(verdict)); }

struct Upstream : World {
  FarServer &main = server(kMain), &second = server(kSecond);
  explicit Upstream(const Said& with = {}) {
    Said all{{"connection", "upstream"}, {"registrar", ""}, {"username", ""}, {"password", ""}, {"servers", "192.0.2.10, 192.0.2.11"}, {"domain", "example.net"},
             {"invite_total_timeout", "2000"}};
    for (const auto& [name, value] : with) all[name] = value;
    REQUIRE(login("upper", all));
    run(1s);
    REQUIRE(online("upper"));
  }
  std::shared_ptr<Carry> begin(const Said& with = {}) {
    auto carry = std::make_shared<Carry>();
    Said all{{"line", "upper"}, {"username", "d"}, {"domain", "example.net"}, {"sip_uri", "sip:example.net"}, {"contact_user", "0123abcd"}, {"sip_callid", "call-1"},
             {"from_tag", "tag-1"}, {"sip_cseq", "7"}, {"expires", "600"}};
    for (const auto& [name, value] : with) all[name] = value;
    for (const auto& [name, value] : all)
      if (!value.empty()) carry->message.add(std::string_view(name), value);
    auto verdict = engine.bus().dispatch(carry->message);
    if (verdict.immediate()) carry->done = verdict.handled();
    else engine.spawn("test", settle_later(carry, std::move(verdict)));
    return carry;
  }
  std::shared_ptr<Carry> carried(const Said& with = {}) {
    auto carry = begin(with);
    run(1s);
    REQUIRE(carry->done);
    return carry;
  }
  ServerIndex active() { return lines->exit("upper")->servers.front().index; }
};

}  // namespace

TEST_CASE("BR-1: a carried REGISTER is the user's own for the other server, with a contact that is ours") {
  Upstream w;
  const auto carry = w.carried();
  CHECK(*carry->done);
  const auto sent = w.sent("REGISTER");
  REQUIRE(sent.size() == 1);
  const auto& request = sent.front();
  CHECK(request.starts_with("REGISTER sip:example.net SIP/2.0\r\n"));
  CHECK(header_of(request, "From") == "<sip:d@example.net>;tag=tag-1");
  CHECK(header_of(request, "To") == "<sip:d@example.net>");
  CHECK(header_of(request, "Call-ID") == "call-1");
  CHECK(header_of(request, "CSeq") == "7 REGISTER");
  CHECK(headers_of(request, "Contact") == std::vector<std::string>{"<sip:0123abcd@192.0.2.1:5060>"});
  CHECK(header_of(request, "Expires") == "600");
  CHECK(headers_of(request, "Authorization").empty());
  CHECK(carry->get("code") == "200");
  CHECK(carry->get("expires") == "600");
  CHECK(carry->get("sip_cseq") == "7");
  CHECK(carry->get("address") == kMain);
  CHECK(carry->all("sip_contact") == std::vector<std::string>{"<sip:0123abcd@192.0.2.1:5060>;expires=600"});
  CHECK(w.main.bindings.size() == 1);
}

TEST_CASE("An upstream connection registers nobody by itself, is left by calls, and spares nobody but whom allowed= names") {
  Upstream w(Said{{"allowed", "198.51.100.0/24"}});
  w.run(60s);
  CHECK(w.sent("REGISTER").empty());
  REQUIRE(w.lines->exit("upper"));
  CHECK(w.lines->exit("upper")->servers.size() == 2);
  CHECK(w.lines->exit("upper")->servers.front().host == "example.net");
  CHECK(w.lines->find("upper")->settings().type == Type::upstream);
  for (const auto source : {"192.0.2.10:5060", "192.0.2.11:4321", "198.51.100.9:5060"}) {
    const auto* line = w.lines->upstream_at(stack::address(source));
    REQUIRE(line);
    CHECK(line->name() == "upper");
    Message request;
    REQUIRE(request.parse("INVITE sip:1@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:1@b>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n\r\n"));
    CHECK_FALSE(w.lines->entry({stack::address(source), 0, 0, stack::TransportKind::udp}, request));
    CHECK(w.lines->is_source(stack::address(source)) == (std::string_view(source) == "198.51.100.9:5060"));
  }
  CHECK_FALSE(w.lines->upstream_at(stack::address("203.0.113.1:5060")));
  CHECK_FALSE(w.lines->is_source(stack::address("203.0.113.1:5060")));
  CHECK(w.command("connection list").find("upstream") != std::string::npos);
  CHECK(w.command("connection register upper").find("does not register") != std::string::npos);
  std::string reason;
  CHECK_FALSE(w.login("none", {{"connection", "upstream"}, {"registrar", ""}, {"username", ""}}, &reason));
  CHECK(reason.starts_with("server: "));
}

TEST_CASE("D19: a challenge is told byte for byte but for auth-int, and the phone's answer to it leaves byte for byte") {
  Upstream w;
  const std::string one = R"(Digest  qop="auth,auth-int" ,nonce="a\"b,c==",realm="ex, ample" , opaque="" ,algorithm=MD5)", two = R"(Digest realm="other",nonce="x",algorithm=SHA-256)";
  w.main.challenge = "WWW-Authenticate: " + one + "\r\nWWW-Authenticate: " + two + "\r\nX-Why: because\r\n";
  const auto refused = w.carried();
  CHECK(*refused->done);
  CHECK(refused->get("code") == "401");
  CHECK(refused->get("reason") == "Unauthorized");
  CHECK(refused->all("sip_www-authenticate") == std::vector<std::string>{R"(Digest  qop="auth" ,nonce="a\"b,c==",realm="ex, ample" , opaque="" ,algorithm=MD5)", two});
  CHECK(refused->get("sip_x-why") == "because");
  const std::string proof = R"(Digest  username="d",realm="ex, ample",uri="sip:B" , nonce="a\"b,c==", response="0",nc=00000001 ,cnonce="zz", qop=auth)";
  const auto accepted = w.carried({{"authorization", proof}, {"proxy_authorization", "Digest a=b"}, {"sip_cseq", "8"}});
  CHECK(accepted->get("code") == "200");
  CHECK(headers_of(w.sent("REGISTER").back(), "Authorization") == std::vector<std::string>{proof});
  CHECK(headers_of(w.sent("REGISTER").back(), "Proxy-Authorization") == std::vector<std::string>{"Digest a=b"});
}

TEST_CASE("Stored credentials answer the challenge within, also one that is stale, and the last number used is told") {
  const digest::Hasher hasher;
  const std::string ha1(hasher.ha1(digest::Algorithm::md5, "d", "far", "secret").view());
  for (const auto& with : {Said{{"authname", "d"}, {"password", "secret"}}, Said{{"authname", "d"}, {"ha1_md5", ha1}, {"ha1_realm", "far"}}}) {
    Upstream w;
    w.main.password = "secret";
    const auto carry = w.carried(with);
    CHECK(carry->get("code") == "200");
    CHECK(carry->get("sip_cseq") == "8");
    w.main.stale_once = true;
    auto again = with;
    again["sip_cseq"] = "9";
    const auto stale = w.carried(again);
    CHECK(stale->get("code") == "200");
    CHECK(stale->get("sip_cseq") == "11");
  }
}

TEST_CASE("Wrong stored credentials end with the refusal, not with attempts") {
  Upstream w;
  w.main.password = "secret";
  const auto carry = w.carried({{"authname", "d"}, {"password", "wrong"}});
  CHECK(carry->get("code") == "401");
  CHECK(carry->get("sip_cseq") == "8");
  CHECK(w.second.requests.empty());
}

TEST_CASE("Refusals are handed back with their headers, and the server that refused stays in use") {
  Upstream w;
  w.main.least = 900;
  const auto brief = w.carried();
  CHECK(*brief->done);
  CHECK(brief->get("code") == "423");
  CHECK(brief->get("sip_min-expires") == "900");
  w.main.codes["REGISTER"] = 403;
  CHECK(w.carried()->get("code") == "403");
  CHECK(w.active() == 0);
  CHECK(w.second.requests.empty());
}

TEST_CASE("BR-6: what is granted is our contact's, whatever else is listed; 0 where it is not listed") {
  Upstream w;
  w.main.headers = "Contact: <sip:d@203.0.113.5>;expires=3000, \"x\" <sip:other@203.0.113.6>\r\n";
  w.main.most = 90;
  const auto carry = w.carried({{"expires", "3600"}});
  CHECK(carry->get("expires") == "90");
  CHECK(carry->all("sip_contact").size() == 3);
  const auto gone = w.carried({{"expires", "0"}, {"sip_cseq", "8"}});
  CHECK(gone->get("code") == "200");
  CHECK(gone->get("expires") == "0");
  CHECK(headers_of(w.sent("REGISTER").back(), "Contact") == std::vector<std::string>{"<sip:0123abcd@192.0.2.1:5060>;expires=0"});
  CHECK(gone->all("sip_contact").size() == 2);
  const auto asked = w.carried({{"contact_user", ""}, {"expires", ""}, {"sip_cseq", "9"}});
  CHECK(asked->all("sip_contact").size() == 2);
  CHECK(headers_of(w.sent("REGISTER").back(), "Contact").empty());
  CHECK(headers_of(w.sent("REGISTER").back(), "Expires").empty());
}

TEST_CASE("D18: a carried REGISTER that meets silence, 408, 503 or ICMP goes on to the next server, and everything follows it") {
  for (const int code : {0, -1, 408, 503}) {
    INFO(code);
    Upstream w;
    const auto told = w.told.size();
    if (code == 0) w.main.silent = true;
    else if (code == -1) w.main.refused = true;
    else w.main.codes["REGISTER"] = code;
    const auto carry = w.begin(kOurs);
    w.run(3s);
    REQUIRE(carry->done);
    CHECK(carry->get("code") == "200");
    CHECK(carry->get("address") == kSecond);
    CHECK(carry->get("sip_cseq") == "8");
    CHECK(w.active() == 1);
    CHECK(w.told.size() == told + 1);  // whoever registers there hears of it
    CHECK(w.told.back() == "upper true");
    // Parked: the next goes there at once.
    CHECK(w.carried({{"sip_cseq", "9"}})->get("sip_cseq") == "9");
    CHECK(w.main.bindings.empty());
  }
}

TEST_CASE("D18: what a stranger's REGISTER meets moves nobody: it goes on by itself, and the connection asks whether its server is there") {
  for (const int code : {0, -1, 408, 503}) {
    INFO(code);
    Upstream w;
    if (code > 0) w.main.codes["REGISTER"] = code;
    else w.main.silent = code == 0, w.main.refused = code == -1;
    const auto carry = w.begin({{"authorization", "Digest x"}});
    w.run(2100ms);
    REQUIRE(carry->done);
    CHECK(carry->get("code") == "200");
    CHECK(carry->get("address") == kSecond);
    CHECK(header_of(w.sent("REGISTER").back(), "Authorization") == "Digest x");
    CHECK(w.main.count("OPTIONS") >= 1);
    w.run(60s);
    CHECK(w.active() == (code > 0 ? 0 : 1));  // OPTIONS got no answer either
    CHECK(w.told.size() == (code > 0 ? 1 : 2));
  }
}

TEST_CASE("D13: a carried REGISTER may go one hop less far than the phone's, and none where that was used up") {
  Upstream w;
  w.carried();
  CHECK(header_of(w.sent("REGISTER").back(), "Max-Forwards") == "70");
  w.carried({{"antiloop", "17"}, {"sip_cseq", "8"}});
  CHECK(header_of(w.sent("REGISTER").back(), "Max-Forwards") == "16");
  w.carried({{"antiloop", "1"}, {"sip_cseq", "9"}});
  CHECK(header_of(w.sent("REGISTER").back(), "Max-Forwards") == "0");
  const auto sent = w.sent("REGISTER").size();
  const auto looped = w.carried({{"antiloop", "0"}, {"sip_cseq", "10"}});
  CHECK(*looped->done);
  CHECK(looped->get("code") == "483");
  CHECK(w.sent("REGISTER").size() == sent);
}

TEST_CASE("A late answer of a server that was left changes nothing") {
  Upstream w;
  w.main.silent = true;
  const auto carry = w.begin(kOurs);
  w.run(2500ms);
  REQUIRE(carry->done);
  w.main.silent = false;
  auto late = w.main.answer(w, w.main.requests.front());
  REQUIRE(late);
  static_cast<stack::TransportEvents&>(w.transactions).message({stack::address(kMain), 0, 0, stack::TransportKind::udp}, *late);
  w.run(1s);
  CHECK(w.active() == 1);
  CHECK(carry->get("address") == kSecond);
}

TEST_CASE("A 503 of one server is told where no other answers; where none does, it says so and the connection is down") {
  Upstream w(Said{{"retry_interval", "5"}});
  w.main.codes["REGISTER"] = 503;
  w.main.codes["OPTIONS"] = 503;
  w.second.silent = true;
  auto carry = w.begin(kOurs);
  w.run(5s);
  REQUIRE(carry->done);
  CHECK(*carry->done);
  CHECK(carry->get("code") == "503");
  CHECK(carry->get("address") == kMain);
  w.main.silent = true;
  carry = w.begin({{"sip_cseq", "20"}, {"password", "secret"}});
  w.run(10s);
  REQUIRE(carry->done);
  CHECK_FALSE(*carry->done);
  CHECK(carry->get("error") == "noconn");
  CHECK(carry->get("reason") == "no answer");
  CHECK_FALSE(w.online("upper"));
  w.main.silent = w.second.silent = false;
  w.main.codes.clear();
  w.run(20s);
  CHECK(w.online("upper"));
  CHECK(w.told.back() == "upper true");
}

TEST_CASE("Many are under way at once, each for itself, and together they move the connection once") {
  Upstream w;
  w.main.silent = true;
  std::vector<std::shared_ptr<Carry>> all;
  for (int i = 0; i < 200; ++i) {
    const auto number = std::to_string(i);
    all.push_back(w.begin({{"username", "u" + number}, {"sip_callid", "call-" + number}, {"contact_user", "token" + number}, {"password", "secret"}}));
  }
  w.run(5s);
  for (const auto& carry : all) {
    REQUIRE(carry->done);
    CHECK(carry->get("code") == "200");
    CHECK(carry->all("sip_contact").size() == 1);
  }
  CHECK(w.second.bindings.size() == 200);
  CHECK(w.active() == 1);
  CHECK(w.told.size() == 2);
}

TEST_CASE("Homing: once the main server is back what is carried goes there, and whoever registers by it is told") {
  Upstream w(Said{{"homing", "options"}, {"homing_interval", "10"}});
  w.main.silent = true;
  auto carry = w.begin(kOurs);
  w.run(3s);
  CHECK(carry->get("address") == kSecond);
  w.main.silent = false;
  w.run(11s);
  CHECK(w.active() == 0);
  CHECK(w.told == std::vector<std::string>(3, "upper true"));
  CHECK(w.carried({{"sip_cseq", "9"}})->get("address") == kMain);
}

TEST_CASE("homing=invite is for calls: a REGISTER stays with the server that last answered one") {
  Upstream w(Said{{"homing", "invite"}});
  w.main.silent = true;
  auto carry = w.begin(kOurs);
  w.run(3s);
  w.main.silent = false;
  w.run(60s);
  CHECK(w.carried({{"sip_cseq", "9"}})->get("address") == kSecond);
  CHECK(w.lines->exit("upper")->servers.front().index == 0);
}

TEST_CASE("A stop, and the connection's end, tell those who wait") {
  Upstream w;
  w.main.silent = w.second.silent = true;
  auto carry = w.begin();
  w.run(500ms);
  CHECK_FALSE(carry->done);
  CHECK(w.logout("upper"));
  w.run(10ms);
  REQUIRE(carry->done);
  CHECK_FALSE(*carry->done);
  CHECK_FALSE(*w.carried()->done);  // there is none any more
  REQUIRE(w.login("upper", {{"connection", "upstream"}, {"registrar", "192.0.2.10"}, {"username", ""}}));
  carry = w.begin();
  w.run(500ms);
  w.lines->unregister_all();
  w.run(10ms);
  CHECK_FALSE(carry->done);  // it may say good-bye for somebody
  w.lines->stop();
  w.engine.run_until_idle();
  REQUIRE(carry->done);
  CHECK_FALSE(*carry->done);
}

TEST_CASE("The contact names the address the server sees us at, from the first challenge on; when that changes the old one is taken back") {
  Upstream w;
  w.main.seen_as = "203.0.113.9:40000";
  w.main.challenge = "WWW-Authenticate: Digest realm=\"far\", nonce=\"n\"\r\n";
  CHECK(w.carried()->get("code") == "401");
  const auto bound = w.carried({{"authorization", "Digest x"}, {"sip_cseq", "8"}});
  CHECK(headers_of(w.sent("REGISTER").back(), "Contact") == std::vector<std::string>{"<sip:0123abcd@203.0.113.9:40000>"});
  w.main.seen_as = "203.0.113.9:40001";
  w.carried({{"authorization", "Digest x"}, {"sip_cseq", "9"}});
  const auto after = w.carried({{"authorization", "Digest x"}, {"sip_cseq", "10"}});
  CHECK(headers_of(w.sent("REGISTER").back(), "Contact") == std::vector<std::string>{"<sip:0123abcd@203.0.113.9:40001>", "<sip:0123abcd@203.0.113.9:40000>;expires=0"});
  CHECK(after->all("sip_contact").size() == 1);
  CHECK(w.main.bindings.size() == 1);
}

TEST_CASE("A name that is not found is tried no server long, and what is asked for wrongly is said") {
  Upstream w(Said{{"servers", "nowhere.example, 192.0.2.11"}});
  CHECK(w.carried()->get("address") == kSecond);
  CHECK(w.carried({{"line", "other"}})->get("reason").find("other") != std::string::npos);
  CHECK(w.carried({{"sip_cseq", "0"}})->get("reason").starts_with("sip_cseq"));
  CHECK(w.carried({{"username", ""}})->get("reason").starts_with("username"));
  CHECK(w.carried({{"sip_callid", ""}})->get("reason").starts_with("sip_callid"));
}

TEST_CASE("N-3: over a network that loses and doubles packets each carried REGISTER has one end, and the far side what was said last") {
  Upstream w(Said{{"invite_total_timeout", "8000"}});
  w.loss = 20, w.doubled = 10, w.delay = 50ms;
  for (int round = 0; round < 5; ++round) {
    std::vector<std::shared_ptr<Carry>> all;
    for (int i = 0; i < 20; ++i)
      all.push_back(w.begin({{"username", fmt::format("u{}", i)}, {"sip_callid", fmt::format("call-{}", i)}, {"contact_user", fmt::format("token{}", i)},
                             {"sip_cseq", std::to_string(round * 10 + 1)}, {"expires", round == 4 && i % 2 == 0 ? "0" : "600"}}));
    w.run(20s);
    for (const auto& carry : all) REQUIRE(carry->done);
    if (round < 4) continue;
    for (int i = 0; i < 20; ++i) {
      if (!*all[static_cast<std::size_t>(i)]->done) continue;  // the network took all of it
      CHECK(all[static_cast<std::size_t>(i)]->get("code") == "200");
      CHECK(all[static_cast<std::size_t>(i)]->get("expires") == (i % 2 == 0 ? "0" : "600"));
    }
  }
}

}  // namespace jackfield::sip::line
