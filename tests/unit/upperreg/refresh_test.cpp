// What the module says to A by itself: refreshes, all contacts anew, leave-takings, questions; and what is left of it after a crash.
#include "unit/upperreg/fixture.h"

#include <doctest/doctest.h>

using namespace jackfield;
using namespace jackfield::upperreg_test;

namespace {

constexpr std::string_view kProbing = "[general]\nfile=\nprobe_interval=10\nregistrations_per_second=100\n[upper]\nserver=a.example\n";

void crowd(Site& site, int count) {
  for (int i = 0; i < count; ++i) {
    const auto name = fmt::format("u{}", i);
    site.users[name] = {{"upper_password", "x"}};
    REQUIRE(site.registers({.user = name}) == "200 3600");
  }
  (void)site.seen();
}

}  // namespace

TEST_CASE("stored: A is refreshed at three quarters of its grant at the latest, without the phone") {
  Site site(kUpper);
  site.users["d"] = kStored;
  site.granted = 100;
  REQUIRE(site.registers({}) == "200 100");
  (void)site.seen();
  site.engine().advance(62s);
  CHECK(site.seen().empty());
  site.engine().advance(14s);
  CHECK(site.seen() == Lines{"d@a.example 3600"});
  CHECK(site.last["password"] == "a song of A");
}

TEST_CASE("relayed: nothing is said to A by ourselves") {
  Site site(kUpper);
  REQUIRE(site.registers({}) == "200 120");
  (void)site.seen();
  site.engine().advance(115s);
  site.command("upperreg resync");
  CHECK(site.seen().empty());
}

TEST_CASE("stored: a refused refresh ends the phones' bindings; an A that is away does not, until its grant is over") {
  Site site(kUpper);
  site.users["d"] = site.users["e"] = kStored;
  site.granted = 100;
  REQUIRE(site.registers({}) == "200 100");
  site.code = 403;
  site.engine().advance(80s);
  CHECK(site.ended == Lines{"d "});
  CHECK(site.bindings().empty());
  site.code = 200;
  REQUIRE(site.registers({}) == "200 100");
  (void)site.seen();
  site.ended.clear();
  site.away = true;
  site.engine().advance(99s);
  CHECK(site.ended.empty());
  const auto attempts = site.seen().size();
  CHECK(attempts >= 2);
  CHECK(attempts <= 5);
  site.engine().advance(2s);
  CHECK(site.ended == Lines{"d "});
  CHECK(site.engine().logged("event=bindings_ended aor=d"));
}

TEST_CASE("stored: the last phone's expiry, or its connection's end, is told to A; again until A hears it") {
  Site site(kUpper);
  site.users["d"] = kStored;
  REQUIRE(site.registers({}) == "200 3600");
  REQUIRE(site.registers({.key = "k2"}) == "200 3600");
  (void)site.seen();
  site.unregister({{"username", "d"}, {"binding", "k2"}});
  site.engine().advance(1s);
  CHECK(site.seen().empty());
  site.away = true;
  site.unregister({{"username", "d"}, {"binding", "k1"}});
  site.engine().advance(1s);
  CHECK(site.seen() == Lines{"d@a.example 0"});
  site.away = false;
  site.engine().advance(10s);
  CHECK(site.seen() == Lines{"d@a.example 0"});
  CHECK(site.contacts.empty());
  site.engine().advance(3600s);
  CHECK(site.seen().empty());
}

TEST_CASE("stored: a phone that fell silent is told to A, though the store has dropped it already") {
  Site site(kUpper);
  site.users["d"] = kStored;
  REQUIRE(site.registers({.expires = 30}) == "200 30");
  (void)site.seen();
  site.engine().advance(31s);
  site.unregister({{"username", "d"}, {"binding", "k1"}});
  site.engine().advance(1s);
  CHECK(site.seen() == Lines{"d@a.example 0"});
}

