// The forms a value may take; see settings.h.
#include <jackfield/settings.h>

#include "settings/ini_lines.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace jackfield {

std::optional<bool> parse_boolean(std::string_view text) {
  constexpr std::array<std::string_view, 5> kFalse = {"false", "no", "off", "disable", "f"};
  constexpr std::array<std::string_view, 5> kTrue = {"true", "yes", "on", "enable", "t"};
  if (std::find(kFalse.begin(), kFalse.end(), text) != kFalse.end()) return false;
  if (std::find(kTrue.begin(), kTrue.end(), text) != kTrue.end()) return true;
  return std::nullopt;
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.size() > 1 && text.front() == '0') {
    base = 8;
    text.remove_prefix(1);
  }
  // Unsigned digits only: from_chars would take a second sign.
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (error != std::errc{} || end != text.data() + text.size() || value > kMax) return std::nullopt;
  return negative ? -static_cast<std::int64_t>(value) : static_cast<std::int64_t>(value);
}

std::optional<Duration> parse_duration(std::string_view text, Duration bare_unit) {
  struct Unit {
    std::string_view name;
    Duration length;
  };
  constexpr std::array<Unit, 4> kUnits = {{{"ms", Duration(1)}, {"s", Duration(1000)}, {"m", Duration(60'000)}, {"h", Duration(3'600'000)}}};
  const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
  std::int64_t whole = 0;
  if (digits == 0 || std::from_chars(text.data(), text.data() + digits, whole).ec != std::errc{}) return std::nullopt;
  text.remove_prefix(digits);
  std::int64_t fraction = 0, scale = 1;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    const auto places = std::min(text.find_first_not_of("0123456789"), text.size());
    if (places == 0 || places > 6) return std::nullopt;
    std::from_chars(text.data(), text.data() + places, fraction);
    for (std::size_t i = 0; i < places; ++i) scale *= 10;
    text.remove_prefix(places);
  }
  Duration unit = bare_unit;
  if (text = settings::trim(text); !text.empty()) {
    const auto found = std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& known) { return known.name == text; });
    if (found == kUnits.end()) return std::nullopt;
    unit = found->length;
  }
  if (whole > std::numeric_limits<std::int64_t>::max() / 2 / unit.count()) return std::nullopt;
  return Duration(whole * unit.count() + fraction * unit.count() / scale);
}

std::vector<std::string> parse_list(std::string_view text) {
  std::vector<std::string> items;
  for (;;) {
    const auto comma = text.find(',');
    if (const auto item = settings::trim(text.substr(0, comma)); !item.empty()) items.emplace_back(item);
    if (comma == std::string_view::npos) return items;
    text.remove_prefix(comma + 1);
  }
}

std::vector<SettingsSection> parse_sections(std::string_view text, const std::string& file) {
  std::vector<SettingsSection> sections;
  std::unordered_map<std::string, std::size_t> index;
  SettingsSection* current = nullptr;
  for (auto& line : settings::ini_lines(text)) {
    if (line.kind == settings::IniLine::Kind::bracket) {
      const auto [known, fresh] = index.try_emplace(line.key, sections.size());
      if (fresh) sections.push_back({line.key, {file, line.number}, {}});
      current = &sections[known->second];
    } else if (line.kind == settings::IniLine::Kind::entry && current) {
      current->entries.push_back({std::move(line.key), std::move(line.value), {file, line.number}});
    }
  }
  return sections;
}

}  // namespace jackfield
