#include "commands.h"
#include "unit/accfile/fixture.h"

#include "digest/digest.h"

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

using namespace jackfield;
using namespace jackfield::accfile_test;

namespace {

/// A folder with accfile.conf, and commands on it as the program gives them.
class Folder {
 public:
  explicit Folder(std::string_view text) : text_(text) { write(); }

  int run(std::vector<std::string> arguments, std::string_view input = {}) {
    auto ini = settings::parse_ini(text(), path().string(), {});
    (void)settings::check_sections(*jackfield_module.keys, ini.sections, [](std::string_view) { return std::nullopt; }, false);
    const Settings settings(*jackfield_module.keys, std::move(ini.sections), path().string(), false);
    out.str({});
    err.str({});
    std::istringstream in{std::string(input)};
    CommandContext context{.arguments = arguments, .settings = settings, .config_dir = engine_.state_dir(), .state_dir = engine_.state_dir(), .share_dir = {},
                           .nodename = "test", .open_database = {}, .random = engine_.random(), .out = out, .err = err};
    const auto code = accfile::connection_command(context, in);
    reload = context.reload;
    return code;
  }
  std::string text() const {
    std::ifstream in(path());
    return (std::ostringstream() << in.rdbuf()).str();
  }
  std::ostringstream out, err;
  bool reload = false;

 private:
  std::filesystem::path path() const { return engine_.state_dir() / "accfile.conf"; }
  void write() { std::ofstream(path()) << text_; }
  TestEngine engine_;
  std::string text_;
};

constexpr std::string_view kFile =
    "; ours\n[general]\n\n; the carrier\n[carrier]\nenabled=no   \n; its number\nusername=1\nserver=192.0.2.1\n\n; the office\n[office]\ntype=trunk\nserver=192.0.2.2\nallowed=192.0.2.0/24\n";

}  // namespace

TEST_CASE("connection enable and disable change one line and leave all others") {
  Folder folder(kFile);
  CHECK(folder.run({"enable", "carrier"}) == 0);
  CHECK(folder.reload);
  std::string expected(kFile);
  expected.replace(expected.find("enabled=no   "), 13, "enabled=yes");
  CHECK(folder.text() == expected);
  CHECK(folder.run({"disable", "office"}) == 0);
  expected.replace(expected.find("[office]\n"), 9, "[office]\nenabled=no\n");
  CHECK(folder.text() == expected);
  CHECK(folder.run({"enable", "nobody"}) == 1);
  CHECK(folder.err.str().find("no connection nobody") != std::string::npos);
  CHECK(!folder.reload);
}

TEST_CASE("connection remove takes the section and leaves the comment of the next one") {
  Folder folder(kFile);
  CHECK(folder.run({"remove", "carrier"}) == 0);
  CHECK(folder.text() == "; ours\n[general]\n\n; the carrier\n\n; the office\n[office]\ntype=trunk\nserver=192.0.2.2\nallowed=192.0.2.0/24\n");
  CHECK(folder.run({"remove", "general"}) == 1);
}

TEST_CASE("connection add writes a registration; the password comes from the standard input only") {
  Folder folder("");
  CHECK(folder.run({"add", "carrier", "--type", "registration", "--server", "sip.example.net,192.0.2.2:5080", "--username", "4930", "--owner", "101", "--dial-pattern", "^0", "--weight",
                    "5", "--set", "homing=options", "--password-stdin"},
                   "s3cret\n") == 0);
  CHECK(folder.text() ==
        "[carrier]\nenabled=yes\ntype=registration\nservers=sip.example.net,192.0.2.2:5080\nusername=4930\nowner=101\ndial_pattern=^0\nweight=5\nhoming=options\n"
        "password=s3cret\ninterval=300\n");
  CHECK(folder.out.str().find("s3cret") == std::string::npos);
  CHECK(folder.run({"add", "carrier", "--type", "trunk"}) == 1);
  CHECK(folder.err.str().find("exists already") != std::string::npos);
}

