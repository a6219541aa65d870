#include "call/session_timer.h"

#include <algorithm>
#include <chrono>
#include <string>

namespace jackfield::sip::call {

namespace {

using std::chrono::seconds;

constexpr std::uint32_t kDefaultMinimum = 90;  // §5: what a message without Min-SE means
constexpr std::uint32_t kLongest = 7 * 86400;  // s; nobody means more, and times stay in range

std::uint32_t minimum_in(const Message& message) {
  const auto value = parse_leading_number(message.value(HeaderId::min_se));
  return value ? std::min(*value, kLongest) : 0;
}

std::optional<SessionExpires> interval_in(const Message& message) {
  auto value = parse_session_expires(message.value(HeaderId::session_expires));
  if (!value || value->seconds == 0) return std::nullopt;
  value->seconds = std::min(value->seconds, kLongest);
  return *value;
}

bool supports_timer(const Message& message) { return message.lists(HeaderId::supported, "timer") || message.lists(HeaderId::require, "timer"); }

}  // namespace

std::optional<std::uint32_t> SessionTimer::too_brief(const Message& request, const Terms& terms) {
  if (!request.has(HeaderId::session_expires) || !supports_timer(request)) return std::nullopt;  // §9: others would not understand
  const auto asked = interval_in(request);
  if (!asked || asked->seconds >= terms.minimum) return std::nullopt;
  return terms.minimum;
}

// §9, table 2.
void SessionTimer::asked(const Message& request, const Terms& terms) {
  const bool knows = supports_timer(request);
  const auto wanted = interval_in(request);
  const auto minimum = minimum_in(request);
  minimum_ = std::max(minimum_, minimum);
  answer_ = {};
  if (wanted) answer_.interval = terms.interval == 0 ? wanted->seconds : std::min(wanted->seconds, std::max(terms.interval, minimum));
  else answer_.interval = terms.interval == 0 ? 0 : std::max(terms.interval, minimum);
  if (answer_.interval == 0) return;
  if (!knows) {
    answer_.role = Role::refresher;
    answer_.alone = !wanted;  // a proxy on the way may have asked for it
    return;
  }
  const auto refresher = wanted ? wanted->refresher : Refresher::unsaid;
  const bool ours = refresher == Refresher::uas || (refresher == Refresher::unsaid && role_ == Role::refresher);
  answer_.role = ours ? Role::refresher : Role::watcher;
  answer_.required = !ours;
}

void SessionTimer::write_answer(Writer& writer) const {
  if (answer_.interval == 0 || answer_.alone) return;
  auto value = std::to_string(answer_.interval);
  value += answer_.role == Role::refresher ? ";refresher=uas" : ";refresher=uac";
  writer.header(HeaderId::session_expires, value);
  if (answer_.required) writer.header(HeaderId::require, "timer");
}

void SessionTimer::answered(MonoTime now) {
  role_ = answer_.role;
  interval_ = answer_.interval;
  alone_ = answer_.alone;
  confirm(now);
}

void SessionTimer::write_request(Writer& writer, const Terms& terms) const {
  if (terms.interval == 0 && interval_ == 0) return;
  const auto minimum = std::max(terms.minimum, minimum_);
  auto value = std::to_string(std::max(interval_ != 0 ? interval_ : terms.interval, minimum));
  // §7.4: within the dialog the roles stay; outside the other side chooses.
  if (role_ != Role::none && !alone_) value += role_ == Role::refresher ? ";refresher=uac" : ";refresher=uas";
  writer.header(HeaderId::session_expires, value);
  if (minimum != kDefaultMinimum) writer.header(HeaderId::min_se, static_cast<unsigned long>(minimum));
}

// §7.2.
void SessionTimer::accepted(const Message& response, const Terms& terms, MonoTime now) {
  if (const auto agreed = interval_in(response)) {
    interval_ = agreed->seconds;
    role_ = agreed->refresher == Refresher::uas ? Role::watcher : Role::refresher;
    alone_ = false;
  } else {
    // D16: who knows no session timers is asked by us alone whether he is still there.
    alone_ = true;
    interval_ = terms.interval == 0 ? 0 : std::max(terms.interval, minimum_);
    role_ = interval_ == 0 ? Role::none : Role::refresher;
  }
  confirm(now);
}

bool SessionTimer::raise(const Message& response, const Terms& terms) {
  const auto minimum = minimum_in(response);
  if (minimum <= std::max({terms.minimum, minimum_, interval_ != 0 ? interval_ : terms.interval})) return false;  // it was long enough
  minimum_ = minimum;
  return true;
}

void SessionTimer::refused(MonoTime now, Duration wait) {
  if (role_ == Role::none) return;
  if (alone_) confirmed_ = now;  // any answer at all was what we wanted to know
  postponed(now, wait);
}

void SessionTimer::postponed(MonoTime now, Duration wait) {
  if (role_ == Role::none) return;
  next_ = std::min(now + wait, expiry());
  ending_ = next_ == expiry();
}

std::optional<Duration> SessionTimer::wait(MonoTime now) const {
  if (role_ == Role::none) return std::nullopt;
  return std::max(std::chrono::duration_cast<Duration>(next_ - now), Duration(1));
}

SessionTimer::Due SessionTimer::due() {
  if (ending_) return Due::end;
  ending_ = true;
  next_ = expiry();
  return Due::refresh;
}

void SessionTimer::confirm(MonoTime now) {
  confirmed_ = now;
  ending_ = role_ == Role::watcher;
  // §10: the refresher at half the time; the other side gives up a little before the end.
  const Duration interval = seconds(interval_);
  next_ = ending_ ? now + interval - std::min<Duration>(seconds(32), interval / 3) : now + interval / 2;
}

MonoTime SessionTimer::expiry() const { return confirmed_ + seconds(interval_); }

}  // namespace jackfield::sip::call
