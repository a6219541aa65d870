#include "database/applied.h"
#include "support/module_host.h"

#include <jackfield/messages/database.h>
#include <jackfield/messages/engine.h>

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include <sys/resource.h>

using namespace jackfield;
using namespace std::chrono_literals;
using namespace std::string_literals;
namespace param = jackfield::messages::param;

namespace {

using Values = std::vector<std::pair<std::string, std::string>>;
using Cell = messages::DatabaseRows::Cell;

struct Asked {
  bool handled = false;
  std::string error, failure;
  long long affected = 0, rows = 0, columns = 0;
  messages::DatabaseRows table;
};

/// The module with one account, `a`.
class Bed {
 public:
  explicit Bed(std::string_view keys = "database=a.db") : host_(conf(keys)) {}
  static std::string conf(std::string_view keys) { return "[a]\n" + std::string(keys) + "\n"; }

  Asked ask(std::string_view query, std::optional<Values> values = {}, std::initializer_list<Parameter> more = {}) {
    auto question = start(query, std::move(values), more);
    return settle_one(question);
  }
  struct Question {
    Message message;
    std::optional<bool> handled;
  };
  std::shared_ptr<Question> start(std::string_view query, std::optional<Values> values = {}, std::initializer_list<Parameter> more = {}) {
    auto question = std::make_shared<Question>(Question{Message(messages::kDatabase), {}});
    question->message.set(param::kAccount, "a").set(param::kQuery, query);
    for (const auto& [name, value] : more) question->message.set(name, value);
    if (values) question->message.attach(std::make_shared<messages::QueryValues>(messages::QueryValues{std::move(*values)}));
    engine().spawn("ask", finish(engine(), question));
    return question;
  }
  Asked settle_one(const std::shared_ptr<Question>& question) {
    REQUIRE(engine().run_until([&] { return question->handled.has_value(); }));
    const Message& message = question->message;
    Asked asked{.handled = *question->handled,
                .error = std::string(message.get(param::kError)),
                .failure = std::string(message.get(param::kFailure)),
                .affected = message.number(param::kAffected),
                .rows = message.number(param::kRows),
                .columns = message.number(param::kColumns),
                .table = {}};
    if (const auto* table = message.payload<messages::DatabaseRows>()) asked.table = *table;
    return asked;
  }
  std::optional<std::string> cell(std::string_view query, std::optional<Values> values = {}) {
    const auto asked = ask(query, std::move(values));
    REQUIRE_MESSAGE(asked.error.empty(), asked.error);
    REQUIRE(asked.table.size() == 1);
    return asked.table.row(0)[0];
  }
  std::string status() {
    Message message(messages::kEngineStatus);
    message.set(param::kModule, "sqlitedb");
    host_.ask(message);
    return std::string(message.retvalue());
  }
  TestEngine& engine() { return host_.engine(); }
  ModuleHost& host() { return host_; }
  std::filesystem::path file() { return engine().state_dir() / "a.db"; }

 private:
  static Task<> finish(Engine& engine, std::shared_ptr<Question> question) {
    auto verdict = settle(engine.bus().dispatch(question->message));
    const bool handled = co_await std::move(verdict);
    question->handled = handled;
  }

  ModuleHost host_;
};

/// Another program that holds the file.
class Other {
 public:
  explicit Other(const std::filesystem::path& file) {
    REQUIRE(sqlite3_open(file.c_str(), &db_) == SQLITE_OK);
  }
  ~Other() { sqlite3_close(db_); }
  void run(const char* sql) { REQUIRE(sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) == SQLITE_OK); }

 private:
  sqlite3* db_ = nullptr;
};

}  // namespace

TEST_CASE("YT-14 sqlite: rows, columns, NULLs and blobs arrive as they are") {
  Bed bed;
  const auto asked = bed.ask("SELECT 1 AS one, NULL AS two, x'00ff' AS three UNION ALL SELECT 'a', '', 2.5");
  CHECK(asked.handled);
  CHECK(asked.error.empty());
  CHECK(asked.rows == 2);
  CHECK(asked.columns == 3);
  CHECK(asked.table.columns == std::vector<std::string>{"one", "two", "three"});
  CHECK(asked.table.cells == std::vector<Cell>{"1", std::nullopt, "\0\xff"s, "a", "", "2.5"});

  const auto counted = bed.ask("SELECT 1 UNION SELECT 2", {}, {{"results", "false"}});
  CHECK(counted.rows == 2);
  CHECK(counted.table.columns.empty());
}

