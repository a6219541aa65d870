#include <doctest/doctest.h>

#include <jackfield/message.h>
#include <jackfield/messages/parameters.h>

#include <cstdint>
#include <string>
#include <vector>

using namespace jackfield;

TEST_CASE("parameters keep their order, are replaced in place and erased") {
  Message message("t");
  message.set("a", "1").set("b", "2").set("c", "3").set("b", "two");
  REQUIRE(message.parameters().size() == 3);
  CHECK(message.parameters()[1].value == "two");
  CHECK(message.erase("a"));
  CHECK_FALSE(message.erase("a"));
  CHECK(message.parameters()[0].name == "b");
  CHECK(message.parameters()[1].name == "c");
  CHECK(message.get("a", "none") == "none");
}

TEST_CASE("what is known to be new is added at the end") {
  Message message("t");
  message.set("a", "1");
  for (int i = 0; i < 40; ++i) message.add("n" + std::to_string(i), -1LL * i);
  message.add("text", "x");
  REQUIRE(message.parameters().size() == 42);
  CHECK(message.parameters()[0].value == "1");
  CHECK(message.get("n39") == "-39");
  CHECK(message.parameters().back().name == "text");
}

TEST_CASE("names that share a tag, and names that were erased, are not mistaken for each other") {
  // Equal tags: length, first, middle and last letter are the same.
  static_assert(detail::parameter_tag("a1b2c") == detail::parameter_tag("a9b8c"));
  Message message("t");
  message.set("a1b2c", "first").set("x", "y").set("a9b8c", "second");
  CHECK(message.get("a1b2c") == "first");
  CHECK(message.get("a9b8c") == "second");
  CHECK_FALSE(message.has("a5b5c"));
  CHECK(message.erase("a1b2c"));
  CHECK_FALSE(message.has("a1b2c"));
  CHECK(message.get("a9b8c") == "second");
  CHECK(message.erase("a9b8c"));
  CHECK_FALSE(message.has("a9b8c"));
  message.clear_parameters();
  CHECK_FALSE(message.has("x"));
}

TEST_CASE("every parameter is found, however many there are, and by text as well as by declaration") {
  Message message("t");
  std::vector<std::string> names;
  for (int i = 0; i < 150; ++i) names.push_back(std::string(static_cast<std::size_t>(i % 40), 'p') + std::to_string(i * 7919));
  for (const auto& name : names) message.set(name, name + "!");
  for (std::size_t i = 0; i < names.size(); i += 3) CHECK(message.erase(names[i]));
  for (std::size_t i = 0; i < names.size(); ++i) {
    CAPTURE(names[i]);
    CHECK(message.has(names[i]) == (i % 3 != 0));
    if (i % 3 != 0) CHECK(message.get(names[i]) == names[i] + "!");
  }
  message.set(messages::param::kUsername, "declared");
  CHECK(message.get("username") == "declared");
  message.set(std::string("username"), "by text");
  CHECK(message.get(messages::param::kUsername) == "by text");
}

TEST_CASE("a list grows behind a comma") {
  Message message("t");
  CHECK(message.extend("handlers", "a:1").get("handlers") == "a:1");
  CHECK(message.extend("handlers", "b:2").extend("handlers", "c:3").get("handlers") == "a:1,b:2,c:3");
  message.set("empty", "");
  CHECK(message.extend("empty", "x").get("empty") == "x");
}

TEST_CASE("an empty value is a value") {
  Message message("t");
  message.set("a", "");
  CHECK(message.has("a"));
  CHECK(message.get("a", "fallback") == "");
  CHECK_FALSE(message.has("b"));
}

TEST_CASE("numbers and booleans fall back when they are something else") {
  Message message("t");
  message.set("n", -42).set("bad", "12x").set("on", "yes").set("off", "disable").set("what", "perhaps").set("huge", "99999999999999999999");
  CHECK(message.number("n") == -42);
  CHECK(message.number("bad", 7) == 7);
  CHECK(message.number("huge", 7) == 7);
  CHECK(message.number("none", 9) == 9);
  CHECK(message.flag("on"));
  CHECK_FALSE(message.flag("off", true));
  CHECK(message.flag("what", true));
}

TEST_CASE("views into a message stay valid while it grows and when it is moved") {
  Message message("name");
  const std::string_view name = message.name();
  message.set("first", "value");
  const std::string_view first = message.get("first");
  const auto early = message.parameters();
  for (int i = 0; i < 500; ++i) message.set("p" + std::to_string(i), std::string(100, 'x'));
  message.set("large", std::string(100'000, 'y'));
  Message moved = std::move(message);
  CHECK(name == "name");
  CHECK(name.data() == moved.name().data());
  CHECK(first == "value");
  CHECK(early[0].value == "value");
  CHECK(moved.parameters().size() == 502);
  CHECK(moved.get("p499") == std::string(100, 'x'));
  CHECK(moved.get("large").size() == 100'000);
  Message other("other");
  other = std::move(moved);
  CHECK(other.get("first") == "value");
}

TEST_CASE("a message may set a parameter from its own bytes") {
  Message message("t");
  message.set("a", "1");
  message.set("b", message.get("a")).set("a", message.get("b")).rename(message.get("a"));
  CHECK(message.get("a") == "1");
  CHECK(message.name() == "1");
}

TEST_CASE("merging copies what is missing") {
  Message a("a"), b("b");
  a.set("x", "ours");
  b.set("x", "theirs").set("y", "new");
  a.merge_missing(b);
  CHECK(a.get("x") == "ours");
  CHECK(a.get("y") == "new");
  CHECK(a.parameters().size() == 2);
}

TEST_CASE("a payload is found by its type only") {
  Message message("t");
  CHECK(message.payload<int>() == nullptr);
  auto value = std::make_shared<int>(5);
  message.attach(value);
  REQUIRE(message.payload<int>() != nullptr);
  CHECK(*message.payload<int>() == 5);
  CHECK(message.payload<long>() == nullptr);
  Message moved = std::move(message);
  CHECK(*moved.payload<int>() == 5);
  moved.detach();
  CHECK(moved.payload<int>() == nullptr);
  CHECK(value.use_count() == 1);
}

TEST_CASE("an arena gives aligned room after any bytes") {
  Arena arena;
  for (std::size_t size = 1; size < 300; ++size) {
    arena.copy(std::string(size, 'z'));
    const auto address = reinterpret_cast<std::uintptr_t>(arena.allocate_aligned(size));
    REQUIRE(address % alignof(std::max_align_t) == 0);
  }
  CHECK(arena.copy("").empty());
}
