#include "commands.h"
#include "users_text.h"

#include "unit/regfile/fixture.h"

#include <doctest/doctest.h>

#include <sys/stat.h>

using namespace jackfield;
using namespace jackfield::regfile;
using jackfield::regfile_test::read_text;
using jackfield::regfile_test::write_text;

namespace {

/// Runs `jackfield user …` on a folder of its own.
struct Shell {
  TestEngine engine;
  std::filesystem::path file = engine.state_dir() / "regfile.conf";
  std::string out, err;
  bool reload = false;

  int run(std::vector<std::string> arguments, std::string_view input = {}) {
    auto ini = settings::read_ini(file, {});
    const Settings settings(*jackfield_module.keys, std::move(ini.sections), file.string(), false);
    std::ostringstream out_stream, err_stream;
    std::istringstream in(std::string{input});
    CommandContext context{.arguments = arguments, .settings = settings, .config_dir = engine.state_dir(), .state_dir = engine.state_dir(),
                           .random = engine.random(), .out = out_stream, .err = err_stream};
    const int code = user_command(context, in);
    out = out_stream.str();
    err = err_stream.str();
    reload = context.reload;
    return code;
  }
  std::string printed_password() const {
    const auto at = out.find("Password: ");
    return at == std::string::npos ? "" : out.substr(at + 10, out.find('\n', at) - at - 10);
  }
};

constexpr std::string_view kFile =
    "; who may call\n[general]\nauth=50\n\n; the boss\n[101]\n; changed in May\npassword=old\\\nlonger\npassword.md5=r:00112233445566778899aabbccddeeff\n"
    "number=1\n\n; the desk\n[102]\nalternatives=9\n";

}  // namespace