TEST_CASE("YT-14 sqlite: several statements give the last rows and count all changes, or leave nothing behind") {
  Bed bed;
  const auto both = bed.ask("CREATE TABLE t (x); INSERT INTO t VALUES (1),(2); SELECT count(*) FROM t; UPDATE t SET x=x+1; DELETE FROM t WHERE x=2");
  CHECK(both.error.empty());
  CHECK(both.affected == 5);
  CHECK(both.table.row(0)[0] == "2");
  const auto again = bed.ask("INSERT INTO t VALUES ('${v}'); SELECT x FROM t ORDER BY x DESC LIMIT 1", Values{{"v", "9"}});
  CHECK(again.affected == 1);
  CHECK(again.table.row(0)[0] == "9");

  const auto half = bed.ask("INSERT INTO t VALUES (10); INSERT INTO missing VALUES (1)");
  CHECK(half.failure == "query");
  CHECK(half.error == "no such table: missing");
  CHECK(bed.cell("SELECT count(*) FROM t WHERE x=10") == "0");
}

TEST_CASE("YT-18 sqlite: whatever a value holds, it is stored and compared as it is, or refused") {
  Bed bed;
  REQUIRE(bed.ask("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)").error.empty());
  std::vector<std::string> texts = {"", "'", "''", "\\", "\\'", "%", "_", "$1", "?1", "${v}", "a;b", "--", "/*", "\"", "\r\n", "é€😀", "\xff\xfe", "a\0b"s, "'; DROP TABLE t; --"};
  std::mt19937_64 random(bed.engine().seed());
  constexpr std::string_view kAlphabet = "'\"\\$%{}?;:-/*`[]a0 \n\t\r\xc3\xff";
  for (int i = 0; i < 200; ++i) {
    std::string text;
    for (auto size = random() % 12; size > 0; --size) text.push_back(random() % 30 == 0 ? '\0' : kAlphabet[random() % kAlphabet.size()]);
    texts.push_back(text);
  }
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto& text = texts[i];
    CAPTURE(i);
    const Values values{{"v", text}, {"id", std::to_string(i)}};
    REQUIRE(bed.ask("INSERT INTO t VALUES (${id}, '${v}')", values).error.empty());
    CHECK(bed.cell("SELECT v FROM t WHERE id='${id}'", values) == text);
    CHECK(bed.cell("SELECT CAST(v AS BLOB) FROM t WHERE v='${v}' LIMIT 1", values) == text);
    const auto inside = bed.ask("SELECT 'a ${v} b', \"id\" AS \"x${v}\" FROM t LIMIT 1", values);
    if (text.find('\0') != std::string::npos) {
      CHECK(inside.failure == "value");
    } else {
      REQUIRE_MESSAGE(inside.error.empty(), inside.error);
      CHECK(inside.table.row(0)[0] == "a " + text + " b");
      CHECK(inside.table.columns[1] == "x" + text);
    }
  }
  CHECK(bed.cell("SELECT count(*) FROM t") == std::to_string(texts.size()));
}

TEST_CASE("YT-18 sqlite: a query that cannot have parameters goes with escaped literals") {
  Bed bed;
  CHECK(bed.ask("CREATE TABLE t (x TEXT DEFAULT '${d}')", Values{{"d", "o'k"}}).error.empty());
  CHECK(bed.ask("INSERT INTO t DEFAULT VALUES").error.empty());
  CHECK(bed.cell("SELECT x FROM t") == "o'k");
}

