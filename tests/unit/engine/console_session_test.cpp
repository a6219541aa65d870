#include <support/test_engine.h>

#include <jackfield/console.h>
#include <jackfield/messages/engine.h>
#include <jackfield/messages/user.h>

#include <doctest/doctest.h>

using namespace jackfield;
namespace param = messages::param;

namespace {

struct Fixture {
  TestEngine engine;
  std::string streamed;
  std::vector<std::string> asked;
  std::shared_ptr<ConsoleSession> session;
  Bus::Subscription commands = engine.bus().install({.message = "engine.command"}, [this](Message& message) -> Verdict {
    if (message.has(param::kPartline)) {
      message.set_retvalue("status\tstop\tstatus\tbogus");
      return false;
    }
    asked.emplace_back(message.get(param::kLine));
    if (message.get(param::kLine) == "refuse") return message.set_retvalue("no\r\n"), false;
    if (message.get(param::kLine) == "fail") return message.set_retvalue("it failed"), message.set_flag(param::kOperationStatus, false), true;
    if (message.get(param::kLine).starts_with("status")) return message.set_retvalue("name=x\r\n"), true;
    return false;
  });

  explicit Fixture(ConsoleLevel level = ConsoleLevel::admin)
      : session(ConsoleSession::make(engine, {.address = "192.0.2.1:5", .level = level, .width = 80}, [this](std::string_view lines) { streamed += lines; })) {}
  ConsoleAnswer execute(const std::string& line) {
    auto answer = engine.run(ConsoleSession::execute(session, line));
    REQUIRE(answer);
    return *answer;
  }
  std::string text(const std::string& line) { return execute(line).text; }
};

}  // namespace

TEST_CASE("console: lines become engine.command, and an answer says whether it was done") {
  Fixture f;
  CHECK(f.text("nonsense here") == "Cannot understand: nonsense here\r\n");
  CHECK_FALSE(f.execute("nonsense").ok);
  CHECK(f.text("refuse") == "no\r\n");
  CHECK_FALSE(f.execute("refuse").ok);
  CHECK(f.text(" fail \r") == "it failed\r\n");
  CHECK_FALSE(f.execute("fail").ok);
  CHECK(f.asked.back() == "fail");
  CHECK_FALSE(f.execute("  ").ok);
}

TEST_CASE("console: a status is framed, but for a person behind a prompt") {
  Fixture f;
  CHECK(f.text("status") == "%%+status\r\nname=x\r\n%%-status\r\n");
  CHECK(f.text("status  overview x ") == "%%+status:overview x\r\nname=x\r\n%%-status\r\n");
  f.session->options().prompts = true;
  CHECK(f.text("status") == "name=x\r\n");
  f.session->set_machine(true);
  CHECK(f.text("status").starts_with("%%+status\r\n"));
}

TEST_CASE("console: machine mode answers for programs") {
  Fixture f;
  CHECK(f.text("machine") == "machine is off\r\n");
  CHECK(f.text("machine on") == "%%=machine:on\r\n");
  CHECK(f.text("what is this") == "%%=syntax:what is this\r\n");
  CHECK(f.text("output on") == "%%=output:on\r\n");
  CHECK(f.text("debug threshold 5") == "%%=debug:threshold=warning\r\n");
  const auto quit = f.execute("quit");
  CHECK(quit.ends);
  CHECK(quit.text == "%%=quit\r\n");
  CHECK(f.text("machine off") == "machine is off\r\n");
  CHECK(f.text("machine perhaps") == "usage: machine [on|off]\r\n");
  CHECK(f.text("echo a  b") == "a  b\r\n");
}

TEST_CASE("console: every dispatched message is streamed, without what is secret") {
  Fixture f;
  f.execute("machine on");
  const auto answer = f.engine.bus().install({.message = "user.auth"}, [](Message& message) { return message.set_retvalue("clear"), true; });
  Message message(messages::kUserAuth);
  message.set(param::kUsername, "a:b").set("password", "clear").set("sip_authorization", "Digest response=clear").set("ha1_md5", "clear");
  f.engine.dispatch(message);
  CHECK(f.streamed == "%%<message::true:user.auth:***:username=a%zb:password=***:sip_authorization=***:ha1_md5=***\r\n");
  f.streamed.clear();
  f.session->options().level = ConsoleLevel::none;
  f.engine.dispatch(message);
  CHECK(f.streamed.empty());
  f.session->options().level = ConsoleLevel::user;
  Message command(messages::kEngineCommand);
  command.set(param::kLine, "user passwd 101 clear").set(param::kCmdAddress, "elsewhere");
  f.engine.dispatch(command);
  CHECK(f.streamed == "%%<message::false:engine.command::line=user passwd ***:cmd_address=elsewhere\r\n");
  f.streamed.clear();
  f.execute("status");  // one's own lines are no news
  CHECK(f.streamed.empty());
}

TEST_CASE("console: the log is streamed from a level on, until it is switched off") {
  Fixture f;
  f.execute("output on");
  f.engine.log("test").info("event=first");
  CHECK(f.streamed.empty());  // in a later turn: whoever logs is not held up
  f.engine.run_until_idle();
  CHECK(f.streamed.find(" info    test: event=first\r\n") != std::string::npos);
  f.execute("debug threshold warning");
  f.streamed.clear();
  f.engine.log("test").info("event=second");
  f.engine.log("test").error("event=third");
  f.engine.run_until_idle();
  CHECK(f.streamed.find("second") == std::string::npos);
  CHECK(f.streamed.find("third") != std::string::npos);
  f.session->close();
  f.streamed.clear();
  f.engine.log("test").error("event=fourth");
  f.engine.run_until_idle();
  CHECK(f.streamed.empty());
}

TEST_CASE("console: levels say what may be asked, and what is offered") {
  Fixture f(ConsoleLevel::none);
  CHECK(f.text("status") == "`status` needs `auth PASSWORD` first\r\n");
  f.session->options().level = ConsoleLevel::user;
  CHECK(f.execute("status").ok);
  f.session->set_machine(true);
  CHECK(f.text("auth secret") == "%%=*:fail=noauth:auth ***\r\n");
  CHECK(f.text("drop all") == "%%=*:fail=noauth:drop all\r\n");
  f.session->options().user_may = [](std::string_view line) { return line == "refuse"; };
  CHECK(f.text("refuse") == "no\r\n");
  CHECK(f.engine.run(ConsoleSession::complete(f.session, "", "st")) == std::vector<std::string>{"status"});
  CHECK(f.engine.run(ConsoleSession::complete(f.session, "drop", "st"))->empty());
  f.session->options().level = ConsoleLevel::admin;
  CHECK(f.engine.run(ConsoleSession::complete(f.session, "", "st")) == std::vector<std::string>{"status", "stop"});
}
