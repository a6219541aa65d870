// Sessions on real sockets of loopback, on a clock that the test advances. What commands do is played by a handler.
#include "listeners.h"

#include <support/test_engine.h>

#include <jackfield/messages/engine.h>

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

using namespace jackfield;
using namespace std::chrono_literals;
namespace param = messages::param;

namespace {

class Client {
 public:
  Client(TestEngine& engine, const net::Address& server) : engine_(engine), fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int small = 4096;
    setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    sockaddr_storage address{};
    const auto size = server.to(address);
    REQUIRE(connect(fd_, reinterpret_cast<sockaddr*>(&address), size) == 0);
  }
  ~Client() { close(fd_); }
  Client(const Client&) = delete;
  void send(std::string_view text) { REQUIRE(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size())); }
  /// Turns the loop until what came since the last time ends in `end`.
  std::string expect(std::string_view end) {
    std::string got;
    const bool there = engine_.run_until([&] {
      receive(got);
      return got.ends_with(end);
    });
    CHECK_MESSAGE(there, "expected an end of " << end << ", got " << got);
    return got;
  }
  bool closed() {
    std::string ignored;
    return engine_.run_until([&] { return !receive(ignored); });
  }

 private:
  bool receive(std::string& into) {
    char part[65536];
    const auto got = recv(fd_, part, sizeof part, MSG_DONTWAIT);
    if (got > 0) into.append(part, static_cast<std::size_t>(got));
    return got > 0 || (got < 0 && errno == EAGAIN);
  }
  TestEngine& engine_;
  int fd_;
};

struct Fixture {
  TestEngine engine;
  net::Address address;
  std::unique_ptr<rmanager::Listeners> listeners;
  Bus::Subscription commands = engine.bus().install({.message = "engine.command"}, [](Message& message) -> Verdict {
    if (message.get(param::kLine) == "flood") return message.set_retvalue(std::string(20'000'000, 'x')), true;
    if (message.has(param::kPartline)) return message.set_retvalue("status\tstart\tstop"), false;
    if (message.get(param::kLine) != "stop") return false;
    message.set_retvalue(message.flag(param::kCmdAdmin) ? "stopping\r\n" : "not you\r\n");
    return true;
  });

  explicit Fixture(rmanager::ListenerSettings settings) {
    // A free port: somebody else's that is closed again.
    const int probe = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof any;
    REQUIRE(bind(probe, reinterpret_cast<sockaddr*>(&any), sizeof any) == 0);
    getsockname(probe, reinterpret_cast<sockaddr*>(&any), &size);
    address = *net::Address::parse("127.0.0.1", ntohs(any.sin_port));
    close(probe);
    settings.address = address;
    settings.telnet = false;
    listeners = std::make_unique<rmanager::Listeners>(engine);
    const rmanager::Listeners::List list{std::make_shared<const rmanager::ListenerSettings>(std::move(settings))};
    auto opened = listeners->open(list);
    REQUIRE(opened);
    listeners->use(list, std::move(*opened));
  }
};

rmanager::ListenerSettings guarded() {
  rmanager::ListenerSettings settings;
  settings.password = "secret-admin";
  settings.userpass = "secret-user";
  return settings;
}

}  // namespace

TEST_CASE("session: levels rise with passwords, and nothing else takes them") {
  Fixture f(guarded());
  Client client(f.engine, f.address);
  client.send("stop\n");
  CHECK(client.expect("\r\n") == "`stop` needs `auth PASSWORD` first\r\n");
  client.send("auth secret-user\nstop\n");
  CHECK(client.expect("first\r\n") == "You are user now\r\n`stop` needs `auth PASSWORD` first\r\n");
  client.send("machine on\nstop\nauth secret-admin\nstop\n");
  CHECK(client.expect("stopping\r\n") == "%%=machine:on\r\n%%=*:fail=noauth:stop\r\n%%=auth:success\r\nstopping\r\n");
  for (const auto& line : f.engine.lines()) CHECK(line.text.find("secret-") == std::string::npos);
}

TEST_CASE("session: wrong passwords are answered late, later each time, and three end the connection") {
  Fixture f(guarded());
  Client client(f.engine, f.address);
  client.send("auth wrong\n");
  CHECK(f.engine.run_until([&] { return f.engine.logged("delay_ms=1000"); }));
  f.engine.advance(900ms);
  f.engine.advance(200ms);
  CHECK(client.expect("wrong\r\n") == "The password is wrong\r\n");
  client.send("auth wrong\nauth wrong\nauth secret-admin\n");
  CHECK(f.engine.run_until([&] { return f.engine.logged("delay_ms=2000"); }));
  f.engine.advance(2100ms);
  CHECK(f.engine.run_until([&] { return f.engine.logged("delay_ms=4000"); }));
  f.engine.advance(4100ms);
  CHECK(client.closed());
  CHECK_FALSE(f.engine.logged("event=authenticated"));
  // Another connection of the same address begins where that one ended.
  Client next(f.engine, f.address);
  next.send("auth wrong\n");
  CHECK(f.engine.run_until([&] { return f.engine.logged("delay_ms=8000"); }));
}

TEST_CASE("session: who may do nothing has to go after a while, whoever may stays") {
  Fixture f(guarded());
  Client silent(f.engine, f.address), user(f.engine, f.address);
  user.send("auth secret-user\n");
  user.expect("now\r\n");
  CHECK(f.engine.run_until([&] { return f.listeners->sessions() == 2; }));
  f.engine.advance(31s);
  CHECK(silent.closed());
  CHECK(f.engine.run_until([&] { return f.listeners->sessions() == 1; }));
  f.engine.advance(std::chrono::hours(24));
  user.send("echo still here\n");
  CHECK(user.expect("here\r\n") == "still here\r\n");
}

