#include "settings.h"
#include "unit/regfile/fixture.h"

#include <doctest/doctest.h>

#include <csignal>
#include <set>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace jackfield;
using namespace jackfield::regfile_test;

namespace {

std::filesystem::path journal_of(const std::filesystem::path& file) { return file.string() + ".journal"; }

/// Bindings that Yate itself could have written.
std::string yates_file(long long now) {
  return fmt::format(
      "[101]\ndriver=sip\ndata=sip/sip:101@192.0.2.1:5060\nexpires={}\nroute_params=oconnection_id\noconnection_id=general\n\n"
      "[102]\ndata=sip/sip:102@192.0.2.2:5060\nconnection_id=tcp:1\nconnection_reliable=true\nexpires={}\n\n"
      "[103]\ndata=sip/sip:103@192.0.2.3:5060\nexpires={}\n",
      now + 600, now + 600, now - 1);
}

long long unix_now(const TestEngine& engine) {
  return std::chrono::duration_cast<std::chrono::seconds>(engine.clock().wall().time_since_epoch()).count();
}

}  // namespace

TEST_CASE("a registration is acknowledged only once it would survive") {
  Users users(kUsers);
  auto registered = users.register_message({.user = "101"});
  auto verdict = users.engine().bus().dispatch(registered);
  REQUIRE(verdict.provisional());
  std::optional<std::string> error;
  std::move(verdict).open()->durable.then([&](const std::string& text) { error = text; });
  CHECK_FALSE(error);
  CHECK(users.engine().run_until([&] { return error.has_value(); }));
  CHECK(error == "");
  CHECK(std::filesystem::exists(journal_of(users.file())));
}

TEST_CASE("a registration that the disk refuses is not handled, and the log says once for all what is wrong") {
  Users users(kUsers);
  CHECK(users.add({.user = "101"}));
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{1, before.rlim_max};  // stands in for a full disk
  const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &small);
  auto first = users.register_message({.user = "102"}), second = users.message("user.unregister", {{"username", "101"}});
  auto one = users.engine().bus().dispatch(first), other = users.engine().bus().dispatch(second);
  const auto wait = [&](Verdict verdict) {
    auto result = std::make_shared<std::optional<bool>>();
    users.engine().spawn("wait", detail::store_result(settle(std::move(verdict)), result));
    users.engine().run_until([&] { return result->has_value(); });
    return *result;
  };
  CHECK(wait(std::move(one)) == false);
  CHECK(wait(std::move(other)) == false);
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, ignored);
  for (const auto* message : {&first, &second}) {
    CHECK(message->get("code") == "500");
    CHECK(message->get("reason") == "Registration Not Saved");
  }
  const auto& lines = users.engine().lines();
  CHECK(std::count_if(lines.begin(), lines.end(), [](const LoggedLine& line) { return line.text.find("event=not_saved") != std::string::npos; }) == 1);
}

TEST_CASE("a registration on a connection ends with the process and needs no disk") {
  Users users(kUsers);
  auto registered = users.register_message({.user = "101", .connection = "tcp:1", .reliable = true});
  CHECK(users.engine().bus().dispatch(registered).immediate());
}

TEST_CASE("bindings are there after a restart, but for those on connections and those that expired meanwhile") {
  auto engine = std::make_shared<TestEngine>();
  {
    Users users(engine, kUsers);
    CHECK(users.add({.user = "101", .at = "a", .key = "1"}));
    CHECK(users.add({.user = "101", .at = "b", .key = "2", .q = "0.5"}));
    CHECK(users.add({.user = "102", .at = "c", .connection = "tcp:1", .reliable = true}));
    CHECK(users.add({.user = "103"}, 60));
  }
  engine->advance(61s);
  Users users(engine, kUsers);
  CHECK(users.route("101") == "fork sip/sip:101@a | sip/sip:101@b");
  CHECK(users.route("102") == "-offline");
  CHECK(users.route("103") == "-offline");
  engine->advance(3539s);
  CHECK(users.route("101") == "-offline");
}

