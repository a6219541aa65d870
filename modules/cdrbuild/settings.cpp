#include "settings.h"

#include <jackfield/messages/parameters.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace jackfield::cdrbuild {
namespace param = messages::param;
namespace {

constexpr std::string_view kGeneral = "general";
constexpr std::string_view kParameters = "parameters";
constexpr std::string_view kFormats = "formatted-timers";

constexpr Key kGeneralKeys[] = {
    {.name = "resolution", .type = KeyType::choice, .fallback = "msec", .unit = "", .doc = "How exact times in records are; they are rounded.",
     .choices = "sec,msec,usec"},
    {.name = "guardtime", .type = KeyType::milliseconds, .fallback = "5000", .unit = "ms",
     .doc = "How long an ended channel is remembered, so that a message that comes late still finds its end.", .min = 0, .max = 600000},
    {.name = "ring_on_progress", .type = KeyType::boolean, .fallback = "no", .unit = "",
     .doc = "Whether any call.progress starts the ringing time; with no, only one with early media or ringing=true."},
    {.name = "updates", .type = KeyType::boolean, .fallback = "yes", .unit = "", .doc = "Whether a record is also sent when a call changes (operation update)."},
    {.name = "status", .type = KeyType::boolean, .fallback = "no", .unit = "",
     .doc = "Whether a record is also sent now and then while a call lasts (operation status)."},
    {.name = "status_interval", .type = KeyType::seconds, .fallback = "60", .unit = "s", .doc = "How often that is; 0 is never.", .min = 0, .max = 600000},
    {.name = "status_answer", .type = KeyType::boolean, .fallback = "yes", .unit = "", .doc = "Whether that is for answered calls only."},
};

constexpr Key kFormatKeys[] = {
    {.name = "call_start_time", .type = KeyType::text, .fallback = "", .unit = "",
     .doc = "Adds the start of the call in this format: strftime's conversions, %f for microseconds, %3f for milliseconds."},
    {.name = "call_answer_time", .type = KeyType::text, .fallback = "", .unit = "", .doc = "Adds the time of the answer, once there is one."},
    {.name = "call_hangup_time", .type = KeyType::text, .fallback = "", .unit = "", .doc = "Adds the end of the call, once it ended."},
    {.name = "call_duration", .type = KeyType::text, .fallback = "", .unit = "",
     .doc = "Adds the duration: %H hours (any number), %M minutes, %S seconds, %f and %3f."},
    {.name = "utc", .type = KeyType::boolean, .fallback = "no", .unit = "", .doc = "Whether these times are in UTC instead of local time."},
};

constexpr Section kSections[] = {
    {.name = kGeneral, .doc = "", .keys = kGeneralKeys},
    {.name = kParameters,
     .doc = "Parameters of the call that go into its record, as name=yes (a later value replaces an earlier one) or name=no (the first one that is not empty stays).",
     .keys = {},
     .any_key = true,
     .sample = "billid=yes\nreason=yes\naddress=no\ncaller=no\ncalled=no\ncalledfull=no\nusername=no\n"},
    {.name = kFormats, .doc = "Further parameters of a record: its times as people write them.", .keys = kFormatKeys},
};

/// What every record has by itself: nobody else sets it.
constexpr auto kOwn = std::to_array<std::string_view>({
    param::kTime, param::kChan, param::kCdrid, param::kRunid, param::kOperation, param::kDirection, param::kDuration, param::kBilltime,
    param::kRingtime, param::kStatus, param::kCdrwrite, param::kCdrtrack, param::kCdrcreate, param::kExternal});

std::vector<Collected> collected_by_default() {
  return {{std::string(param::kBillid), true},      {std::string(param::kReason), true},  {std::string(param::kAddress), false},
          {std::string(param::kCaller), false},     {std::string(param::kCalled), false}, {std::string(param::kCalledfull), false},
          {std::string(param::kUsername), false},   {"trace_id", false}};
}

Resolution resolution_from(std::string_view text) {
  if (text == "sec") return Resolution::sec;
  return text == "usec" ? Resolution::usec : Resolution::msec;
}

}  // namespace

const KeyTable kKeys{.name = "cdrbuild", .doc = "Builds a record of every leg of a call and sends it as call.cdr.", .sections = kSections};

CdrSettings read_settings(const Settings& settings, Problems& problems) {
  CdrSettings read{.resolution = resolution_from(settings.text(kGeneral, "resolution")),
                   .guardtime = settings.duration(kGeneral, "guardtime"),
                   .ring_on_progress = settings.boolean(kGeneral, "ring_on_progress"),
                   .updates = settings.boolean(kGeneral, "updates"),
                   .status = settings.boolean(kGeneral, "status"),
                   .status_interval = settings.duration(kGeneral, "status_interval"),
                   .status_answer = settings.boolean(kGeneral, "status_answer"),
                   .collected = collected_by_default(),
                   .formats = {.start = settings.text(kFormats, "call_start_time"),
                               .answer = settings.text(kFormats, "call_answer_time"),
                               .hangup = settings.text(kFormats, "call_hangup_time"),
                               .duration = settings.text(kFormats, "call_duration"),
                               .utc = settings.boolean(kFormats, "utc")}};
  const auto* parameters = settings.section(kParameters);
  if (!parameters) return read;
  for (const auto& entry : parameters->entries) {
    if (std::ranges::find(kOwn, entry.key) != kOwn.end()) {
      problems.push_back({Problem::Severity::warning, entry.where,
                          fmt::format("{} is the record's own and stays as it is; remove the line", entry.key)});
      continue;
    }
    const auto known = std::ranges::find(read.collected, entry.key, &Collected::name);
    if (known != read.collected.end()) known->overwrite = parse_boolean(entry.value).value_or(known->overwrite);
    else read.collected.push_back({entry.key, parse_boolean(entry.value).value_or(false)});
  }
  return read;
}

}  // namespace jackfield::cdrbuild
