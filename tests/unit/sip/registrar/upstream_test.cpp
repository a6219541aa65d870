// REGISTERs to which another server has to agree: before anybody is challenged here, and once somebody was.
#include <jackfield/messages/upstream.h>

#include "guard/guard.h"
#include "unit/sip/site.h"

#include <algorithm>
#include <deque>

using namespace jackfield;
using namespace jackfield::sip;

namespace {

/// Somebody who carries registrations, as the test says.
struct Carrier {
  using Said = std::vector<std::pair<std::string, std::string>>;
  struct Answer {
    bool handled = false;
    Said with = {};
  };

  Site site;
  Answer unproved, proved;        ///< to the two questions
  bool waits = false;             ///< answers come when the test says finish()
  std::vector<Said> asked;
  Pendings pendings{site.engine.timers()};
  std::deque<PendingId> waiting;

  Carrier() {
    site.install(messages::kUserUpstream, [this](jackfield::Message& m) -> Verdict {
      asked.emplace_back();
      for (const auto& [name, value] : m.parameters()) asked.back().emplace_back(name, value);
      if (waits) return later(this, &m);
      return answer(m);
    });
  }
  ~Carrier() {
    pendings.stop();
    site.engine.run_until_idle();
  }

  bool answer(jackfield::Message& m) const {
    const auto& said = m.flag("authenticated") ? proved : unproved;
    for (const auto& [name, value] : said.with) {
      if (name.starts_with("osip_")) m.add(std::string_view(name), value);
      else m.set(std::string_view(name), value);
    }
    return said.handled;
  }
  static Task<bool> later(Carrier* carrier, jackfield::Message* m) {
    auto pending = carrier->pendings.open<bool>(1h);
    carrier->waiting.push_back(pending.id());
    if (!co_await pending.wait()) co_return false;
    co_return carrier->answer(*m);
  }
  void finish() {
    REQUIRE_FALSE(waiting.empty());
    const auto id = waiting.front();
    waiting.pop_front();
    site.network.take();
    pendings.complete<bool>(id, true);
    site.engine.run_until_idle();
  }
  std::vector<std::string> all(std::size_t question, std::string_view name) const {
    std::vector<std::string> out;
    for (const auto& [key, value] : asked.at(question))
      if (key == name) out.push_back(value);
    return out;
  }
  std::string get(std::size_t question, std::string_view name) const {
    const auto values = all(question, name);
    return values.empty() ? "-" : values.front();
  }
};

constexpr auto kContact = "Contact: <sip:a@198.51.100.7>\r\n";

}  // namespace

TEST_CASE("D20: what the other server accepted is proved, and no binding outlives what it granted") {
  Carrier c;
  c.unproved = {true, {{"code", "200"}, {"username", "200@example.net"}, {"expires", "90"}, {"upper_token", "abc"}, {"osip_Service-Route", "<sip:b;lr>"}}};
  Phone phone{c.site};
  const auto reply = phone.send(std::string(kContact) + "Expires: 600\r\n");
  REQUIRE(reply);
  CHECK(reply->code == 200);
  CHECK(reply->contacts() == std::vector<std::string>{"<sip:a@198.51.100.7>;expires=90"});
  CHECK(reply->value("Service-Route") == "<sip:b;lr>");
  CHECK(c.site.times_asked == 0);
  CHECK(c.site.contacts_of("200@example.net").size() == 1);
  REQUIRE(c.asked.size() == 1);  // not once more as a proved one
  CHECK(c.get(0, "authenticated") == "false");
  CHECK(c.get(0, "username") == "200");
  CHECK(c.get(0, "domain") == "192.0.2.1");
  CHECK(c.get(0, "own_domain") == "true");  // an address of ours
  CHECK(c.get(0, "expires") == "600");
  CHECK(c.get(0, "antiloop") == "70");
  CHECK(c.get(0, "binding.1.expires") == "600");
  CHECK(c.get(0, "address") == "198.51.100.7:5060");
  REQUIRE(c.site.stored.size() == 1);
  CHECK(c.site.stored.begin()->first.second == c.get(0, "binding.1"));  // one key, there as here
  const auto& kept = c.site.stored.begin()->second;
  CHECK(std::ranges::find(kept, std::pair<std::string, std::string>("upper_token", "abc")) != kept.end());
  CHECK(std::ranges::find(kept, std::pair<std::string, std::string>("expires", "90")) != kept.end());
}

