#include "settings.h"

#include <fmt/format.h>

#include <algorithm>

namespace jackfield::callcounters {
namespace {

constexpr std::string_view kGeneral = "general";
constexpr std::string_view kLimitPrefix = "limit ";

constexpr Key kGeneralKeys[] = {
    {.name = "parameter", .type = KeyType::text, .fallback = "", .unit = "",
     .doc = "The parameter of a call record whose values are counted; call.route gets the number of other calls with its value as "
            "PARAMETER_count. One that cdrbuild does not collect by default has to stand in its [parameters]. Empty: nothing is counted.",
     .reloadable = false},
    {.name = "direction", .type = KeyType::choice, .fallback = "incoming", .unit = "", .doc = "Which legs of calls are counted.",
     .reloadable = false, .choices = "incoming,outgoing,both"},
    {.name = "allcounters", .type = KeyType::boolean, .fallback = "no", .unit = "",
     .doc = "Whether call.route gets the counters of all values, as PARAMETER_count_VALUE."},
    {.name = "priority", .type = KeyType::integer, .fallback = "20", .unit = "",
     .doc = "Priority of the handlers of call.cdr, call.route and call.execute; lower runs first.", .reloadable = false, .min = 0, .max = 10000},
};

constexpr Key kLimitKeys[] = {
    {.name = "calls", .type = KeyType::integer, .fallback = "0", .unit = "", .doc = "How many calls with the same value there may be at once; 0 is any number.",
     .min = 0, .max = 1000000},
    {.name = "own", .type = KeyType::text, .fallback = "", .unit = "",
     .doc = "A parameter of the message that says how many this value may have (a user's own, from his section in regfile.conf or a column of his row)."},
    {.name = "rate", .type = KeyType::text, .fallback = "0", .unit = "1/s",
     .doc = "How many new calls with the same value there may be in a second (0.2: one in five seconds); 0 is any number."},
    {.name = "at", .type = KeyType::choice, .fallback = "call.route", .unit = "",
     .doc = "Where the parameter is looked at: call.route when a call comes in (username, caller, called, in_line, a context that call.preroute set), "
            "call.execute when it goes out (line, account).",
     .choices = "call.route,call.execute"},
    {.name = "code", .type = KeyType::choice, .fallback = "486", .unit = "", .doc = "What a call over the limit is answered.", .choices = "486,503"},
    {.name = "reason", .type = KeyType::text, .fallback = "Too Many Calls", .unit = "", .doc = "The words beside that code."},
};

constexpr Section kSections[] = {
    {.name = kGeneral, .doc = "", .keys = kGeneralKeys},
    {.name = "limit *",
     .doc = "[limit username] limits the calls of each user, [limit in_line] those of each account. Any other key is a value with a number of "
            "its own. Emergency calls (emergency= in sip.conf) pass every limit.",
     .keys = kLimitKeys,
     .any_key = true,
     .sample = "Two calls at once for everybody, ten for 101:\n[limit username]\ncalls=2\n101=10\n"},
};

CountedLegs legs_from(std::string_view text) {
  if (text == "outgoing") return CountedLegs::outgoing;
  return text == "both" ? CountedLegs::both : CountedLegs::incoming;
}

std::optional<double> parse_rate(const std::string& text) {
  std::size_t used = 0;
  double rate = -1;
  try {
    rate = std::stod(text, &used);
  } catch (const std::exception&) {
    return std::nullopt;
  }
  if (used != text.size() || !(rate >= 0) || rate > 1e6) return std::nullopt;
  return rate;
}

LimitSettings read_limit(const Settings& settings, const SettingsSection& section, Problems& problems) {
  const auto error = [&](const SourceLine& where, std::string text) { problems.push_back({Problem::Severity::error, where, std::move(text)}); };
  LimitSettings limit{.parameter = section.name.substr(kLimitPrefix.size()),
                      .gate = settings.text(section.name, "at") == "call.execute" ? Gate::execute : Gate::route,
                      .calls = static_cast<int>(settings.integer(section.name, "calls")),
                      .own_calls = {},
                      .own_parameter = settings.text(section.name, "own"),
                      .code = static_cast<int>(settings.integer(section.name, "code")),
                      .reason = settings.text(section.name, "reason")};
  if (limit.parameter.empty()) error(section.where, "[limit] needs the parameter it is about: [limit username]");
  const auto rate = parse_rate(settings.text(section.name, "rate"));
  if (rate) limit.rate = *rate;
  else error(settings.where(section.name, "rate"), "rate is a number of calls a second: 5 or 0.2");
  for (const auto& entry : section.entries) {
    if (std::ranges::find(kLimitKeys, entry.key, &Key::name) != std::end(kLimitKeys)) continue;
    const auto calls = parse_integer(entry.value);
    if (calls && *calls >= 0 && *calls <= 1000000) limit.own_calls.insert_or_assign(entry.key, static_cast<int>(*calls));
    else error(entry.where, fmt::format("{}={}: a number of calls is expected", entry.key, entry.value));
  }
  return limit;
}

}  // namespace

const KeyTable kKeys{.name = "callcounters", .doc = "Counts calls, and refuses those over a limit.", .sections = kSections};

int LimitSettings::calls_of(std::string_view value) const {
  const auto own = own_calls.find(value);
  return own == own_calls.end() ? calls : own->second;
}

CallCountersSettings read_settings(const Settings& settings, Problems& problems) {
  CallCountersSettings read{.priority = static_cast<int>(settings.integer(kGeneral, "priority")),
                            .counters = {.parameter = settings.text(kGeneral, "parameter"),
                                         .legs = legs_from(settings.text(kGeneral, "direction")),
                                         .all = settings.boolean(kGeneral, "allcounters")},
                            .limits = {}};
  for (const auto& section : settings.sections())
    if (section.name.starts_with(kLimitPrefix)) read.limits.push_back(read_limit(settings, section, problems));
  if (read.counters.parameter.empty() && read.limits.empty())
    problems.push_back({Problem::Severity::warning, settings.where(kGeneral, "parameter"),
                        "nothing is counted and nothing limited: set parameter= in [general], or add a section [limit username]"});
  return read;
}

}  // namespace jackfield::callcounters
