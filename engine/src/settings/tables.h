// Looking things up in a key table, and holding a file against it.
#pragma once

#include <jackfield/settings.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace jackfield::settings {

/// The section of the table that `name` belongs to: its own name first, then `listener *`, then `*`.
const Section* find_section(const KeyTable& table, std::string_view name);
const Key* find_key(const Section& section, std::string_view name);

/// The candidate with the fewest edits from `name`; empty when none is near enough to be meant.
std::string_view nearest(std::string_view name, const std::vector<std::string_view>& candidates);

/// What a value of this key may be, for people: "a whole number from 1 to 65535".
std::string allowed(const Key& key);
/// Empty when `value` fits; an empty value of anything but a text means the default and fits.
std::string value_error(const Key& key, std::string_view value);

using RunParameter = std::function<std::optional<std::string_view>(std::string_view name)>;

/// Puts run parameters into the values of declared keys and reports unknown sections and keys (warnings, with the nearest
/// known name) and bad values (errors; in Yate's own files warnings, and the default counts, as it did there). Yate's files
/// may have sections we do not know.
Problems check_sections(const KeyTable& table, std::vector<SettingsSection>& sections, const RunParameter& run_parameter, bool from_yate);

/// What `config.SECTION.KEY` asks of a file: the value as written; of `config.SECTION`, an empty one where there is such a section.
/// `name` is what follows `config.`. Nothing for what is not in the file, and for secrets. Good as long as `settings`.
std::optional<std::string_view> written(const KeyTable& table, const Settings& settings, std::string_view name);

}  // namespace jackfield::settings
