// One connection and one registrar: RFC 3261 §10.2 and what becomes of every kind of answer.
#include "line_world.h"

#include <algorithm>

namespace jackfield::sip::line {

namespace {

constexpr auto kRegistrar = "192.0.2.10:5060";

std::string uri_of(std::string_view request) { return std::string(request.substr(request.find(' ') + 1, request.find(" SIP/2.0") - request.find(' ') - 1)); }

}  // namespace

TEST_CASE("A registration is challenged once, refreshed at three quarters of what is granted at the latest, and each refresh is one packet") {
  World w;
  auto& registrar = w.server(kRegistrar);
  registrar.password = "secret";
  registrar.most = 120;
  REQUIRE(w.login("acc"));
  w.run(1s);
  REQUIRE(w.online("acc"));
  REQUIRE(w.all_sent.size() == 2);
  const auto first = w.all_sent[0];
  CHECK(first.starts_with("REGISTER sip:192.0.2.10 SIP/2.0\r\n"));
  CHECK(header_of(first, "To") == "<sip:101@192.0.2.10>");
  CHECK(header_of(first, "Expires") == "300");
  CHECK(header_of(first, "Contact").starts_with("<sip:101@192.0.2.1:5060;line="));
  CHECK(header_of(w.all_sent[1], "Authorization").find("nc=00000001") != std::string::npos);
  const auto registered_at = w.sent_at[1];
  w.run(77s);
  CHECK(w.all_sent.size() == 2);
  w.run(14s);
  REQUIRE(w.all_sent.size() == 3);
  CHECK(w.sent_at[2] - registered_at <= 91s);
  CHECK(header_of(w.all_sent[2], "Authorization").find("nc=00000002") != std::string::npos);
  w.run(10min);
  CHECK(registrar.bindings.size() == 1);
  CHECK(w.told == std::vector<std::string>{"acc true"});
  for (std::size_t i = 2; i < w.all_sent.size(); ++i) {
    CHECK(w.sent_at[i] - w.sent_at[i - 1] >= 77s);
    CHECK(w.sent_at[i] - w.sent_at[i - 1] <= 91s);  // and a step of the clock
  }
  for (std::size_t i = 1; i < w.all_sent.size(); ++i) {
    CHECK(header_of(w.all_sent[i], "Call-ID") == header_of(first, "Call-ID"));
    CHECK(header_of(w.all_sent[i], "From") == header_of(first, "From"));
    CHECK(cseq_of(w.all_sent[i]) == cseq_of(first) + i);
  }
}

TEST_CASE("SP-6: however little is granted, it is refreshed before it lapses, and not all the time") {
  World w;
  auto& registrar = w.server(kRegistrar);
  SUBCASE("9 s") { registrar.most = 9; }
  SUBCASE("5 s") { registrar.most = 5; }
  SUBCASE("1 s") { registrar.most = 1; }
  REQUIRE(w.login("acc"));
  w.run(1s);
  for (int step = 0; step < 600; ++step) {
    w.run(100ms);
    REQUIRE(registrar.bindings.size() == 1);
    REQUIRE(registrar.bindings.begin()->second.until > w.engine.clock().now());
  }
  CHECK(registrar.count("REGISTER") <= 61 * 100 / (65 * registrar.most) + 2);
}

TEST_CASE("SP-6: an interval that is too brief is raised once, and stays raised") {
  World w;
  w.server(kRegistrar).least = 600;
  w.login("acc");
  w.run(1s);
  CHECK(w.online("acc"));
  REQUIRE(w.all_sent.size() == 2);
  CHECK(header_of(w.all_sent[1], "Expires") == "600");
  w.run(600s);
  REQUIRE(w.all_sent.size() == 3);
  CHECK(header_of(w.all_sent[2], "Expires") == "600");
}

TEST_CASE("A registrar that always finds the interval too brief is not asked forever") {
  World w;
  w.server(kRegistrar).codes["REGISTER"] = 423;
  w.login("acc");
  w.run(10s);
  CHECK(w.all_sent.size() == 1);
  CHECK(w.told == std::vector<std::string>{"acc false 423 Interval Too Brief"});
}

TEST_CASE("SP-6: a registrar that is never content with what it asked for is refused by us after the first time") {
  World w;
  w.server(kRegistrar).insatiable = true;
  w.login("acc");
  w.run(10s);
  CHECK(w.all_sent.size() == 2);
  CHECK(w.told == std::vector<std::string>{"acc false 423 Interval Too Brief"});
}

TEST_CASE("A nonce that is stale is answered anew, and a wrong password is not tried again before its time") {
  World w;
  auto& registrar = w.server(kRegistrar);
  registrar.password = "secret";
  registrar.stale_once = true;
  w.login("acc");
  w.run(1s);
  CHECK(w.online("acc"));
  CHECK(w.all_sent.size() == 3);
  registrar.restart();
  w.run(300s);
  CHECK(w.online("acc"));  // a nonce of before the restart is challenged like none
  CHECK(registrar.bindings.size() == 1);

  World wrong;
  wrong.server(kRegistrar).password = "other";
  wrong.login("acc", {{"retry_interval", "60"}});
  wrong.run(40s);
  CHECK(wrong.all_sent.size() == 2);
  CHECK(wrong.told == std::vector<std::string>{"acc false 401 Unauthorized (wrong username or password)"});
  wrong.run(25s);
  CHECK(wrong.all_sent.size() == 4);  // but again (P-8): somebody may have corrected it there
  wrong.server(kRegistrar).password = "secret";
  wrong.run(60s);
  CHECK(wrong.online("acc"));
}

TEST_CASE("P-8: whatever a registrar says, it is asked again, after Retry-After where that is later") {
  for (const int code : {400, 403, 404, 480, 486, 500, 503, 600}) {
    INFO(code);
    World w;
    auto& registrar = w.server(kRegistrar);
    registrar.codes["REGISTER"] = code;
    w.login("acc", {{"retry_interval", "30"}});
    w.run(20s);
    CHECK(w.all_sent.size() == 1);
    w.run(11s);
    CHECK(w.all_sent.size() == 2);
    registrar.codes.clear();
    w.run(30s);
    CHECK(w.online("acc"));
  }
  World w;
  auto& registrar = w.server(kRegistrar);
  registrar.codes["REGISTER"] = 503;
  registrar.retry_after = 100;
  w.login("acc", {{"retry_interval", "30"}});
  w.run(99s);
  CHECK(w.all_sent.size() == 1);
  w.run(3s);
  CHECK(w.all_sent.size() == 2);
}

TEST_CASE("P-4: Service-Route is the route of calls, behind an outbound proxy") {
  World w;
  auto& proxy = w.server("192.0.2.9:5090");
  proxy.headers = "Service-Route: <sip:edge.example;lr>, <sip:core.example;lr>\r\n";
  w.login("acc", {{"outbound", "sip:192.0.2.9:5090;lr"}, {"registrar", "registrar.example"}, {"domain", "example.net"}});
  w.run(1s);
  REQUIRE(w.online("acc"));
  const auto request = w.all_sent.at(0);
  CHECK(uri_of(request) == "sip:registrar.example");
  CHECK(header_of(request, "Route") == "<sip:192.0.2.9:5090;lr>");
  CHECK(header_of(request, "From").starts_with("<sip:101@example.net>"));
  CHECK(header_of(request, "Supported") == "path");
  const auto exit = w.lines->exit("acc");
  REQUIRE(exit);
  REQUIRE(exit->servers.size() == 1);
  CHECK(exit->servers[0].route == std::vector<std::string>{"<sip:192.0.2.9:5090;lr>", "<sip:edge.example;lr>", "<sip:core.example;lr>"});
  CHECK(exit->servers[0].host == "example.net");
  REQUIRE(exit->servers[0].hops.size() == 1);
  CHECK(exit->servers[0].hops[0].address.text() == "192.0.2.9:5090");
  CHECK(exit->credentials.password == "secret");
}

TEST_CASE("EL-15: the domain stands in the Request-URI where the settings say so") {
  World w;
  w.server(kRegistrar);
  w.login("acc", {{"domain", "example.net"}, {"use_domain", "yes"}, {"description", "Front \"desk\""}, {"reg:osip_X-Token", "7"}});
  w.run(1s);
  CHECK(uri_of(w.all_sent.at(0)) == "sip:example.net");
  CHECK(header_of(w.all_sent[0], "From").starts_with(R"("Front \"desk\"" <sip:101@example.net>;tag=)"));
  CHECK(header_of(w.all_sent[0], "X-Token") == "7");
}

TEST_CASE("A registration over TCP is held, begun anew when its connection closes, and used for what follows") {
  World w;
  auto& registrar = w.server(kRegistrar);
  w.login("acc", {{"ip_transport", "tcp"}});
  w.run(1s);
  REQUIRE(w.online("acc"));
  CHECK(header_of(w.all_sent[0], "Contact").find(";transport=tcp") != std::string::npos);
  w.command("connection register acc");
  w.run(1s);
  CHECK(w.network.last_connection == 101);  // one connection for both
  const stack::FlowId flow{stack::address(kRegistrar), 101, 0, stack::TransportKind::tcp};
  w.network.dead.insert(101);
  static_cast<stack::TransportEvents&>(w.transactions).closed(flow, "reset");
  registrar.restart();
  w.run(3s);
  CHECK(w.network.last_connection == 102);
  CHECK(registrar.bindings.size() == 1);
}

TEST_CASE("Logout unregisters with the same Call-ID, and then the connection is gone") {
  World w;
  auto& registrar = w.server(kRegistrar);
  registrar.password = "secret";
  w.login("acc");
  w.run(1s);
  CHECK(w.logout("acc"));
  w.run(1s);
  CHECK(registrar.bindings.empty());
  REQUIRE(w.all_sent.size() == 3);  // the nonce was good for that, too
  CHECK(header_of(w.all_sent[2], "Call-ID") == header_of(w.all_sent[0], "Call-ID"));
  CHECK(header_of(w.all_sent[2], "Expires") == "0");
  CHECK(w.lines->size() == 0);
  CHECK(w.told.back() == "acc false");
  CHECK_FALSE(w.logout("acc"));
}

TEST_CASE("Logout while a REGISTER is under way takes back what it may have bound") {
  World w;
  auto& registrar = w.server(kRegistrar);
  w.delay = 400ms;
  w.login("acc");
  w.run(20ms);
  REQUIRE(w.all_sent.size() == 1);
  w.logout("acc");
  w.run(5s);
  CHECK(registrar.bindings.empty());
  CHECK(w.lines->size() == 0);
}

TEST_CASE("Logout of a server that is silent ends all the same") {
  World w;
  auto& registrar = w.server(kRegistrar);
  w.login("acc");
  w.run(1s);
  registrar.silent = true;
  w.logout("acc");
  w.run(6s);
  CHECK(w.lines->size() == 0);
}

TEST_CASE("N-14, ZY-5: the same login again sends nothing, another interval one REGISTER, another user takes the old binding back first") {
  World w;
  auto& registrar = w.server(kRegistrar);
  w.login("acc");
  w.run(1s);
  w.login("acc");
  w.login("acc", {{"owner", "200"}});
  w.run(10s);
  CHECK(w.all_sent.size() == 1);
  w.login("acc", {{"owner", "200"}, {"interval", "60"}});
  w.run(1s);
  REQUIRE(w.all_sent.size() == 2);
  CHECK(header_of(w.all_sent[1], "Expires") == "60");
  CHECK(header_of(w.all_sent[1], "Call-ID") == header_of(w.all_sent[0], "Call-ID"));
  w.login("acc", {{"username", "102"}});
  w.run(1s);
  REQUIRE(w.all_sent.size() == 4);
  CHECK(header_of(w.all_sent[2], "Expires") == "0");
  CHECK(header_of(w.all_sent[2], "To") == "<sip:101@192.0.2.10>");
  CHECK(header_of(w.all_sent[3], "To") == "<sip:102@192.0.2.10>");
  REQUIRE(registrar.bindings.size() == 1);
  CHECK(registrar.bindings.begin()->first.starts_with("sip:102@"));
}

TEST_CASE("ZY-5: disabling unregisters, enabling registers at once") {
  World w;
  auto& registrar = w.server(kRegistrar);
  w.login("acc");
  w.run(1s);
  w.login("acc", {{"enabled", "no"}});
  w.run(1s);
  CHECK(registrar.bindings.empty());
  CHECK(w.lines->find("acc") == nullptr);
  CHECK(w.command("connection show acc").find("disabled") != std::string::npos);
  w.login("acc");
  w.run(1s);
  CHECK(registrar.bindings.size() == 1);
  CHECK(w.online("acc"));
}

TEST_CASE("N-14: one registration is forced or taken back by command, and stays so") {
  World w;
  auto& registrar = w.server(kRegistrar);
  w.login("acc");
  w.run(1s);
  CHECK(w.command("connection unregister acc") == "acc is being unregistered\r\n");
  w.run(1h);
  CHECK(registrar.bindings.empty());
  CHECK_FALSE(w.lines->exit("acc"));
  CHECK(w.all_sent.size() == 2);
  CHECK(w.command("connection register acc") == "acc is being registered\r\n");
  w.run(1s);
  CHECK(w.online("acc"));
  w.command("connection register acc");
  w.run(1s);
  CHECK(w.all_sent.size() == 4);
  CHECK(w.told == std::vector<std::string>{"acc true", "acc false", "acc true"});
}

TEST_CASE("SP-8: states, reasons and times are shown, and a gauge for each") {
  World w;
  w.server(kRegistrar).codes["REGISTER"] = 403;
  w.login("acc", {{"retry_interval", "60"}});
  w.login("trunk", {{"type", "trunk"}, {"registrar", ""}, {"allowed", "192.0.2.77"}, {"username", ""}});
  w.run(1s);
  CHECK(w.command("connection list").find("acc                  registration failed") != std::string::npos);
  auto shown = w.command("connection show acc");
  CHECK(shown.find("reason           403 Forbidden") != std::string::npos);
  CHECK(shown.find("next attempt     in ") != std::string::npos);
  CHECK(w.engine.metrics().prometheus_text().find("jackfield_sip_connection_online_state{connection=\"acc\"} 0") != std::string::npos);
  CHECK(w.status("sip accounts") == "module=sip,protocol=SIP,format=Username|Status;accounts=2;acc=101|offline,trunk=|online\r\n");
  w.server(kRegistrar).codes.clear();
  w.run(60s);
  shown = w.command("connection show acc");
  CHECK(shown.find("state            registered") != std::string::npos);
  CHECK(shown.find("granted          300 s of 300 s asked for") != std::string::npos);
  CHECK(shown.find("address          192.0.2.10:5060") != std::string::npos);
  CHECK(w.engine.metrics().prometheus_text().find("jackfield_sip_connection_online_state{connection=\"acc\"} 1") != std::string::npos);
  CHECK(w.command("connection show nobody") == "there is no connection `nobody`\r\n");
  CHECK(w.told == std::vector<std::string>{"trunk true", "acc false 403 Forbidden", "acc true"});
}

TEST_CASE("ZY-4: five hundred connections at one registrar are up within 15 s, and no second sees more than its share") {
  World w;
  auto& registrar = w.server(kRegistrar);
  registrar.password = "secret";
  for (int i = 0; i < 500; ++i) w.login(fmt::format("acc{}", i), {{"username", fmt::format("u{}", i)}});
  const auto timers = w.engine.timers().running();
  CHECK(timers < 20);  // who waits for a turn costs none
  w.run(11s);
  CHECK(registrar.bindings.size() == 500);
  CHECK(std::ranges::count(w.told, std::string("acc499 true")) == 1);
  CHECK(w.told.size() == 500);
  CHECK(w.all_sent.size() == 1000);
  std::map<std::int64_t, int> seconds;
  for (std::size_t i = 0; i < w.all_sent.size(); ++i)
    if (header_of(w.all_sent[i], "Authorization").empty()) ++seconds[w.sent_at[i].time_since_epoch() / 1s];
  for (const auto& [second, count] : seconds) CHECK(count <= 51);
  CHECK(w.engine.timers().running() <= 500 + 5);  // and who is registered one
  w.told.clear();
  w.login("acc7", {{"username", "u7"}, {"interval", "100"}});
  w.run(1s);
  CHECK(w.all_sent.size() == 1001);  // one packet for one change
}

TEST_CASE("N-11: a stop unregisters all, together, and waits for the answers") {
  World w;
  auto& registrar = w.server(kRegistrar);
  w.delay = 100ms;
  for (int i = 0; i < 20; ++i) w.login(fmt::format("acc{}", i), {{"username", fmt::format("u{}", i)}});
  w.run(3s);
  REQUIRE(registrar.bindings.size() == 20);
  bool over = false;
  w.lines->unregister_all();
  w.engine.spawn("drain", [](Lines* lines, bool* done) -> Task<> {
    co_await lines->drained();
    *done = true;
  }(&*w.lines, &over));
  w.run(20ms);
  CHECK_FALSE(over);
  w.run(300ms);
  CHECK(over);
  CHECK(registrar.bindings.empty());
}

}  // namespace jackfield::sip::line
