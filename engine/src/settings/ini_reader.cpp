#include "settings/ini_reader.h"

#include "settings/ini_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <set>
#include <unordered_map>

namespace jackfield::settings {

namespace {

namespace fs = std::filesystem;

/// Sections that splice each other twice would double at every step.
constexpr std::size_t kMaxSpliceDepth = 50;
constexpr std::size_t kMaxSplicedEntries = 100'000;

/// What follows `word` and blanks, when `text` begins so. `$include` does not begin `$includesection`.
bool skip_word(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  const auto rest = text.substr(word.size());
  if (!rest.empty() && rest.front() != ' ' && rest.front() != '\t') return false;
  text = trim(rest);
  return true;
}

enum class Include : unsigned char { normal, silent, required };

struct IncludeWord {
  std::string_view word;
  Include how;
};
constexpr IncludeWord kFileWords[] = {
    {"$include", Include::normal}, {"$includesilent", Include::silent}, {"$require", Include::required}};
constexpr IncludeWord kSectionWords[] = {{"$includesection", Include::normal},
                                         {"$includesectionsilent", Include::silent},
                                         {"$requiresection", Include::required}};

/// Nothing when the directive is not one of `words`; else the kind, and `text` is what it names.
template <std::size_t N>
std::optional<Include> include_kind(std::string_view& text, const IncludeWord (&words)[N]) {
  for (const auto& word : words)
    if (skip_word(text, word.word)) return word.how;
  return std::nullopt;
}

bool skipped_in_folder(const std::string& name) {
  return name.starts_with(".") || name.ends_with("~") || name.ends_with(".bak") || name.ends_with(".tmp");
}

class Reader {
 public:
  explicit Reader(const IniContext& context) : context_(context) {}

  bool read_file(const fs::path& path, int depth, int section);
  void read_text(std::string_view text, const std::string& name, int depth, int section);
  IniFile finish();

 private:
  /// An entry of the first pass; a spliced section is an entry without a key.
  struct Item {
    Entry entry;
    std::optional<Include> splice;
  };
  struct RawSection {
    std::string name;
    SourceLine where;
    std::vector<Item> items;
  };

  std::string expand(std::string_view text) const {
    return substitute(text, [&](std::string_view name) {
      return context_.run_parameter ? context_.run_parameter(name) : std::optional<std::string_view>{};
    });
  }
  bool reports(Include how) const { return how != Include::silent || context_.rules.disable_include_silent; }
  void problem(Problem::Severity severity, SourceLine where, std::string text) {
    problems_.push_back({severity, std::move(where), std::move(text)});
  }
  void warn(const SourceLine& where, std::string text) {
    if (context_.rules.warnings) problem(Problem::Severity::warning, where, std::move(text));
  }
  /// A failed include: an error when it was required.
  void missing(Include how, const SourceLine& where, std::string text) {
    if (how == Include::required) problem(Problem::Severity::error, where, std::move(text));
    else if (reports(how)) problem(Problem::Severity::warning, where, std::move(text));
  }

  void condition(std::string_view text, bool& enabled) const;
  void include(std::string_view text, Include how, const SourceLine& where, int depth, int section);
  int section_index(const std::string& name, const SourceLine& where);
  std::vector<Entry> spliced(std::size_t index, std::vector<std::size_t>& stack);

  const IniContext& context_;
  std::vector<RawSection> sections_;
  std::unordered_map<std::string, std::size_t> index_;
  std::vector<std::string> open_files_;
  std::size_t spliced_entries_ = 0;
  Problems problems_;
};

/// `[$enabled …]`: what follows counts or not, until the next one or the end of the file.
void Reader::condition(std::string_view text, bool& enabled) const {
  if (text == "else" || text == "toggle") {
    enabled = !enabled;
    return;
  }
  if (skip_word(text, "elseif") && enabled) {
    enabled = false;
    return;
  }
  const std::string expanded = expand(text);
  std::string_view value = trim(expanded);
  const bool negated = skip_word(value, "$not");
  const auto loaded = [&] { return context_.module_loaded && context_.module_loaded(value); };
  if (skip_word(value, "$loaded")) enabled = loaded();
  else if (skip_word(value, "$unloaded")) enabled = !loaded();
  else if (skip_word(value, "$filled")) enabled = !value.empty();
  else if (skip_word(value, "$empty")) enabled = value.empty();
  else {
    // A word that is no boolean is true by itself and false after `$bool`.
    const bool fallback = !skip_word(value, "$bool");
    enabled = parse_boolean(value).value_or(fallback);
  }
  if (negated) enabled = !enabled;
}

void Reader::include(std::string_view text, Include how, const SourceLine& where, int depth, int section) {
  const std::string name = expand(text);
  if (name.empty() && !context_.rules.include_empty) {
    missing(how, where, "the include names no file: `${}` left nothing of it");
    return;
  }
  const fs::path path = (fs::path(where.file).parent_path() / name).lexically_normal();
  std::vector<fs::path> files;
  std::error_code error;
  if (fs::is_directory(path, error)) {
    std::vector<std::string> names;
    for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) names.push_back(it->path().filename());
    std::sort(names.begin(), names.end());
    for (const auto& file : names)
      if (!skipped_in_folder(file) && !fs::is_directory(path / file, error)) files.push_back(path / file);
  } else {
    files.push_back(path);
  }
  for (const auto& file : files) {
    if (context_.rules.check_recursive_include && std::find(open_files_.begin(), open_files_.end(), file.string()) != open_files_.end())
      problem(Problem::Severity::error, where, fmt::format("`{}` includes itself", file.string()));
    else if (depth + 1 > context_.rules.max_depth)
      problem(Problem::Severity::error, where,
              fmt::format("`{}` is not read: files are nested deeper than {} ([configuration] max_depth)", file.string(), context_.rules.max_depth));
    else if (!read_file(file, depth + 1, section))
      missing(how, where, fmt::format("`{}` cannot be read: {}", file.string(), std::strerror(errno)));
  }
}

bool Reader::read_file(const fs::path& path, int depth, int section) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    errno = EISDIR;
    return false;
  }
  std::ifstream in(path, std::ios::binary);
  if (!in) return false;
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (in.bad()) return false;
  read_text(text, path.string(), depth, section);
  return true;
}