TEST_CASE("D19: another server's challenges reach the phone byte for byte, with none of ours, and its answer goes back so") {
  Carrier c;
  const std::string one = R"(Digest  realm="a, b" ,nonce="q\"r==",qop="auth")", two = R"(Digest realm="c",nonce="n2",algorithm=SHA-256)";
  c.unproved = {true, {{"code", "401"}, {"reason", "Unauthorized"}, {"osip_www-authenticate", one}, {"osip_www-authenticate", two}, {"osip_proxy-authenticate", "Digest realm=\"p\""}}};
  Phone phone{c.site};
  const auto challenged = phone.send(kContact);
  REQUIRE(challenged);
  CHECK(challenged->code == 401);
  CHECK(challenged->all("www-authenticate") == std::vector<std::string>{one, two});
  CHECK(challenged->all("WWW-Authenticate").empty());
  CHECK(challenged->all("proxy-authenticate").size() == 1);
  CHECK_FALSE(c.site.engine.logged("registration-refused"));
  c.unproved = {true, {{"code", "200"}, {"username", "200"}}};
  phone.authorization = R"(Digest  username="200",realm="a, b" ,nonce="q\"r==",uri="sip:x", response="00" ,nc=00000001,cnonce="y",qop=auth)";
  CHECK(phone.send(std::string(kContact) + "Proxy-Authorization: Digest realm=\"p\", nonce=\"z\"\r\n")->code == 200);
  CHECK(c.all(1, "authorization") == std::vector<std::string>{phone.authorization});
  CHECK(c.get(1, "proxy_authorization") == "Digest realm=\"p\", nonce=\"z\"");
  CHECK(c.site.times_asked == 0);
}

TEST_CASE("Whoever has no other server is challenged as ever; once he is proved he is asked about again, with what is known of him") {
  Carrier c;
  c.site.users["200"].parameters = {{"upper", "yes"}, {"upper_username", "dd"}, {"upper_password", "pp"}};
  c.proved = {true, {{"code", "200"}, {"expires", "120"}}};
  Phone phone{c.site};
  const auto reply = phone.enroll({"<sip:a@198.51.100.7>"}, 600);
  CHECK(reply.code == 200);
  CHECK(reply.contacts() == std::vector<std::string>{"<sip:a@198.51.100.7>;expires=120"});
  REQUIRE(c.asked.size() == 3);
  CHECK(c.get(0, "authenticated") == "false");
  CHECK(c.get(2, "authenticated") == "true");
  CHECK(c.get(2, "username") == "200");
  CHECK(c.get(2, "upper") == "yes");
  CHECK(c.get(2, "upper_username") == "dd");
  CHECK(c.get(2, "upper_password") == "pp");
  CHECK(c.all(2, "authorization").empty());  // it was for us
  CHECK(c.get(2, "binding.1") == c.site.stored.begin()->first.second);
  const auto& kept = c.site.stored.begin()->second;  // what a store is told, every script hears
  CHECK(std::ranges::find(kept, std::pair<std::string, std::string>("upper_username", "dd")) != kept.end());
  CHECK(std::ranges::none_of(kept, [](const auto& parameter) { return parameter.first == "upper_password"; }));
}

