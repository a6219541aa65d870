#include "settings.h"

namespace jackfield::cdrfile {
namespace {

constexpr std::string_view kGeneral = "general";

constexpr Key kGeneralKeys[] = {
    {.name = "file", .type = KeyType::text, .fallback = "calls.tsv", .unit = "",
     .doc = "Where records are appended, one line each; below the state directory when it is relative. Empty: nothing is written, as in "
            "Yate without the key. Reload after it was moved away (logrotate)."},
    {.name = "mode", .type = KeyType::integer, .fallback = "0640", .unit = "", .doc = "Permissions of a newly made file.", .min = 0, .max = 0777},
    {.name = "tabs", .type = KeyType::boolean, .fallback = "yes", .unit = "",
     .doc = "Whether the fields of the default format are separated by tabs; with no, by commas (CSV)."},
    {.name = "combined", .type = KeyType::boolean, .fallback = "no", .unit = "",
     .doc = "Whether the records of whole calls (operation combined) are written instead of those of legs."},
    {.name = "format", .type = KeyType::text, .fallback = "", .unit = "",
     .doc = "A format of your own; ${name} stands for a parameter of call.cdr. One with a tab is tab-separated, one with a comma CSV.",
     .literal = true},
    {.name = "raw", .type = KeyType::boolean, .fallback = "no", .unit = "",
     .doc = "Yate's way: values stand in the line as they are. With no, CSV values are quoted where they need it (RFC 4180), and no value breaks a line or a field."},
};

constexpr Section kSections[] = {{.name = kGeneral, .doc = "", .keys = kGeneralKeys}};

}  // namespace

const KeyTable kKeys{.name = "cdrfile", .doc = "Writes the records of ended calls to a file.", .sections = kSections};

FileSettings read_settings(const Settings& settings, Problems& problems) {
  FileSettings read{.path = settings.text(kGeneral, "file"),
                    .mode = static_cast<unsigned>(settings.integer(kGeneral, "mode")),
                    .combined = settings.boolean(kGeneral, "combined"),
                    .tabs = settings.boolean(kGeneral, "tabs")};
  // There the module may be loaded although nobody wanted records.
  if (settings.from_yate() && !settings.has(kGeneral, "file")) read.path.clear();
  if (settings.from_yate() && !settings.has(kGeneral, "raw"))
    problems.push_back({Problem::Severity::warning, settings.where(kGeneral, "raw"),
                        "unlike in Yate, no value breaks out of its field or line: CSV is quoted, tabs and line ends become blanks; raw=yes in [general] is Yate's way"});
  const auto usual = default_format(read.tabs, read.combined);
  auto format = settings.text(kGeneral, "format");
  if (format.empty()) format = usual;
  read.own_format = format != usual;
  read.format = LineFormat(format, settings.boolean(kGeneral, "raw"));
  return read;
}

}  // namespace jackfield::cdrfile
