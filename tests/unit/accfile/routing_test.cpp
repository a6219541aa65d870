#include "unit/accfile/fixture.h"

#include <doctest/doctest.h>

using namespace jackfield;
using namespace jackfield::accfile_test;

namespace {

constexpr std::string_view kExits =
    "[z]\ntype=trunk\nserver=192.0.2.1\nallowed=192.0.2.1\ndial_pattern=^00\nweight=10\n"
    "[b]\ntype=trunk\nserver=192.0.2.2\nallowed=192.0.2.2\ndial_pattern=^0[1-9]\nweight=20\n"
    "[a]\ntype=trunk\nserver=192.0.2.3\nallowed=192.0.2.3\ndial_pattern=^0[1-5]\nweight=20\n"
    "[rest]\ntype=trunk\nserver=192.0.2.4\nallowed=192.0.2.4\ndial_pattern=.\nweight=1000\nowner=101\n"
    "[mute]\ntype=trunk\nserver=192.0.2.5\nallowed=192.0.2.5\n";
constexpr std::string_view kPbx = "[pbx]\ntype=inbound\nusername=office\npassword=secret\ninb:context=from-office\n";

}  // namespace

TEST_CASE("SP-14 the connection with the lowest weight whose pattern fits; ties by name; the catch-all last") {
  Site site(kExits);
  const auto as_user = [&](std::string_view called) { return site.route(called, {{"username", "101"}}); };
  CHECK(as_user("0049301") == "line/0049301 line=z");
  CHECK(as_user("0123") == "line/0123 line=a");
  CHECK(as_user("0555") == "line/0555 line=a");
  CHECK(as_user("0666") == "line/0666 line=b");
  CHECK(as_user("0999") == "line/0999 line=b");
  CHECK(as_user("911") == "line/911 line=rest");
  CHECK(as_user("x") == "line/x line=rest");
  CHECK(as_user("+4930") == "line/+4930 line=rest");
  CHECK(as_user("00") == "line/00 line=z");
}

TEST_CASE("a pattern is for users: not for strangers, not for what came in by a trunk, not for a user whose phones are away") {
  Site site(kExits);
  CHECK(site.route("0123", {}) == "not handled, called=0123");
  CHECK(site.route("0123", {{"username", "7"}, {"in_line", "mute"}}) == "not handled, called=0123");
  CHECK(site.route("0123", {{"username", "7"}, {"in_line", "gone"}}) == "not handled, called=0123");
  CHECK(site.route("0123", {{"username", "101"}, {"error", "offline"}}) == "not handled, called=0123");
}

TEST_CASE("a connection that nobody performs, was logged out or is disabled is no exit") {
  Site site(kExits);
  site.reload("[a]\ntype=trunk\nserver=192.0.2.3\nallowed=192.0.2.3\ndial_pattern=^0[1-5]\nweight=20\n");
  CHECK(site.route("0049", {{"username", "101"}}) == "not handled, called=0049");
  CHECK(site.route("0123", {{"username", "101"}}) == "line/0123 line=a");
  site.performs = false;
  site.reload("[c]\ntype=trunk\nserver=192.0.2.3\nallowed=192.0.2.3\ndial_pattern=.\n");
  CHECK(site.route("0123", {{"username", "101"}}) == "not handled, called=0123");
}

TEST_CASE("SP-7 what comes in by a connection with an owner is for the owner, whatever number was called") {
  Site site(kExits);
  CHECK(site.route("4930555", {{"in_line", "rest"}}) == "not handled, called=101");
  CHECK(site.route("4930555", {{"in_line", "mute"}}) == "not handled, called=4930555");
}

TEST_CASE("connections of other modules are exits and entries, too") {
  Site site("[general]\n");
  auto login = site.message("user.login", {{"account", "sql"}, {"operation", "login"}, {"protocol", "sip"}, {"dial_pattern", "^9"}, {"owner", "102"}});
  CHECK(site.ask(login));
  CHECK(site.route("911", {{"username", "101"}}) == "line/911 line=sql");
  CHECK(site.route("1", {{"in_line", "sql"}}) == "not handled, called=102");
}

