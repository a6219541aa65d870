#include "applied_keys.h"

#include "answers.h"

#include "database/applied.h"

#include <jackfield/log.h>

#include <fmt/format.h>

#include <array>
#include <thread>

namespace jackfield::pgsqldb {
namespace {

using namespace std::chrono_literals;

constexpr auto kAskAgain = 100ms;
constexpr auto kCleanEvery = 1h;
constexpr auto kKept = 30 * 24h;
/// SQL that gives the run of the server. Statistics do not survive a crash, also not one after which the main process goes on.
constexpr std::string_view kRun = "pg_postmaster_start_time() || ' ' || coalesce(pg_stat_get_bgwriter_stat_reset_time()::text, '')";

sql::QueryTemplate our_template(std::string_view text) { return sql::QueryTemplate::parse(text, sql::Dialect::postgresql).value(); }

std::string seconds_since_1970(std::chrono::hours ago = 0h) {
  const auto then = std::chrono::system_clock::now() - ago;
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(then.time_since_epoch()).count());
}

}  // namespace

void Doubts::remember(const std::string& key, Transaction transaction) {
  if (transaction.number.empty()) return;
  const std::lock_guard lock(mutex_);
  if (transactions_.size() < kMost) transactions_.insert_or_assign(key, std::move(transaction));
}
std::optional<Transaction> Doubts::find(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = transactions_.find(key);
  return found == transactions_.end() ? std::nullopt : std::optional(found->second);
}
void Doubts::forget(const std::string& key) {
  const std::lock_guard lock(mutex_);
  transactions_.erase(key);
}

OrBroken<void> AppliedKeys::prepare() {
  if (mode_ != Mode::unknown) return {};
  static const auto note = our_template(database::kNoteApplied);
  std::string storage;
  const std::array<sql::Value, 2> nothing{};
  const auto insert = std::string(note.render_bound(nothing, storage).value());
  note_name_ = fmt::format("jackfield_note_{}", ++prepared_);
  const auto statement = fmt::format("PREPARE {} (text, text) AS {}", note_name_, insert);
  // Only where it is missed: who may not create it may have been given it.
  auto made = link_.command(statement);
  if (made && !*made) {
    auto created = link_.command(std::string(database::kCreateApplied));
    if (!created) return tl::unexpected(created.error());
    made = link_.command(statement);
    if (made && !*made && !*created) *made = *created;
  }
  if (!made) return tl::unexpected(made.error());
  mode_ = *made ? Mode::table : Mode::transaction_number;
  if (!*made) {
    log_.warning("event=no_applied_table reason={} text=\"a commit in doubt is settled by txid_status while this server runs; "
                 "GRANT CREATE ON SCHEMA, or make the table jackfield_applied, for writes that are never doubled\"",
                 log_value(made->error()));
  }
  return {};
}

void AppliedKeys::missing(std::string_view state) {
  if (state == "42501") mode_ = Mode::transaction_number;
  if (state == "42P01") mode_ = Mode::unknown;
}

void AppliedKeys::send_note(const std::string& key) {
  const std::array<std::string, 2> values{key, seconds_since_1970()};
  arguments_.fill(values.size(), [&](std::size_t index) { return std::string_view(values[index]); });
  link_.send(note_name_.c_str(), arguments_.count(), arguments_.data());
}

std::string AppliedKeys::note(const std::string& key) const {
  static const auto note = our_template(database::kNoteApplied);
  const auto now = seconds_since_1970();
  const std::array<sql::Value, 2> values{key, now};
  return note.render_escaped(values).value();
}


std::string AppliedKeys::which_transaction() { return fmt::format("SELECT txid_current(), {}", kRun); }

Transaction AppliedKeys::transaction_of(const PGresult* result) {
  return {.number = PQgetvalue(result, 0, 0), .run = PQgetvalue(result, 0, 1)};
}

OrBroken<bool> AppliedKeys::settle(database::Request& request) {
  while (const auto transaction = doubts_.find(request.idempotency_key)) {
    std::string status, run;
    bool refused = false;
    auto asked = link_.simple(fmt::format("SELECT txid_status({}), {}", transaction->number, kRun), [&](Result result) {
      if (PQresultStatus(result.get()) != PGRES_TUPLES_OK) refused = true;
      else status = PQgetvalue(result.get(), 0, 0), run = PQgetvalue(result.get(), 0, 1);
    });
    if (!asked) return tl::unexpected(asked.error());
    if (status == "committed" && run == transaction->run) {
      doubts_.forget(request.idempotency_key);
      request.succeed();
      return true;
    }
    // Refused: a number from the future. The server that has taken over never saw it.
    if (status == "aborted" || refused) {
      doubts_.forget(request.idempotency_key);
      return false;
    }
    if (status != "in progress") {
      log_.error("event=write_unknown key={} reason=\"the server crashed while it was committed, and whether it is there nobody knows\"",
                 log_value(request.idempotency_key));
      request.fail(database::Failure::query, "whether it was written before the server crashed is not known; it is not written again");
      return true;
    }
    // Still under way in a session that does not know yet that we are gone.
    if (request.abandoned()) return true;
    std::this_thread::sleep_for(kAskAgain);
  }
  return false;
}

OrBroken<void> AppliedKeys::clean() {
  const auto now = std::chrono::steady_clock::now();
  if (mode_ != Mode::table || (cleaned_ && now - *cleaned_ < kCleanEvery)) return {};
  cleaned_ = now;
  static const auto forget = our_template(database::kForgetApplied);
  const auto before = seconds_since_1970(kKept);
  const std::array<sql::Value, 1> values{before};
  auto cleaned = link_.command(forget.render_escaped(values).value());
  if (!cleaned) return tl::unexpected(cleaned.error());
  return {};
}

}  // namespace jackfield::pgsqldb
