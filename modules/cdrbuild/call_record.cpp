#include "call_record.h"

#include "time_text.h"

#include <jackfield/messages/call.h>

#include <fmt/format.h>

#include <algorithm>

namespace jackfield::cdrbuild {
namespace param = messages::param;

CallRecord::CallRecord(std::shared_ptr<const CdrSettings> settings, std::uint64_t cdrid, std::int64_t now, const Message& first)
    : settings_(std::move(settings)),
      cdrid_(cdrid),
      chan_(first.get(param::kId)),
      status_("unknown"),
      start_(now),
      write_(first.flag(param::kCdrwrite, true)),
      values_(settings_->collected.size()) {}

void CallRecord::update(CallEvent event, std::int64_t now, const Message& message) {
  note(event, now, message);
  if (const auto direction = message.get(param::kDirection); !direction.empty() && direction_.empty()) direction_ = direction;
  // Latched from the first message, as Yate has it; but a leg may turn out to have been no call (D19: a challenge that was passed on).
  if (event == CallEvent::hangup && !message.flag(param::kCdrwrite, true)) write_ = false;
  collect(message);
}

void CallRecord::update_from_peer(CallEvent event, std::int64_t now, const Message& message) { note(event, now, message); }

void CallRecord::close(std::int64_t now, std::string_view reason) {
  hangup_ = std::max(now, start_);
  if (reason.empty()) return;
  const auto& names = settings_->collected;
  const auto found = std::ranges::find(names, param::kReason.name, &Collected::name);
  auto& value = values_[static_cast<std::size_t>(found - names.begin())];
  if (found->overwrite || value.empty()) value = reason;
}

void CallRecord::note(CallEvent event, std::int64_t now, const Message& message) {
  switch (event) {
    case CallEvent::progress:
      // Without ring_on_progress only what the caller can hear counts.
      if (!settings_->ring_on_progress && !message.flag(param::kEarlymedia) && !message.flag(param::kRinging)) break;
      [[fallthrough]];
    case CallEvent::ringing:
      if (ringing_ == 0 && answer_ == 0) ringing_ = now;
      break;
    case CallEvent::answered:
      if (answer_ == 0) answer_ = now;
      break;
    case CallEvent::hangup:
      hangup_ = now;
      break;
    case CallEvent::startup:
    case CallEvent::route:
    case CallEvent::execute:
    case CallEvent::update:
      break;
  }
  note_status(event, message.get(param::kStatus));
}

void CallRecord::note_status(CallEvent event, std::string_view status) {
  if (event == CallEvent::answered) status = "answered";
  // How far the call came stays to the end, and nothing comes after the answer.
  if (status.empty() || status == "hungup" || (answered() && status != "answered")) return;
  status_ = status;
}

void CallRecord::collect(const Message& message) {
  const auto& names = settings_->collected;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!names[i].overwrite && !values_[i].empty()) continue;
    if (const auto value = message.get(names[i].name); !value.empty()) values_[i] = value;
  }
}

std::string_view CallRecord::collected(std::string_view name) const {
  const auto& names = settings_->collected;
  const auto found = std::ranges::find(names, name, &Collected::name);
  return found == names.end() ? std::string_view() : std::string_view(values_[static_cast<std::size_t>(found - names.begin())]);
}

Message CallRecord::message(std::string_view operation, std::string_view runid, std::int64_t now) const {
  // What has not happened yet counts as happening now: an unanswered call has no billing time and rang until its end.
  const auto hangup = hangup_ != 0 ? hangup_ : now;
  const auto answer = answer_ != 0 ? answer_ : hangup;
  const auto ringing = ringing_ != 0 ? ringing_ : answer;
  const auto seconds = [this](std::int64_t microseconds) { return seconds_text(microseconds, settings_->resolution); };

  Message cdr(messages::kCallCdr, WallTime(std::chrono::microseconds(now)));
  cdr.set_broadcast(true);
  cdr.set(param::kTime, seconds(start_));
  cdr.set(param::kChan, chan_);
  cdr.set(param::kCdrid, static_cast<long long>(cdrid_));
  cdr.set(param::kRunid, runid);
  cdr.set(param::kOperation, operation);
  cdr.set(param::kDirection, direction_);
  cdr.set(param::kDuration, seconds(hangup - start_));
  cdr.set(param::kBilltime, seconds(hangup - answer));
  cdr.set(param::kRingtime, seconds(answer - ringing));
  cdr.set(param::kStatus, status_);
  cdr.set_flag(param::kCdrwrite, write_);
  cdr.set(param::kExternal, collected(direction_ == "incoming" ? param::kCaller : param::kCalled));
  for (std::size_t i = 0; i < values_.size(); ++i) {
    if (!values_[i].empty()) cdr.set(settings_->collected[i].name, values_[i]);
  }

  const auto& formats = settings_->formats;
  if (!formats.start.empty()) cdr.set(param::kCallStartTime, formatted_time(formats.start, start_, formats.utc));
  if (!formats.answer.empty() && answer_ != 0) cdr.set(param::kCallAnswerTime, formatted_time(formats.answer, answer_, formats.utc));
  if (!formats.hangup.empty() && hangup_ != 0) cdr.set(param::kCallHangupTime, formatted_time(formats.hangup, hangup_, formats.utc));
  if (!formats.duration.empty()) cdr.set(param::kCallDuration, formatted_duration(formats.duration, hangup - start_));
  return cdr;
}

std::string CallRecord::summary(std::int64_t now) const {
  return fmt::format("{}|{}|{}|{}|{}", status_, collected(param::kCaller), collected(param::kCalled), collected(param::kBillid),
                     seconds_text(now - start_, Resolution::sec));
}

}  // namespace jackfield::cdrbuild
