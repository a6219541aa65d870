// What the tests of register share: the module on an engine whose database is the test's own, which sees every question and says what
// it likes, when it likes.
#pragma once

#include "support/module_host.h"

#include <jackfield/messages/database.h>
#include <jackfield/messages/stored_bindings.h>

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace jackfield::register_test {

using namespace std::chrono_literals;
using Cell = messages::DatabaseRows::Cell;

struct Asked {
  std::string account, query, key;
  std::map<std::string, std::string> values;
  long long deadline = 0;

  /// The query with its values put in, for people.
  std::string text() const {
    return substitute(query, [&](std::string_view name) -> std::optional<std::string_view> {
      const auto found = values.find(std::string(name));
      return found == values.end() ? std::nullopt : std::optional<std::string_view>(found->second);
    });
  }
};

struct Reply {
  std::vector<std::string> columns = {};
  std::vector<std::vector<Cell>> rows = {};
  long long affected = 0;
  std::string error = {}, failure = {};

  static Reply wrote(long long affected = 1) { return {.affected = affected}; }
  static Reply failed(std::string failure) { return {.error = "the database said no", .failure = std::move(failure)}; }
};

/// Answers the message `database` for every account but `nobody`.
class FakeDatabase {
 public:
  explicit FakeDatabase(TestEngine& engine) : engine_(engine), pendings_(engine.timers()) {
    handler_ = engine.bus().install({.message = "database"}, [this](Message& message) { return handle(message); });
  }

  std::vector<Asked> asked;
  /// What it says; wrote() where nothing is set.
  std::function<Reply(const Asked&)> says;
  /// Questions wait until release().
  bool holds = false;

  void release() {
    for (const auto id : std::exchange(waiting_, {})) pendings_.complete<bool>(id, true);
    engine_.run_until_idle();
  }
  std::size_t waiting() const { return waiting_.size(); }
  std::vector<std::string> texts() const {
    std::vector<std::string> out;
    for (const auto& one : asked) out.push_back(one.text());
    return out;
  }

 private:
  Verdict handle(Message& message) {
    if (message.get("account") == "nobody") return false;
    Asked question{.account = std::string(message.get("account")), .query = std::string(message.get("query")), .key = std::string(message.get("idempotency_key")),
                   .values = {}, .deadline = message.number("deadline")};
    if (const auto* given = message.payload<messages::QueryValues>())
      for (const auto& [name, value] : given->values) question.values[name] = value;
    asked.push_back(question);
    if (!holds) return reply(message, question);
    auto pending = pendings_.open<bool>(std::chrono::hours(1));
    waiting_.push_back(pending.id());
    return later(this, std::move(pending), &message, std::move(question));
  }
  static Task<bool> later(FakeDatabase* self, Pending<bool> pending, Message* message, Asked question) {
    auto waiting = pending.wait();
    (void)co_await std::move(waiting);
    co_return self->reply(*message, question);
  }
  bool reply(Message& message, const Asked& question) {
    const auto answer = says ? says(question) : Reply::wrote();
    message.detach();
    if (!answer.error.empty()) {
      message.set("error", answer.error).set("failure", answer.failure);
      return true;
    }
    message.set("affected", answer.affected);
    if (answer.columns.empty()) return true;
    auto rows = std::make_shared<messages::DatabaseRows>();
    rows->columns = answer.columns;
    for (const auto& row : answer.rows) rows->cells.insert(rows->cells.end(), row.begin(), row.end());
    message.set("rows", static_cast<long long>(answer.rows.size())).set("columns", static_cast<long long>(answer.columns.size()));
    message.attach(std::move(rows));
    return true;
  }

  TestEngine& engine_;
  Pendings pendings_;
  std::deque<PendingId> waiting_;
  Bus::Subscription handler_;
};

/// An engine with a database, and the module, which may be ended and started again on it.
class Site {
 public:
  explicit Site(std::string text) : text_(std::move(text)) { start(); }

  void start() {
    host_ = std::make_unique<ModuleHost>(engine_, text_);
    engine().run_until_idle();
  }
  void start(std::string text) {
    text_ = std::move(text);
    start();
  }
  void stop() { host_.reset(); }
  void reload(std::string text) {
    text_ = std::move(text);
    const auto refused = host_->load(text_);
    REQUIRE_MESSAGE(!refused, (refused ? refused->text : std::string()));
    engine().run_until_idle();
  }

  TestEngine& engine() { return *engine_; }
  FakeDatabase& database() { return *database_; }
  /// Dispatches and gives the verdict; the message keeps what the handlers set.
  bool ask(Message& message) {
    const auto verdict = engine().dispatch(message);
    REQUIRE_MESSAGE(verdict.has_value(), "a handler waits for ever");
    return *verdict;
  }
  Message message(std::string_view name, std::initializer_list<Parameter> parameters = {}) const {
    Message made(name, engine_->clock().wall());
    for (const auto& [parameter, value] : parameters) made.set(parameter, value);
    return made;
  }
  std::string status() {
    auto asked = message("engine.status", {{"module", "register"}});
    CHECK(ask(asked));
    return std::string(asked.retvalue());
  }

 private:
  std::shared_ptr<TestEngine> engine_ = std::make_shared<TestEngine>();
  std::unique_ptr<FakeDatabase> database_ = std::make_unique<FakeDatabase>(*engine_);
  std::string text_;
  std::unique_ptr<ModuleHost> host_;
};

}  // namespace jackfield::register_test