TEST_CASE("stored: leaving while A is away is done for the phone, and returning takes it back") {
  Site site(kUpper);
  site.users["d"] = kStored;
  REQUIRE(site.registers({}) == "200 3600");
  site.away = true;
  CHECK(site.registers({.expires = 0}) == "200 0");
  CHECK(site.bindings().empty());
  site.away = false;
  REQUIRE(site.registers({}) == "200 3600");
  (void)site.seen();
  site.engine().advance(60s);
  CHECK(site.seen().empty());
  CHECK(site.contacts.contains("d@a.example"));
}

TEST_CASE("a probe finds that A lost its memory, and all whose credentials are kept are registered again, paced") {
  Site site(kProbing);
  crowd(site, 50);
  REQUIRE(site.registers({.user = "relayed"}) == "200 120");
  (void)site.seen();
  site.engine().advance(10s);
  CHECK(site.seen() == Lines{"u0@a.example ?"});
  site.contacts.clear();
  site.engine().advance(10s);
  CHECK(site.engine().logged("event=forgotten"));
  // 10 at once, then 100 in a second.
  CHECK(site.seen().size() <= 12);
  site.engine().advance(600ms);
  CHECK(site.contacts.size() == 50);
  CHECK_FALSE(site.contacts.contains("relayed@a.example"));
}

TEST_CASE("a single contact that A lost is given to it again, alone") {
  Site site(kProbing);
  crowd(site, 5);
  (void)site.seen();
  site.contacts.erase("u0@a.example");
  site.engine().advance(10s);
  CHECK(site.seen() == Lines{"u0@a.example ?", "u0@a.example 3600", "u0@a.example ?", "u1@a.example ?"});
  CHECK(site.contacts.size() == 5);
  site.engine().advance(5s);
  CHECK(site.seen().empty());
}

TEST_CASE("an A that does not tell what is registered is not taken for one that forgot it") {
  Site site(kProbing);
  crowd(site, 5);
  (void)site.seen();
  site.lists = false;
  site.engine().advance(10s);
  CHECK(site.seen() == Lines{"u0@a.example ?", "u0@a.example 3600", "u0@a.example ?"});
  CHECK(site.engine().logged("event=no-list"));
  site.engine().advance(60s);
  CHECK(site.seen().empty());
  // Another server may.
  auto told = site.message("user.notify", {{"account", "upper"}});
  told.set_flag("registered", true);
  site.ask(told);
  site.lists = true;
  site.engine().advance(10s);
  CHECK_FALSE(site.seen().empty());
}

TEST_CASE("another server that answers is given all contacts; user.notify says so, too") {
  Site site(kProbing);
  crowd(site, 5);
  site.contacts.clear();
  site.server_address = "192.0.2.2:5060";
  REQUIRE(site.registers({.user = "x"}) == "200 120");
  site.engine().advance(1s);
  CHECK(site.contacts.size() == 6);

  const auto notify = [&](bool registered) {
    auto told = site.message("user.notify", {{"account", "upper"}});
    told.set_flag("registered", registered);
    site.ask(told);
    site.engine().advance(1s);
  };
  notify(true);  // the first is the start
  (void)site.seen();
  notify(false);
  CHECK(site.seen().empty());
  notify(true);
  CHECK(site.seen().size() == 5);
}

TEST_CASE("A answers again: what it has not heard need not wait") {
  Site site("[general]\nfile=\nprobe_interval=0\n[upper]\nserver=a.example\nretry_interval=1000\n");
  crowd(site, 3);
  site.away = true;
  site.command("upperreg resync");
  site.engine().advance(1s);
  CHECK(site.seen().size() == 3);
  site.away = false;
  REQUIRE(site.registers({.user = "x"}) == "200 120");
  site.engine().advance(1s);
  CHECK(site.seen().size() == 4);
}