TEST_CASE("user add: a new file that only its owner reads, with a password that is shown once") {
  Shell shell;
  CHECK(shell.run({"add", "101"}) == 0);
  CHECK(shell.reload);
  const auto password = shell.printed_password();
  CHECK(password.size() == 20);
  CHECK(read_text(shell.file) == "[101]\npassword=" + password + "\n");
  struct stat status {};
  REQUIRE(::stat(shell.file.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);

  CHECK(shell.run({"add", "102", "--password-stdin"}, "my own one\r\n") == 0);
  CHECK(shell.printed_password().empty());
  CHECK(read_text(shell.file).ends_with("\n\n[102]\npassword=my own one\n"));
}

TEST_CASE("user add: who exists already is an error that says where") {
  Shell shell;
  write_text(shell.file, kFile);
  CHECK(shell.run({"add", "102"}) == 1);
  CHECK_FALSE(shell.reload);
  CHECK(shell.err.find("regfile.conf:14") != std::string::npos);
  CHECK(shell.err.find("jackfield user passwd 102") != std::string::npos);
  CHECK(read_text(shell.file) == kFile);
}

TEST_CASE("user add: what looks like an option is no name") {
  Shell shell;
  CHECK(shell.run({"add", "--help"}) == 1);
  CHECK(shell.err.find("looks like an option") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(shell.file));
}

TEST_CASE("user passwd: the old password and old hashes go, all else stays") {
  Shell shell;
  write_text(shell.file, kFile);
  ::chmod(shell.file.c_str(), 0640);
  CHECK(shell.run({"passwd", "101"}) == 0);
  CHECK(shell.reload);
  std::string expected(kFile);
  const auto begin = expected.find("password=old");
  expected.replace(begin, expected.find("number=1") - begin, "password=" + shell.printed_password() + "\n");
  CHECK(read_text(shell.file) == expected);
  struct stat status {};
  REQUIRE(::stat(shell.file.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0640);

  CHECK(shell.run({"passwd", "102", "--password-stdin"}, "ends in \\\n") == 0);
  CHECK(read_text(shell.file).ends_with("[102]\npassword=ends in \\ \nalternatives=9\n"));
  CHECK(shell.run({"passwd", "103"}) == 1);
  CHECK(shell.err.find("no user 103") != std::string::npos);
}

TEST_CASE("user passwd: a user in an included file is changed there") {
  Shell shell;
  write_text(shell.file, "[$include more.inc]\n[102]\npassword=b\n");
  write_text(shell.engine.state_dir() / "more.inc", "[101]\npassword=a\n");
  CHECK(shell.run({"passwd", "101", "--password-stdin"}, "fresh\n") == 0);
  CHECK(read_text(shell.engine.state_dir() / "more.inc") == "[101]\npassword=fresh\n");
  CHECK(read_text(shell.file) == "[$include more.inc]\n[102]\npassword=b\n");
}

TEST_CASE("user remove: the section goes, the comment above the next one stays") {
  Shell shell;
  write_text(shell.file, kFile);
  CHECK(shell.run({"remove", "101"}) == 0);
  CHECK(read_text(shell.file) == "; who may call\n[general]\nauth=50\n\n; the boss\n\n; the desk\n[102]\nalternatives=9\n");
  CHECK(shell.run({"remove", "general"}) == 1);
  CHECK(shell.run({"remove", "101"}) == 1);
}

TEST_CASE("user list: names and how they authenticate, never a secret") {
  Shell shell;
  write_text(shell.file, "[general]\n[a]\npassword=secret\n[b]\npassword.md5=r:00112233445566778899aabbccddeeff\n[c]\n[d]\npassword=\n");
  CHECK(shell.run({"list"}) == 0);
  CHECK(shell.out ==
        "a\tpassword\nb\thashed password\nc\tno password here: another module must know it\nd\tempty password: refused unless allow_empty_password=yes\n");
  CHECK_FALSE(shell.reload);
}

TEST_CASE("user: wrong words are exit code 2, refused ones 1, and nothing is changed") {
  Shell shell;
  for (const auto& words : std::vector<std::vector<std::string>>{{}, {"frobnicate"}, {"add"}, {"add", "1", "password"}, {"list", "x"}, {"remove", "a", "--password-stdin"}}) {
    CHECK(shell.run(words) == 2);
    CHECK_FALSE(shell.err.empty());
  }
  for (const auto* name : {"general", "", "a b", "x]", "a=b", "${x}", "caf\xc3\xa9"}) {
    CAPTURE(name);
    CHECK(shell.run({"add", name}) == 1);
  }
  CHECK(shell.run({"add", std::string(65, 'a')}) == 1);
  for (const auto* password : {"", "\n", " leading\n", "bell\x07\n"}) CHECK(shell.run({"add", "101", "--password-stdin"}, password) == 1);
  CHECK_FALSE(std::filesystem::exists(shell.file));
}

TEST_CASE("a file with Windows line ends keeps them") {
  CHECK(with_user("[a]\r\npassword=x\r\n", "b", "y") == "[a]\r\npassword=x\r\n\r\n[b]\r\npassword=y\r\n");
  CHECK(with_password("[a]\r\npassword=x\r\n", "a", "z") == "[a]\r\npassword=z\r\n");
  CHECK(with_password("[a]", "a", "z") == "[a]\npassword=z\n");
}

TEST_CASE("BR-16 user export prints what user import takes, elsewhere") {
  Shell here;
  write_text(here.file, kFile);
  REQUIRE(here.run({"export"}) == 0);
  CHECK_FALSE(here.reload);
  CHECK(here.out.find("general") == std::string::npos);
  CHECK(here.out.find("[102]\nalternatives=9\n") != std::string::npos);
  Shell there;
  CHECK(there.run({"import"}, here.out) == 0);
  CHECK(there.reload);
  CHECK(there.out.starts_with("2 users"));
  const auto exported = here.out;
  CHECK(there.run({"export"}) == 0);
  CHECK(there.out == exported);
  struct stat status {};
  REQUIRE(::stat(there.file.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE("BR-16 user import takes all or nothing") {
  Shell shell;
  write_text(shell.file, kFile);
  for (const auto* bad : {"", "; nobody\n", "password=x\n", "[103]\npassword=x\n[101]\npassword=y\n", "[103]\n[103]\n", "[general]\nauth=1\n", "[103]\n[$include other]\n", "[103]\n \t[$include other]\n", "[103]\n[ $include other]\n", "[103]\npassword=x\r[$include other]\n"}) {
    CAPTURE(bad);
    CHECK(shell.run({"import"}, bad) == 1);
    CHECK_FALSE(shell.reload);
    CHECK(read_text(shell.file) == kFile);
  }
  CHECK(shell.run({"import"}, "[103]\n[101]\npassword=y\n") == 1);
  CHECK(shell.err.find("user 101 exists already") != std::string::npos);
  CHECK(shell.run({"import", "--replace"}, "[103]\npassword=x\n[101]\npassword=y\n") == 0);
  const auto text = read_text(shell.file);
  CHECK(text.find("old") == std::string::npos);
  CHECK(text.find("; the desk\n[102]") != std::string::npos);
  CHECK(text.ends_with("[103]\npassword=x\n[101]\npassword=y\n"));
  CHECK(shell.run({"import", "--all"}) == 2);
}
