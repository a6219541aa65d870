// Who may send what (D1 to D3), seen from the far end and from the bus.
#include "unit/sip/site.h"

#include <algorithm>

using namespace jackfield;
using namespace jackfield::sip;

namespace {

Phone caller(Site& site) {
  Phone phone{site};
  phone.method = "INVITE";
  phone.uri = "sip:201@192.0.2.1";
  phone.to = "201";
  phone.from = "200";
  return phone;
}

}  // namespace

TEST_CASE("D1 a client without qop is accepted") {
  Site site;
  Phone phone{.site = site, .qop = false};
  CHECK(phone.enroll({"<sip:200@198.51.100.7>"}).code == 200);
}

TEST_CASE("D1 SHA-256 is offered where the listener names it, in its order, and serves") {
  Site site;
  site.settings->access.digest = {digest::Algorithm::sha256, digest::Algorithm::md5};
  site.use_access();
  Phone phone{.site = site, .algorithm = digest::Algorithm::sha256};
  const auto challenge = phone.send("");
  REQUIRE(challenge->all("WWW-Authenticate").size() == 2);
  CHECK(challenge->all("WWW-Authenticate")[0].find("SHA-256") != std::string::npos);
  CHECK(phone.enroll({"<sip:200@198.51.100.7>"}).code == 200);
  Phone old{.site = site, .call_id = "phone-m@host"};
  CHECK(old.enroll({"<sip:200@198.51.100.7>"}).code == 200);
}

TEST_CASE("D1 an algorithm that was not offered is challenged, not counted as wrong") {
  Site site;
  Phone phone{site};
  phone.learn(*phone.send(""));
  phone.algorithm = digest::Algorithm::sha256;
  phone.authorize();
  CHECK(phone.send("")->code == 401);
  CHECK(site.told.empty());
}

TEST_CASE("RFC 7616 §3.4.6 credentials for another user or server are no good for this request") {
  Site site;
  auto phone = caller(site);
  SUBCASE("another user") { phone.digest_uri = "sip:999@192.0.2.1"; }
  SUBCASE("another server, where ours are known") {
    site.settings->domains = {"192.0.2.1", "example.org"};
    phone.digest_uri = "sip:201@example.net";
  }
  SUBCASE("no URI of a kind that a request has") { phone.digest_uri = "/index.html"; }
  const auto reply = phone.request("");
  CHECK(reply.code == 400);
  CHECK(reply.bytes.starts_with("SIP/2.0 400 Credentials Are For Another URI"));
  CHECK(site.told.empty());  // the password was right
  CHECK(site.admitted.empty());
  site.settings->check_uri = false;
  CHECK(phone.request("").code == 480);
  CHECK(site.admitted.size() == 1);
}

TEST_CASE("Credentials whose uri is written as phones write it are for this request") {
  Site site;
  site.settings->domains = {"example.org", "192.0.2.1"};
  auto phone = caller(site);
  phone.uri = "sip:%32%30%31@192.0.2.1:5060;transport=udp";
  for (const auto* uri : {"sip:201@192.0.2.1", "sips:201@192.0.2.1:5061", "sip:201@EXAMPLE.org;user=phone", "sip:192.0.2.1", "sip:example.org", "tel:201"}) {
    CAPTURE(uri);
    phone.digest_uri = uri;
    CHECK(phone.request("").code == 480);
  }
  Phone registering{.site = site, .call_id = "phone-r@host"};
  registering.uri = "sip:example.org";
  registering.digest_uri = "sip:200@192.0.2.1:5060";
  CHECK(registering.enroll({"<sip:200@198.51.100.7>"}).code == 200);
}

TEST_CASE("D1 an old nonce is answered with stale=true, nobody is asked and nothing counts as wrong") {
  Site site;
  Phone phone{site};
  phone.enroll({"<sip:200@198.51.100.7>"}, 3600);
  site.told.clear();
  const int asked = site.times_asked;
  site.engine.advance(301s);
  const auto reply = phone.request("");
  CHECK(reply.code == 401);
  CHECK(reply.value("WWW-Authenticate").find("stale=true") != std::string::npos);
  CHECK(site.times_asked == asked);
  CHECK(site.told.empty());
}

TEST_CASE("D1 a nonce that another source was given is stale, even with the right password") {
  Site site;
  Phone phone{site};
  phone.enroll({"<sip:200@198.51.100.7>"});
  phone.flow = udp("198.51.100.7:5099");
  const auto reply = phone.request("");
  CHECK(reply.code == 401);
  CHECK(reply.value("WWW-Authenticate").find("stale=true") != std::string::npos);
}

