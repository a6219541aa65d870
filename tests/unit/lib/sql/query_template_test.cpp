#include "sql/query_template.h"

#include "sql/scanner.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace jackfield::sql;
using namespace std::string_literals;

namespace {

QueryTemplate parsed(std::string_view text, Dialect dialect = Dialect::postgresql) {
  auto made = QueryTemplate::parse(text, dialect);
  REQUIRE_MESSAGE(made, (made ? std::string() : made.error().text));
  return std::move(*made);
}

std::string refusal(std::string_view text, Dialect dialect = Dialect::postgresql) {
  const auto made = QueryTemplate::parse(text, dialect);
  return made ? "taken" : made.error().text;
}

std::string bound(const QueryTemplate& query, std::vector<Value> values) {
  values.resize(query.names().size());
  std::string storage;
  const auto text = query.render_bound(values, storage);
  return text ? std::string(*text) : "refused: " + text.error().text;
}

std::string escaped(const QueryTemplate& query, std::vector<Value> values) {
  values.resize(query.names().size());
  const auto text = query.render_escaped(values);
  return text ? *text : "refused: " + text.error().text;
}

}  // namespace

TEST_CASE("a whole literal is a bound parameter") {
  const auto query = parsed("SELECT password FROM users WHERE username='${username}' AND password IS NOT NULL");
  CHECK(query.names() == std::vector<std::string>{"username"});
  CHECK(query.constant_text());
  CHECK(bound(query, {"o'neil"}) == "SELECT password FROM users WHERE username= $1  AND password IS NOT NULL");
  CHECK(query.bound_value(0, std::vector<Value>{"o'neil"}) == "o'neil");
  CHECK(escaped(query, {"o'neil"}) == "SELECT password FROM users WHERE username='o''neil' AND password IS NOT NULL");
  CHECK(bound(parsed("SELECT '${a}'", Dialect::sqlite), {"x"}) == "SELECT  ?1 ");
}

TEST_CASE("each place of a name is a parameter of its own, and names are told once") {
  const auto query = parsed("UPDATE u SET a='${x}', b='${y}' WHERE c='${x}'");
  CHECK(query.names() == std::vector<std::string>{"x", "y"});
  CHECK(query.bound_count() == 3);
  const std::vector<Value> values{"1", "2"};
  CHECK(query.bound_value(0, values) == "1");
  CHECK(query.bound_value(1, values) == "2");
  CHECK(query.bound_value(2, values) == "1");
}

TEST_CASE("inside a longer literal a value is escaped in place, and whole literals beside it stay bound") {
  const auto query = parsed("UPDATE u SET e=now() + INTERVAL '${expires} s' WHERE n='${n}'");
  CHECK_FALSE(query.constant_text());
  CHECK(query.bound_count() == 1);
  CHECK(bound(query, {"60", "x"}) == "UPDATE u SET e=now() + INTERVAL '60 s' WHERE n= $1 ");
  CHECK(bound(query, {"1'; DROP TABLE u; --", "x"}) == "UPDATE u SET e=now() + INTERVAL '1''; DROP TABLE u; -- s' WHERE n= $1 ");
  CHECK(bound(parsed("SELECT 'a''${x}'"), {"b"}) == "SELECT 'a''b'");
  CHECK(bound(parsed("SELECT '${a}${b}'"), {"1", "'"}) == "SELECT '1'''");
}

TEST_CASE("PostgreSQL's E literals double backslashes, its plain ones do not") {
  CHECK(bound(parsed(R"(SELECT E'\'a${x}')"), {R"(\')"}) == R"(SELECT E'\'a\\''')");
  CHECK(bound(parsed("SELECT 'a${x}'"), {R"(\')"}) == R"(SELECT 'a\''')");
  CHECK(bound(parsed("SELECT E'${x}'"), {R"(\)"}) == "SELECT  $1 ");
  CHECK(escaped(parsed("SELECT E'${x}'"), {R"(\)"}) == R"(SELECT '\')");
  CHECK(refusal(R"(SELECT E'\${x}a')").find("swallow") != std::string::npos);
  CHECK(bound(parsed(R"(SELECT E'\\${x}')"), {"'"}) == R"(SELECT E'\\''')");
}

