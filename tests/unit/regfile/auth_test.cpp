#include "unit/regfile/fixture.h"

#include <doctest/doctest.h>

using namespace jackfield;
using namespace jackfield::regfile_test;

namespace {

constexpr std::string_view kAll =
    "[general]\nfile=\n"
    "[plain]\npassword=secret\ncontext=office\ngreeting=${caller} from ${ip_host$nowhere}\nnumber=5551\nalternatives=40,41\nmax_contacts=2\n"
    "[elsewhere]\ncontext=office\n"
    "[empty]\npassword=\n"
    "[md5]\npassword.md5=my:realm:00112233445566778899aabbccddeeff\n"
    "[both]\npassword.md5=r:00112233445566778899AABBCCDDEEFF\n"
    "password.sha256=r:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";

std::string auth(Users& users, std::string_view username, std::string_view more = {}) {
  auto asked = users.message("user.auth", {{"username", username}});
  if (!more.empty()) asked.set(more, "false");
  return users.ask(asked) ? "=" + std::string(asked.retvalue()) : "not handled";
}

}  // namespace

TEST_CASE("user.auth: a password that is present is the return value, an absent one leaves the user to others") {
  Users users(kAll);
  CHECK(auth(users, "plain") == "=secret");
  CHECK(auth(users, "elsewhere") == "not handled");
  CHECK(auth(users, "nobody") == "not handled");
  CHECK(auth(users, "general") == "not handled");
}

TEST_CASE("user.auth: asked by address, without a username, it is no business of a file of users") {
  Users users(kAll);
  CHECK(auth(users, "") == "not handled");
  auto asked = users.message("user.auth", {{"ip_host", "10.0.0.1"}});
  CHECK_FALSE(users.ask(asked));
}

TEST_CASE("user.auth: auth_regfile=false passes it by") {
  Users users(kAll);
  CHECK(auth(users, "plain", "auth_regfile") == "not handled");
}

TEST_CASE("user.auth: an empty password is refused, unless allow_empty_password says otherwise") {
  Users users(kAll);
  auto asked = users.message("user.auth", {{"username", "empty"}});
  CHECK(users.ask(asked));
  CHECK(asked.retvalue() == "-");
  CHECK(asked.get("error") == "forbidden");

  Users yates_way("[general]\nfile=\nallow_empty_password=yes\n[empty]\npassword=\n");
  CHECK(auth(yates_way, "empty") == "=");
}

TEST_CASE("user.auth: hashes come as parameters and are no password") {
  Users users(kAll);
  auto md5 = users.message("user.auth", {{"username", "md5"}});
  CHECK(users.ask(md5));
  CHECK(md5.retvalue() == "");
  CHECK(md5.get("ha1_md5") == "00112233445566778899aabbccddeeff");
  CHECK(md5.get("ha1_realm") == "my:realm");
  CHECK_FALSE(md5.has("ha1_sha256"));

  auto both = users.message("user.auth", {{"username", "both"}});
  CHECK(users.ask(both));
  CHECK(both.get("ha1_md5").size() == 32);
  CHECK(both.get("ha1_sha256").size() == 64);
  CHECK(both.get("ha1_realm") == "r");
}

TEST_CASE("user.auth: a hash for another realm is named once, when the realm is known") {
  Users users(kAll);
  for (int i = 0; i < 2; ++i) {
    auto asked = users.message("user.auth", {{"username", "md5"}, {"realm", "r"}});
    CHECK(users.ask(asked));
  }
  CHECK(std::ranges::count_if(users.engine().lines(), [](const LoggedLine& line) { return line.text.find("event=other_realm") != std::string::npos; }) == 1);
  CHECK(users.engine().logged("user=md5"));
}

TEST_CASE("user.bindings: the realm it brings names the users whose hash is for another, at the start and after a reload") {
  Users users(kAll);
  auto asked = users.message("user.bindings", {{"realm", "my:realm"}});
  CHECK(users.ask(asked));
  CHECK_FALSE(users.engine().logged("user=md5"));
  CHECK_FALSE(users.load("[late]\npassword.md5=elsewhere:00112233445566778899aabbccddeeff\n"));
  CHECK(users.engine().logged("user=late realm=elsewhere ours=my:realm"));
}

TEST_CASE("user.auth: the user's own parameters are set, the password is not among them") {
  Users users(kAll);
  auto asked = users.message("user.auth", {{"username", "plain"}, {"caller", "${ip_host}"}});
  CHECK(users.ask(asked));
  CHECK(asked.get("context") == "office");
  CHECK(asked.get("number") == "5551");
  CHECK(asked.get("alternatives") == "40,41");
  CHECK(asked.get("max_contacts") == "2");
  CHECK_FALSE(asked.has("password"));
  // What the caller brings is put in once and never read as a template.
  CHECK(asked.get("greeting") == "${ip_host} from nowhere");
}

TEST_CASE("check: what is wrong in a user's section is said with the file's line") {
  struct Case {
    std::string_view text, part;
    Problem::Severity severity;
    int line;
  };
  const auto error = Problem::Severity::error, warning = Problem::Severity::warning;
  for (const auto& c : {
           Case{"[a]\npassword.md5=realm:123\n", "32 hexadecimal", error, 2},
           Case{"[a]\npassword.md5=00112233445566778899aabbccddeeff\n", "REALM:HEX", error, 2},
           Case{"[a]\nx=y\npassword.sha256=r:00112233445566778899aabbccddeeff\n", "64 hexadecimal", error, 3},
           Case{"[both]\npassword.md5=r:00112233445566778899AABBCCDDEEFF\n"
                "password.sha256=q:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n",
                "two realms", error, 3},
           Case{"[a]\nmax_contacts=many\n", "max_contacts", error, 2},
           Case{"[general]\n[a]\npassword=x\n[b]\npassword=\n", "user b has an empty password", warning, 5},
       }) {
    CAPTURE(c.text);
    const auto problems = problems_of(c.text);
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].severity == c.severity);
    CHECK(problems[0].where.line == c.line);
    CHECK(problems[0].text.find(c.part) != std::string::npos);
  }
  CHECK(problems_of("[general]\nallow_empty_password=yes\n[b]\npassword=\n").empty());
  CHECK(problems_of(kUsers).empty());
}
