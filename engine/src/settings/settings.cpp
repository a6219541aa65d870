#include <jackfield/settings.h>

#include "settings/tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace jackfield {

bool has_errors(const Problems& problems) {
  return std::any_of(problems.begin(), problems.end(), [](const Problem& problem) { return problem.severity == Problem::Severity::error; });
}

const Entry* SettingsSection::find(std::string_view key) const {
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) { return entry.key == key; });
  return found == entries.end() ? nullptr : &*found;
}

Settings::Settings(const KeyTable& table, std::vector<SettingsSection> sections, std::string file, bool from_yate)
    : table_(&table), sections_(std::move(sections)), file_(std::move(file)), from_yate_(from_yate) {
  index_.reserve(sections_.size());
  for (std::size_t i = 0; i < sections_.size(); ++i) index_.try_emplace(sections_[i].name, i);
}

const SettingsSection* Settings::section(std::string_view name) const {
  const auto found = index_.find(std::string(name));
  return found == index_.end() ? nullptr : &sections_[found->second];
}

bool Settings::has(std::string_view section_name, std::string_view key) const {
  const auto* found = section(section_name);
  return found && found->find(key);
}

SourceLine Settings::where(std::string_view section_name, std::string_view key) const {
  const auto* found = section(section_name);
  if (!found) return {file_, 0};
  const auto* entry = found->find(key);
  return entry ? entry->where : found->where;
}

const Key& Settings::declared(std::string_view section_name, std::string_view key) const {
  const auto* known = settings::find_section(*table_, section_name);
  const auto* found = known ? settings::find_key(*known, key) : nullptr;
  if (!found) throw std::logic_error(fmt::format("{}: [{}] {} is not in the key table", table_->name, section_name, key));
  return *found;
}

std::string Settings::text(std::string_view section_name, std::string_view key) const {
  const Key& known = declared(section_name, key);
  const auto* in = section(section_name);
  const auto* entry = in ? in->find(key) : nullptr;
  if (!entry) return std::string(known.fallback);
  // An empty text is a text; an empty number is no number.
  const bool text_like = known.type == KeyType::text || known.type == KeyType::secret || known.type == KeyType::list;
  return entry->value.empty() && !text_like ? std::string(known.fallback) : entry->value;
}

bool Settings::boolean(std::string_view section_name, std::string_view key) const {
  return parse_boolean(text(section_name, key)).value_or(false);
}

std::int64_t Settings::integer(std::string_view section_name, std::string_view key) const {
  return parse_integer(text(section_name, key)).value_or(0);
}

Duration Settings::duration(std::string_view section_name, std::string_view key) const {
  const bool seconds = declared(section_name, key).type == KeyType::seconds;
  return parse_duration(text(section_name, key), Duration(seconds ? 1000 : 1)).value_or(Duration(0));
}

std::vector<std::string> Settings::list(std::string_view section_name, std::string_view key) const {
  return parse_list(text(section_name, key));
}

}  // namespace jackfield