TEST_CASE("What the other server refuses is registered nowhere, and refused with its code, reason and headers") {
  Carrier c;
  c.proved = {true, {{"code", "503"}, {"reason", "Down the line"}, {"osip_Retry-After", "30"}}};
  Phone phone{c.site};
  const auto reply = phone.enroll({"<sip:a@198.51.100.7>"}, 600);
  CHECK(reply.bytes.starts_with("SIP/2.0 503 Down the line\r\n"));
  CHECK(reply.value("Retry-After") == "30");
  CHECK(c.site.stored.empty());
  CHECK(c.site.registrar->table().size() == 0);
  // A rule's way to say no.
  c.proved = {true, {{"error", "forbidden"}}};
  CHECK(phone.enroll({"<sip:a@198.51.100.7>"}, 600).code == 403);
  // And one that was registered: nothing is changed by what is refused.
  c.proved = {};
  CHECK(phone.enroll({"<sip:a@198.51.100.7>"}, 600).code == 200);
  c.proved = {true, {{"code", "403"}}};
  CHECK(phone.enroll({"<sip:b@198.51.100.8>"}, 600).code == 403);
  CHECK(c.site.contacts_of("200") == std::vector<std::string>{"sip:a@198.51.100.7"});
}

TEST_CASE("While another server takes its time a repeated REGISTER is absorbed, others of the AOR wait in line and everybody else goes on") {
  Carrier c;
  c.unproved = {true, {{"code", "200"}, {"username", "200"}}};
  c.waits = true;
  Phone d{c.site}, e{c.site, udp("198.51.100.8:5060")};
  e.call_id = "phone-2@host";
  CHECK_FALSE(d.send(kContact));
  CHECK_FALSE(c.site.deliver(d.flow, d.text(kContact, d.cseq, fmt::format("{}{}{}", d.call_id.substr(0, 7), d.cseq, "REGISTER"))));
  CHECK_FALSE(e.send("Contact: <sip:e@198.51.100.8>\r\n"));
  CHECK(c.asked.size() == 1);
  Phone other{c.site, udp("198.51.100.9:5060"), "201", "other", "201"};
  other.call_id = "phone-3@host";
  c.waits = false;
  c.unproved.with[1].second = "201";
  CHECK(other.send("Contact: <sip:o@198.51.100.9>\r\n")->code == 200);
  c.unproved.with[1].second = "200";
  c.waits = true;
  c.finish();
  REQUIRE(c.site.last_reply());
  CHECK(c.site.last_reply()->contacts().size() == 1);
  CHECK(c.asked.size() == 3);  // the one in line, now
  c.finish();
  REQUIRE(c.site.last_reply());
  CHECK(c.site.last_reply()->contacts().size() == 2);
  CHECK(c.site.contacts_of("200") == std::vector<std::string>{"sip:a@198.51.100.7", "sip:e@198.51.100.8"});
  // The retransmission that comes now gets the same answer again.
  const auto again = c.site.deliver(e.flow, e.text("Contact: <sip:e@198.51.100.8>\r\n", e.cseq, fmt::format("{}{}{}", e.call_id.substr(0, 7), e.cseq, "REGISTER")));
  REQUIRE(again);
  CHECK(again->code == 200);
  CHECK(c.asked.size() == 3);
}

TEST_CASE("Of very many that wait for one AOR from one address the last are told to come back, and others still find a place") {
  Carrier c;
  c.waits = true;
  Phone phone{c.site};
  for (int i = 0; i < 9; ++i) CHECK_FALSE(phone.send(kContact));
  phone.flow = udp("198.51.100.7:5061");  // a port is nobody else
  const auto reply = phone.send(kContact);
  REQUIRE(reply);
  CHECK(reply->code == 500);
  CHECK(reply->value("Retry-After") == "5");
  for (int other = 0; other < 7; ++other) {
    Phone another{c.site, udp(fmt::format("198.51.100.{}:5060", 20 + other))};
    another.call_id = fmt::format("other-{}@host", other);
    for (int i = 0; i < 8; ++i) CHECK_FALSE(another.send(kContact));
  }
  Phone late{c.site, udp("198.51.100.99:5060")};  // 64 wait
  late.call_id = "late@host";
  CHECK(late.send(kContact)->code == 500);
}

