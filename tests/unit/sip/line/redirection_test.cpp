// A registrar that sends a connection to another one (RFC 3261 §8.1.3.4).
#include "line_world.h"

namespace jackfield::sip::line {

namespace {

constexpr auto kRegistrar = "192.0.2.10:5060";

std::string uri_of(std::string_view request) { return std::string(request.substr(request.find(' ') + 1, request.find(" SIP/2.0") - request.find(' ') - 1)); }

}  // namespace

TEST_CASE("A redirection is followed, kept, and left when it leads nowhere") {
  World w;
  auto& registrar = w.server(kRegistrar);
  auto& other = w.server("192.0.2.20:5080");
  registrar.redirect = "sip:101@192.0.2.20:5080";
  w.login("acc", {{"retry_interval", "10"}});
  w.run(1s);
  CHECK(w.online("acc"));
  REQUIRE(w.all_sent.size() == 2);
  CHECK(uri_of(w.all_sent[1]) == "sip:192.0.2.20:5080");
  CHECK(other.bindings.size() == 1);
  w.run(230s);
  CHECK(registrar.requests.size() == 1);  // the refresh goes where it was sent
  other.silent = true;
  registrar.redirect.clear();
  w.run(300s);
  CHECK(w.online("acc"));
  CHECK(registrar.bindings.size() == 1);
}

TEST_CASE("A redirection to where nobody is does not make us ask again without a pause") {
  World w;
  w.server(kRegistrar).redirect = "sip:101@192.0.2.20:5080";
  w.server("192.0.2.20:5080").refused = true;
  w.login("acc", {{"retry_interval", "10"}});
  w.run(7s);
  CHECK(w.all_sent.size() == 2);
  w.run(4s);
  CHECK(w.all_sent.size() == 4);
}

TEST_CASE("A redirection is the business of the server that sent it: nothing of it is left with another one") {
  World w;
  w.server(kRegistrar).redirect = "sip:101@192.0.2.20:5080";
  auto& target = w.server("192.0.2.20:5080");
  auto& next = w.server("192.0.2.30:5060");
  w.login("acc");
  w.run(1s);
  REQUIRE(w.online("acc"));
  w.login("acc", {{"registrar", "192.0.2.30"}, {"username", "102"}});
  w.run(5s);
  CHECK(w.online("acc"));
  CHECK(next.bindings.size() == 1);
  CHECK(target.bindings.empty());
}

TEST_CASE("A circle of redirections ends") {
  World w;
  w.server(kRegistrar).redirect = "sip:192.0.2.20";
  w.server("192.0.2.20:5060").redirect = "sip:192.0.2.10";
  w.login("acc");
  w.run(10s);
  CHECK(w.all_sent.size() <= 7);
  CHECK_FALSE(w.online("acc"));
}

}  // namespace jackfield::sip::line
