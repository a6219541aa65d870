#include "unit/accfile/fixture.h"

#include "misspelling.h"

#include <doctest/doctest.h>

using namespace jackfield;
using namespace jackfield::accfile_test;

namespace {

constexpr std::string_view kTwo =
    "[a]\nenabled=yes\nprotocol=sip\nusername=1\npassword=p\nregistrar=192.0.2.1\ninterval=300\n"
    "[b]\nprotocol=sip\nusername=2\nregistrar=192.0.2.2\ninterval=60\n";

std::string texts(const Problems& problems) {
  std::string out;
  for (const auto& problem : problems) out += problem.text + "\n";
  return out;
}

}  // namespace

TEST_CASE("ZY-4 at the start every account in force is logged in with all its keys, and no other is") {
  Site site("[a]\nenabled=yes\nprotocol=sip\nusername=1\npassword=p\nregistrar=192.0.2.1\nxsip_flags=7\nreg:osip_X-Site=7\ninterval=90\n"
            "[off]\nenabled=no\nusername=2\nserver=192.0.2.1\n"
            "[nobody]\nserver=192.0.2.1\n"
            "[yes]\nusername=3\nserver=192.0.2.3\n",
            false);
  CHECK(site.logins().empty());
  site.start();
  CHECK(site.logins() == Lines{"login a enabled=yes protocol=sip username=1 password=p registrar=192.0.2.1 xsip_flags=7 reg:osip_X-Site=7 interval=90",
                               "login yes username=3 server=192.0.2.3 interval=600"});
}

TEST_CASE("D18 an account that says no interval registers for Yate's 600 s; a trunk and an inbound connection have none") {
  Site site("[a]\nprotocol=sip\nusername=1\nserver=192.0.2.1\n[t]\ntype=trunk\nserver=192.0.2.9\nallowed=192.0.2.9\n");
  const auto logins = site.logins();
  REQUIRE(logins.size() == 2);
  CHECK(logins[0].ends_with(" interval=600"));
  CHECK(logins[1] == "login t type=trunk server=192.0.2.9 allowed=192.0.2.9 protocol=sip");
}

TEST_CASE("ZY-5 a reload logs in what is new or changed, logs out what is gone or disabled, and leaves the others alone") {
  Site site(kTwo);
  CHECK(site.logins().size() == 2);

  site.reload(kTwo);
  CHECK(site.logins().empty());

  site.reload(std::string(kTwo) + "[c]\nusername=3\nserver=192.0.2.3\ninterval=60\n");
  CHECK(site.logins() == Lines{"login c username=3 server=192.0.2.3 interval=60"});

  site.reload("[a]\nenabled=yes\nprotocol=sip\nusername=1\npassword=another\nregistrar=192.0.2.1\ninterval=300\n"
              "[b]\nenabled=no\nprotocol=sip\nusername=2\nregistrar=192.0.2.2\ninterval=60\n");
  const auto logins = site.logins();
  REQUIRE(logins.size() == 3);
  CHECK(logins[0].starts_with("login a "));
  CHECK(logins[0].find("password=another") != std::string::npos);
  CHECK(logins[1].starts_with("logout b "));
  CHECK(logins[2].starts_with("logout c "));
}

TEST_CASE("reload=no is Yate's way: only auto_oper is done, with every account") {
  Site site("[general]\nreload=no\n" + std::string(kTwo));
  (void)site.logins();
  site.reload("[general]\nreload=no\n[a]\nusername=1\nserver=192.0.2.1\n");
  CHECK(site.logins().empty());
  site.reload("[general]\nreload=no\nauto_oper=logout,login\n" + std::string(kTwo));
  const auto logins = site.logins();
  REQUIRE(logins.size() == 4);
  CHECK(logins[0].starts_with("login a "));
  CHECK(logins[3].starts_with("logout b "));
}

