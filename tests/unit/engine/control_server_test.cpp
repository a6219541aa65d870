// The server as a whole, on real sockets and files of a temporary directory, with a module loaded from a library.
#include "control/protocol.h"
#include "control/state_lock.h"
#include "lifecycle/server.h"
#include "log/program_log.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

using namespace jackfield;

namespace {

namespace fs = std::filesystem;

struct Home {
  fs::path dir;
  Home() {
    std::string pattern = (fs::temp_directory_path() / "jackfield-home-XXXXXX").string();
    dir = mkdtemp(pattern.data());
    fs::create_directory(dir / "conf");
    put("jackfield.conf", "[modules]\nanswering=yes\n");
  }
  ~Home() { fs::remove_all(dir); }
  void put(const std::string& name, const std::string& text) const { std::ofstream(dir / "conf" / name, std::ios::trunc) << text; }
  fs::path state() const { return dir / "state"; }
  Places places() const {
    Places places;
    places.config_dir = dir / "conf";
    places.module_dirs = {JACKFIELD_TEST_PLUGINS};
    places.state_dir = state();
    places.log_file = dir / "log";
    return places;
  }
  std::string log() const {
    std::ifstream in(dir / "log");
    return {std::istreambuf_iterator<char>(in), {}};
  }
};

/// Runs in a thread of its own, as the process would; commands come over the socket.
class Running {
 public:
  explicit Running(const Home& home) : home_(home), log_(home.places().log_file) {
    clock_.begin_turn();
    auto configuration = std::make_unique<Configuration>(home.places(), clock_.wall());
    const auto problems = configuration->load();
    REQUIRE_FALSE(settings::has_errors(problems));
    server_ = std::make_unique<Server>(Server::Parts{.configuration = std::move(configuration),
                                                     .log = log_,
                                                     .clock = clock_,
                                                     .random = random_,
                                                     .notify =
                                                         [this](std::string_view state) {
                                                           if (state != "WATCHDOG=1") states_ += std::string(state) + " ";
                                                           if (state == "READY=1" && !started_.test_and_set()) ready_.set_value();
                                                         },
                                                     .handle_signals = false});
    thread_ = std::thread([this] {
      result_ = server_->run();
      if (!started_.test_and_set()) ready_.set_value();
    });
    ready_.get_future().wait();
  }
  ~Running() {
    if (thread_.joinable()) stop();
  }
  ControlAnswer ask(std::string_view line) const {
    const auto answer = ask_server(home_.state(), line);
    REQUIRE_MESSAGE(answer, (answer ? "" : answer.error() + home_.log()));
    return *answer;
  }
  bool stop() {
    (void)ask_server(home_.state(), "stop");
    return wait();
  }
  bool wait() {
    thread_.join();
    server_.reset();
    return result_;
  }
  const std::string& states() const { return states_; }

 private:
  const Home& home_;
  SystemClock clock_;
  SystemRandom random_;
  ProgramLog log_;
  std::string states_;
  std::atomic_flag started_;
  std::promise<void> ready_;
  std::unique_ptr<Server> server_;
  std::thread thread_;
  bool result_ = false;
};

}  // namespace

TEST_CASE("no two runs on one state directory have the same number, however soon they follow each other") {
  Home home;
  for (const auto& [seconds, expected] : {std::pair{1000, 1000}, {1000, 1001}, {1001, 1002}, {5000, 5000}, {4000, 5001}}) {
    auto lock = StateLock::take(home.state());
    REQUIRE(lock);
    CHECK(lock->begin_run(seconds) == expected);
  }
}

TEST_CASE("server: it starts, answers, reloads and stops, twice in one process") {
  const Home home;
  for (int run = 0; run < 2; ++run) {
    Running server(home);
    CHECK(server.ask("status").text.find("name=engine,type=system;version=") != std::string::npos);
    CHECK(server.ask("status --ready").text == "ready\n");
    CHECK(server.ask("status answering").text == "name=answering,type=misc;word=first\n");
    CHECK_FALSE(server.ask("status nobody").ok);
    CHECK(server.ask("answer me").text == "first\n");
    CHECK(server.ask("version").text.starts_with("Jackfield "));
    CHECK(server.ask("no such words").text == "Cannot understand: no such words\n");
    CHECK(server.ask("module list").text.find("answering    loaded") != std::string::npos);
    CHECK(server.ask("help").text.find("reload [MODULE]") != std::string::npos);
    CHECK(server.ask("status --metrics").ok);
    CHECK(server.stop());
    CHECK(server.states() == "READY=1 STOPPING=1 ");
    CHECK_FALSE(fs::exists(control_socket(home.state())));
  }
}