TEST_CASE("Where it turns out late that nobody carries it, the phone is challenged, and registers here") {
  Carrier c;
  Phone phone{c.site};
  c.waits = true;
  CHECK_FALSE(phone.send(kContact));
  c.finish();
  const auto challenged = c.site.last_reply();
  REQUIRE(challenged);
  CHECK(challenged->code == 401);
  phone.learn(*challenged);
  phone.authorize();
  CHECK_FALSE(phone.send(kContact));
  c.finish();  // unproved
  CHECK_FALSE(c.site.last_reply());
  c.finish();  // proved
  REQUIRE(c.site.last_reply());
  CHECK(c.site.last_reply()->code == 200);
  CHECK(c.site.contacts_of("200").size() == 1);
}

TEST_CASE("A phone that leaves, and one that only asks, are asked about too; so is one of a domain that is not ours") {
  Carrier c;
  c.site.settings->domains = {"b.example"};
  c.unproved = {true, {{"code", "200"}, {"username", "200"}}};
  Phone phone{c.site};
  CHECK(phone.send(kContact)->code == 200);
  CHECK(phone.send("")->contacts().size() == 1);
  CHECK(c.get(1, "binding.1") == "-");
  CHECK(c.get(1, "expires") == "-");
  CHECK(phone.send(std::string(kContact) + "Expires: 0\r\n")->contacts().empty());
  CHECK(c.get(2, "binding.1") == c.get(0, "binding.1"));
  CHECK(c.get(2, "binding.1.expires") == "0");
  CHECK(c.get(2, "expires") == "0");
  CHECK(phone.send("Contact: *\r\nExpires: 0\r\n")->code == 200);
  CHECK(c.get(3, "sip_contact") == "*");
  c.unproved = {};
  CHECK(phone.send(kContact)->code == 404);  // nobody carries it, and the domain is not ours
}

TEST_CASE("What is refused here anyway is no binding there: it is asked about without one, or not at all") {
  Carrier c;
  c.unproved = {true, {{"code", "200"}, {"username", "200"}}};
  Phone phone{c.site};
  CHECK(phone.send(std::string(kContact) + "Expires: 5\r\n")->code == 423);
  CHECK(c.get(0, "binding.1") == "-");
  c.unproved = {};
  CHECK(phone.enroll({"<sip:a@198.51.100.7>"}, 5).code == 423);
  CHECK(std::ranges::none_of(c.asked, [&](const Carrier::Said& said) {
    return std::ranges::find(said, std::pair<std::string, std::string>("authenticated", "true")) != said.end();
  }));
}

TEST_CASE("A server that grants nothing leaves nothing here") {
  Carrier c;
  c.unproved = {true, {{"code", "200"}, {"username", "200"}}};
  Phone phone{c.site};
  CHECK(phone.send(kContact)->contacts().size() == 1);
  c.unproved.with.push_back({"expires", "0"});
  const auto reply = phone.send(kContact);
  CHECK(reply->code == 200);
  CHECK(reply->contacts().empty());
  CHECK(c.site.registrar->table().size() == 0);
}

TEST_CASE("Nobody is asked about denied sources, while draining, nor where nobody is registered") {
  Carrier c;
  c.unproved = {true, {{"code", "200"}, {"username", "200"}}};
  Phone phone{c.site};
  c.site.settings->access.deny.push_back(*net::Cidr::parse("198.51.100.0/24"));
  c.site.use_access();
  CHECK(phone.send(kContact)->code == 403);
  c.site.settings->access.deny.clear();
  c.site.use_access();
  c.site.engine.core().set_draining(true);
  CHECK(phone.send(kContact)->code == 503);
  c.site.engine.core().set_draining(false);
  c.site.settings->registrar.enabled = false;
  CHECK(phone.send(kContact)->code == 403);
  CHECK(c.asked.empty());
}

