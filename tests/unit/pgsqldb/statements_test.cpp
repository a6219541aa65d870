#include "statements.h"

#include <doctest/doctest.h>

using namespace jackfield::pgsqldb;

TEST_CASE("a prepared statement is found by its text, and the one used longest ago leaves") {
  Statements statements(2);
  CHECK(statements.find("a") == nullptr);
  const auto first = statements.next_name(), second = statements.next_name(), third = statements.next_name();
  CHECK(first != second);
  CHECK_FALSE(statements.add("a", first));
  CHECK_FALSE(statements.add("b", second));
  REQUIRE(statements.find("a") != nullptr);
  CHECK(*statements.find("a") == first);
  CHECK(statements.add("c", third) == second);
  CHECK(statements.find("b") == nullptr);
  CHECK(*statements.find("a") == first);
  CHECK(statements.size() == 2);
}

TEST_CASE("a forgotten statement gives its name back once") {
  Statements statements(4);
  statements.add("a", "j1");
  CHECK(statements.forget("a") == "j1");
  CHECK_FALSE(statements.forget("a"));
  statements.add("b", "j2");
  statements.clear();
  CHECK(statements.find("b") == nullptr);
  CHECK(statements.size() == 0);
}

TEST_CASE("a text counts as seen from its second time on, until many others have come by") {
  Statements statements(4);
  CHECK_FALSE(statements.seen_before("a"));
  CHECK(statements.seen_before("a"));
  for (int i = 0; i < 1000; ++i) (void)statements.seen_before(std::to_string(i));
  CHECK_FALSE(statements.seen_before("a"));
}