TEST_CASE("upperreg: resync, list, show, drop, and who may") {
  Site site(kUpper);
  CHECK(site.command("upperreg list") == "nobody is registered elsewhere\r\n");
  CHECK(site.command("upperreg", false).starts_with("usage:"));
  CHECK(site.command("upperreg drop", false).starts_with("usage:"));
  crowd(site, 2);
  REQUIRE(site.registers({.user = "r"}) == "200 120");
  (void)site.seen();
  CHECK(site.command("upperreg resync", true, false).find("admin") != std::string::npos);
  CHECK(site.seen().empty());
  CHECK(site.command("upperreg resync").starts_with("2 users are registered again"));
  site.engine().advance(1s);
  CHECK(site.seen().size() == 2);
  CHECK(site.command("upperreg resync u1") == "u1 is registered again\r\n");
  site.engine().advance(1s);
  CHECK(site.seen() == Lines{"u1@a.example 3600"});
  CHECK(site.command("upperreg resync r", false).find("only its phone") != std::string::npos);
  CHECK(site.command("upperreg resync nobody", false) == "nobody is not registered elsewhere\r\n");
  CHECK(site.command("upperreg list u0").starts_with("u0\t192.0.2.1:5060\t" + site.contacts["u0@a.example"] + "\tregistered\t3600 s\t1\r\n") == false);  // time has passed
  CHECK(site.command("upperreg list u0").starts_with("u0\t192.0.2.1:5060\t" + site.contacts["u0@a.example"] + "\tregistered\t"));
  const auto shown = site.command("upperreg show u0");
  CHECK(shown.find("u0@a.example by upper") != std::string::npos);
  CHECK(shown.find("sip/sip:u0@10.0.0.1:5060") != std::string::npos);
  CHECK(shown.find("password") == std::string::npos);
  CHECK(site.command("upperreg status").find("stored 2 registered, 0 to be told\trelayed 1 registered") != std::string::npos);
  CHECK(site.command("upperreg drop u0") == "u0 is dropped\r\n");
  site.engine().advance(1s);
  CHECK(site.seen() == Lines{"u0@a.example 0"});
  CHECK(site.bindings("u0").empty());
  CHECK(site.command("upperreg drop r").starts_with("r is dropped here; the server there keeps"));
  CHECK(site.bindings("r").empty());

  auto completed = site.message("engine.command", {{"partline", "upperreg show"}, {"partword", "u"}});
  CHECK_FALSE(site.ask(completed));
  CHECK(completed.retvalue() == "u1");
  auto verbs = site.message("engine.command", {{"partline", "upperreg"}, {"partword", ""}});
  CHECK_FALSE(site.ask(verbs));
  CHECK(verbs.retvalue() == "status\tlist\tshow\tresync\tdrop");
  auto status = site.message("engine.status", {{"module", "upperreg"}});
  CHECK(site.ask(status));
  CHECK(status.retvalue() == "name=upperreg,type=misc,format=Server|State;connections=1,registered=1,doubtful=0,phones=1,sending=0;upper=192.0.2.1:5060|there\r\n");
}

TEST_CASE("after a crash: the same token and Call-ID, a higher CSeq, and the phones; nothing is said to A before its time") {
  auto engine = std::make_shared<TestEngine>();
  constexpr std::string_view kKept = "[general]\nprobe_interval=0\n[upper]\nserver=a.example\n";
  std::string token;
  std::set<std::string> call_ids;
  long long cseq = 0;
  {
    Site site(engine, kKept);
    site.users["d"] = kStored;
    REQUIRE(site.registers({}) == "200 3600");
    REQUIRE(site.registers({.user = "r"}) == "200 120");
    for (int i = 0; i < 40; ++i) REQUIRE(site.registers({.user = "r"}) == "200 120");  // CSeq is ahead of the clock
    token = site.contacts["d@a.example"];
    call_ids = site.call_ids;
    cseq = *std::ranges::max_element(site.cseqs);
    (void)site.seen();
    site.stop();
    CHECK(site.seen().empty());  // nobody is taken back from A
  }
  Site again(engine, kKept);
  again.users["d"] = kStored;
  again.engine().advance(1s);
  CHECK(again.seen().empty());
  CHECK(again.bindings() == Lines{"d sip/sip:d@10.0.0.1:5060", "r sip/sip:r@10.0.0.1:5060"});
  CHECK(again.command("upperreg list d").find(token) != std::string::npos);
  again.engine().advance(2700s);
  CHECK(again.seen() == Lines{"d@a.example 3600"});
  CHECK(again.last["contact_user"] == token);
  CHECK(again.last["password"] == "a song of A");
  CHECK(call_ids.contains(again.last["sip_callid"]));
  CHECK(again.cseqs.back() > 0);
  REQUIRE(again.registers({.user = "r"}) == "200 120");
  CHECK(again.cseqs.back() > cseq);
}

