#include "questions/explain.h"

#include "recorder/dispatch_text.h"
#include "recorder/flight_recorder.h"

#include <jackfield/messages/call.h>
#include <jackfield/messages/user.h>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace jackfield::questions {
namespace {

namespace param = messages::param;
using recorder::Head;

constexpr std::size_t kMostShown = 120;  // records, the last ones
constexpr std::size_t kMostCalls = 20;   // of a user, in the list of them
constexpr std::size_t kMostNames = 200;  // to choose from

/// A record and the names it can be found by; the views are into the recorder's memory.
struct Fact {
  Head head;
  std::string_view record;
  std::string_view call_id, id, billid;
  std::string_view users[5];  ///< username, number, caller, called, account
};

Fact fact_of(std::string_view record) {
  Fact fact{.head = recorder::read_head(record), .record = record, .call_id = {}, .id = {}, .billid = {}, .users = {}};
  if (fact.head.type == Head::Type::wire) {
    fact.call_id = recorder::read_wire(record).key;
    return fact;
  }
  const auto dispatch = recorder::read_dispatch(record);
  fact.call_id = dispatch.before(param::kSipCallid);
  fact.id = dispatch.before(param::kId);
  fact.billid = dispatch.before(param::kBillid);
  fact.users[0] = dispatch.before(param::kUsername);
  fact.users[1] = dispatch.before(param::kNumber);
  fact.users[2] = dispatch.before(param::kCaller);
  fact.users[3] = dispatch.before(param::kCalled);
  fact.users[4] = dispatch.before(param::kAccount);
  return fact;
}

/// The names of one call: those of its legs, and what they share.
class Call {
 public:
  explicit Call(std::string_view seed) { names_.emplace(seed); }

  /// Takes in what is known of each leg by any of the names until nothing new is found.
  void collect(const std::vector<Fact>& facts) {
    for (bool grew = true; grew;) {
      grew = false;
      for (const auto& fact : facts)
        if (has(fact))
          for (const auto name : {fact.call_id, fact.id, fact.billid}) grew = (!name.empty() && names_.emplace(name).second) || grew;
    }
  }
  bool has(const Fact& fact) const { return names_.contains(fact.call_id) || names_.contains(fact.id) || names_.contains(fact.billid); }

 private:
  std::set<std::string_view> names_{};
};

std::tm local(std::int64_t microseconds) { return fmt::localtime(static_cast<std::time_t>(microseconds / 1'000'000)); }

std::string clock_text(std::int64_t microseconds) { return fmt::format("{:%H:%M:%S}.{:03}", local(microseconds), microseconds / 1000 % 1000); }

/// A user's name as it stands in `username`.
std::string_view user_of(std::string_view aor) {
  for (const std::string_view scheme : {"sip:", "sips:"})
    if (aor.starts_with(scheme)) aor.remove_prefix(scheme.size());
  return aor;
}

class Story {
 public:
  explicit Story(const FlightRecorder& recorder) : recorder_(recorder) {}

  void tell(std::vector<Fact> facts, bool all) {
    std::ranges::sort(facts, {}, [](const Fact& fact) { return fact.head.sequence; });
    const std::size_t left_out = all || facts.size() <= kMostShown ? 0 : facts.size() - kMostShown;
    if (left_out != 0) out_ += fmt::format("{} earlier records are left out; --all shows them\n", left_out);
    for (std::size_t i = left_out; i < facts.size(); ++i) tell(facts[i]);
  }
  std::string& out() { return out_; }

 private:
  void tell(const Fact& fact) {
    const auto time = local(fact.head.time);
    if (time.tm_yday != day_) out_ += fmt::format("{:%Y-%m-%d}\n", time);
    day_ = time.tm_yday;
    out_ += clock_text(fact.head.time);
    if (fact.head.type == Head::Type::wire) wire(fact);
    else dispatch(fact);
  }

  void dispatch(const Fact& fact) {
    out_ += "  ";
    recorder::append_dispatch(out_, recorder::read_dispatch(fact.record), fact.id.empty() ? nullptr : &known_[std::string(fact.id)]);
  }