TEST_CASE("what was removed stays removed after a restart") {
  auto engine = std::make_shared<TestEngine>();
  {
    Users users(engine, kUsers);
    CHECK(users.add({.user = "101", .at = "a", .key = "1"}));
    CHECK(users.add({.user = "101", .at = "b", .key = "2"}));
    CHECK(users.add({.user = "102", .at = "c", .key = "1"}));
    CHECK(users.remove({{"username", "101"}, {"binding", "1"}}));
    CHECK(users.remove({{"username", "102"}}));
    std::filesystem::remove(users.file());
  }
  std::filesystem::remove(engine->state_dir() / "regfile-bindings.conf");  // the journal alone decides
  Users users(engine, kUsers);
  CHECK(users.route("101") == "sip/sip:101@b");
  CHECK(users.route("102") == "-offline");
}

TEST_CASE("a binding that moves to a connection is not found at its old place after a restart") {
  auto engine = std::make_shared<TestEngine>();
  {
    Users users(engine, kUsers);
    CHECK(users.add({.user = "101", .at = "a", .key = "1"}));
    CHECK(users.add({.user = "101", .at = "b", .key = "1", .connection = "tcp:1", .reliable = true}));
    CHECK(users.route("101") == "sip/sip:101@b");
  }
  Users users(engine, kUsers);
  CHECK(users.route("101") == "-offline");
}

TEST_CASE("bindings of users who left the file while the server was down are dropped") {
  auto engine = std::make_shared<TestEngine>();
  { CHECK(Users(engine, kUsers).add({.user = "101"})); }
  Users users(engine, "[general]\n[102]\npassword=x\n");
  CHECK(users.bindings().empty());
}

TEST_CASE("a file that Yate wrote is taken over once, and not again after a crash") {
  auto engine = std::make_shared<TestEngine>();
  const auto file = engine->state_dir() / "regfile-bindings.conf";
  const auto crash = engine->state_dir() / "crash";
  write_text(file, yates_file(unix_now(*engine)));
  {
    Users users(engine, kUsers);
    CHECK(users.route("101") == "sip/sip:101@192.0.2.1:5060");
    CHECK(users.route("102") == "-offline");  // connection_reliable
    CHECK(users.route("103") == "-offline");  // expired
    auto routed = users.message("call.route", {{"called", "101"}});
    CHECK(users.ask(routed));
    CHECK(routed.get("oconnection_id") == "general");

    CHECK(users.add({.user = "101", .at = "new", .key = "k"}));
    CHECK(users.add({.user = "103", .at = "newer", .key = "k"}));
    // What a crash would leave: the journal as it stands, and Yate's file unchanged.
    std::filesystem::copy(journal_of(file), crash);
  }
  std::filesystem::rename(crash, journal_of(file));
  write_text(file, yates_file(unix_now(*engine)));
  Users users(engine, kUsers);
  CHECK(users.route("101") == "sip/sip:101@new");
  CHECK(users.route("103") == "sip/sip:103@newer");
}

TEST_CASE("the file is written at a clean stop: Yate reads the first binding, we ignore our own file") {
  auto engine = std::make_shared<TestEngine>();
  const auto file = engine->state_dir() / "regfile-bindings.conf";
  const auto until = unix_now(*engine) + 3600;
  {
    Users users(engine, kUsers);
    CHECK(users.add({.user = "101", .at = "a", .key = "1"}));
    CHECK(users.add({.user = "101", .at = "b\\", .key = "2"}));
  }
  const auto text = read_text(file);
  CHECK(text.starts_with("; jackfield position="));
  CHECK(text.find(fmt::format("[101]\ndata=sip/sip:101@a\nexpires={}\nbinding=1\ndriver=sip\n", until)) != std::string::npos);
  CHECK(text.find("\nbinding.2.data=sip/sip:101@b\\ \n") != std::string::npos);
  Users users(engine, kUsers);
  CHECK_FALSE(engine->logged("event=imported"));
  CHECK(users.bindings().size() == 2);
}