TEST_CASE("SP-13 the other side of an inbound connection is a user of any number, and its calls say by which connection they came") {
  Site site(kPbx);
  bool handled = false;
  const auto known = site.auth("office", handled);
  REQUIRE(handled);
  CHECK(known.retvalue() == "secret");
  CHECK(known.get("in_line") == "pbx");
  CHECK(known.get("check_to") == "no");
  CHECK(known.get("check_from") == "no");
  CHECK(known.get("context") == "from-office");
  CHECK(known.get("max_contacts") == "1");
  (void)site.auth("somebody", handled);
  CHECK(!handled);
  (void)site.auth("", handled);
  CHECK(!handled);
}

TEST_CASE("SP-13 an inbound connection without a password lets nobody in; one that is deleted or refused, nobody any more") {
  Site site(kPbx);
  bool handled = false;
  auto login = site.message("user.login", {{"account", "open"}, {"operation", "login"}, {"connection", "inbound"}, {"username", "open"}, {"password", ""}});
  CHECK(site.ask(login));
  const auto refused = site.auth("open", handled);
  CHECK(handled);
  CHECK(refused.retvalue() == "-");

  REQUIRE(site.auth("office", handled).retvalue() == "secret");
  auto removal = site.message("user.login", {{"account", "pbx"}, {"operation", "delete"}});
  (void)site.ask(removal);
  (void)site.auth("office", handled);
  CHECK_FALSE(handled);
}

TEST_CASE("SP-13 a stored hash is what the digest is checked with; the password is nowhere") {
  const std::string md5(32, 'a'), sha256(64, 'b');
  Site site(fmt::format("[pbx]\ntype=inbound\nusername=office\npassword.md5=my:realm:{}\npassword.sha256=my:realm:{}\n", md5, sha256));
  bool handled = false;
  const auto known = site.auth("office", handled);
  REQUIRE(handled);
  CHECK(known.retvalue().empty());
  CHECK(known.get("ha1_md5") == md5);
  CHECK(known.get("ha1_sha256") == sha256);
  CHECK(known.get("ha1_realm") == "my:realm");
  CHECK(problems_of("[pbx]\ntype=inbound\nusername=office\npassword.md5=Yate:short\n").size() == 1);
  CHECK(problems_of("[pbx]\ntype=inbound\nusername=office\n").size() == 1);
}

TEST_CASE("SP-13 a call by an inbound connection goes to the contact it registered, and keeps the number") {
  Site site(std::string(kPbx) + "dial_pattern=^4930\n");
  CHECK(!site.add("stranger", "sip/sip:stranger@10.0.0.1:5060"));
  CHECK(site.add("office", "sip/sip:office@10.0.0.9:5060"));
  CHECK(site.route("4930123", {{"username", "101"}}) == "line/4930123 line=pbx");
  auto execute = site.message("call.execute", {{"callto", "line/4930123"}, {"line", "pbx"}});
  CHECK(!site.ask(execute));
  CHECK(execute.get("callto") == "sip/sip:office@10.0.0.9:5060");
  CHECK(execute.get("user") == "4930123");
  CHECK(execute.get("oconnection_id") == "general");
  CHECK(!execute.has("line"));
  // The newest contact takes the place of the one before.
  CHECK(site.add("office", "sip/sip:office@10.0.0.10:5062", "other"));
  auto again = site.message("call.execute", {{"callto", "line/1"}, {"line", "pbx"}});
  (void)site.ask(again);
  CHECK(again.get("callto") == "sip/sip:office@10.0.0.10:5062");
  // Its own calls do not come back to it.
  CHECK(site.route("4930123", {{"username", "office"}, {"in_line", "pbx"}}) == "not handled, called=4930123");
}