TEST_CASE("a user whose credentials are no longer kept is not registered there for good") {
  Site site(kUpper);
  site.users["d"] = kStored;
  site.granted = 100;
  REQUIRE(site.registers({}) == "200 100");
  (void)site.seen();
  site.users["d"] = {{"upper", "yes"}};
  site.engine().advance(80s);
  CHECK(site.seen().empty());
  CHECK(site.bindings().empty());
}

TEST_CASE("a store of users that is away, or knows nobody, ends nothing that A granted: it is tried again until that is over") {
  for (const bool fails : {true, false}) {
    CAPTURE(fails);
    Site site(kUpper);
    site.users["d"] = kStored;
    site.granted = 200;
    REQUIRE(site.registers({}) == "200 200");
    (void)site.seen();
    site.lookup_fails = fails;
    if (!fails) site.users.clear();
    site.engine().advance(155s);
    CHECK(site.seen().empty());
    CHECK(site.bindings().size() == 1);
    CHECK(site.ended.empty());
    site.lookup_fails = false;
    site.users["d"] = kStored;
    site.engine().advance(40s);
    CHECK(site.seen() == Lines{"d@a.example 3600"});
    CHECK(site.last["password"] == "a song of A");
    site.lookup_fails = fails;
    if (!fails) site.users.clear();
    site.engine().advance(201s);
    CHECK(site.command("upperreg list") == "nobody is registered elsewhere\r\n");  // the grant is over
  }
}

TEST_CASE("settings: one server A, no everybody, and a reload begins and ends connections") {
  const auto problem = [](std::string_view text) {
    const auto problems = problems_of(text);
    return problems.empty() ? std::string() : fmt::format("{}: {}", problems.front().where.line, problems.front().text);
  };
  CHECK(problem("[upper]\nserver=a.example,spare.example\n").empty());
  CHECK(problem("[upper]\nserver=a.example\nserver=b.example\n").starts_with("3: server=b.example: [upper] has one server"));
  CHECK(problem("[upper]\nserver=a.example\n[thru]\nthru_domains=x\n[upper]\nserver=b.example\n").find("has one server") != std::string::npos);
  CHECK(problem("[thru]\nthru_domains=a.example,*\n").starts_with("2: thru_domains=*"));
  CHECK(problem("[thru]\nthru_domains=a*.example\n").find("is no domain") != std::string::npos);
  CHECK(problem("[upper]\nserver=sip:x@a.example\n").find("is no host") != std::string::npos);
  CHECK(problem("[upper]\nserver=a.example\nretry_interval=never\n").find("retry_interval") != std::string::npos);

  Site site(kUpper);
  CHECK(site.logins == Lines{"login upper upstream a.example"});
  site.logins.clear();
  REQUIRE_FALSE(site.load(kUpper));
  site.engine().run_until_idle();
  CHECK(site.logins.empty());
  REQUIRE_FALSE(site.load("[general]\nfile=\n[upper]\nserver=c.example\n"));
  site.engine().run_until_idle();
  CHECK(site.logins == Lines{"login upper upstream c.example"});
  REQUIRE_FALSE(site.load("[general]\nfile=\n[thru]\nthru_domains=x\n"));
  site.engine().run_until_idle();
  CHECK(site.logins.back().starts_with("logout upper"));
}