TEST_CASE("a file that somebody changed replaces what the journal holds, with all its bindings") {
  auto engine = std::make_shared<TestEngine>();
  const auto file = engine->state_dir() / "regfile-bindings.conf";
  {
    Users users(engine, kUsers);
    CHECK(users.add({.user = "101", .at = "a", .key = "1"}));
    CHECK(users.add({.user = "101", .at = "b", .key = "2"}));
    CHECK(users.add({.user = "102", .at = "c", .key = "1"}));
  }
  auto text = read_text(file);
  text.replace(text.find("sip:101@a"), 9, "sip:101@A");
  const auto begin = text.find("\n[102]");
  text.erase(begin, std::min(text.find("\n[", begin + 1), text.size()) - begin);
  write_text(file, text);
  for (int restart = 0; restart < 2; ++restart) {
    Users users(engine, kUsers);
    CHECK(users.route("101") == "fork sip/sip:101@A sip/sip:101@b");
    CHECK(users.route("102") == "-offline");
  }
}

TEST_CASE("an old copy put back by hand is taken over although its like was taken over before") {
  auto engine = std::make_shared<TestEngine>();
  const auto file = engine->state_dir() / "regfile-bindings.conf";
  const auto original = yates_file(unix_now(*engine));
  for (int round = 0; round < 2; ++round) {
    write_text(file, original);
    Users users(engine, kUsers);
    CHECK(users.route("101") == "sip/sip:101@192.0.2.1:5060");
    CHECK(users.add({.user = "101", .at = "elsewhere"}));
  }
}

TEST_CASE("when the journal was lost, the file we wrote is read") {
  auto engine = std::make_shared<TestEngine>();
  const auto file = engine->state_dir() / "regfile-bindings.conf";
  {
    Users users(engine, kUsers);
    CHECK(users.add({.user = "101"}));
  }
  std::filesystem::remove(journal_of(file));
  Users users(engine, kUsers);
  CHECK(users.route("101") != "-offline");
}

TEST_CASE("a registration that still waits when the module is unloaded is saved, and is told so") {
  auto engine = std::make_shared<TestEngine>();
  {
    Users users(engine, kUsers);
    auto message = users.register_message({.user = "101"});
    Verdict verdict = engine->bus().dispatch(message);
    REQUIRE_FALSE(verdict.immediate());
    users.stop();
    CHECK(engine->run(settle(std::move(verdict))) == true);
  }
  CHECK(Users(engine, kUsers).route("101") == Phone{.user = "101"}.data());
}

TEST_CASE("regfile export writes the file of a running server") {
  Users users(kUsers);
  CHECK(users.add({.user = "101", .connection = "tcp:1", .reliable = true}));
  auto asked = users.message("engine.command", {{"line", "regfile export"}, {"cmd_admin", "true"}});
  CHECK(users.ask(asked));
  CHECK(asked.retvalue().find(users.file().string()) != std::string::npos);
  CHECK(read_text(users.file()).find("connection_reliable=true") != std::string::npos);

  auto completed = users.message("engine.command", {{"partline", "regfile"}, {"partword", "ex"}});
  CHECK_FALSE(users.ask(completed));
  CHECK(completed.retvalue() == "export");

  Users in_memory(kInMemory);
  auto refused = in_memory.message("engine.command", {{"line", "regfile export"}, {"cmd_admin", "true"}});
  CHECK_FALSE(in_memory.ask(refused));
  CHECK(refused.retvalue().find("file=") != std::string::npos);

  // A folder stands where the file is to be.
  std::filesystem::remove(users.file());
  std::filesystem::create_directories(users.file() / "full");
  auto failed = users.message("engine.command", {{"line", "regfile export"}, {"cmd_admin", "true"}});
  CHECK_FALSE(users.ask(failed));
  CHECK(failed.retvalue().find("Bindings not written: cannot replace " + users.file().string()) != std::string::npos);
  std::filesystem::remove_all(users.file());
}

TEST_CASE("file= names another place, below the state directory when it is relative") {
  auto engine = std::make_shared<TestEngine>();
  { CHECK(Users(engine, "[general]\nfile=here-${nodename}.conf\n[101]\n").add({.user = "101"})); }
  CHECK(std::filesystem::exists(engine->state_dir() / "here-test.conf"));
}