TEST_CASE("writes that wait together share a transaction, each with its own verdict") {
  Bed bed;
  REQUIRE(bed.ask("CREATE TABLE t (x INTEGER UNIQUE NOT NULL)").error.empty());
  std::vector<std::shared_ptr<Bed::Question>> questions;
  for (const auto* value : {"1", "2", "1", "3", ""}) questions.push_back(bed.start("INSERT INTO t VALUES (NULLIF('${v}', ''))", Values{{"v", value}}));
  questions.push_back(bed.start("INSERT INTO t VALUES (4); INSERT INTO t VALUES (4)"));
  questions.push_back(bed.start("INSERT OR ROLLBACK INTO t VALUES (1)"));
  std::vector<std::string> failures;
  for (const auto& question : questions) failures.push_back(bed.settle_one(question).failure);
  CHECK(failures == std::vector<std::string>{"", "", "query", "", "query", "query", "query"});
  CHECK(bed.cell("SELECT group_concat(x) FROM (SELECT x FROM t ORDER BY x)") == "1,2,3");
}

TEST_CASE("D11 a write with a key that was applied is not applied again, in whatever transaction it comes") {
  Bed bed;
  REQUIRE(bed.ask("CREATE TABLE t (x UNIQUE)").error.empty());
  const auto write = [&](const char* key, const char* x) { return bed.ask("INSERT INTO t VALUES ('${x}')", Values{{"x", x}}, {{"idempotency_key", key}}); };
  CHECK(write("k1", "1").affected == 1);
  const auto second = write("k1", "2");
  CHECK(second.error.empty());
  CHECK(second.affected == 0);
  // A write that failed has left no key.
  CHECK(write("k2", "1").failure == "query");
  CHECK(write("k2", "3").affected == 1);
  CHECK(bed.cell("SELECT count(*) FROM t") == "2");
  CHECK(bed.cell("SELECT count(*) FROM jackfield_applied") == "2");
}

TEST_CASE("D11 keys outlive the process, and are forgotten when they are old") {
  const auto engine = std::make_shared<TestEngine>();
  for (int run = 0; run < 2; ++run) {
    ModuleHost host(engine, Bed::conf("database=a.db"));
    Message write(messages::kDatabase);
    write.set(param::kAccount, "a").set(param::kQuery, "CREATE TABLE IF NOT EXISTS t (x); INSERT INTO t VALUES (1)").set(param::kIdempotencyKey, "k");
    REQUIRE(host.ask(write));
    CHECK(write.get(param::kError) == "");
    CHECK(write.get(param::kAffected) == (run == 0 ? "1" : "0"));
  }
  Other(engine->state_dir() / "a.db").run("UPDATE jackfield_applied SET applied = applied - 604801");
  ModuleHost host(engine, Bed::conf("database=a.db"));
  Message touch(messages::kDatabase);
  touch.set(param::kAccount, "a").set(param::kQuery, "INSERT INTO t VALUES (1)");
  REQUIRE(host.ask(touch));
  Message count(messages::kDatabase);
  count.set(param::kAccount, "a").set(param::kQuery, "SELECT * FROM jackfield_applied");
  REQUIRE(host.ask(count));
  CHECK(count.get(param::kRows) == "0");
}

TEST_CASE("what a query begins and does not end is rolled back") {
  Bed bed;
  REQUIRE(bed.ask("CREATE TABLE t (x)").error.empty());
  CHECK(bed.ask("BEGIN; INSERT INTO t VALUES (1)").error == "the query left its transaction open; it was rolled back");
  CHECK(bed.ask("BEGIN; INSERT INTO t VALUES (2); COMMIT").error.empty());
  CHECK(bed.ask("VACUUM").error.empty());
  CHECK(bed.cell("SELECT group_concat(x) FROM t") == "2");
}

TEST_CASE("a runaway query ends at its deadline, and the next one runs") {
  Bed bed;
  const auto slow = bed.start("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT count(*) FROM c", {}, {{"deadline", "100"}});
  bed.engine().run_until([] { return false; }, 20ms);
  bed.engine().advance(110ms);
  CHECK(bed.settle_one(slow).failure == "late");
  CHECK(bed.cell("SELECT 1") == "1");
  // Nothing is left that a stop would wait for.
  CHECK(bed.engine().run_until([&] { return bed.status().find("|up|3|0\r\n") != std::string::npos; }));
}