TEST_CASE("D21: what the other server refuses counts against the source that was challenged, and against nobody else") {
  Carrier c;
  guard::Guard guard(c.site.engine);
  guard.attach(c.site.core);
  c.site.core.guard = &guard;
  const auto proof = [](const std::string& nonce) { return fmt::format(R"(Digest username="200", realm="far", nonce="{}", uri="sip:x", response="00")", nonce); };
  const auto challenge = [](int number, const char* more = "") { return Carrier::Said{{"code", "401"}, {"osip_www-authenticate", fmt::format(R"(Digest realm="far", nonce="n{}"{})", number, more)}}; };
  Phone phone{c.site}, forger{c.site, udp("203.0.113.66:5060")};
  forger.call_id = "forger-1@host";
  int number = 0;
  const auto guess = [&](Phone& who, const char* more = "") {
    who.authorization = proof(fmt::format("n{}", number));
    c.unproved = {true, challenge(++number, more)};
    return who.send(kContact)->code;
  };
  guess(phone);
  // Nonces of the phone's, from an address they were never given to; and refusals for age alone.
  for (int i = 0; i < 30; ++i) {
    forger.authorization = proof("n1");
    c.unproved = {true, challenge(1)};
    c.unproved.with.pop_back();
    forger.send(kContact);
  }
  for (int i = 0; i < 30; ++i) CHECK(guess(phone, ", stale=TRUE") == 401);
  // Age alone is what stale=true is for: waiting makes no guess a free one.
  for (int i = 0; i < 4; ++i) {
    c.site.engine.advance(25s);
    CHECK(guess(phone) == 401);
  }
  CHECK_FALSE(guard.bans().any());
  for (int i = 0; i < 5; ++i) CHECK(guess(phone) == 401);
  CHECK_FALSE(guard.bans().any());
  CHECK(guess(phone) == 403);
  CHECK(guard.bans().list().size() == 1);
  CHECK(c.site.engine.logged("event=wrong-credentials"));
  CHECK(std::ranges::count(c.site.told, "user.authfail 200 198.51.100.7:5060") == 10);
  c.site.core.guard = nullptr;
}

TEST_CASE("Whoever says yes without a code lets nobody in") {
  Carrier c;
  c.unproved = {true, {}};
  Phone phone{c.site};
  CHECK(phone.send(kContact)->code == 500);
  c.unproved = {true, {{"code", "17"}}};
  CHECK(phone.send(kContact)->code == 500);
  c.unproved = {};
  c.proved = {true, {{"expires", "60"}}};
  CHECK(phone.enroll({"<sip:a@198.51.100.7>"}, 600).code == 500);
  CHECK(c.site.registrar->table().size() == 0);
}