TEST_CASE("D1 an nc that was used by another request is stale, a wrong password is not") {
  Site site;
  Phone phone{site};
  phone.enroll({"<sip:200@198.51.100.7>"});
  --phone.nc;
  auto replay = phone.request("");
  CHECK(replay.code == 401);
  CHECK(replay.value("WWW-Authenticate").find("stale=true") != std::string::npos);
  CHECK(site.told.size() == 1);  // the registration: no user.authfail
  phone.nc += 5;
  phone.password = "guess";
  const auto wrong = phone.request("");
  CHECK(wrong.code == 401);
  CHECK(wrong.value("WWW-Authenticate").find("stale") == std::string::npos);
}

TEST_CASE("D1 HA1s come as parameters, for our realm only") {
  Site site;
  digest::Hasher hasher;
  const auto ha1 = hasher.ha1(digest::Algorithm::md5, "200", "Yate", "secret").str();
  site.users["200"] = {"", {{"ha1_md5", ha1}, {"ha1_realm", "Yate"}}};
  Phone phone{site};
  CHECK(phone.enroll({"<sip:200@198.51.100.7>"}).code == 200);
  Phone stranger{.site = site, .password = "guess", .call_id = "phone-g@host"};
  CHECK(stranger.enroll({"<sip:200@198.51.100.7>"}).code == 401);
  SUBCASE("an HA1 of another realm proves nothing") {
    site.users["200"].parameters[1].second = "Elsewhere";
    CHECK(phone.request("").code == 401);
  }
}

TEST_CASE("D1 a user of whom only an MD5 HA1 is stored is asked for MD5 where SHA-256 failed") {
  Site site;
  site.settings->access.digest = {digest::Algorithm::sha256, digest::Algorithm::md5};
  site.use_access();
  digest::Hasher hasher;
  site.users["200"] = {"", {{"ha1_md5", hasher.ha1(digest::Algorithm::md5, "200", "Yate", "secret").str()}}};
  Phone phone{.site = site, .algorithm = digest::Algorithm::sha256};
  const auto reply = phone.enroll({"<sip:200@198.51.100.7>"});
  CHECK(reply.code == 401);
  REQUIRE(reply.all("WWW-Authenticate").size() == 1);
  CHECK(reply.value("WWW-Authenticate").find("MD5") != std::string::npos);
}

TEST_CASE("Retvalue - refuses with the code of error, and authfail_ parameters decide the answer to a wrong password") {
  Site site;
  Phone phone{site};
  SUBCASE("refused") {
    site.users["200"] = {"-", {{"error", "congestion"}}};
    CHECK(phone.enroll({"<sip:200@198.51.100.7>"}).code == 480);
  }
  SUBCASE("wrong password") {
    site.users["200"].parameters = {{"authfail_error", "forbidden"}};
    phone.password = "guess";
    CHECK(phone.enroll({"<sip:200@198.51.100.7>"}).code == 403);
  }
  SUBCASE("what was only meant for failure does not travel on") {
    site.users["200"].parameters = {{"authfail_error", "forbidden"}, {"zone", "north"}, {"ha1_md5", ""}};
    auto calling = caller(site);
    calling.request("");
    REQUIRE(site.admitted.size() == 1);
    CHECK(site.admitted[0].parameters == Site::Parameters{{"zone", "north"}});
  }
}

TEST_CASE("ZY-6 D2 a call without credentials is challenged, leaves nothing behind, and only user.auth was asked") {
  Site site;
  std::vector<std::string> dispatched;
  const auto watch = site.engine.bus().watch("", [&](const jackfield::Message& message, bool) { dispatched.emplace_back(message.name()); });
  auto phone = caller(site);
  CHECK(phone.send("")->code == 401);
  CHECK(dispatched == std::vector<std::string>{"user.auth"});
  CHECK(site.transactions.live() == 0);
  CHECK(site.admitted.empty());
  CHECK(phone.request("").code == 480);
  REQUIRE(site.admitted.size() == 1);
  CHECK(site.admitted[0].kind == Sender::Kind::user);
  CHECK(site.admitted[0].username == "200");
}

TEST_CASE("ZY-6 MESSAGE, SUBSCRIBE and REFER outside a dialog are challenged too") {
  for (const auto* method : {"MESSAGE", "SUBSCRIBE", "REFER"}) {
    Site site;
    auto phone = caller(site);
    phone.method = method;
    CAPTURE(method);
    CHECK(phone.send("")->code == 401);
    CHECK(phone.request("").code == 480);
  }
}

