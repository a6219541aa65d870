#include "unit/regfile/fixture.h"

#include <doctest/doctest.h>

#include <map>
#include <string>

using namespace jackfield;
using namespace jackfield::regfile_test;

TEST_CASE("user.register: known users are taken, strangers only with autocreate") {
  Users users(kInMemory);
  CHECK(users.add({.user = "101"}));
  CHECK_FALSE(users.add({.user = "999"}));
  auto without_data = users.message("user.register", {{"username", "101"}});
  CHECK_FALSE(users.ask(without_data));
  auto passed_by = users.register_message({.user = "102"});
  passed_by.set_flag("register_regfile", false);
  CHECK_FALSE(users.ask(passed_by));
  CHECK(users.bindings().size() == 1);

  Users open_house("[general]\nfile=\nautocreate=yes\n");
  CHECK(open_house.add({.user = "999"}));
  CHECK(open_house.route("999") == "sip/sip:999@10.0.0.1:5060");
}

TEST_CASE("user.register: it says how many bindings it keeps") {
  const auto answer = [](std::string_view text) {
    Users users(text);
    auto registered = users.register_message({.user = "101"});
    CHECK(users.ask(registered));
    return std::string(registered.get("max_contacts"));
  };
  CHECK(answer("[general]\nfile=\n[101]\n") == "0");
  CHECK(answer("[general]\nfile=\nmax_contacts=3\n[101]\n") == "3");
  CHECK(answer("[general]\nfile=\nmax_contacts=3\n[101]\nmax_contacts=1\n") == "1");
}

TEST_CASE("user.register: a binding takes the place of the one with its key, in that place") {
  Users users(kInMemory);
  CHECK(users.add({.user = "101", .at = "a", .key = "1"}));
  CHECK(users.add({.user = "101", .at = "b", .key = "2"}));
  CHECK(users.add({.user = "101", .at = "c", .key = "1"}));
  CHECK(users.route("101") == "fork sip/sip:101@c sip/sip:101@b");
}

TEST_CASE("user.register: beyond max_contacts the oldest goes") {
  Users users("[general]\nfile=\nmax_contacts=2\n[101]\n");
  for (const auto* at : {"a", "b", "c"}) CHECK(users.add({.user = "101", .at = at, .key = at}));
  CHECK(users.route("101") == "fork sip/sip:101@b sip/sip:101@c");
  CHECK(users.add({.user = "101", .at = "b2", .key = "b"}));
  CHECK(users.route("101") == "fork sip/sip:101@b2 sip/sip:101@c");
}

TEST_CASE("user.register: a binding without key is the user's only one and gives way to the next") {
  Users users(kInMemory);
  CHECK(users.add({.user = "101", .at = "a"}));
  CHECK(users.add({.user = "101", .at = "b"}));
  CHECK(users.route("101") == "sip/sip:101@b");
  CHECK(users.add({.user = "101", .at = "c", .key = "1"}));
  CHECK(users.route("101") == "sip/sip:101@c");
  CHECK(users.add({.user = "101", .at = "d", .key = "2"}));
  CHECK(users.add({.user = "101", .at = "e"}));
  CHECK(users.route("101") == "sip/sip:101@e");
}

TEST_CASE("bindings expire exact to a second, refreshed ones later, those without expiry never") {
  Users users(kInMemory);
  CHECK(users.add({.user = "101"}, 60));
  CHECK(users.add({.user = "102"}, 60));
  CHECK(users.add({.user = "103"}, 0));
  users.engine().advance(30s);
  CHECK(users.add({.user = "102"}, 60));
  users.engine().advance(29s);
  CHECK(users.route("101") != "-offline");
  users.engine().advance(2s);
  CHECK(users.route("101") == "-offline");
  CHECK(users.route("102") != "-offline");
  users.engine().advance(30s);
  CHECK(users.route("102") == "-offline");
  users.engine().advance(std::chrono::hours(24 * 365));
  CHECK(users.route("103") != "-offline");
}

TEST_CASE("user.unregister: one binding, or all of a user") {
  Users users(kInMemory);
  for (const auto* at : {"a", "b", "c"}) CHECK(users.add({.user = "101", .at = at, .key = at}));
  CHECK(users.remove({{"username", "101"}, {"binding", "b"}}));
  CHECK(users.route("101") == "fork sip/sip:101@a sip/sip:101@c");
  CHECK(users.remove({{"username", "101"}}));
  CHECK(users.route("101") == "-offline");
  CHECK_FALSE(users.remove({{"username", "stranger"}}));
  CHECK(users.engine().timers().running() == 0);
}

TEST_CASE("user.unregister: with only a connection all on it go, and the answer is false") {
  Users users(kInMemory);
  CHECK(users.add({.user = "101", .connection = "tcp:7", .reliable = true}));
  CHECK(users.add({.user = "102", .connection = "tcp:7", .reliable = true}));
  CHECK(users.add({.user = "103", .connection = "tcp:8", .reliable = true}));
  CHECK_FALSE(users.remove({{"connection_id", "tcp:7"}}));
  CHECK(users.bindings().size() == 1);
  CHECK(users.route("103") != "-offline");
  CHECK_FALSE(users.remove({{"connection_id", ""}}));
  CHECK(users.bindings().size() == 1);
}