TEST_CASE("a file that another program has locked is said so; reads go on, and the write works when it is free") {
  Bed bed;
  REQUIRE(bed.ask("CREATE TABLE t (x)").error.empty());
  Other other(bed.file());
  other.run("BEGIN IMMEDIATE");
  const auto write = bed.start("INSERT INTO t VALUES (1)");
  bed.engine().run_until([] { return false; }, 50ms);
  CHECK(bed.cell("SELECT count(*) FROM t") == "0");
  bed.engine().advance(2010ms);
  const auto late = bed.settle_one(write);
  CHECK(late.failure == "late");
  CHECK(late.error == "no answer within 2000 ms: " + bed.file().string() + " is locked by another program; end what writes to it");
  other.run("COMMIT");
  CHECK(bed.ask("INSERT INTO t VALUES (2)").error.empty());
  CHECK(bed.cell("SELECT group_concat(x) FROM t") == "2");
}

TEST_CASE("a disk that takes no more is said so, nothing of the write stays, and it goes on when there is room") {
  Bed bed;
  REQUIRE(bed.ask("CREATE TABLE t (x)").error.empty());
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto old = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 64 * 1024;
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  const auto refused = bed.ask("INSERT INTO t VALUES (randomblob(500000))");
  REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
  std::signal(SIGXFSZ, old);
  CHECK(refused.failure == "away");
  CHECK(refused.error.starts_with(bed.file().string() + ": "));
  CHECK(refused.error.find("disk") != std::string::npos);
  CHECK(bed.ask("INSERT INTO t VALUES (1)").error.empty());
  CHECK(bed.cell("SELECT count(*) FROM t") == "1");
}

TEST_CASE("a database that cannot be opened does not keep the module from starting, and is opened when it can be") {
  Bed bed("database=below/a.db");
  REQUIRE(bed.engine().run_until([&] { return bed.status().find("|away|") != std::string::npos; }));
  const auto away = bed.ask("SELECT 1");
  CHECK(away.failure == "away");
  CHECK(away.error.find("below/a.db cannot be made: No such file or directory") != std::string::npos);
  CHECK(bed.engine().logged("event=not_connected account=a"));
  std::filesystem::create_directory(bed.engine().state_dir() / "below");
  bed.engine().advance(1s);
  REQUIRE(bed.engine().run_until([&] { return bed.status().find("|up|") != std::string::npos; }));
  CHECK(bed.cell("SELECT 1") == "1");
}

TEST_CASE("a file that may only be read is said so, with whose it must be") {
  Bed written;
  REQUIRE(written.ask("CREATE TABLE t (x)").error.empty());
  Bed bed("database=file:" + written.file().string() + "?mode=ro");
  const auto refused = bed.ask("INSERT INTO t VALUES (1)");
  CHECK(refused.failure == "away");
  CHECK_MESSAGE(refused.error.find("a.db?mode=ro cannot be written: the file and its folder must belong to the server") != std::string::npos, refused.error);
  CHECK(written.cell("SELECT count(*) FROM t") == "0");
}

TEST_CASE("a result larger than memory should hold is refused with what to do, and the next query runs") {
  Bed bed;
  const std::string rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 80) SELECT hex(zeroblob(524288)) AS x FROM n";
  const auto large = bed.ask(rows);
  CHECK(large.failure == "query");
  CHECK(large.error == "the result has more than 64 MiB; ask for less");
  CHECK(large.table.size() == 0);
  // Of a write nothing stays.
  REQUIRE(bed.ask("CREATE TABLE t (x)").error.empty());
  CHECK(bed.ask("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 80) INSERT INTO t SELECT i FROM n RETURNING hex(zeroblob(524288))").failure == "query");
  CHECK(bed.cell("SELECT count(*) FROM t") == "0");
  CHECK(bed.ask(rows, {}, {{"results", "false"}}).rows == 80);  // whoever wants none of them has no limit
}

TEST_CASE("a file that is no database is named, with what to do") {
  const auto engine = std::make_shared<TestEngine>();
  std::ofstream(engine->state_dir() / "a.db") << std::string(5000, 'x');
  ModuleHost host(engine, Bed::conf("database=a.db"));
  Message question(messages::kDatabase);
  question.set(param::kAccount, "a").set(param::kQuery, "SELECT 1");
  CHECK(host.ask(question));
  CHECK(question.get(param::kFailure) == "away");
  CHECK(std::string(question.get(param::kError)).find("a.db: file is not a database; the file is damaged") != std::string::npos);
}