TEST_CASE("ZY-8 D2 sources in trusted= call without credentials, sources in deny= do not call at all") {
  Site site;
  site.settings->access.trusted = {*net::Cidr::parse("198.51.100.0/24")};
  site.settings->access.deny = {*net::Cidr::parse("198.51.100.66")};
  site.use_access();
  auto phone = caller(site);
  phone.send("");
  REQUIRE(site.admitted.size() == 1);
  CHECK(site.admitted[0].kind == Sender::Kind::trusted);
  CHECK(site.times_asked == 0);
  phone.flow = udp("198.51.100.66:5060");
  CHECK(phone.send("")->code == 403);
  CHECK(site.admitted.size() == 1);
  SUBCASE("but being trusted registers nobody") {
    Phone desk{site};
    CHECK(desk.send("Contact: <sip:200@198.51.100.7>\r\n")->code == 401);
  }
}

TEST_CASE("D2 without credentials a rule may accept and name the user, or refuse with its own code") {
  Site site;
  auto phone = caller(site);
  SUBCASE("accepted, named") {
    site.users[""] = {"", {{"username", "trunk7"}}};
    phone.send("");
    REQUIRE(site.admitted.size() == 1);
    CHECK(site.admitted[0].kind == Sender::Kind::user);
    CHECK(site.admitted[0].username == "trunk7");
  }
  SUBCASE("refused") {
    site.users[""] = {"-", {{"error", "forbidden"}}};
    const auto reply = phone.send("");
    CHECK(reply->code == 403);
    CHECK(reply->all("WWW-Authenticate").empty());
  }
}

TEST_CASE("D2 auth_calls=no accepts calls without a user, and still checks credentials that are there") {
  Site site;
  site.settings->auth_calls = false;
  auto phone = caller(site);
  phone.send("");
  REQUIRE(site.admitted.size() == 1);
  CHECK(site.admitted[0].kind == Sender::Kind::anonymous);
  auto known = caller(site);
  known.call_id = "phone-k@host";
  Phone learner{.site = site, .call_id = "phone-l@host"};
  learner.learn(*learner.send(""));
  known.realm = learner.realm, known.nonce = learner.nonce;
  known.request("");
  REQUIRE(site.admitted.size() == 2);
  CHECK(site.admitted[1].username == "200");
}

TEST_CASE("D3 a user calls under his own numbers or anonymously") {
  Site site;
  auto phone = caller(site);
  phone.from = "999";
  CHECK(phone.request("").code == 403);
  SUBCASE("number") {
    site.users["200"].parameters = {{"number", "999"}};
    CHECK(phone.request("").code == 480);
  }
  SUBCASE("alternatives") {
    site.users["200"].parameters = {{"alternatives", "1,999 ,2"}};
    CHECK(phone.request("").code == 480);
  }
  SUBCASE("anonymous") {
    phone.from = "anonymous";
    CHECK(phone.request("").code == 480);
  }
  SUBCASE("check_from=no") {
    site.settings->check_from = false;
    CHECK(phone.request("").code == 480);
  }
}

TEST_CASE("The first refused call from an address names the trusted= line, phones that register are not mentioned") {
  Site site;
  auto trunk = caller(site);
  trunk.flow = udp("203.0.113.99:5060");
  trunk.send("");
  CHECK(site.engine.logged("trusted=203.0.113.99"));
  site.engine.clear_lines();
  trunk.send("");
  CHECK_FALSE(site.engine.logged("trusted="));
  Phone desk{site};
  desk.enroll({"<sip:200@198.51.100.7>"});
  auto phone = caller(site);
  phone.call_id = "phone-c@host";
  phone.send("");
  CHECK_FALSE(site.engine.logged("trusted="));
}

