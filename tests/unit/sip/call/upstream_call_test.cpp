// Calls of users of another server, which go there under its own challenges (D19, D20): what the phone proves passes through untouched, and so
// does what it is asked; and calls that bring credentials of their own.
#include "connection_table.h"

#include "digest/digest.h"

namespace jackfield::sip::call {
namespace {

const std::string kMd5 = "Digest realm=\"a.example\",nonce=\"n/1==\" ,algorithm=MD5,opaque=\"o\\\"p\", stale=FALSE";
const std::string kSha = "Digest realm=\"a.example\", nonce=\"n/2\", algorithm=SHA-256";
const std::string kProof = "Digest username=\"101\", realm=\"a.example\", nonce=\"n/1==\", uri=\"sip:102@192.0.2.1\", response=\"0123456789abcdef0123456789abcdef\"";

std::vector<std::string> values(std::string_view bytes, HeaderId id) {
  Message message;
  std::vector<std::string> out;
  if (message.parse(bytes))
    for (const auto& line : message.headers())
      if (line.id == id) out.emplace_back(line.value);
  return out;
}

/// Ann's AOR is at A, whose server is `main`; the route, and who decorates its call.execute, say so.
struct Relayed : OverLine {
  std::string caller = "ann", domain = "a.example";
  bool passes = true;
  Relayed() {
    up.own.type = line::Type::upstream;
    up.own.username.clear();
    up.exit.user = up.exit.contact_user = {};
    up.exit.credentials = {};
    up.exit.contact_host = "192.0.2.99:5070";
    handle(messages::kCallExecute, [this](BusMessage& message) {
      message.set("caller", caller).set("domain", domain).set("contact_user", "f00d");
      if (passes) message.set("pass_challenge", "true");
      return false;
    });
  }
  std::string refused(FarEnd& server, const std::string& invite, int code, const std::string& challenges) {
    server.answer(invite, code, {}, {}, challenges);
    server.expect("ACK");
    const auto told = ann.expect(fmt::format("SIP/2.0 {} ", code));
    ann.ack();
    return told;
  }
};

TEST_CASE_FIXTURE(Relayed, "BR-3 D19 The far side's challenge reaches the phone byte for byte but for auth-int, makes no record, and its answer goes back untouched") {
  ann.invite(sdp("offer"));
  auto invite = main.take_invite();
  CHECK(values(invite, HeaderId::authorization).empty());
  const int code = [] {
    int value = 401;
    SUBCASE("401") {}
    SUBCASE("407") { value = 407; }
    return value;
  }();
  const auto header_id = code == 401 ? HeaderId::www_authenticate : HeaderId::proxy_authenticate;
  const std::string name(header_info(header_id).name);
  const auto told = refused(main, invite, code, fmt::format("{0}: {1}, qop=\"auth,auth-int\"\r\n{0}: {2}\r\n", name, kMd5, kSha));
  CHECK(values(told, header_id) == std::vector<std::string>{kMd5 + ", qop=\"auth\"", kSha});
  CHECK(values(told, code == 401 ? HeaderId::proxy_authenticate : HeaderId::www_authenticate).empty());
  second.expect_nothing();
  REQUIRE(all("chan.hangup").size() == 2);
  for (const auto& hangup : all("chan.hangup")) {
    CHECK(hangup.at("cdrwrite") == "false");
    CHECK(hangup.at("cause_sip") == std::to_string(code));
  }

  // The phone's second INVITE is a call of its own, with its proof.
  const auto answer = code == 401 ? HeaderId::authorization : HeaderId::proxy_authorization;
  ann.cseq = 2;
  ann.invite(sdp("offer"), fmt::format("{}: {}\r\n", header_info(answer).name, kProof));
  const auto proved = main.take_invite();
  CHECK(values(proved, answer) == std::vector<std::string>{kProof});
  CHECK(header(proved, "Call-ID") != header(invite, "Call-ID"));
  const auto route = all("call.route").back();
  CHECK(route.at(code == 401 ? "authorization" : "proxy_authorization") == kProof);
  main.answer(proved, 200, sdp("answer"));
  CHECK(values(main.expect("ACK"), answer) == std::vector<std::string>{kProof});  // RFC 3261 22.1
  ann.take_answer(ann.expect("SIP/2.0 200"));
  ann.ack();

  ann.request("INVITE", sdp("again"));
  const auto again = main.expect("INVITE");
  CHECK(values(again, answer).empty());  // that was for the first one
  main.answer(again, 200, sdp("again-answer"));
  CHECK(values(main.expect("ACK"), answer).empty());
  ann.expect("SIP/2.0 200");
  ann.ack();
  hang_up_at(main);
  CHECK(all("chan.hangup").at(2).at("cdrwrite").empty());
}

TEST_CASE_FIXTURE(Relayed, "BR-1 D19 Towards an upstream connection From is the call's own user and Contact the token") {
  up.exit.servers[0].host = "core.a.example";
  ann.invite(sdp("offer"));
  const auto invite = main.take_invite();
  CHECK(header(invite, "From").find("<sip:ann@a.example>;tag=") != std::string::npos);
  CHECK(header(invite, "Contact") == "<sip:f00d@192.0.2.99:5070>");
  CHECK(stack::first_line(invite) == "INVITE sip:1234@core.a.example SIP/2.0");
  CHECK(invite.find("sip:101") == std::string::npos);
  main.answer(invite, 503);
  main.expect("ACK");
  CHECK(header(second.take_invite(), "From").find("<sip:ann@a.example>;tag=") != std::string::npos);
  ann.cancel();
}

TEST_CASE_FIXTURE(Relayed, "D19 A challenge is the caller's only where the call says so; nobody else is given his proof") {
  passes = false;
  ann.invite(sdp("offer"), fmt::format("Authorization: {}\r\n", kProof));
  const auto invite = main.take_invite();
  CHECK(values(invite, HeaderId::authorization).empty());
  main.answer(invite, 401, {}, {}, fmt::format("WWW-Authenticate: {}\r\n", kSha));
  main.expect("ACK");
  const auto told = ann.expect("SIP/2.0 403");
  CHECK(values(told, HeaderId::www_authenticate).empty());
  for (const auto& hangup : all("chan.hangup")) CHECK(hangup.at("cdrwrite").empty());
  ann.ack();
  nothing_left();
}

TEST_CASE_FIXTURE(Relayed, "D2 What answered our own challenge goes nowhere; what answers another's is on call.route") {
  ann.invite(sdp("offer"), fmt::format("Authorization: Digest username=\"101\", realm=\"{}\", nonce=\"1\", uri=\"sip:x\", response=\"0\"\r\nAuthorization: {}\r\n",
                                       settings->realm, kProof));
  const auto invite = main.take_invite();
  CHECK(values(invite, HeaderId::authorization) == std::vector<std::string>{kProof});
  CHECK(all("call.route").at(0).at("authorization") == kProof);
  ann.cancel();
}

TEST_CASE_FIXTURE(Relayed, "BR-4 D19 Stored credentials of the call answer the challenge in place of the connection's, and are taken off the message") {
  passes = false;
  up.exit.credentials = {"jack", "wrong"};
  const digest::Hasher hasher;
  std::map<std::string, std::string> own{{"authname", "ann-at-a"}};
  SUBCASE("a password") { own["password"] = "secret"; }
  SUBCASE("a hash of it") { own["ha1_md5"] = hasher.ha1(digest::Algorithm::md5, "ann-at-a", "a.example", "secret").str(), own["ha1_realm"] = "a.example"; }
  SUBCASE("and where both could, the call's own stand before the caller's") { own["password"] = "secret", own["pass_challenge"] = "true"; }
  handle(messages::kCallExecute, [&](BusMessage& message) {
    for (const auto& [name, value] : own) message.set(name, value);
    return false;
  });
  ann.invite(sdp("offer"));
  main.answer(main.take_invite(), 401, {}, {}, "WWW-Authenticate: Digest realm=\"a.example\", nonce=\"n\", qop=\"auth\"\r\n");
  main.expect("ACK");
  const auto proved = main.take_invite();
  const auto value = header(proved, "Authorization");
  const auto credentials = parse_auth(value);
  REQUIRE(credentials);
  CHECK(credentials->username == "ann-at-a");
  const digest::Answer answer{.method = "INVITE", .uri = credentials->uri, .nonce = "n", .nc = credentials->nc, .cnonce = credentials->cnonce, .qop = "auth"};
  CHECK(hasher.verify(digest::Algorithm::md5, hasher.ha1(digest::Algorithm::md5, "ann-at-a", "a.example", "secret"), answer, credentials->response) == digest::Verdict::match);
  for (const auto* name : {"password", "ha1_md5"}) CHECK(all("call.execute").at(0).at(name).empty());
  main.answer(proved, 486);
  main.expect("ACK");
  ann.expect("SIP/2.0 486");
  nothing_left();
}

TEST_CASE_FIXTURE(Relayed, "D19 A hash for another realm answers nothing") {
  passes = false;
  handle(messages::kCallExecute, [](BusMessage& message) {
    message.set("authname", "ann").set("ha1_md5", "0123456789abcdef0123456789abcdef").set("ha1_realm", "b.example");
    return false;
  });
  ann.invite(sdp("offer"));
  main.answer(main.take_invite(), 401, {}, {}, "WWW-Authenticate: Digest realm=\"a.example\", nonce=\"n\", qop=\"auth\"\r\n");
  main.expect("ACK");
  ann.expect("SIP/2.0 403");
  nothing_left();
}

}  // namespace
}  // namespace jackfield::sip::call