TEST_CASE("the file is private, has a write-ahead log, and is as durable as the key says") {
  for (const auto& [word, level] : {std::pair("full", "2"), {"normal", "1"}, {"off", "0"}, {"extra", "3"}}) {
    Bed bed("database=a.db\nsynchronous="s + word);
    // By way of the connection that writes.
    CHECK(bed.cell("PRAGMA synchronous") == level);
    CHECK(bed.cell("PRAGMA journal_mode") == "wal");
    struct stat state {};
    REQUIRE(stat(bed.file().c_str(), &state) == 0);
    CHECK((state.st_mode & 0777) == 0600);
  }
}

TEST_CASE("memory and temporary databases have one connection that does everything") {
  for (const auto* name : {":memory:", "", "file::memory:"}) {
    CAPTURE(name);
    Bed bed("database="s + name);
    REQUIRE(bed.ask("CREATE TABLE t (x)").error.empty());
    auto write = bed.start("WITH v(x) AS (VALUES (1)) INSERT INTO t SELECT x FROM v");
    auto read = bed.start("SELECT x FROM t");
    CHECK(bed.settle_one(write).affected == 1);
    (void)bed.settle_one(read);
    CHECK(bed.cell("SELECT count(*) FROM t") == "1");
    CHECK(bed.status().find("|up|1|0") != std::string::npos);
  }
}

TEST_CASE("initialize runs before anybody asks, from the key or from a file; one that fails keeps the account away") {
  Bed bed("database=a.db\ninitialize=CREATE TABLE IF NOT EXISTS t (x)");
  CHECK(bed.cell("SELECT count(*) FROM t") == "0");

  const auto script = bed.engine().state_dir() / "first.sql";
  std::ofstream(script) << "CREATE TABLE u (x);\nINSERT INTO u VALUES (7);\n";
  CHECK(bed.host().load(Bed::conf("database=b.db\ninitialize=@" + script.string())) == std::nullopt);
  CHECK(bed.cell("SELECT x FROM u") == "7");

  const auto missing = bed.host().load(Bed::conf("database=b.db\ninitialize=@/nonexistent.sql"));
  REQUIRE(missing);
  CHECK(missing->text == "initialize: /nonexistent.sql cannot be read");

  CHECK(bed.host().load(Bed::conf("database=c.db\ninitialize=CREATE TABEL")) == std::nullopt);
  CHECK(bed.ask("SELECT 1").error.find("initialize: near \"TABEL\"") != std::string::npos);
}

TEST_CASE("a reload leaves an account alone whose section says the same, even one in memory") {
  Bed bed("database=:memory:");
  REQUIRE(bed.ask("CREATE TABLE t (x)").error.empty());
  CHECK(bed.host().load(Bed::conf("database=:memory:") + "[b]\n") == std::nullopt);
  CHECK(bed.cell("SELECT count(*) FROM t") == "0");
  CHECK(bed.host().load(Bed::conf("database=:memory:\nretry=6")) == std::nullopt);
  CHECK(bed.ask("SELECT count(*) FROM t").error == "no such table: t");
}

TEST_CASE("a stop writes what was asked before it") {
  const auto engine = std::make_shared<TestEngine>();
  {
    ModuleHost host(engine, Bed::conf("database=a.db\ninitialize=CREATE TABLE IF NOT EXISTS t (x)"));
    for (int i = 0; i < 100; ++i) {
      Message write(messages::kDatabase);
      write.set(param::kAccount, "a").set(param::kQuery, "INSERT INTO t VALUES (1)");
      engine->bus().enqueue(std::move(write));
    }
    engine->run_until_idle();
  }
  ModuleHost host(engine, Bed::conf("database=a.db"));
  Message count(messages::kDatabase);
  count.set(param::kAccount, "a").set(param::kQuery, "SELECT * FROM t");
  REQUIRE(host.ask(count));
  CHECK(count.get(param::kRows) == "100");
}