TEST_CASE("server: a bad file never replaces a good one") {
  const Home home;
  Running server(home);
  home.put("answering.conf", "[general]\nword=second\nnumber=many\n");
  auto answer = server.ask("reload");
  CHECK_FALSE(answer.ok);
  CHECK(answer.text.find("answering.conf:3: error: [general] number: `many` is not a whole number") != std::string::npos);
  CHECK(server.ask("answer me").text == "first\n");
  home.put("jackfield.conf", "[general]\nloglevel=loud\n");
  home.put("answering.conf", "[general]\nword=second\n");
  CHECK_FALSE(server.ask("reload").ok);
  CHECK(server.ask("answer me").text == "first\n");
  home.put("jackfield.conf", "[modules]\nanswering=yes\n");
  CHECK(server.ask("reload").ok);
  CHECK(server.ask("answer me").text == "second\n");
}

TEST_CASE("server: modules are unloaded, loaded and reloaded while it runs") {
  const Home home;
  Running server(home);
  CHECK(server.ask("module unload answering").ok);
  CHECK_FALSE(server.ask("answer me").ok);
  home.put("answering.conf", "[general]\nword=again\n");
  CHECK(server.ask("module load answering").ok);
  CHECK(server.ask("answer me").text == "again\n");
  CHECK_FALSE(server.ask("module load answering").ok);
  CHECK_FALSE(server.ask("module load stale").ok);
  home.put("answering.conf", "[general]\nword=third\n");
  CHECK(server.ask("module reload answering").ok);
  CHECK(server.ask("answer me").text == "third\n");
}

TEST_CASE("server: levels of loggers change while it runs") {
  const Home home;
  home.put("jackfield.conf", "[modules]\nanswering=yes\n[debug]\nengine=warning\n");
  Running server(home);
  CHECK(server.ask("debug engine").text == "engine level warning\n");
  CHECK(server.ask("debug engine trace").text == "engine level trace\n");
  CHECK(server.ask("debug engine level 5").text == "engine level warning\n");
  CHECK_FALSE(server.ask("debug engine loud").ok);
  CHECK_FALSE(server.ask("debug nobody trace").ok);
}

TEST_CASE("server: it does not start when a module refuses, and says why") {
  const Home home;
  home.put("answering.conf", "[general]\nnumber=many\n");
  Running server(home);
  CHECK_FALSE(server.wait());
  CHECK(home.log().find("answering.conf:2") != std::string::npos);
}