int Reader::section_index(const std::string& name, const SourceLine& where) {
  const auto [known, fresh] = index_.try_emplace(name, sections_.size());
  if (fresh) sections_.push_back({name, where, {}});
  return static_cast<int>(known->second);
}

/// `section` is where the including file stood, -1 for none; it stands there again afterwards.
void Reader::read_text(std::string_view text, const std::string& name, int depth, int section) {
  open_files_.push_back(name);
  bool enabled = true;
  for (auto& line : ini_lines(text)) {
    const SourceLine where{name, line.number};
    if (line.kind == IniLine::Kind::entry) {
      if (!enabled) continue;
      if (section < 0) warn(where, fmt::format("`{}` stands before any [section] and is ignored", line.key));
      else sections_[static_cast<std::size_t>(section)].items.push_back({{std::move(line.key), std::move(line.value), where}, {}});
      continue;
    }
    if (line.kind == IniLine::Kind::broken) {
      if (enabled) warn(where, "a line that begins with `[` but has no `]` is ignored");
      continue;
    }
    std::string_view directive = line.key;
    if (skip_word(directive, "$enabled")) {
      condition(directive, enabled);
      continue;
    }
    if (!enabled) continue;
    if (const auto how = include_kind(directive, kFileWords)) {
      include(directive, *how, where, depth, section);
      continue;
    }
    if (const auto how = include_kind(directive, kSectionWords)) {
      if (section < 0) missing(*how, where, "a section can only be spliced into a section");
      else sections_[static_cast<std::size_t>(section)].items.push_back({{{}, expand(directive), where}, how});
      continue;
    }
    const std::string section_name = std::string(trim(expand(line.key)));
    if (section_name.empty()) {
      warn(where, "a section without a name, and what follows it, is ignored");
      section = -1;
    } else {
      section = section_index(section_name, where);
    }
  }
  open_files_.pop_back();
}

/// The section's entries with spliced sections in place; `stack` holds the sections being spliced.
std::vector<Entry> Reader::spliced(std::size_t index, std::vector<std::size_t>& stack) {
  std::vector<Entry> entries;
  stack.push_back(index);
  for (const auto& item : sections_[index].items) {
    if (!item.splice) {
      entries.push_back(item.entry);
      continue;
    }
    const auto& name = item.entry.value;
    const auto found = index_.find(name);
    if (found == index_.end()) {
      missing(*item.splice, item.entry.where, fmt::format("there is no section [{}] to splice into [{}]", name, sections_[index].name));
    } else if (std::find(stack.begin(), stack.end(), found->second) != stack.end()) {
      missing(*item.splice, item.entry.where, fmt::format("section [{}] would be spliced into itself", name));
    } else if (stack.size() >= kMaxSpliceDepth || spliced_entries_ > kMaxSplicedEntries) {
      problem(Problem::Severity::error, item.entry.where,
              fmt::format("section [{}] is not spliced: more than {} deep or {} lines in all", name, kMaxSpliceDepth, kMaxSplicedEntries));
    } else {
      auto more = spliced(found->second, stack);
      spliced_entries_ += more.size() + 1;
      entries.insert(entries.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    }
  }
  stack.pop_back();
  return entries;
}

IniFile Reader::finish() {
  IniFile file;
  file.found = true;
  std::vector<std::size_t> stack;
  for (std::size_t i = 0; i < sections_.size(); ++i) file.sections.push_back({sections_[i].name, sections_[i].where, spliced(i, stack)});
  // A failed splice is met once for every section that reaches it.
  std::set<std::string> seen;
  for (auto& problem : problems_)
    if (seen.insert(fmt::format("{}:{}:{}", problem.where.file, problem.where.line, problem.text)).second) file.problems.push_back(std::move(problem));
  return file;
}

}  // namespace

IniFile read_ini(const fs::path& path, const IniContext& context) {
  std::error_code error;
  if (!fs::exists(path, error) && !error) return {};
  Reader reader(context);
  if (!reader.read_file(path.lexically_normal(), 0, -1)) {
    IniFile file;
    file.problems.push_back({Problem::Severity::error, {path.string(), 0}, fmt::format("cannot be read: {}", std::strerror(errno))});
    return file;
  }
  return reader.finish();
}

IniFile parse_ini(std::string_view text, const std::string& name, const IniContext& context) {
  Reader reader(context);
  reader.read_text(text, name, 0, -1);
  return reader.finish();
}

}  // namespace jackfield::settings