TEST_CASE("user.bindings: gives back what was said, of one user or of all") {
  Users users(kInMemory);
  auto registered = users.register_message({.user = "101", .key = "k", .q = "0.5"}, 60);
  registered.set("sip_instance", "urn:uuid:1").set("sip_contact", "sip:101@phone").set("ip_host", "10.0.0.1").set("ha1_md5", "secret");
  CHECK(users.ask(registered));
  CHECK(users.add({.user = "102"}, 0));
  CHECK(users.bindings("103").empty());
  CHECK(users.bindings().size() == 2);
  CHECK(users.bindings("102")[0].expires == WallTime{});

  const auto one = users.bindings("101");
  REQUIRE(one.size() == 1);
  CHECK(one[0].username == "101");
  CHECK(one[0].data == "sip/sip:101@10.0.0.1:5060");
  CHECK(one[0].expires == users.engine().clock().wall() + 60s);
  const auto value = [&](std::string_view name) -> std::string {
    const auto found = std::ranges::find(one[0].parameters, name, [](const auto& pair) { return std::string_view(pair.first); });
    return found == one[0].parameters.end() ? "absent" : found->second;
  };
  CHECK(value("binding") == "k");
  CHECK(value("driver") == "sip");
  CHECK(value("sip_instance") == "urn:uuid:1");
  CHECK(value("sip_contact") == "sip:101@phone");
  CHECK(value("q") == "0.5");
  CHECK(value("ha1_md5") == "absent");
}

TEST_CASE("user.bindings: what is shown one by one has nothing of the one before, and nothing once the store is gone") {
  auto payload = std::make_shared<messages::StoredBindings>();
  {
    Users users(kInMemory);
    CHECK(users.add({.user = "101", .q = "0.5", .connection = "c"}));
    CHECK(users.add({.user = "102"}));
    auto asked = users.message("user.bindings", {});
    asked.attach(payload);
    CHECK(users.ask(asked));
    std::map<std::string, std::size_t> having;
    payload->each([&](const messages::StoredBinding& binding) {
      having[binding.username] = static_cast<std::size_t>(
          std::ranges::count_if(binding.parameters, [](const auto& each) { return each.first == "q" || each.first == "connection_id"; }));
    });
    CHECK(having == std::map<std::string, std::size_t>{{"101", 2}, {"102", 0}});
  }
  payload->each([](const messages::StoredBinding&) { FAIL("the store is gone"); });
}

TEST_CASE("user.bindings: a store that was asked before keeps its part") {
  Users users(kInMemory);
  CHECK(users.add({.user = "101"}));
  auto asked = users.message("user.bindings", {});
  auto payload = std::make_shared<messages::StoredBindings>();
  payload->bindings.push_back({.username = "other"});
  asked.attach(payload);
  CHECK(users.ask(asked));
  std::vector<std::string> names;
  payload->each([&](const messages::StoredBinding& binding) { names.push_back(binding.username); });
  CHECK(names == std::vector<std::string>{"other", "101"});
}

TEST_CASE("engine.status: Yate's line, with nothing in a field that would break it") {
  Users users(kInMemory);
  CHECK(users.add({.user = "101"}));
  CHECK(users.add({.user = "102", .at = "a,b\nc"}));
  auto asked = users.message("engine.status", {{"module", "regfile"}});
  CHECK(users.ask(asked));
  CHECK(asked.retvalue() == "name=regfile,type=misc;create=false,defined=3,users=2;101=sip/sip:101@10.0.0.1:5060,102=sip/sip:102@a?b?c\r\n");
  auto all = users.message("engine.status", {{"details", "false"}});
  CHECK_FALSE(users.ask(all));
  CHECK(all.retvalue() == "name=regfile,type=misc;create=false,defined=3,users=2\r\n");
  auto other = users.message("engine.status", {{"module", "sip"}});
  CHECK_FALSE(users.ask(other));
  CHECK(other.retvalue() == "");
}

TEST_CASE("reload: users are read again, bindings of those who are gone are dropped, priorities stay") {
  Users users(kInMemory);
  CHECK(users.add({.user = "101"}));
  CHECK(users.add({.user = "102"}));
  CHECK_FALSE(users.load("[general]\nfile=\nroute=7\nautocreate=yes\n[102]\npassword=new\n"));
  CHECK(users.route("101") == "-");
  CHECK(users.bindings().size() == 1);
  CHECK_FALSE(users.add({.user = "103"}));  // autocreate is read once
  CHECK(users.route("102") != "-offline");
  auto asked = users.message("user.auth", {{"username", "102"}});
  CHECK(users.ask(asked));
  CHECK(asked.retvalue() == "new");
  for (const auto& handler : users.engine().bus().handlers("call.route")) CHECK(handler.priority == 100);
}

TEST_CASE("reload: a bad file changes nothing") {
  Users users(kInMemory);
  CHECK(users.add({.user = "101"}));
  CHECK(users.load("[general]\nfile=\n[101]\npassword.md5=nonsense\n"));
  CHECK(users.route("101") != "-offline");
}

TEST_CASE("a store in memory answers at once and says so at the start") {
  Users users(kInMemory);
  CHECK(users.engine().logged("event=memory_only"));
  auto registered = users.register_message({.user = "101"});
  CHECK(users.engine().bus().dispatch(registered).immediate());
}