TEST_CASE("file= is found from a state directory that is named relatively, too") {
  const auto none = [](std::string_view) { return std::optional<std::string_view>(); };
  const auto here = std::filesystem::current_path();
  CHECK(regfile::bindings_path("${statedir}/b.conf", "state", none) == here / "state/b.conf");
  CHECK(regfile::bindings_path("b.conf", "state", none) == here / "state/b.conf");
  CHECK(regfile::bindings_path("/var/b.conf", "state", none) == "/var/b.conf");
  CHECK(regfile::bindings_path("", "state", none).empty());
}

TEST_CASE("a place that cannot be written refuses the start with its line and what to do") {
  TestEngine engine;
  const auto module = jackfield_module.create();
  auto checked = module->check(settings_from("[general]\nfile=/nonexistent/folder/bindings.conf\n"));
  REQUIRE(checked.plan);
  const auto prepared = module->prepare(engine, *checked.plan);
  REQUIRE_FALSE(prepared);
  CHECK(prepared.error().where.line == 2);
  CHECK(prepared.error().text.find("/nonexistent/folder") != std::string::npos);
}

TEST_CASE("the journal grows with the bindings, not with the number of refreshes") {
  auto engine = std::make_shared<TestEngine>();
  const auto file = engine->state_dir() / "regfile-bindings.conf";
  {
    Users users(engine, "[general]\nsync=no\n[101]\n[102]\n");
    CHECK(users.add({.user = "102", .at = "stays", .key = "k"}, 100'000));
    for (int i = 0; i < 30'000; ++i) {
      auto registered = users.register_message({.user = "101", .at = fmt::format("phone-{}", i), .key = "k"});
      (void)users.engine().bus().dispatch(registered);
      if (i % 1000 == 0) users.engine().run_until_idle();
    }
    CHECK(users.add({.user = "101", .at = "last", .key = "k"}));
  }
  CHECK(std::filesystem::file_size(journal_of(file)) < 2'200'000);
  Users users(engine, kUsers);
  CHECK(users.route("101") == "sip/sip:101@last");
  CHECK(users.route("102") == "sip/sip:102@stays");
}

TEST_CASE("nothing acknowledged is lost after kill -9") {
  char folder[] = "/tmp/jackfield-kill-XXXXXX";
  REQUIRE(::mkdtemp(folder));
  const auto file = std::filesystem::path(folder) / "bindings.conf";
  const auto text = fmt::format("[general]\nautocreate=yes\nfile={}\n", file.string());

  int pipe[2];
  REQUIRE(::pipe(pipe) == 0);
  const auto child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    // Registers as fast as acknowledgements come and tells the parent of each, until it is killed.
    ::setenv("TMPDIR", folder, 1);  // what it leaves lies where the parent clears up
    Users users(text);
    for (std::uint32_t i = 0;; ++i) {
      if (!users.add({.user = fmt::format("user{}", i), .key = "k"})) ::_exit(1);
      if (i % 3 == 2 && !users.remove({{"username", fmt::format("user{}", i - 1)}})) ::_exit(1);
      if (::write(pipe[1], &i, sizeof(i)) != sizeof(i)) ::_exit(1);
    }
  }
  ::close(pipe[1]);
  std::uint32_t acknowledged = 0;
  while (acknowledged < 50) REQUIRE(::read(pipe[0], &acknowledged, sizeof(acknowledged)) == sizeof(acknowledged));
  ::kill(child, SIGKILL);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  std::uint32_t later = 0;
  while (::read(pipe[0], &later, sizeof(later)) == sizeof(later)) acknowledged = later;
  ::close(pipe[0]);

  {
    Users users(text);
    std::set<std::string> found;
    for (const auto& binding : users.bindings()) found.insert(binding.username);
    for (std::uint32_t i = 0; i <= acknowledged; ++i) {
      const bool removed = i % 3 == 1 && i + 1 <= acknowledged;
      CAPTURE(i);
      if (removed) CHECK_FALSE(found.contains(fmt::format("user{}", i)));
      else if (i != acknowledged) CHECK(found.contains(fmt::format("user{}", i)));
    }
  }
  std::filesystem::remove_all(folder);
}