TEST_CASE("session: of this machine's users the server's own is an administrator where there is no password") {
  rmanager::ListenerSettings settings;
  settings.header = "Jackfield ${version} ready on ${nodename}.";
  Fixture f(settings);
  Client client(f.engine, f.address);
  client.send("stop\n");
  CHECK(client.expect("stopping\r\n") == "Jackfield 0.0.0 ready on test.\r\nstopping\r\n");
}

TEST_CASE("session: a client that does not read its answer is dropped, and its next command waits") {
  rmanager::ListenerSettings settings;
  settings.header.clear();
  Fixture f(settings);
  Client client(f.engine, f.address);
  client.send("flood\nstop\n");
  CHECK(f.engine.run_until([&] { return f.engine.timers().running() > 0; }));
  f.engine.advance(31s);
  CHECK(f.engine.run_until([&] { return f.listeners->sessions() == 0; }));
  CHECK(f.engine.logged("its answers are not read"));
}

TEST_CASE("session: a client that reads more slowly than messages are streamed is dropped") {
  rmanager::ListenerSettings settings;
  settings.header.clear();
  Fixture f(settings);
  Client client(f.engine, f.address);
  client.send("machine on\n");
  client.expect("on\r\n");
  const std::string big(20000, 'x');
  for (int i = 0; i < 1000 && f.listeners->sessions() == 1; ++i) {
    Message message("test.big");
    message.set("text", big);
    f.engine.dispatch(message);
    f.engine.run_until_idle();
  }
  CHECK(f.listeners->sessions() == 0);
  CHECK(f.engine.logged("reads more slowly"));
}

TEST_CASE("session: a browser that a web page sent here is not listened to") {
  for (const auto* request : {"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nstop\r\n", "Host: 127.0.0.1\r\nstop\r\n"}) {
    Fixture f({});
    bool asked = false;
    const auto watching = f.engine.bus().watch("engine.command", [&](const Message&, bool) { asked = true; });
    Client client(f.engine, f.address);
    client.send(request);
    CHECK(client.closed());
    CHECK(f.engine.run_until([&] { return f.listeners->sessions() == 0; }));
    CHECK_FALSE(asked);
  }
}

TEST_CASE("session: too many are turned away, and room is made by whoever leaves") {
  rmanager::ListenerSettings settings;
  settings.max_connections = 2;
  Fixture f(settings);
  auto first = std::make_unique<Client>(f.engine, f.address);
  Client second(f.engine, f.address);
  CHECK(f.engine.run_until([&] { return f.listeners->sessions() == 2; }));
  Client third(f.engine, f.address);
  CHECK(third.closed());
  first.reset();
  CHECK(f.engine.run_until([&] { return f.listeners->sessions() == 1; }));
  Client fourth(f.engine, f.address);
  fourth.send("stop\n");
  CHECK(fourth.expect("stopping\r\n").ends_with("stopping\r\n"));
}

TEST_CASE("session: Tab gives a person the letters that are certain and a program the list") {
  rmanager::ListenerSettings settings;
  settings.header.clear();
  Fixture f(settings);
  Client program(f.engine, f.address);
  program.send("st\t");
  CHECK(program.expect("\r\n") == "start\tstatus\tstop\r\n");
  program.send("op\n");
  CHECK(program.expect("\r\n") == "stopping\r\n");
  settings.echoing = true;
  settings.prompt = "> ";
  Fixture g(settings);
  Client person(g.engine, g.address);
  person.send("s\t");
  CHECK(person.expect("t") == "> st");
  person.send("\t");
  CHECK(person.expect("> st") == "\r\nstart\tstatus\tstop\r\n> st");
  person.send("at\t\n");
  CHECK(person.expect("> ").starts_with("atus \r\n"));
}

TEST_CASE("session: a listener that stays keeps its socket over a reload, one that is gone closes it") {
  Fixture f({});
  rmanager::ListenerSettings changed;
  changed.address = f.address;
  changed.header = "new";
  const rmanager::Listeners::List list{std::make_shared<const rmanager::ListenerSettings>(changed)};
  auto opened = f.listeners->open(list);
  REQUIRE(opened);
  CHECK(opened->empty());
  f.listeners->use(list, {});
  Client client(f.engine, f.address);
  CHECK(client.expect("new\r\n").ends_with("new\r\n"));
  f.listeners->use({}, {});
  CHECK(f.listeners->doors() == 0);
  client.send("stop\n");
  CHECK(client.expect("stopping\r\n") == "stopping\r\n");
}

TEST_CASE("session: further commands of users are what their list and their expression say, come without admin rights, and are logged") {
  auto settings = guarded();
  settings.password.clear();
  settings.userpass = "secret-user";
  settings.user_prefixes = {"stop"};
  Fixture f(settings);
  Client client(f.engine, f.address);
  client.send("auth secret-user\nstop\nstopping\n");
  CHECK(client.expect("first\r\n") == "You are user now\r\nnot you\r\n`stopping` needs `auth PASSWORD` first\r\n");
  CHECK(f.engine.logged("event=command address="));
  CHECK(f.engine.logged("level=user line=stop"));
  CHECK_FALSE(f.engine.logged("line=stopping"));
}