TEST_CASE("in quoted names a value is escaped, in comments nothing is filled in") {
  CHECK(bound(parsed("SELECT \"a_${x}\""), {"\"; --"}) == "SELECT \"a_\"\"; --\"");
  CHECK(bound(parsed("SELECT `a_${x}`", Dialect::sqlite), {"`"}) == "SELECT `a_```");
  const auto query = parsed("SELECT 1 -- ${a} '\n/* ${b} ' /* nested */ */ + '${c}'");
  CHECK(query.names() == std::vector<std::string>{"c"});
  CHECK(bound(query, {"x"}) == "SELECT 1 -- ${a} '\n/* ${b} ' /* nested */ */ +  $1 ");
  CHECK(parsed("/* /* */ SELECT '${x}' /* */", Dialect::sqlite).names() == std::vector<std::string>{"x"});
}

TEST_CASE("outside quotes only a number takes a name's place") {
  const auto query = parsed("SELECT a FROM t LIMIT ${n}");
  CHECK(bound(query, {"10"}) == "SELECT a FROM t LIMIT 10");
  CHECK(bound(query, {"-1.5"}) == "SELECT a FROM t LIMIT -1.5");
  for (const auto* value : {"", "a", "1 OR 1=1", "1;", "--", "1e5", "0x10", "1.", ".5", "-", "١"}) {
    CAPTURE(value);
    CHECK(bound(query, {value}) == "refused: ${n} stands outside quotes, where only a number can take its place; write '${n}'");
  }
  CHECK(bound(query, {std::nullopt}).starts_with("refused"));
  CHECK(bound(parsed("SELECT 5 -${n}"), {"-1"}).starts_with("refused"));
  CHECK(bound(parsed("SELECT 5 - ${n}"), {"-1"}) == "SELECT 5 - -1");
}

TEST_CASE("a default stands in for what nobody gave, not for an empty value") {
  const auto query = parsed("SELECT '${a$none}', 'x${b$}'");
  CHECK(refusal("SELECT 'x${b$it''s}'") == "the default of `${b}` has a quote or a backslash");
  CHECK(bound(parsed("SELECT 'x${b$y z}'"), {}) == "SELECT 'xy z'");
  CHECK(query.bound_value(0, std::vector<Value>{std::nullopt, std::nullopt}) == "none");
  CHECK(query.bound_value(0, std::vector<Value>{"", std::nullopt}) == "");
  CHECK(bound(parsed("SELECT ${a$NULL}, ${b$now()}"), {std::nullopt, "5"}) == "SELECT NULL, 5");
  CHECK(bound(parsed("SELECT ${a$NULL}"), {"x"}).starts_with("refused"));
  CHECK(refusal("SELECT ${a$'x'}").find("quote") != std::string::npos);
  CHECK(refusal("SELECT ${a$1;DROP}").find("outside quotes") != std::string::npos);
  CHECK(refusal("SELECT -${a$-1}").find("comment") != std::string::npos);
}

TEST_CASE("what cannot be filled in safely is refused with its line") {
  CHECK(refusal("SELECT\n'${x") == "line 2: the quote ' is not closed");
  CHECK(refusal("SELECT '${x'") == "`${` without `}`");
  CHECK(refusal("SELECT ${x") == "`${` without `}`");
  CHECK(refusal("SELECT '${}'").find("no name") != std::string::npos);
  CHECK(refusal("SELECT $$${x}$$").find("dollar quotes") != std::string::npos);
  CHECK(refusal("SELECT $tag$ '${x}' $tag$").find("dollar quotes") != std::string::npos);
  CHECK(refusal("SELECT U&'${x}'").find("U&") != std::string::npos);
  CHECK(refusal("SELECT [${x}]", Dialect::sqlite).find("[…]") != std::string::npos);
  CHECK(refusal("SELECT /* ${x}") == "the comment is not closed");
  CHECK(refusal("SELECT \0"s).find("NUL") != std::string::npos);
  CHECK(refusal(std::string(QueryTemplate::kMaxText + 1, ' ')).find("allowed") != std::string::npos);
  CHECK(refusal("DO $$ BEGIN NULL; END $$") == "taken");
  CHECK(bound(parsed("SELECT a$b$'${x}'"), {"1"}) == "SELECT a$b$ $1 ");
}