TEST_CASE("the commands of accounts: all, one, any operation; what is not there is said") {
  Site site(std::string(kTwo) + "[off]\nenabled=no\nprotocol=sip\nusername=3\nserver=192.0.2.3\ninterval=60\n");
  (void)site.logins();
  CHECK(site.command("accounts logout a") == "logout of account a was asked for\r\n");
  CHECK(site.logins() == Lines{"logout a enabled=yes protocol=sip username=1 password=p registrar=192.0.2.1 interval=300"});
  site.command("accounts login");
  CHECK(site.logins().size() == 2);
  site.command("accounts login off");
  CHECK(site.logins() == Lines{"login off enabled=true protocol=sip username=3 server=192.0.2.3 interval=60"});
  site.command("accounts query b");
  CHECK(site.logins() == Lines{"query b protocol=sip username=2 registrar=192.0.2.2 interval=60"});
  CHECK(site.command("accounts login zzz", false).find("no account zzz") != std::string::npos);

  auto notify = site.message("user.notify", {{"account", "a"}, {"registered", "true"}});
  site.ask(notify);
  CHECK(site.command("accounts") == "a\tsip\tonline\r\nb\tsip\tenabled\r\noff\tsip\tdisabled\r\n");
  auto asked = site.message("engine.command", {{"partline", "accounts login"}, {"partword", "o"}});
  CHECK(!site.ask(asked));
  CHECK(asked.retvalue() == "off");
}

TEST_CASE("accounts reload asks whoever reads the files") {
  Site site(kTwo);
  std::string line;
  const auto engine = site.engine().bus().install({.message = "engine.command", .priority = 10}, [&](Message& asked) -> Verdict {
    if (asked.get("line") != "reload accfile") return false;
    line = asked.get("line");
    return true;
  });
  site.command("accounts reload");
  CHECK(line == "reload accfile");
}

TEST_CASE("SP-12 a trunk without addresses, or for everybody, stays disabled and is named with its line; the others go on") {
  for (const std::string_view allowed : {"", "allowed=\n", "allowed=0.0.0.0/0\n", "allowed=192.0.2.1,::/0\n", "allowed=everybody\n"}) {
    CAPTURE(allowed);
    const auto text = fmt::format("[t]\ntype=trunk\nserver=192.0.2.1\n{}[a]\nusername=1\nserver=192.0.2.1\ninterval=60\n", allowed);
    const auto problems = problems_of(text);
    REQUIRE(problems.size() == 1);
    CHECK(problems.front().text.find("account t stays disabled: ") == 0);
    CHECK(problems.front().where.line == 1);
    Site site(text);
    CHECK(site.logins() == Lines{"login a username=1 server=192.0.2.1 interval=60"});
    CHECK(site.command("accounts login t", false).find("stays disabled") != std::string::npos);
  }
}

TEST_CASE("a key that looks like a misspelt known one is passed on with a hint; others without a word") {
  const auto problems = problems_of("[a]\nprotocol=sip\nusername=1\nregistar=192.0.2.1\nserver=192.0.2.1\npasword=x\nmy_own=1\nxsip_x=2\ninb:usrname=3\n");
  REQUIRE(problems.size() == 2);
  CHECK(problems[0].text.find("did you mean `registrar`?") != std::string::npos);
  CHECK(problems[0].where.line == 4);
  CHECK(problems[1].text.find("did you mean `password`?") != std::string::npos);
  CHECK(problems_of("[h]\nprotocol=h323\nusername=1\nservr=192.0.2.1\n").empty());
  Site site("[a]\nprotocol=sip\nusername=1\nregistar=192.0.2.1\ninterval=60\n");
  CHECK(site.logins() == Lines{"login a protocol=sip username=1 registar=192.0.2.1 interval=60"});
}

TEST_CASE("meant_by: one slip, two in long names, none for what is right or far off") {
  constexpr std::string_view kNames[] = {"username", "registrar", "owner", "weight"};
  CHECK(accfile::meant_by("usernmae", kNames) == "username");
  CHECK(accfile::meant_by("registar", kNames) == "registrar");
  CHECK(accfile::meant_by("wieght", kNames) == "weight");
  CHECK(accfile::meant_by("ownr", kNames) == "owner");
  CHECK(accfile::meant_by("owner", kNames).empty());
  CHECK(accfile::meant_by("user", kNames).empty());
  CHECK(accfile::meant_by("colour", kNames).empty());
}

TEST_CASE("what Yate's accfile.conf.sample shows is taken without an error") {
  const auto problems = problems_of(
      "[general]\n;auto_oper=\n"
      "[Account1]\nenabled=yes\nprotocol=sip\nusername=user\ninterval=3600\nauthname=\npassword=\nregistrar=\noutbound=\ndomain=\nlocaladdress=yes\n"
      "keepalive=25\nmatch_port=no\nmatch_user=yes\nip_transport=TCP\nxsip_flags=-1\n"
      "[jabber]\nenabled=no\nprotocol=jabber\nusername=me\ndomain=x\noptions=allowplainauth,noautorestart\n");
  CHECK_MESSAGE(problems.empty(), texts(problems));
}
