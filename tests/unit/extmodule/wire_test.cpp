#include "wire.h"

#include "support/seed.h"

#include <doctest/doctest.h>

#include <random>

using namespace jackfield;
using namespace jackfield::extmodule;

namespace {

std::string escaped(std::string_view text, bool is_name = false) {
  std::string out;
  append_escaped(out, text, is_name);
  return out;
}

}  // namespace

TEST_CASE("YT-19: what separates fields and lines is escaped, in names the = too") {
  CHECK(escaped("a:b%c\n\td=e") == "a%zb%%c%J%Id=e");
  CHECK(escaped("a=b", true) == "a%}b");
  CHECK(escaped("\x1f\x01") == "%_%A");
  CHECK(escaped("") == "");
}

TEST_CASE("only what is an escape is one") {
  CHECK(unescaped("a%zb%%c%J") == "a:b%c\n");
  CHECK(unescaped("%}") == "=");
  for (const char* wrong : {"%", "a%", "%a", "%1", "%@", "% "}) {
    CAPTURE(wrong);
    CHECK_FALSE(unescaped(wrong));
  }
}

TEST_CASE("any text comes back as it was") {
  const unsigned seed = test::seed();
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 5000; ++i) {
    std::string text;
    for (unsigned length = random() % 20; length > 0; --length) {
      const char c = static_cast<char>(random() % 4 == 0 ? random() % 64 : random() % 256);
      text.push_back(c == 0 ? 'x' : c);
    }
    const auto written = escaped(text, i % 2 == 0);
    CHECK(unescaped(written) == text);
    CHECK(written.find_first_of(":\n\r") == std::string::npos);
  }
}

TEST_CASE("a message of a script") {
  const auto read = parse_message("id%z1:1700000000:call.route:ret:called=1%z2:empty=:alone");
  REQUIRE(read);
  CHECK(read->id == "id:1");
  CHECK(read->time == 1700000000);
  CHECK(read->name == "call.route");
  CHECK(read->retval == "ret");
  REQUIRE(read->parameters.size() == 3);
  CHECK(read->parameters[0].value == "1:2");
  CHECK(read->parameters[1].value == "");
  CHECK_FALSE(read->parameters[2].value);
  CHECK(parse_message("::name")->id.empty());
  for (const char* wrong : {"", "1", "1:0", "1:0:", "1:x:name", "%a:0:name", "1:0:na%me", "1:0:name::k=%a", "1:0:name::%a=v"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_message(wrong));
  }
}

TEST_CASE("an answer sets, takes away and leaves parameters, and renames") {
  Message message("call.route");
  message.set("kept", "1").set("gone", "2").set("changed", "3");
  parse_answer("true:other.name:target:changed=4:gone:new=5")->apply(message);
  CHECK(message.name() == "other.name");
  CHECK(message.retvalue() == "target");
  CHECK(message.get("kept") == "1");
  CHECK_FALSE(message.has("gone"));
  CHECK(message.get("changed") == "4");
  CHECK(message.get("new") == "5");
  parse_answer("false::")->apply(message);
  CHECK(message.name() == "other.name");
  CHECK_FALSE(parse_answer("true:x:y:k=%a"));
  CHECK_FALSE(parse_answer("false")->handled);
}

TEST_CASE("every delivered parameter has its =") {
  Message message("a:b", WallTime(std::chrono::seconds(5)));
  message.set("x", "").set("y=", "1:2");
  message.set_retvalue("r");
  std::string out;
  append_question(out, "7", message);
  CHECK(out == "%%>message:7:5:a%zb:r:x=:y%}=1%z2\n");
  out.clear();
  append_answer(out, "", true, message);
  CHECK(out == "%%<message::true:a%zb:r:x=:y%}=1%z2\n");
}