TEST_CASE("server: one state directory has one server, and the second learns the first one's pid") {
  const Home home;
  const auto first = StateLock::take(home.state());
  REQUIRE(first);
  CHECK(StateLock::holder(home.state()) == getpid());
  const auto second = StateLock::take(home.state());
  REQUIRE_FALSE(second);
  CHECK(second.error().find("pid " + std::to_string(getpid())) != std::string::npos);
  struct stat info {};
  REQUIRE(stat(home.state().c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0700);
}

TEST_CASE("server: a stale socket is replaced, and only the owner may use the new one") {
  const Home home;
  fs::create_directory(home.state());
  std::ofstream(home.state() / "control") << "left behind";
  Running server(home);
  CHECK(server.ask("uptime").ok);
  struct stat info {};
  REQUIRE(stat(control_socket(home.state()).c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
}

TEST_CASE("server: a client that does not read or does not end its line holds up nobody") {
  const Home home;
  Running server(home);
  CHECK(server.ask("uptime").ok);
  const int silent = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto path = control_socket(home.state()).string();
  REQUIRE(path.size() < sizeof address.sun_path);
  path.copy(address.sun_path, path.size());
  REQUIRE(connect(silent, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(write(silent, "stat", 4) == 4);
  CHECK(server.ask("status --ready").text == "ready\n");
  const std::string long_line(kMaxControlLine + 100, 'x');
  CHECK_FALSE(ask_server(home.state(), long_line));
  CHECK(server.stop());
  close(silent);
}

TEST_CASE("server: a console that reads slowly gets its answers, though what is streamed to it never ends") {
  const Home home;
  Running server(home);
  const int console = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto path = control_socket(home.state()).string();
  REQUIRE(path.size() < sizeof address.sun_path);
  path.copy(address.sun_path, path.size());
  REQUIRE(connect(console, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  const timeval patience{.tv_sec = 5, .tv_usec = 0};
  setsockopt(console, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const auto say = [&](std::string_view line) { REQUIRE(write(console, line.data(), line.size()) == static_cast<ssize_t>(line.size())); };
  say("%%console 80 24\nmachine on\n");

  std::atomic<bool> done = false;
  const auto flood = [&] {
    const auto long_status = "status " + std::string(15000, 'x');  // everybody who watches sees it
    while (!done) (void)ask_server(home.state(), long_status);
  };
  std::thread one(flood), other(flood);
  const auto begun = std::chrono::steady_clock::now();
  std::string seen;
  const auto sees = [&](std::string_view text) {
    std::array<char, 16384> part;
    while (seen.find(text) == std::string::npos && std::chrono::steady_clock::now() - begun < std::chrono::seconds(8)) {
      const auto got = recv(console, part.data(), part.size(), 0);
      if (got <= 0) break;
      seen = seen.substr(seen.size() - std::min<std::size_t>(seen.size(), 100)).append(part.data(), static_cast<std::size_t>(got));
      std::this_thread::sleep_for(std::chrono::microseconds(300));  // slower than what comes
    }
    return seen.find(text) != std::string::npos;
  };
  CHECK(sees("xxxx"));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  say("date\nversion\nuptime\n");
  CHECK(sees("%%=date:"));
  CHECK(sees("Jackfield "));
  CHECK(sees("%%=uptime:"));
  done = true;
  one.join();
  other.join();
  close(console);
}

TEST_CASE("server: where nobody runs, a command says how to start one") {
  const Home home;
  const auto answer = ask_server(home.state(), "status");
  REQUIRE_FALSE(answer);
  CHECK(answer.error().find("no server answers on") != std::string::npos);
}

TEST_CASE("server: a client gives up on one that does not answer, and on one that does not end, and names it") {
  const Home home;
  const auto lock = StateLock::take(home.state());
  REQUIRE(lock);
  const int listening = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto path = control_socket(home.state()).string();
  REQUIRE(path.size() < sizeof address.sun_path);
  path.copy(address.sun_path, path.size());
  REQUIRE(bind(listening, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(listen(listening, 4) == 0);

  const auto unanswered = ask_server(home.state(), "status", {}, Duration(20));
  REQUIRE_FALSE(unanswered);
  CHECK(unanswered.error().find(fmt::format("(pid {}) has not answered within 0.02 s", getpid())) != std::string::npos);
  close(accept(listening, nullptr, nullptr));

  auto stopping = std::async(std::launch::async, [&] { return ask_server(home.state(), "stop", Duration(20)); });
  const int connection = accept(listening, nullptr, nullptr);
  const auto answer = framed({true, "stopping\n"});
  REQUIRE(write(connection, answer.data(), answer.size()) == static_cast<ssize_t>(answer.size()));
  const auto endless = stopping.get();
  REQUIRE_FALSE(endless);
  CHECK(endless.error().find("has not ended within 0.02 s") != std::string::npos);
  close(connection);
  close(listening);
}

TEST_CASE("server: who asks which server runs never keeps one from starting") {
  const Home home;
  REQUIRE(StateLock::take(home.state()));
  std::atomic<bool> done = false;
  std::thread asking([&] {
    while (!done) (void)StateLock::holder(home.state());
  });
  int refused = 0;
  for (int i = 0; i < 2000; ++i) refused += StateLock::take(home.state()) ? 0 : 1;
  done = true;
  asking.join();
  CHECK(refused == 0);
}