TEST_CASE("SP-13 a call by an inbound connection with several contacts rings at all of them: the preferred ones first, each with its own way") {
  Site site(std::string(kPbx) + "max_contacts=0\n");
  CHECK(site.add("office", "sip/sip:office@10.0.0.1:5060", "first"));
  CHECK(site.add("office", "sip/sip:office@10.0.0.2:5060", "second"));
  auto execute = site.message("call.execute", {{"callto", "line/4930123"}, {"line", "pbx"}});
  CHECK(!site.ask(execute));
  CHECK(execute.get("callto") == "fork");
  CHECK(execute.get("callto.1") == "sip/sip:office@10.0.0.2:5060");
  CHECK(execute.get("callto.2") == "sip/sip:office@10.0.0.1:5060");
  CHECK(execute.get("callto.2.oconnection_id") == "general");
  CHECK(!execute.has("callto.3"));
  CHECK(execute.get("user") == "4930123");
  CHECK(!execute.has("line"));

  CHECK(site.add("office", "sip/sip:office@10.0.0.3:5060", "spare", 3600, "0.2"));
  auto ranked = site.message("call.execute", {{"callto", "line/1"}, {"line", "pbx"}});
  (void)site.ask(ranked);
  CHECK(ranked.get("callto.3") == "|");
  CHECK(ranked.get("callto.4") == "sip/sip:office@10.0.0.3:5060");

  // A text message has one receiver.
  auto text = site.message("msg.execute", {{"callto", "line/1"}, {"line", "pbx"}});
  (void)site.ask(text);
  CHECK(text.get("callto") == "sip/sip:office@10.0.0.2:5060");
}

TEST_CASE("SP-13 nobody registered: the call is left to sip, which says so") {
  Site site(kPbx);
  auto execute = site.message("call.execute", {{"callto", "line/1"}, {"line", "pbx"}});
  CHECK(!site.ask(execute));
  CHECK(execute.get("callto") == "line/1");
  CHECK(execute.get("line") == "pbx");
}

TEST_CASE("SP-13 the registration of an inbound connection is there after a restart, and ends with the connection") {
  auto engine = std::make_shared<TestEngine>();
  const auto stored = [](Site& site, std::string_view username) {
    auto asked = site.message("user.bindings", {});
    if (!username.empty()) asked.set("username", username);
    else asked.set_broadcast(true);
    std::vector<std::string> out;
    if (!site.ask(asked)) return out;
    auto* all = asked.payload<messages::StoredBindings>();
    REQUIRE(all);
    all->each([&](const messages::StoredBinding& binding) { out.push_back(binding.username + " " + binding.data); });
    return out;
  };
  {
    Site site(engine, kPbx);
    CHECK(site.add("office", "sip/sip:office@10.0.0.9:5060"));
  }
  Site site(engine, kPbx);
  const Lines kept{"office sip/sip:office@10.0.0.9:5060"};
  CHECK(stored(site, "") == kept);
  CHECK(stored(site, "office") == kept);
  CHECK(stored(site, "101").empty());
  site.reload("[pbx]\ntype=inbound\nusername=office\npassword=secret\nenabled=no\n");
  CHECK(stored(site, "").empty());
  bool handled = true;
  (void)site.auth("office", handled);
  CHECK(!handled);
}

TEST_CASE("SP-13 what a connection had registered that was removed while the server was stopped ends soon after the start, others' does not") {
  auto engine = std::make_shared<TestEngine>();
  const std::string other = "[branch]\ntype=inbound\nusername=branch\npassword=secret\n";
  {
    Site site(engine, std::string(kPbx) + other);
    CHECK(site.add("office", "sip/sip:office@10.0.0.9:5060"));
    CHECK(site.add("branch", "sip/sip:branch@10.0.0.8:5060"));
    CHECK(site.add("sql", "sip/sip:sql@10.0.0.7:5060") == false);
  }
  Site site(engine, other);
  const auto count = [&] {
    auto asked = site.message("user.bindings", {});
    asked.set_broadcast(true);
    std::size_t found = 0;
    if (site.ask(asked)) asked.payload<messages::StoredBindings>()->each([&](const messages::StoredBinding&) { ++found; });
    return found;
  };
  site.engine().advance(std::chrono::seconds(30));
  CHECK(count() == 2);  // somebody slower may yet log it in
  site.engine().advance(std::chrono::minutes(1));
  CHECK(count() == 1);
}