TEST_CASE("a value that the text or the database cannot hold is refused by name") {
  CHECK(bound(parsed("SELECT '${x}'"), {"a\0b"s}) == "refused: ${x} holds a NUL at byte 1, which PostgreSQL cannot store as text");
  CHECK(bound(parsed("SELECT '${x}'"), {"a\xff"}) == "refused: ${x} is not UTF-8 at byte 1");
  CHECK(bound(parsed("SELECT '${x}'", Dialect::sqlite), {"a\0b\xff"s}) == "SELECT  ?1 ");
  CHECK(bound(parsed("SELECT 'a${x}'", Dialect::sqlite), {"a\0b"s}) == "refused: ${x} holds a NUL at byte 1, which cannot stand inside a literal");
  CHECK(escaped(parsed("SELECT '${x}'", Dialect::sqlite), {"a\0b"s}).starts_with("refused"));
}

TEST_CASE("a value is never scanned again") {
  CHECK(escaped(parsed("SELECT '${x}', '${y}'"), {"${y}", "z"}) == "SELECT '${y}', 'z'");
  CHECK(bound(parsed("SELECT 'a${x}', 'b${y}'"), {"${y} $1 %s", "z"}) == "SELECT 'a${y} $1 %s', 'bz'");
}

TEST_CASE("a plain text means what it says, placeholders included") {
  const auto query = QueryTemplate::plain("SELECT '${x}'; it's not closed", Dialect::postgresql);
  REQUIRE(query);
  CHECK(query->names().empty());
  CHECK(bound(*query, {}) == "SELECT '${x}'; it's not closed");
}

TEST_CASE("statements are counted, and told apart by what they may share") {
  const auto one = parsed("  SELECT 1; -- that is all\n ;");
  CHECK(one.statements() == 1);
  CHECK(one.looks_read_only());
  CHECK(one.groupable());
  const auto two = parsed("INSERT INTO a VALUES (';'); (SELECT 1)");
  CHECK(two.statements() == 2);
  CHECK_FALSE(two.looks_read_only());
  CHECK(two.groupable());
  CHECK_FALSE(parsed("CREATE TABLE a (b)").groupable());
  CHECK_FALSE(parsed("CREATE TABLE a (b)").outside_transactions());
  CHECK_FALSE(parsed("VACUUM").groupable());
  CHECK(parsed("SELECT 1; vacuum").outside_transactions());
  CHECK_FALSE(parsed("SELECT 1; COMMIT").groupable());
  CHECK_FALSE(parsed("").groupable());
  CHECK(parsed("").statements() == 0);
}

TEST_CASE("UTF-8 is told from what is not") {
  CHECK(invalid_utf8("aé€😀") == std::string_view::npos);
  for (const auto& [text, at] : std::vector<std::pair<std::string, std::size_t>>{
           {"a\x80", 1}, {"\xc0\xaf", 0}, {"\xe0\x80\xaf", 0}, {"\xed\xa0\x80", 0}, {"\xf4\x90\x80\x80", 0}, {"ab\xe2\x82", 2}, {"\xf5\x80\x80\x80", 0}}) {
    CAPTURE(at);
    CHECK(invalid_utf8(text) == at);
  }
}

TEST_CASE("the tokens of a text are the whole text") {
  for (const auto dialect : {Dialect::sqlite, Dialect::postgresql}) {
    for (const std::string text : {"a'b", "E'\\", "$a$ x $a", "U&\"x", "/*/", "--", "[x", "${", "x'00", "\"a\"\"", "'''", "5e'\\'"}) {
      CAPTURE(text);
      Scanner scanner(text, dialect);
      std::string together;
      for (auto token = scanner.next(); token.kind != TokenKind::end; token = scanner.next()) together += token.text;
      CHECK(together == text);
    }
  }
}
