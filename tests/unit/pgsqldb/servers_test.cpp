#include "servers.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace jackfield;
using namespace jackfield::pgsqldb;
using namespace std::chrono_literals;

namespace {

std::string parameter(const Server& server, std::string_view name) {
  const auto found = std::ranges::find(server.parameters, name, [](const auto& one) { return std::string_view(one.first); });
  return found == server.parameters.end() ? "-" : found->second;
}

ServerKeys string_of(std::string connection) { return {.connection = std::move(connection), .timeout = 6s}; }

}  // namespace

TEST_CASE("the keys of an account name one server") {
  const auto found = servers({.connection = "", .host = "db1", .port = "5433", .database = "telephones", .user = "jackfield", .password = "it's \\ secret", .encoding = "", .timeout = 6s});
  REQUIRE(found);
  REQUIRE(found->size() == 1);
  const auto& server = found->front();
  CHECK(server.name == "host=db1 port=5433 dbname=telephones");
  CHECK(server.deadline == 6s);
  CHECK(parameter(server, "password") == "it's \\ secret");
  CHECK(parameter(server, "client_encoding") == "UTF8");
  CHECK(parameter(server, "target_session_attrs") == "any");
}

TEST_CASE("several hosts are tried one after another, each with its share of the time, for the one that takes writes") {
  for (const auto* text : {"host=a,b,c port=1,2,3 dbname=x password='p w'", "postgresql://u:p%20w@a:1,b:2,c:3/x"}) {
    const auto found = servers(string_of(text));
    REQUIRE(found);
    REQUIRE(found->size() == 3);
    CHECK((*found)[1].name == "host=b port=2 dbname=x");
    CHECK(parameter((*found)[2], "port") == "3");
    CHECK(parameter((*found)[2], "password") == "p w");
    CHECK(parameter((*found)[0], "target_session_attrs") == "read-write");
    CHECK((*found)[0].deadline == 2s);
  }
  const auto one_port = servers(string_of("host=a,b port=7"));
  REQUIRE(one_port);
  CHECK((*one_port)[1].name == "host=b port=7");
}

TEST_CASE("prefer-standby looks for a standby on all hosts first") {
  const auto found = servers(string_of("host=a,b target_session_attrs=prefer-standby"));
  REQUIRE(found);
  REQUIRE(found->size() == 4);
  CHECK(parameter((*found)[1], "target_session_attrs") == "standby");
  CHECK(parameter((*found)[2], "target_session_attrs") == "any");
  CHECK((*found)[2].name == "host=a");
}

TEST_CASE("what the user chose stays; connect_timeout is for each host") {
  const auto found = servers(string_of("host=a,b target_session_attrs=any connect_timeout=3 gssencmode=require sslmode=verify-full keepalives_idle=5"));
  REQUIRE(found);
  CHECK((*found)[0].deadline == 3s);
  CHECK(parameter((*found)[0], "target_session_attrs") == "any");
  CHECK(parameter((*found)[0], "gssencmode") == "require");
  CHECK(parameter((*found)[0], "sslmode") == "verify-full");
  CHECK(parameter((*found)[0], "keepalives_idle") == "5");
  // Our way of waiting, not libpq's.
  CHECK(parameter((*found)[0], "connect_timeout") == "-");
  CHECK(servers(string_of("host=a connect_timeout=0"))->front().deadline == 6s);
}

TEST_CASE("a connection string that is wrong is refused without a word of it") {
  for (const auto* text : {"host=a secret", "password='secret", "nonsense=secret", "postgresql://u:secret@[a/x", "host=a,b port=1,2,3 password=secret",
                           "host=a,b hostaddr=127.0.0.1 password=secret"}) {
    const auto found = servers(string_of(text));
    REQUIRE_MESSAGE(!found, text);
    CHECK(found.error().find("connection=") != std::string::npos);
    CHECK(found.error().find("secret") == std::string::npos);
  }
}