  void wire(const Fact& fact) {
    const auto read = recorder::read_wire(fact.record);
    const auto reader = recorder_.reader(fact.head.source);
    if (!reader) {
      out_ += fmt::format("  {} {} bytes of a driver that is not loaded any more\n", read.sent ? "->" : "<-", read.length);
      return;
    }
    out_ += fmt::format("  {} {}\n", read.sent ? "->" : "<-", reader->way(read.flow));
    const auto text = reader->text(read.bytes);
    std::string_view rest = text;
    while (!rest.empty()) {
      const auto end = std::min(rest.find('\n'), rest.size());
      out_.append("      | ").append(rest.substr(0, end)) += '\n';
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    if (read.length > read.bytes.size()) out_ += fmt::format("      | ... ({} bytes)\n", read.length);
  }

  const FlightRecorder& recorder_;
  std::map<std::string, recorder::Known> known_;  // by channel
  std::string out_;
  int day_ = -1;
};

/// Which legs a call has.
std::string legs_of(const std::vector<Fact>& facts) {
  std::map<std::string_view, std::string_view> call_id_of;
  std::string_view billid;
  for (const auto& fact : facts) {
    if (!fact.billid.empty()) billid = fact.billid;
    if (fact.id.empty()) continue;
    auto& call_id = call_id_of[fact.id];
    if (call_id.empty()) call_id = fact.call_id;
  }
  std::string out = billid.empty() ? "a call" : fmt::format("call {}", recorder::shown({}, billid, billid.size()));
  std::string_view before = ": ";
  for (const auto& [id, call_id] : call_id_of) {
    out += fmt::format("{}{}", std::exchange(before, ", "), recorder::shown({}, id, id.size()));
    if (!call_id.empty()) out += fmt::format(" (Call-ID {})", recorder::shown({}, call_id, call_id.size()));
  }
  return out + "\n";
}

std::string calls_of(const std::vector<Fact>& facts, std::string_view user) {
  std::vector<std::string> lines;
  std::set<std::string_view> told;
  for (const auto& fact : facts) {
    if (fact.head.type != Head::Type::dispatch || fact.head.kind != Recorded::call || fact.billid.empty()) continue;
    const auto& [username, number, caller, called, account] = fact.users;
    if ((username != user && caller != user && called != user) || !told.insert(fact.billid).second) continue;
    const auto part = [](std::string_view text) { return recorder::shown({}, text, text.size()); };
    lines.push_back(fmt::format("  {}  {} -> {}  `explain {}`\n", clock_text(fact.head.time), part(caller), part(called), part(fact.billid)));
  }
  if (lines.empty()) return {};
  const auto from = lines.size() - std::min(lines.size(), kMostCalls);
  return fmt::format("calls of {}:\n{}", recorder::shown({}, user, user.size()), fmt::join(lines.begin() + static_cast<std::ptrdiff_t>(from), lines.end(), ""));
}

/// Registrations: what was asked and told of the user, and the messages of the same conversations.
std::vector<Fact> registrations_of(const FlightRecorder& recorder, const std::vector<Fact>& facts, std::string_view user) {
  std::set<std::string_view> call_ids;
  std::vector<Fact> chosen;
  const auto is_of_user = [&](const Fact& fact) {
    if (fact.head.type == Head::Type::dispatch) return fact.users[0] == user || fact.users[1] == user || fact.users[4] == user;
    const auto reader = recorder.reader(fact.head.source);
    return reader && reader->user(recorder::read_wire(fact.record).bytes) == user;
  };
  for (const auto& fact : facts)
    if (fact.head.kind == Recorded::registration && (call_ids.contains(fact.call_id) || is_of_user(fact)) && !fact.call_id.empty())
      call_ids.insert(fact.call_id);
  for (const auto& fact : facts)
    if (fact.head.kind == Recorded::registration && (call_ids.contains(fact.call_id) || (fact.head.type == Head::Type::dispatch && is_of_user(fact))))
      chosen.push_back(fact);
  return chosen;
}

}  // namespace

Explanation explain(const FlightRecorder& recorder, std::string_view what, bool all) {
  if (what.empty()) return {false, "say which call or which user\n"};
  std::vector<Fact> facts;
  recorder.each([&](std::string_view record) { facts.push_back(fact_of(record)); });
  std::ranges::sort(facts, {}, [](const Fact& fact) { return fact.head.sequence; });

  Story story(recorder);
  const auto names = [what](const Fact& fact) { return fact.call_id == what || fact.id == what || fact.billid == what; };
  if (std::ranges::any_of(facts, names)) {
    Call call(what);
    call.collect(facts);
    std::erase_if(facts, [&](const Fact& fact) { return !call.has(fact); });
    story.out() += legs_of(facts);
    story.tell(std::move(facts), all);
    return {true, std::move(story.out())};
  }

  std::string_view user = user_of(what);
  auto chosen = registrations_of(recorder, facts, user);
  if (chosen.empty() && user.find('@') != std::string_view::npos) {
    user = user.substr(0, user.find('@'));
    chosen = registrations_of(recorder, facts, user);
  }
  const auto calls = calls_of(facts, user);
  if (!chosen.empty()) story.tell(std::move(chosen), all);
  story.out() += calls;
  if (!story.out().empty()) return {true, std::move(story.out())};
  if (!recorder.records(Recorded::call) && !recorder.records(Recorded::registration))
    return {false, "nothing is recorded: calls= and registrations= in [recorder] of jackfield.conf are 0\n"};
  const auto since = facts.empty() ? std::string("nothing was recorded yet")
                                   : fmt::format("what is kept begins at {:%Y-%m-%d} {}", local(facts.front().head.time), clock_text(facts.front().head.time));
  return {false, fmt::format("nothing is known of `{}`: no Call-ID, billid, channel or user of that name; {}\n", recorder::shown({}, what, what.size()), since)};
}

std::vector<std::string> known_names(const FlightRecorder& recorder, bool calls) {
  std::vector<Fact> facts;
  recorder.each([&](std::string_view record) { facts.push_back(fact_of(record)); });
  std::ranges::sort(facts, std::ranges::greater(), [](const Fact& fact) { return fact.head.sequence; });
  std::set<std::string_view> names;
  const auto take = [&](std::string_view name) {
    // A name with a blank would have to be quoted, and what is no text cannot be typed.
    const auto plain = std::ranges::all_of(name, [](unsigned char c) { return c > 0x20 && c != 0x7f && c != '"' && c != '\\'; });
    if (!name.empty() && plain && names.size() < kMostNames) names.insert(name);
  };
  for (const auto& fact : facts) {
    if (calls) take(fact.billid);
    for (const auto user : fact.users) take(user);
  }
  return {names.begin(), names.end()};
}

}  // namespace jackfield::questions
