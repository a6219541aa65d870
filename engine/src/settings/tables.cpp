#include "settings/tables.h"

#include "settings/ini_lines.h"

#include <jackfield/message_text.h>

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>

namespace jackfield::settings {

namespace {

constexpr auto kNoMin = std::numeric_limits<std::int64_t>::min();
constexpr auto kNoMax = std::numeric_limits<std::int64_t>::max();

/// Edits that turn one into the other: insert, delete, replace, or swap two neighbours.
std::size_t edits(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

/// A duration as one would write it: 1500 → "1.5 s", 60000 → "60 s".
std::string seconds_text(std::int64_t ms) {
  return ms % 1000 == 0 ? fmt::format("{} s", ms / 1000) : fmt::format("{} ms", ms);
}

template <class Print>
std::string range_text(const Key& key, Print print) {
  if (key.min != kNoMin && key.max != kNoMax) return fmt::format(" from {} to {}", print(key.min), print(key.max));
  if (key.min != kNoMin) return fmt::format(" of at least {}", print(key.min));
  if (key.max != kNoMax) return fmt::format(" of at most {}", print(key.max));
  return {};
}

bool is_duration(const Key& key) { return key.type == KeyType::seconds || key.type == KeyType::milliseconds; }

std::string quoted_hint(std::string_view near) { return near.empty() ? std::string() : fmt::format("; did you mean `{}`?", near); }

bool contains(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

class Check {
 public:
  Check(const KeyTable& table, const RunParameter& run_parameter, bool from_yate)
      : table_(table), run_parameter_(run_parameter), from_yate_(from_yate) {}

  Problems run(std::vector<SettingsSection>& sections) {
    for (auto& section : sections) {
      if (const auto* known = find_section(table_, section.name)) check_section(*known, section);
      else if (!from_yate_ && !contains(table_.ignored_sections, section.name)) unknown_section(section);
    }
    return std::move(problems_);
  }

 private:
  void warn(const SourceLine& where, std::string text) { problems_.push_back({Problem::Severity::warning, where, std::move(text)}); }

  void unknown_section(const SettingsSection& section) {
    std::vector<std::string_view> names;
    for (const auto& known : table_.sections) names.push_back(known.name);
    warn(section.where, fmt::format("there is no section [{}] in {}.conf{}", section.name, table_.name, quoted_hint(nearest(section.name, names))));
  }

  void check_section(const Section& known, SettingsSection& section) {
    std::set<std::string_view> seen;
    std::vector<Entry> kept;
    kept.reserve(section.entries.size());
    for (auto& entry : section.entries) {
      const auto* key = find_key(known, entry.key);
      if (!key) {
        if (!known.any_key && !contains(known.ignored, entry.key)) unknown_key(known, section, entry);
      } else {
        if (!known.any_key && !seen.insert(key->name).second)
          warn(entry.where, fmt::format("[{}] {} is given a second time; the first counts", section.name, entry.key));
        if (!check_value(*key, section, entry)) continue;
      }
      kept.push_back(std::move(entry));
    }
    section.entries = std::move(kept);
  }

  void unknown_key(const Section& known, const SettingsSection& section, const Entry& entry) {
    std::vector<std::string_view> names;
    for (const auto& key : known.keys) names.push_back(key.name);
    const auto near = nearest(entry.key, names);
    std::string elsewhere;
    if (near.empty())
      for (const auto& other : table_.sections)
        if (&other != &known && find_key(other, entry.key)) elsewhere = fmt::format("; it belongs in [{}]", other.name);
    warn(entry.where, fmt::format("[{}] has no key `{}`{}{}", section.name, entry.key, quoted_hint(near), elsewhere));
  }

  /// False when the entry is dropped, so that the default counts.
  bool check_value(const Key& key, const SettingsSection& section, Entry& entry) {
    if (!key.literal && key.type != KeyType::secret) expand(entry);
    const std::string error = value_error(key, entry.value);
    if (error.empty()) return true;
    if (from_yate_) {
      warn(entry.where, fmt::format("[{}] {}: {}; the default `{}` counts, as it did in Yate", section.name, entry.key, error, key.fallback));
      return false;
    }
    problems_.push_back({Problem::Severity::error, entry.where, fmt::format("[{}] {}: {}", section.name, entry.key, error)});
    return true;
  }

  void expand(Entry& entry) {
    entry.value = substitute(entry.value, [&](std::string_view name) {
      const auto value = run_parameter_ ? run_parameter_(name) : std::nullopt;
      if (!value) warn(entry.where, fmt::format("there is no run parameter `{}`", name));
      return value;
    });
  }

  const KeyTable& table_;
  const RunParameter& run_parameter_;
  bool from_yate_;
  Problems problems_;
};

}  // namespace

const Section* find_section(const KeyTable& table, std::string_view name) {
  const Section *prefix = nullptr, *any = nullptr;
  for (const auto& section : table.sections) {
    if (section.name == name) return &section;
    if (section.name == "*") any = &section;
    else if (section.name.ends_with(" *") && name.starts_with(section.name.substr(0, section.name.size() - 1))) prefix = &section;
  }
  return prefix ? prefix : any;
}

const Key* find_key(const Section& section, std::string_view name) {
  for (const auto& key : section.keys)
    if (key.name == name) return &key;
  return nullptr;
}

std::string_view nearest(std::string_view name, const std::vector<std::string_view>& candidates) {
  std::string_view best;
  std::size_t fewest = std::max<std::size_t>(1, name.size() / 3) + 1;
  for (const auto candidate : candidates) {
    if (const auto distance = edits(name, candidate); distance < fewest) {
      fewest = distance;
      best = candidate;
    }
  }
  return best;
}

std::string allowed(const Key& key) {
  switch (key.type) {
    case KeyType::boolean: return "yes or no";
    case KeyType::integer: return "a whole number" + range_text(key, [](std::int64_t value) { return std::to_string(value); });
    case KeyType::seconds: return "a time such as 30, 1.5, 500ms or 5m (bare: seconds)" + range_text(key, seconds_text);
    case KeyType::milliseconds: return "a time such as 500, 1.5s or 5m (bare: milliseconds)" + range_text(key, seconds_text);
    case KeyType::choice: {
      const auto choices = parse_list(key.choices);
      return fmt::format("one of {}", fmt::join(choices, ", "));
    }
    case KeyType::list: return "a comma-separated list";
    case KeyType::text:
    case KeyType::secret: break;
  }
  return "a text";
}

std::string value_error(const Key& key, std::string_view value) {
  if (value.empty()) return {};
  const auto out_of_range = [&](std::int64_t number) { return number < key.min || number > key.max; };
  bool fits = true;
  if (key.type == KeyType::boolean) fits = parse_boolean(value).has_value();
  else if (key.type == KeyType::integer) {
    const auto number = parse_integer(value);
    fits = number && !out_of_range(*number);
  } else if (is_duration(key)) {
    const auto time = parse_duration(value, Duration(key.type == KeyType::seconds ? 1000 : 1));
    fits = time && !out_of_range(time->count());
  } else if (key.type == KeyType::choice) {
    const auto choices = parse_list(key.choices);
    fits = std::find(choices.begin(), choices.end(), value) != choices.end();
  }
  return fits ? std::string() : fmt::format("`{}` is not {}", value, allowed(key));
}

Problems check_sections(const KeyTable& table, std::vector<SettingsSection>& sections, const RunParameter& run_parameter, bool from_yate) {
  return Check(table, run_parameter, from_yate).run(sections);
}

std::optional<std::string_view> written(const KeyTable& table, const Settings& settings, std::string_view name) {
  const auto dot = name.find('.');
  const auto* section = settings.section(name.substr(0, dot));
  if (!section) return std::nullopt;
  if (dot == std::string_view::npos) return std::string_view();
  const auto* entry = section->find(name.substr(dot + 1));
  if (!entry) return std::nullopt;
  const auto* known = find_section(table, section->name);
  const auto* key = known ? find_key(*known, entry->key) : nullptr;
  // Where anybody may write any key, its name has to tell.
  const bool secret = key ? key->type == KeyType::secret : is_secret(entry->key);
  if (secret) return std::nullopt;
  return entry->value;
}

}  // namespace jackfield::settings