TEST_CASE("BR-8: a user with credentials elsewhere proves himself here, and his bindings are those of whom the other server knows") {
  Carrier c;
  c.site.settings->domains = {"b.example"};
  c.proved = {true, {{"code", "200"}, {"username", "200@a.example"}, {"expires", "300"}}};
  Phone phone{c.site};
  phone.domain = "a.example";
  phone.uri = "sip:a.example";
  SUBCASE("the answers come at once") {}
  SUBCASE("the answers take their time") {
    c.waits = true;
    CHECK_FALSE(phone.send(kContact));
    c.finish();
    phone.learn(*c.site.last_reply());
    phone.authorize();
    CHECK_FALSE(phone.send(kContact));
    c.finish();
    c.finish();
    CHECK(c.site.last_reply()->code == 200);
    CHECK(c.site.contacts_of("200@a.example").size() == 1);
    c.waits = false;
  }
  const auto reply = phone.enroll({"<sip:a@198.51.100.7>"}, 600);
  CHECK(reply.code == 200);
  CHECK(reply.contacts() == std::vector<std::string>{"<sip:a@198.51.100.7>;expires=300"});
  CHECK(c.site.contacts_of("200").empty());
  CHECK(c.site.contacts_of("200@a.example") == std::vector<std::string>{"sip:a@198.51.100.7"});
  REQUIRE(c.site.stored.size() == 1);
  CHECK(c.site.stored.begin()->first.first == "200@a.example");
  CHECK(c.get(c.asked.size() - 1, "username") == "200");
  CHECK(c.get(c.asked.size() - 1, "own_domain") == "false");
  // What he renews and takes back is the same, though he has phones under his own name too.
  Phone here{c.site, udp("198.51.100.8:5060")};
  here.call_id = "local-1@host";
  c.site.settings->domains = {"b.example", "192.0.2.1"};
  c.proved = {};
  CHECK(here.enroll({"<sip:h@198.51.100.8>"}, 600).code == 200);
  c.proved = {true, {{"code", "200"}, {"username", "200@a.example"}}};
  CHECK(phone.enroll({"<sip:a@198.51.100.7>"}, 0).contacts().empty());
  CHECK(c.get(c.asked.size() - 1, "binding.1.expires") == "0");
  CHECK(c.site.contacts_of("200@a.example").empty());
  CHECK(c.site.contacts_of("200").size() == 1);
}

TEST_CASE("D12: of another domain whoever has proved who he is here, and is carried by nobody, is told that it is not served") {
  Carrier c;
  c.site.settings->domains = {"b.example"};
  Phone phone{c.site};
  phone.domain = "a.example";
  phone.uri = "sip:a.example";
  CHECK(phone.send(kContact)->code == 401);
  CHECK(phone.enroll({"<sip:a@198.51.100.7>"}, 600).code == 404);
  CHECK(c.get(c.asked.size() - 1, "authenticated") == "true");
  CHECK(c.site.registrar->table().size() == 0);
}

TEST_CASE("D19: what answers our own challenge is shown to no other server; where its realm is ours, what answers its own is") {
  Carrier c;
  Phone phone{c.site};
  CHECK(phone.enroll({"<sip:a@198.51.100.7>"}, 600).code == 200);
  const auto proof = phone.authorization;
  c.unproved = {true, {{"code", "401"}, {"osip_WWW-Authenticate", fmt::format("Digest realm=\"{}\", nonce=\"theirs\"", c.site.settings->realm)}}};
  CHECK(phone.send(kContact)->code == 401);  // with what it holds from before
  CHECK(c.all(c.asked.size() - 1, "authorization").empty());
  phone.authorization = fmt::format("Digest username=\"200\", realm=\"{}\", nonce=\"theirs\", uri=\"sip:x\", response=\"00\"", c.site.settings->realm);
  phone.send(kContact);
  CHECK(c.all(c.asked.size() - 1, "authorization") == std::vector<std::string>{phone.authorization});
  phone.flow = udp("198.51.100.70:5060");  // it was given to somebody else
  phone.send(kContact);
  CHECK(c.all(c.asked.size() - 1, "authorization").empty());
}

TEST_CASE("Credentials of many kilobytes are refused before anything is sent") {
  Carrier c;
  Phone phone{c.site};
  phone.authorization = fmt::format("Digest username=\"200\", realm=\"far\", nonce=\"n\", uri=\"sip:x\", response=\"00\", opaque=\"{}\"", std::string(1000, 'o'));
  CHECK(phone.send(kContact)->code == 401);
  CHECK(c.asked.size() == 1);
  CHECK(phone.send(fmt::format("{}Proxy-Authorization: {}\r\n", kContact, phone.authorization))->code == 400);
  CHECK(c.asked.size() == 1);
}

TEST_CASE("A REGISTER that waits when the table goes is forgotten without harm") {
  Carrier c;
  c.waits = true;
  Phone phone{c.site};
  CHECK_FALSE(phone.send(kContact));
  c.site.registrar.reset();
  c.finish();
  CHECK_FALSE(c.site.last_reply());
}