TEST_CASE("A user.auth that waits keeps the request, and the answer comes when it does") {
  Site site;
  Pendings pendings(site.engine.timers());
  PendingId id = 0;
  struct Slow {
    static Task<bool> answer(Pendings* pendings, PendingId* id, jackfield::Message* message) {
      auto pending = pendings->open<bool>(1h);
      *id = pending.id();
      auto done = co_await pending.wait();
      if (!done) co_return false;
      message->set_retvalue("secret");
      co_return true;
    }
  };
  const auto slow = site.engine.bus().install({.message = "user.auth", .priority = 10}, [&](jackfield::Message& message) -> Verdict {
    if (message.get("username").empty()) return false;
    return Slow::answer(&pendings, &id, &message);
  });
  Phone phone{site};
  phone.learn(*phone.send(""));
  phone.authorize();
  CHECK_FALSE(phone.send("Contact: <sip:200@198.51.100.7>\r\n"));
  CHECK(site.transactions.live() == 1);
  pendings.complete<bool>(id, true);
  site.engine.run_until_idle();
  REQUIRE(site.last_reply());
  CHECK(site.last_reply()->code == 200);
  CHECK(site.registrar->table().size() == 1);
  SUBCASE("a call that is cancelled meanwhile is answered 487 and forgotten") {
    auto calling = caller(site);
    calling.realm = phone.realm, calling.nonce = phone.nonce, calling.nc = phone.nc;
    calling.authorize();
    calling.send("");
    const auto branch = fmt::format("{}{}{}", calling.call_id.substr(0, 7), calling.cseq, "INVITE");
    calling.method = "CANCEL";
    calling.authorization.clear();
    site.deliver(calling.flow, calling.text("", calling.cseq, branch));
    pendings.complete<bool>(id, true);
    site.engine.run_until_idle();
    CHECK(site.admitted.empty());
    bool terminated = false;
    for (const auto& sent : site.network.sent) terminated = terminated || sent.bytes.starts_with("SIP/2.0 487");
    CHECK(terminated);
  }
  pendings.stop();
}

TEST_CASE("No secret reaches the log") {
  Site site;
  site.core.log.set_level(LogLevel::trace);
  Phone phone{site};
  phone.enroll({"<sip:200@198.51.100.7>"});
  phone.password = "guess";
  phone.request("");
  for (const auto& line : site.engine.lines()) {
    CAPTURE(line.text);
    CHECK(line.text.find("secret") == std::string::npos);
    CHECK(line.text.find("response=") == std::string::npos);
  }
}

TEST_CASE("D1 credentials of another scheme are not ours, whatever realm they name, and stand beside ours unheard") {
  Site site;
  Phone phone{site};
  const auto alone = phone.send("Authorization: Bearer realm=\"Yate\"\r\n");
  CHECK(alone->code == 401);
  CHECK(alone->value("WWW-Authenticate").find("stale") == std::string::npos);
  phone.learn(*alone);
  phone.authorize();
  CHECK(phone.send("Authorization: Bearer realm=\"Yate\"\r\nContact: <sip:200@198.51.100.7>\r\n")->code == 200);
}

TEST_CASE("D2 D20 credentials for another realm are none: user.auth is asked without a username, may name the user, and nobody is counted as wrong") {
  Site site;
  auto phone = caller(site);
  const std::string foreign = "Authorization: Digest username=\"200\", realm=\"a.example\", nonce=\"n\", uri=\"sip:201@192.0.2.1\", response=\"0123456789abcdef0123456789abcdef\"\r\n"
                              "Proxy-Authorization: Digest username=\"200\", realm=\"b.example\", nonce=\"n\", uri=\"sip:x\", response=\"00\", qop=auth-int\r\n";
  std::vector<std::string> asked;
  bool known = false;
  site.install(messages::kUserAuth, [&](jackfield::Message& m) -> Verdict {
    asked.emplace_back(m.get("username"));
    CHECK_FALSE(m.has("response"));
    CHECK_FALSE(m.has("realm"));
    if (!known) return false;
    m.set("username", "200");
    return true;
  });
  CHECK(phone.send(foreign)->code == 401);
  known = true;
  CHECK(phone.send(foreign)->code == 480);
  CHECK(asked == std::vector<std::string>{"", ""});
  REQUIRE(site.admitted.size() == 1);
  CHECK(site.admitted[0].username == "200");
  CHECK(site.told.empty());
}

TEST_CASE("D2 refusals that anybody can provoke fill no log: one line for each address") {
  Site site;
  site.settings->access.deny = {*net::Cidr::parse("198.51.100.7")};
  site.use_access();
  auto phone = caller(site);
  const auto lines = [&] {
    return std::ranges::count_if(site.engine.lines(), [](const auto& line) { return line.text.find("event=refused") != std::string::npos; });
  };
  for (int i = 0; i < 20; ++i) CHECK(phone.send("")->code == 403);
  CHECK(lines() == 1);
  phone.flow = udp("198.51.100.9:5060");
  for (int i = 0; i < 20; ++i) CHECK(phone.send("Authorization: Digest realm=\r\n")->code == 400);
  CHECK(lines() == 2);
}
