#include "record_lane.h"

#include "sql/query_template.h"

#include <fmt/format.h>

#include <algorithm>

namespace jackfield::register_module {
namespace {

/// Writes that wait together share a transaction of the database (group commit); more than this gains nothing.
constexpr std::size_t kMostUnderWay = 64;
constexpr Duration kRetry{1000};
/// Entries that were refused: perhaps somebody has mended the table.
constexpr Duration kRetryRefused{30'000};
constexpr Duration kReportEvery{60'000};

/// What every database can hold: UTF-8 without NUL.
std::string text_of(std::string_view value) {
  std::string out(value);
  for (std::size_t from = 0;; ++from) {
    const auto bad = sql::invalid_utf8(std::string_view(out).substr(from));
    if (bad == std::string_view::npos) break;
    out[from += bad] = '?';
  }
  std::ranges::replace(out, '\0', '?');
  return out;
}

}  // namespace

RecordLane::RecordLane(LaneId id, std::string_view name, std::shared_ptr<Database> database, Host host)
    : id_(id), name_(name), database_(std::move(database)), host_(std::move(host)) {}

void RecordLane::use(std::shared_ptr<const RegisterSettings> settings) {
  settings_ = std::move(settings);
  if (step_ != Step::stopped) retry_refused();
}

void RecordLane::enter(RecordEntry entry, std::deque<std::string>& ready) {
  auto& record = records_[entry.record];
  ++backlog_;
  if (record.entries.empty()) {
    record.since = database_->engine().clock().now();
    ready.push_back(entry.record);
  }
  if (record.refused) ++held_up_;
  record.entries.push_back(std::move(entry));
}

void RecordLane::add_old(RecordEntry entry) { enter(std::move(entry), ready_); }

void RecordLane::start() {
  step_ = Step::earlier_runs;
  if (backlog_ > 0) database_->log().info("event=records-left section={} backlog={} reason=\"of an earlier run\"", name_, backlog_);
  pump();
}

void RecordLane::add(RecordEntry entry) {
  enter(std::move(entry), step_ == Step::running ? ready_ : later_);
  pump();
}

void RecordLane::pump() {
  // A database that answers at once comes back here from within begin().
  if (step_ == Step::stopped || stopped_ || pumping_ || !handler().enabled) return;
  pumping_ = true;
  while (!ready_.empty() && !retrying_ && under_way_ < (away_ ? 1 : kMostUnderWay)) {
    const auto record = std::move(ready_.front());
    ready_.pop_front();
    begin(record);
  }
  pumping_ = false;
  if (step_ != Step::earlier_runs || !ready_.empty() || under_way_ != 0 || host_.earlier_left()) return;
  step_ = Step::init_query;
  database_->engine().spawn("register.initquery", run_init_query(shared_from_this()));
}

void RecordLane::begin(const std::string& record) {
  ++under_way_;
  database_->engine().spawn("register.record", write(shared_from_this(), record, settings_));
}

Task<> RecordLane::write(std::shared_ptr<RecordLane> self, std::string record, std::shared_ptr<const RegisterSettings> settings) {
  const auto& handler = self->handler_of(*settings);
  // A copy: what is under way must not depend on what comes behind it.
  const RecordEntry entry = self->records_.at(record).entries.front();
  auto failed = std::make_shared<Answer>();
  const auto* query = handler.query_for(entry.operation);
  if (!query) {  // it was journaled under another configuration, which wrote it
    self->answered(record, *failed);
    co_return;
  }
  auto& engine = self->database_->engine();
  Message cdr(entry.operation);  // only to take values from
  set_parameters(cdr, entry.parameters);
  const Values values(engine, cdr);
  auto account = account_of(handler, values);
  auto resolving = Database::resolve(self->database_, &handler, query, account, failed);
  if (const Query* const real = co_await std::move(resolving)) {
    auto key = fmt::format("{}/{}/{}/{}/{}", values.find("nodename").value_or(""), entry.record, entry.operation, entry.number, self->name_);
    const Database::Question question{.account = std::move(account), .query = real->text(), .values = values.of(*real),
                                      .deadline = handler.deadline, .idempotency_key = std::move(key)};
    auto asking = Database::ask(self->database_, question);
    *failed = co_await std::move(asking);
    if (failed->failure == Answer::Failure::value) {
      auto again = question;
      for (auto& [name, value] : again.values.values) value = text_of(value);
      auto asking_again = Database::ask(self->database_, std::move(again));
      *failed = co_await std::move(asking_again);
    }
  }
  self->answered(record, *failed);
}

void RecordLane::answered(const std::string& record, const Answer& answer) {
  --under_way_;
  if (stopped_) return;
  const auto found = records_.find(record);
  auto& entries = found->second.entries;
  if (answer.good()) {
    const RecordEntry written = std::move(entries.front());
    entries.pop_front();
    --backlog_;
    if (entries.empty()) records_.erase(found);
    else {
      found->second.since = database_->engine().clock().now();
      ready_.push_back(record);
    }
    host_.written(written);
    good_again();
  } else if (answer.failure == Answer::Failure::query || answer.failure == Answer::Failure::value) {
    found->second.refused = true;
    ++refused_;
    held_up_ += entries.size();
    database_->log().error("event=record-refused section={} record={} operation={} reason={} hint=\"mend the table or the query, then `jackfield reload register`; it is kept\"",
                           name_, log_value(record), entries.front().operation, log_value(answer.error));
    failing_ = true;
    host_.changed();
    retry_later();
  } else {
    ready_.push_front(record);
    lost(answer);
  }
  pump();
}

void RecordLane::lost(const Answer& answer) {
  const auto now = database_->engine().clock().now();
  if (!std::exchange(away_, true) || now - reported_ >= kReportEvery) {
    reported_ = now;
    database_->log().warning("event=records-wait section={} backlog={} oldest_s={} reason={}", name_, backlog_,
                             std::chrono::duration_cast<std::chrono::seconds>(waiting()).count(), log_value(answer.error));
  }
  failing_ = true;
  host_.changed();
  if (std::exchange(retrying_, true)) return;
  database_->engine().spawn("register.retry", wait_and_retry(shared_from_this(), kRetry));
}

Task<> RecordLane::wait_and_retry(std::shared_ptr<RecordLane> self, Duration time) {
  auto pausing = self->database_->pause(time);
  const bool goes_on = co_await std::move(pausing);
  if (!goes_on) co_return;
  self->retrying_ = false;
  self->pump();
}

void RecordLane::retry_later() {
  // With the first of those that wait the others are tried.
  if (std::exchange(refused_wait_, true)) return;
  database_->engine().spawn("register.refused", wait_and_retry_refused(shared_from_this()));
}

Task<> RecordLane::wait_and_retry_refused(std::shared_ptr<RecordLane> self) {
  auto pausing = self->database_->pause(kRetryRefused);
  const bool goes_on = co_await std::move(pausing);
  self->refused_wait_ = false;
  if (goes_on) self->retry_refused();
}

void RecordLane::retry_refused() {
  refused_ = held_up_ = 0;
  for (auto& [name, record] : records_)
    if (std::exchange(record.refused, false)) ready_.push_back(name);
  pump();
}

void RecordLane::good_again() {
  if (std::exchange(away_, false)) database_->log().info("event=records-written section={} backlog={} reason=\"the database is back\"", name_, backlog_);
  if (!std::exchange(failing_, false)) return;
  host_.changed();
}

Task<> RecordLane::run_init_query(std::shared_ptr<RecordLane> self) {
  for (;;) {
    const auto settings = self->settings_;
    const auto& handler = self->handler_of(*settings);
    if (handler.init.empty()) break;
    const Message nobody("engine.start");
    const Values values(self->database_->engine(), nobody);
    auto asking = Database::ask(self->database_, settings, &handler, &handler.init, values);
    const Answer answer = co_await std::move(asking);
    if (self->stopped_) co_return;
    // One that is refused was complained about; as in Yate, its result decides nothing.
    if (answer.failure != Answer::Failure::away && answer.failure != Answer::Failure::late) break;
    self->lost(answer);
    auto pausing = self->database_->pause(kRetry);
    const bool goes_on = co_await std::move(pausing);
    if (!goes_on) co_return;
  }
  self->step_ = Step::running;
  self->ready_.insert(self->ready_.end(), self->later_.begin(), self->later_.end());
  self->later_.clear();
  self->pump();
}

Duration RecordLane::waiting() const {
  auto oldest = database_->engine().clock().now();
  for (const auto& [name, record] : records_) oldest = std::min(oldest, record.since);
  return database_->engine().clock().now() - oldest;
}

void RecordLane::each(const std::function<void(const RecordEntry&)>& visit) const {
  for (const auto& [name, record] : records_)
    for (const auto& entry : record.entries) visit(entry);
}

}  // namespace jackfield::register_module
