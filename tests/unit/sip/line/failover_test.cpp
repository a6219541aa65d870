// Several servers: failing over, staying, coming home, and what calls have to do with it (D18).
#include "line_world.h"

#include <algorithm>
#include <tuple>

namespace jackfield::sip::line {

namespace {

constexpr auto kMain = "192.0.2.10:5060", kSecond = "192.0.2.11:5060", kThird = "192.0.2.12:5060";
const stack::Hop kSecondHop{stack::TransportKind::udp, stack::address(kSecond), true};
const stack::Hop kThirdHop{stack::TransportKind::udp, stack::address(kThird), true};
const stack::Hop kMainHop{stack::TransportKind::udp, stack::address(kMain), true};

using Said = World::Parameters;

Said three(Said with) {
  Said all{{"registrar", ""}, {"servers", "192.0.2.10, 192.0.2.11, 192.0.2.12"}, {"retry_interval", "20"}};
  for (const auto& [name, value] : with) all[name] = value;
  return all;
}

/// Three registrars that answer, and a connection to them, registered at the first.
struct Three : World {
  FarServer &main = server(kMain), &second = server(kSecond), &third = server(kThird);
  explicit Three(Said with = {}) {
    REQUIRE(login("acc", three(std::move(with))));
    run(1s);
    REQUIRE(online("acc"));
    REQUIRE(main.bindings.size() == 1);
  }
  ServerIndex active() { return lines->exit("acc")->servers.front().index; }
  void forget() { main.requests.clear(), second.requests.clear(), third.requests.clear(); }
};

enum class Fault { silent, refused, code };

void fail(FarServer& server, Fault fault, int code = 0) {
  server.silent = fault == Fault::silent;
  server.refused = fault == Fault::refused;
  if (fault == Fault::code) server.codes["REGISTER"] = server.codes["OPTIONS"] = code;
}
void heal(FarServer& server) { server.silent = server.refused = false, server.codes.clear(); }

}  // namespace

TEST_CASE("EL-2: silence, 408, 503 and ICMP take the registration to the next server; other refusals do not") {
  for (const auto& [fault, code, moves] : {std::tuple{Fault::silent, 0, true}, std::tuple{Fault::refused, 0, true}, std::tuple{Fault::code, 408, true}, std::tuple{Fault::code, 503, true},
                                         std::tuple{Fault::code, 403, false}, std::tuple{Fault::code, 404, false}, std::tuple{Fault::code, 486, false}, std::tuple{Fault::code, 500, false},
                                         std::tuple{Fault::code, 600, false}}) {
    INFO(code);
    Three w(Said{{"invite_total_timeout", "2000"}});
    fail(w.main, fault, code);
    w.command("connection register acc");
    w.run(3s);
    CHECK((w.active() == 1) == moves);
    CHECK(w.online("acc") == moves);
    CHECK(w.second.bindings.size() == (moves ? 1 : 0));
    if (moves) CHECK(w.told == std::vector<std::string>{"acc true"});  // nobody needs to know
  }
}

TEST_CASE("EL-2: a connection that cannot be made counts as no answer") {
  Three w(Said{{"ip_transport", "tcp"}, {"invite_total_timeout", "20000"}});
  w.network.dead.insert(101);
  static_cast<stack::TransportEvents&>(w.transactions).closed({stack::address(kMain), 101, 0, stack::TransportKind::tcp}, "reset");
  for (std::uint32_t next = 102; next < 110; ++next) w.network.dead.insert(next);
  w.network.last_connection = 101;
  w.run(3s);
  CHECK_FALSE(w.online("acc"));
  w.network.dead.clear();
  w.run(20s);
  CHECK(w.online("acc"));
}

TEST_CASE("EL-1, EL-3: retransmissions begin at the connection's own interval") {
  World w;
  auto& server = w.server(kMain);
  server.silent = true;
  w.login("acc", {{"invite_initial_timeout", "100"}, {"invite_total_timeout", "800"}});
  w.run(790ms);
  CHECK(server.requests.size() == 4);  // 0, 100, 300, 700
  w.run(5s);
  CHECK(server.requests.size() == 4);  // what is given up is sent no more
}

TEST_CASE("EL-5: a call that finds a live server takes the registration there at once") {
  Three w;
  w.forget();
  fail(w.main, Fault::silent);
  w.lines->failed("acc", 0, nullptr, Failure::unreachable);
  w.run(200ms);
  CHECK(w.active() == 1);
  CHECK(w.second.bindings.size() == 1);
  CHECK(w.online("acc"));
  CHECK(w.main.requests.empty());          // and nothing is taken back at the one left behind
  CHECK(w.main.bindings.size() == 1);
  w.lines->failed("acc", 0, nullptr, Failure::unreachable);  // another call, that began earlier
  w.run(1s);
  CHECK(w.active() == 1);
}

TEST_CASE("D18: a 408 or 503 to a call moves the connection only when REGISTER fares no better") {
  Three w;
  w.forget();
  w.lines->failed("acc", 0, nullptr, Failure::refused);
  w.lines->failed("acc", 0, nullptr, Failure::refused);
  w.run(1s);
  CHECK(w.active() == 0);
  CHECK(w.main.count("REGISTER") == 1);
  w.lines->answered("acc", 1, kSecondHop);  // that call went on elsewhere
  CHECK(w.active() == 0);
  w.run(10s);
  fail(w.main, Fault::code, 503);
  w.lines->failed("acc", 0, nullptr, Failure::refused);
  w.run(1s);
  CHECK(w.active() == 1);
  CHECK(w.second.bindings.size() == 1);
}

TEST_CASE("EL-6: parked, a connection never looks at main again, and goes on to those behind when it loses its server") {
  Three w(Said{{"interval", "60"}});
  fail(w.main, Fault::silent);
  w.run(60s);
  REQUIRE(w.active() == 1);
  heal(w.main);
  w.forget();
  w.run(10min);
  CHECK(w.main.requests.empty());
  CHECK(w.second.count("REGISTER") > 10);
  fail(w.second, Fault::silent);
  w.run(60s);
  CHECK(w.active() == 2);
  CHECK(w.main.requests.empty());
  fail(w.third, Fault::silent);
  w.run(60s);
  CHECK(w.active() == 0);  // EL-7: cyclically
  CHECK(w.online("acc"));
}

TEST_CASE("EL-7: nothing is given up while all are down, and whichever comes back is found within a pause and a round") {
  for (const auto back : {kMain, kSecond, kThird}) {
    Three w(Said{{"interval", "60"}, {"invite_total_timeout", "1000"}});
    for (auto* each : {&w.main, &w.second, &w.third}) fail(*each, Fault::silent);
    w.run(5min);
    CHECK_FALSE(w.online("acc"));
    CHECK(w.told.size() == 2);
    const auto tries = w.main.count("REGISTER");
    CHECK(tries > 5);
    heal(w.server(back));
    w.run(24s);
    CHECK(w.online("acc"));
    CHECK(w.server(back).bindings.size() == 1);
  }
}

TEST_CASE("parking=no stays with the main server") {
  Three w(Said{{"parking", "no"}, {"interval", "60"}});
  fail(w.main, Fault::silent);
  w.run(5min);
  CHECK_FALSE(w.online("acc"));
  CHECK(w.second.requests.empty());
  CHECK(w.lines->exit("acc")->servers.size() == 1);
}

TEST_CASE("EL-8, EL-11: homing by OPTIONS finds main within a period, and registers there") {
  Three w(Said{{"homing", "options"}, {"homing_interval", "10"}, {"invite_total_timeout", "1000"}});
  CHECK(w.main.count("OPTIONS") == 0);  // at home nobody asks
  fail(w.main, Fault::silent);
  w.command("connection register acc");
  w.run(35s);
  REQUIRE(w.active() == 1);
  CHECK(w.main.count("OPTIONS") >= 3);
  for (const int code : {408, 503}) {
    heal(w.main);
    fail(w.main, Fault::code, code);
    w.run(15s);
    CHECK(w.active() == 1);
  }
  heal(w.main);
  w.main.codes["OPTIONS"] = 405;  // any other answer is one
  w.main.restart();
  w.run(11s);
  CHECK(w.active() == 0);
  CHECK(w.main.bindings.size() == 1);
  w.main.requests.clear();
  w.run(60s);
  CHECK(w.main.count("OPTIONS") == 0);
  CHECK(w.told == std::vector<std::string>{"acc true"});
  CHECK(w.second.bindings.size() == 1);  // left to lapse
}

TEST_CASE("EL-9: homing by REGISTER tries main beside the binding there is, and success is the new registration") {
  Three w(Said{{"homing", "register"}, {"homing_interval", "10"}, {"invite_total_timeout", "1000"}});
  fail(w.main, Fault::silent);
  w.command("connection register acc");
  w.run(35s);
  REQUIRE(w.active() == 1);
  CHECK(w.online("acc"));
  heal(w.main);
  fail(w.main, Fault::code, 403);
  w.run(20s);
  CHECK(w.active() == 1);
  heal(w.main);
  w.main.restart();
  w.main.requests.clear();
  w.run(11s);
  CHECK(w.active() == 0);
  CHECK(w.main.bindings.size() == 1);
  CHECK(w.main.count("REGISTER") == 1);
  CHECK(w.main.count("OPTIONS") == 0);
}

TEST_CASE("EL-9: a refresh is never lost to probes, however many they are") {
  Three w(Said{{"homing", "register"}, {"homing_interval", "1"}, {"invite_total_timeout", "900"}, {"interval", "60"}});
  fail(w.main, Fault::silent);
  w.command("connection register acc");
  w.run(10min);
  CHECK(w.main.count("REGISTER") > 500);
  CHECK(w.online("acc"));
  REQUIRE(w.second.bindings.size() == 1);
  CHECK(w.second.bindings.begin()->second.until > w.engine.clock().now());
}

TEST_CASE("EL-10: homing by INVITE lets every call try main first, and sends nothing by itself") {
  Three w(Said{{"homing", "invite"}, {"invite_total_timeout", "1000"}});
  fail(w.main, Fault::silent);
  w.command("connection register acc");
  w.run(5s);
  const auto order = [&] {
    const auto exit = w.lines->exit("acc");
    std::vector<ServerIndex> out;
    for (const auto& each : exit->servers) out.push_back(each.index);
    return out;
  };
  CHECK(order() == std::vector<ServerIndex>{0, 1, 2});
  REQUIRE(w.second.bindings.size() == 1);
  heal(w.main);
  w.main.restart();
  w.forget();
  w.lines->failed("acc", 0, nullptr, Failure::unreachable);
  w.lines->answered("acc", 1, kSecondHop);
  w.run(100s);
  CHECK(w.main.requests.empty());
  w.lines->answered("acc", 0, kMainHop);
  w.run(1s);
  CHECK(w.main.bindings.size() == 1);
  CHECK(w.main.count("REGISTER") == 1);
}

TEST_CASE("EL-12, N-1: calls that failed at a machine which is left already move nothing on") {
  World w;
  auto &first = w.server("192.0.2.10:5062"), &second = w.server("192.0.2.11:5062");
  w.dns->srv["_sip._udp.example.net"] = {.status = stack::DnsAnswer::Status::found, .ttl = 10s,
                                         .srv = {{.priority = 1, .weight = 1, .port = 5062, .target = "a.example.net"}, {.priority = 2, .weight = 1, .port = 5062, .target = "b.example.net"}}};
  w.dns->a["a.example.net"] = {.status = stack::DnsAnswer::Status::found, .ttl = 10s, .addresses = {*net::Address::parse("192.0.2.10")}};
  w.dns->a["b.example.net"] = {.status = stack::DnsAnswer::Status::found, .ttl = 10s, .addresses = {*net::Address::parse("192.0.2.11")}};
  w.login("acc", {{"registrar", "example.net"}, {"invite_total_timeout", "1000"}});
  w.run(1s);
  REQUIRE(first.bindings.size() == 1);
  first.silent = true;
  const stack::Hop left{stack::TransportKind::udp, stack::address("192.0.2.10:5062"), false};
  for (int call = 0; call < 3; ++call) w.lines->failed("acc", 0, &left, Failure::unreachable);
  w.run(1s);
  CHECK(w.online("acc"));
  CHECK(second.bindings.size() == 1);
  CHECK(second.count("REGISTER") == 1);
}

TEST_CASE("EL-12, N-1: a name with several machines is a list of its own, and everything stays with the one in use") {
  World w;
  auto &first = w.server("192.0.2.10:5062"), &second = w.server("192.0.2.11:5062");
  w.dns->srv["_sip._udp.example.net"] = {.status = stack::DnsAnswer::Status::found, .ttl = 10s,
                                         .srv = {{.priority = 1, .weight = 1, .port = 5062, .target = "a.example.net"}, {.priority = 2, .weight = 1, .port = 5062, .target = "b.example.net"}}};
  w.dns->a["a.example.net"] = {.status = stack::DnsAnswer::Status::found, .ttl = 10s, .addresses = {*net::Address::parse("192.0.2.10")}};
  w.dns->a["b.example.net"] = {.status = stack::DnsAnswer::Status::found, .ttl = 10s, .addresses = {*net::Address::parse("192.0.2.11")}};
  w.login("acc", {{"registrar", "example.net"}, {"interval", "60"}, {"invite_total_timeout", "1000"}});
  w.run(1s);
  REQUIRE(w.online("acc"));
  CHECK(first.bindings.size() == 1);
  CHECK(w.all_sent.at(0).starts_with("REGISTER sip:example.net SIP/2.0"));
  first.silent = true;
  w.run(60s);
  CHECK(w.online("acc"));
  CHECK(second.bindings.size() == 1);
  first.silent = false;
  first.requests.clear();
  w.run(300s);
  CHECK(first.requests.empty());
  CHECK(w.lines->exit("acc")->servers.at(0).hops.front().address.text() == "192.0.2.11:5062");
}

TEST_CASE("EL-13, SP-11: a trunk never registers, and has the same list: OPTIONS finds who is there") {
  World w;
  auto &main = w.server(kMain), &second = w.server(kSecond);
  w.login("trunk", {{"type", "trunk"}, {"registrar", ""}, {"username", ""}, {"servers", "192.0.2.10, 192.0.2.11"}, {"allowed", "192.0.2.0/28"}, {"qualify", "10"},
                    {"homing", "options"}, {"homing_interval", "5"}, {"retry_interval", "10"}, {"invite_total_timeout", "1000"}});
  const auto active = [&] { return w.lines->exit("trunk")->servers.front().index; };
  w.run(25s);
  CHECK(w.online("trunk"));
  CHECK(main.count("OPTIONS") >= 2);
  main.silent = true;
  w.run(12s);
  CHECK(active() == 1);
  CHECK(w.online("trunk"));
  second.codes["OPTIONS"] = 503;
  w.run(15s);
  CHECK_FALSE(w.online("trunk"));
  CHECK(w.command("connection list").find("unreachable") != std::string::npos);
  main.silent = false;
  w.run(15s);
  CHECK(w.online("trunk"));
  CHECK(active() == 0);
  CHECK(w.sent("REGISTER").empty());
  CHECK(w.told.back() == "trunk true");
}

TEST_CASE("D18: a trunk that nobody qualifies looks at a server that refused a call, once, and moves when it does so again") {
  World w;
  auto &main = w.server(kMain), &second = w.server(kSecond);
  w.login("trunk", {{"type", "trunk"}, {"registrar", ""}, {"username", ""}, {"servers", "192.0.2.10, 192.0.2.11"}, {"allowed", "192.0.2.0/28"}, {"retry_interval", "10"}});
  const auto active = [&] { return w.lines->exit("trunk")->servers.front().index; };
  w.run(60s);
  CHECK(main.requests.empty());
  w.lines->failed("trunk", 0, nullptr, Failure::refused);
  w.run(1s);
  CHECK(main.count("OPTIONS") == 1);
  CHECK(active() == 0);
  w.run(10s);
  main.codes["OPTIONS"] = 503;
  w.lines->failed("trunk", 0, nullptr, Failure::refused);
  w.run(1s);
  CHECK(active() == 1);
  CHECK(second.count("OPTIONS") == 1);
  w.lines->failed("trunk", 1, nullptr, Failure::unreachable);
  CHECK(active() == 0);
}

TEST_CASE("EL-14: REGISTER goes to the registrar, calls to the proxy, and both move together") {
  World w;
  auto& registrar = w.server("192.0.2.20:5060");
  auto& other = w.server("192.0.2.21:5060");
  w.login("acc", {{"registrar", "192.0.2.20"}, {"server", "192.0.2.10"}, {"server.1", "192.0.2.11"}, {"registrar.1", "192.0.2.21"}, {"invite_total_timeout", "1000"}});
  w.run(1s);
  CHECK(registrar.bindings.size() == 1);
  CHECK(w.lines->exit("acc")->servers.front().hops.front().address.text() == kMain);
  registrar.silent = true;
  w.command("connection register acc");
  w.run(3s);
  CHECK(other.bindings.size() == 1);
  CHECK(w.lines->exit("acc")->servers.front().hops.front().address.text() == kSecond);
  CHECK(w.lines->exit("acc")->servers.front().host == "192.0.2.11");
}

TEST_CASE("EL-15: the way is kept open by empty lines, OPTIONS or NOTIFY") {
  for (const auto& [method, seen] : {std::pair{"crlf", "\r\n"}, std::pair{"options", "OPTIONS"}, std::pair{"notify", "NOTIFY"}}) {
    World w;
    auto& server = w.server(kMain);
    server.codes["NOTIFY"] = 489;
    w.login("acc", {{"keepalive", "5"}, {"keepalive_method", method}});
    w.run(16s);
    CHECK(server.count(seen) == 3);
    CHECK(w.online("acc"));
  }
}

TEST_CASE("A registrar whose port is closed is noticed by what keeps the way open") {
  Three w(Said{{"keepalive", "5"}});
  fail(w.main, Fault::refused);
  static_cast<stack::TransportEvents&>(w.transactions).closed({stack::address(kMain), 0, 0, stack::TransportKind::udp}, "refused");
  w.run(3s);
  CHECK(w.active() == 1);
  CHECK(w.second.bindings.size() == 1);
}

}  // namespace jackfield::sip::line
