#include "builder.h"

#include <jackfield/messages/parameters.h>

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace jackfield::cdrbuild {
namespace param = messages::param;
namespace {

constexpr std::string_view kInitialize = "initialize", kUpdate = "update", kStatus = "status", kFinalize = "finalize";
constexpr std::string_view kOwnPrefix = "cdrbuild/";

std::int64_t microseconds(WallTime time) { return time.time_since_epoch().count(); }

}  // namespace

Builder::Builder(Engine& engine, CdrSettings settings)
    : engine_(engine), log_(engine.log("cdrbuild")), runid_(engine.run_parameter("runid").value_or("")) {
  use(std::move(settings));
  status_timers_ = engine_.timers().add_sink([this](std::uint64_t cdrid) { status_due(cdrid); });
}

Builder::~Builder() { engine_.timers().remove_sink(status_timers_); }

std::int64_t Builder::now() const { return microseconds(engine_.clock().wall()); }

/// When it was sent: it may have waited in the queue. A message without a time is new.
std::int64_t Builder::time_of(const Message& message) const {
  const auto created = microseconds(message.created());
  return created > 0 ? created : now();
}

Verdict Builder::call_event(CallEvent event, Message& message) {
  const auto at = time_of(message);
  forget_old();
  if (event == CallEvent::progress || event == CallEvent::ringing || event == CallEvent::answered) update_peer(event, at, message);

  const auto id = std::string(message.get(param::kId));
  if (id.empty()) return false;
  const bool tracked = message.flag(param::kCdrtrack, true);
  const auto found = records_.find(id);
  if (found != records_.end()) {
    if (!tracked) return false;
    auto& record = found->second;
    record.update(event, at, message);
    if (record.settings().updates) say(record, kUpdate, at);
    watch_status(record);
    return false;
  }

  if (event == CallEvent::update || ignored_.contains(id)) return false;
  const auto* end = ended(id);
  if (end && event != CallEvent::startup) {
    if (event == CallEvent::answered) {
      log_.warning("event=late_answer chan={} reason=\"the leg had ended {} ms before\"", log_value(id), (at - *end) / 1000);
    }
    return false;
  }
  if (!tracked || !message.flag(param::kCdrcreate, true)) {
    if (!end) ignore(id);
    return false;
  }
  const auto ended_at = end ? std::optional(*end) : std::nullopt;
  begin(event, at, message);
  // The channel was already gone when its first message was handled.
  if (ended_at) finalize(records_.find(id), std::max(*ended_at, at));
  return false;
}

void Builder::begin(CallEvent event, std::int64_t at, const Message& message) {
  const auto cdrid = next_cdrid_++;
  auto& record = records_.try_emplace(std::string(message.get(param::kId)), settings_, cdrid, at, message).first->second;
  record.update(event, at, message);
  say(record, kInitialize, at);
  watch_status(record);
}

void Builder::update_peer(CallEvent event, std::int64_t at, const Message& message) {
  const auto id = message.get(param::kId);
  for (const auto peer : {message.get(param::kPeerid), message.get(param::kTargetid)}) {
    if (peer.empty() || peer == id) continue;
    const auto found = records_.find(std::string(peer));
    if (found == records_.end()) {
      if (event == CallEvent::answered && ended(peer)) {
        log_.warning("event=late_answer chan={} reason=\"the calling leg had already ended\"", log_value(peer));
        return;
      }
      continue;
    }
    auto& record = found->second;
    record.update_from_peer(event, at, message);
    if (record.settings().updates) say(record, kUpdate, at);
    watch_status(record);
    return;
  }
}

Verdict Builder::call_update(Message& message) {
  const auto operation = message.get(param::kOperation);
  if (!operation.empty() && operation != "cdrbuild") return false;
  const bool ours = operation == "cdrbuild" && records_.contains(std::string(message.get(param::kId)));
  (void)call_event(CallEvent::update, message);
  return ours;
}

Verdict Builder::call_drop(Message& message) {
  auto id = message.get(param::kId);
  if (!id.starts_with(kOwnPrefix)) return false;
  id.remove_prefix(kOwnPrefix.size());
  const auto found = records_.find(std::string(id));
  if (found == records_.end()) return false;
  const auto at = time_of(message);
  found->second.close(at, message.get(param::kReason));
  remember_hangup(id, at);
  finalize(found, at);
  return true;
}

Verdict Builder::chan_hangup(Message& message) {
  const auto id = std::string(message.get(param::kId));
  if (id.empty()) return false;
  const auto at = time_of(message);
  forget_old();
  remember_hangup(id, at);
  ignored_.erase(id);
  if (const auto found = records_.find(id); found != records_.end()) {
    found->second.update(CallEvent::hangup, at, message);
    finalize(found, at);
  }
  return false;
}

void Builder::finalize(Records::iterator record, std::int64_t at) {
  engine_.timers().stop(record->second.status_timer);
  with_status_.erase(record->second.cdrid());
  record->second.close(at, {});
  say(record->second, kFinalize, at);
  records_.erase(record);
}

void Builder::say(const CallRecord& record, std::string_view operation, std::int64_t at) {
  engine_.bus().enqueue(record.message(operation, runid_, at));
}

void Builder::watch_status(CallRecord& record) {
  const auto& settings = record.settings();
  if (!settings.status || settings.status_interval.count() == 0 || record.status_timer) return;
  if (settings.status_answer && !record.answered()) return;
  with_status_[record.cdrid()] = &record;
  record.status_timer = engine_.timers().start(status_timers_, record.cdrid(), settings.status_interval, TimerKind::coarse);
}

void Builder::status_due(std::uint64_t cdrid) {
  const auto found = with_status_.find(cdrid);
  if (found == with_status_.end()) return;
  auto& record = *found->second;
  record.status_timer = engine_.timers().start(status_timers_, cdrid, record.settings().status_interval, TimerKind::coarse);
  say(record, kStatus, now());
}

void Builder::remember_hangup(std::string_view id, std::int64_t at) {
  if (ended_.emplace(id, at).second) ended_order_.emplace_back(at, id);
}

const std::int64_t* Builder::ended(std::string_view id) {
  const auto found = ended_.find(std::string(id));
  return found == ended_.end() ? nullptr : &found->second;
}

void Builder::forget_old() {
  const auto limit = now() - std::chrono::microseconds(settings_->guardtime).count();
  while (!ended_order_.empty() && ended_order_.front().first < limit) {
    ended_.erase(ended_order_.front().second);
    ended_order_.pop_front();
  }
}

void Builder::ignore(std::string_view id) {
  // Most are forgotten at their hang-up. A channel that ends without one must not stay here for ever.
  if (ignored_.size() >= ignored_limit_) {
    std::erase_if(ignored_, [this](const std::string& one) { return engine_.channels().find(one) == nullptr; });
    ignored_limit_ = std::max<std::size_t>(64, 2 * ignored_.size());
  }
  ignored_.emplace(id);
}

Verdict Builder::engine_halt(Message&) {
  if (records_.empty()) return false;
  return finalize_all();
}

Task<bool> Builder::finalize_all() {
  const auto at = now();
  while (!records_.empty()) {
    const auto first = records_.begin();
    engine_.timers().stop(first->second.status_timer);
    with_status_.erase(first->second.cdrid());
    first->second.close(at, "shutdown");
    auto last = first->second.message(kFinalize, runid_, at);
    records_.erase(first);
    // In its place behind what was said of the record before, and not merely queued: after this message nothing runs any more.
    co_await engine_.bus().dispatch_in_order(last);
  }
  co_return false;
}

Verdict Builder::engine_status(Message& message) {
  const auto module = message.get(param::kModule);
  if (!module.empty() && module != "cdrbuild" && module != "cdr") return false;
  std::string details;
  if (message.flag(param::kDetails, true)) {
    for (const auto& [chan, record] : records_) {
      details.push_back(details.empty() ? ';' : ',');
      details.append(fmt::format("{}={}", chan, record.summary(now())));
    }
  }
  forget_old();
  message.set_retvalue(fmt::format("{}name=cdrbuild,type=cdr,format=Status|Caller|Called|BillId|Duration;cdrs={},hungup={}{}\r\n", message.retvalue(),
                                   records_.size(), ended_.size(), details));
  return module == "cdrbuild";
}

}  // namespace jackfield::cdrbuild