TEST_CASE("a password with whatever the file gives a meaning to is read back as it was typed") {
  for (const std::string password : {"a;b", "a ;b", ";a", "#a", "a\\", "\"a\"", "${nodename}", "[a]", "a=b", "[$include x]", "caf\xc3\xa9"}) {
    CAPTURE(password);
    Folder folder("[first]\nusername=1\n");
    CHECK(folder.run({"add", "x", "--type", "registration", "--server", "192.0.2.1", "--username", "1", "--password-stdin"}, password + "\r\n") == 0);
    const auto settings = settings_from(folder.text());
    REQUIRE(settings.sections().size() == 2);
    const auto* section = settings.section("x");
    REQUIRE(section);
    REQUIRE(section->find("password"));
    CHECK(section->find("password")->value == password);
    REQUIRE(section->find("interval"));
    CHECK(section->find("interval")->value == "300");
  }
  for (const std::string_view bad : {"", " a", "a ", "a\tb"}) {
    CAPTURE(bad);
    Folder folder("");
    CHECK(folder.run({"add", "x", "--type", "registration", "--server", "192.0.2.1", "--username", "1", "--password-stdin"}, fmt::format("{}\n", bad)) == 1);
    CHECK(folder.text().empty());
  }
}

TEST_CASE("SP-12 connection add refuses a trunk for everybody, and says what is missing") {
  Folder folder("");
  const auto refused = [&](std::vector<std::string> words, std::string_view why, int code = 1) {
    words.insert(words.begin(), {"add", "x"});
    CHECK(folder.run(words) == code);
    CHECK_MESSAGE(folder.err.str().find(why) != std::string::npos, folder.err.str());
    CHECK(folder.text().empty());
  };
  refused({"--type", "trunk", "--server", "192.0.2.1"}, "--allowed");
  refused({"--type", "trunk", "--server", "192.0.2.1", "--allowed", "0.0.0.0/0"}, "everybody");
  refused({"--type", "trunk", "--server", "192.0.2.1", "--allowed", "::/0"}, "everybody");
  refused({"--type", "trunk", "--server", "192.0.2.1", "--allowed", "foo"}, "no address");
  refused({"--type", "trunk", "--allowed", "192.0.2.1"}, "--server");
  refused({"--type", "registration", "--server", "192.0.2.1"}, "username=");
  refused({"--type", "registration", "--username", "1"}, "server=");
  refused({"--type", "registration", "--server", "a b", "--username", "1"}, "no host");
  refused({"--type", "trunk", "--server", "192.0.2.1", "--allowed", "192.0.2.1", "--dial-pattern", "("}, "no regular expression");
  refused({"--type", "fork"}, "registration, trunk or inbound");
  refused({}, "--type");
  refused({"--colour", "red"}, "not understood", 2);
  refused({"--type"}, "needs a value", 2);
  refused({"--type", "registration", "--set", "password=x"}, "--password-stdin");
}

TEST_CASE("SP-13 connection add --type inbound shows the password once, keeps a hash and tells the other side") {
  Folder folder("[general]\nrealm=here\n");
  CHECK(folder.run({"add", "office", "--type", "inbound", "--username", "pbx", "--host", "203.0.113.5:5080"}) == 0);
  const auto out = folder.out.str();
  const auto at = out.find("Password: ");
  REQUIRE(at != std::string::npos);
  const auto password = out.substr(at + 10, out.find('\n', at) - at - 10);
  CHECK(password.size() >= 16);
  const auto text = folder.text();
  CHECK(text.find(password) == std::string::npos);
  const digest::Hasher hasher;
  CHECK(text.find(fmt::format("password.md5=here:{}\n", hasher.ha1(digest::Algorithm::md5, "pbx", "here", password).view())) != std::string::npos);
  CHECK(text.find(fmt::format("password.sha256=here:{}\n", hasher.ha1(digest::Algorithm::sha256, "pbx", "here", password).view())) != std::string::npos);
  for (const std::string_view heading : {"--- Asterisk: pjsip.conf", "--- Kamailio: ", "--- Yate: accfile.conf", "--- FreeSWITCH: "}) CHECK(out.find(heading) != std::string::npos);
  CHECK(out.find("server_uri=sip:203.0.113.5:5080") != std::string::npos);
  CHECK(out.find("registrar=203.0.113.5:5080\n") != std::string::npos);
  CHECK(out.find("'sip:203.0.113.5:5080'") != std::string::npos);
  CHECK(out.find("<param name=\"proxy\" value=\"203.0.113.5:5080\"/>") != std::string::npos);
  CHECK(out.find("{") == out.find("{ $avp"));  // nothing is left to fill in

  CHECK(folder.run({"add", "second", "--type", "inbound", "--username", "pbx"}) == 1);
  CHECK(folder.err.str().find("has the user pbx already") != std::string::npos);
  CHECK(folder.run({"list"}) == kNotServed);
  CHECK(folder.run({}) == kNotServed);
}
