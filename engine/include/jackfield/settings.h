// Configuration as modules see it. Every key is declared once in its module's key table; reading, checking, the sample
// that `jackfield settings NAME` prints and the shipped conf.d file come from it. Values carry file and line to the end.
#pragma once

#include <jackfield/clock.h>

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace jackfield {

enum class KeyType : std::uint8_t {
  text,
  boolean,   ///< COMPAT §2: false no off disable f / true yes on enable t
  integer,   ///< decimal, 0x…, leading-0 octal
  seconds,   ///< integer or decimal fraction, also with a unit: 500ms, 3s, 5m, 2h
  milliseconds,  ///< as seconds, a bare number counts milliseconds
  choice,    ///< one of `choices`, comma separated there
  list,      ///< comma separated
  secret,    ///< as text; never printed
};

struct Key {
  std::string_view name;
  KeyType type;
  std::string_view fallback;  ///< default, as it would be written in the file; empty: no value
  std::string_view unit;      ///< for people: "s", "bytes"; empty where it has none
  std::string_view doc;       ///< one sentence
  bool reloadable = true;
  std::int64_t min = std::numeric_limits<std::int64_t>::min();  ///< integer; seconds and milliseconds: in milliseconds
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
  std::string_view choices = {};
  bool literal = false;  ///< `${…}` stays as written, for the module to fill in; elsewhere run parameters are put in (never in secrets)
};

struct Section {
  std::string_view name;  ///< "general"; "listener *" stands for any name after the blank, "*" for any section
  std::string_view doc;
  std::span<const Key> keys;
  bool any_key = false;   ///< other keys are allowed too (users, regexroute rules, run parameters)
  std::string_view sample = {};  ///< extra lines of the sample, written as comments
  /// Keys of Yate's that mean nothing here: read without a word, left out of the sample.
  std::span<const std::string_view> ignored = {};
  std::string_view preset = {};  ///< extra lines of the sample that are in force
};

struct KeyTable {
  std::string_view name;    ///< "regfile": the file is regfile.conf
  std::string_view doc;     ///< opens the sample file; lines are wrapped by the printer
  std::span<const Section> sections;
  std::string_view yate_name = {};  ///< "ysipchan": read when NAME.conf is absent
  std::span<const std::string_view> ignored_sections = {};  ///< Yate's sections that mean nothing here, as Section::ignored
};

struct SourceLine {
  std::string file;
  int line = 0;
};

struct Problem {
  enum class Severity : std::uint8_t { warning, error } severity = Severity::error;
  SourceLine where;
  std::string text;  ///< what is wrong and what to do, one sentence
};
using Problems = std::vector<Problem>;
bool has_errors(const Problems& problems);

struct Entry {
  std::string key, value;
  SourceLine where;
};

struct SettingsSection {
  std::string name;
  SourceLine where;
  std::vector<Entry> entries;  ///< in the order of the file, repeated keys kept

  const Entry* find(std::string_view key) const;  ///< the first of that key
};

/// One module's file after reading: values in order, defaults from the table. Checked before a module sees it, so typed
/// getters never meet a bad value of a declared key.
class Settings {
 public:
  Settings(const KeyTable& table, std::vector<SettingsSection> sections, std::string file, bool from_yate);

  const std::string& file() const { return file_; }
  bool from_yate() const { return from_yate_; }  ///< it was Yate's own file that was read (D-switch advice is wanted)
  const std::vector<SettingsSection>& sections() const { return sections_; }
  const SettingsSection* section(std::string_view name) const;
  bool has(std::string_view section, std::string_view key) const;
  SourceLine where(std::string_view section, std::string_view key) const;

  /// The value in the file, else the declared default. Throws std::logic_error for a key that was not declared.
  std::string text(std::string_view section, std::string_view key) const;
  bool boolean(std::string_view section, std::string_view key) const;
  std::int64_t integer(std::string_view section, std::string_view key) const;
  Duration duration(std::string_view section, std::string_view key) const;  ///< seconds and milliseconds keys
  std::vector<std::string> list(std::string_view section, std::string_view key) const;

 private:
  const Key& declared(std::string_view section, std::string_view key) const;
  const KeyTable* table_;
  std::vector<SettingsSection> sections_;
  std::unordered_map<std::string, std::size_t> index_;  ///< a file of users has a section for each
  std::string file_;
  bool from_yate_;
};

/// A file of ours that is data, not configuration: the same dialect without directives and `${}`.
std::vector<SettingsSection> parse_sections(std::string_view text, const std::string& file);

std::optional<bool> parse_boolean(std::string_view text);
std::optional<std::int64_t> parse_integer(std::string_view text);
/// `bare_unit` is what a number without a unit counts.
std::optional<Duration> parse_duration(std::string_view text, Duration bare_unit);
std::vector<std::string> parse_list(std::string_view text);
/// `${name}` and `${name$default}` in one pass, never rescanned; `lookup` returns nothing for an unknown name.
template <class Lookup>
std::string substitute(std::string_view text, Lookup lookup) {
  std::string out;
  for (;;) {
    const auto open = text.find("${");
    const auto close = open == std::string_view::npos ? open : text.find('}', open);
    if (close == std::string_view::npos) return out.append(text);
    const auto name = text.substr(open + 2, close - open - 2);
    const auto dollar = name.find('$');
    out.append(text.substr(0, open));
    if (const std::optional<std::string_view> value = lookup(name.substr(0, dollar)); value) out.append(*value);
    else if (dollar != std::string_view::npos) out.append(name.substr(dollar + 1));
    text.remove_prefix(close + 1);
  }
}

}  // namespace jackfield
