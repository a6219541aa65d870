#include "lifecycle/enabling.h"

#include "settings/tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace jackfield {

namespace {

struct YateModule {
  std::string_view yate;
  std::string_view ours;     ///< empty: we have nothing of the kind
  std::string_view targets;  ///< call targets that nobody answers without it
};

/// Where Yate's name is not ours, and what calls lose without a module we lack.
constexpr YateModule kYateModules[] = {
    {"ysipchan", "sip", "sip/…"},          {"tonegen", "", "tone/…"},           {"wavefile", "", "wave/…"},
    {"moh", "", "moh/…"},                  {"conference", "", "conf/…"},        {"dumbchan", "", "dumb/…"},
    {"yiaxchan", "", "iax/…"},             {"h323chan", "", "h323/…"},          {"yjinglechan", "", "jingle/…"},
    {"ysigchan", "", "sig/…"},             {"analyzer", "", "analyzer/…"},      {"pbx", "", ""},
    {"lateroute", "", "lateroute/…"},      {"extmodule", "extmodule", "external/…"},
};

const YateModule* yate_module(std::string_view name) {
  const auto found = std::find_if(std::begin(kYateModules), std::end(kYateModules), [&](const auto& known) { return known.yate == name; });
  return found == std::end(kYateModules) ? nullptr : found;
}

std::string_view without_suffix(std::string_view name) {
  for (const std::string_view suffix : {".yate", ".so"})
    if (name.ends_with(suffix)) return name.substr(0, name.size() - suffix.size());
  return name;
}

std::string lacking_text(std::string_view name, const std::vector<std::string>& available) {
  const auto* known = yate_module(name);
  if (known && !known->targets.empty()) return fmt::format("there is no module `{}`; calls to {} will be answered 404", name, known->targets);
  const std::vector<std::string_view> candidates(available.begin(), available.end());
  const auto near = settings::nearest(name, candidates);
  return fmt::format("there is no module `{}`{}", name, near.empty() ? std::string() : fmt::format("; did you mean `{}`?", near));
}

}  // namespace

std::string module_name(std::string_view written) {
  const auto name = without_suffix(written);
  const auto* known = yate_module(name);
  return std::string(known && !known->ours.empty() ? known->ours : name);
}

Enabling enabled_modules(const Settings& main, bool modload, const std::vector<std::string>& available) {
  Enabling out;
  std::map<std::string, bool> named;
  const auto severity = main.from_yate() ? Problem::Severity::warning : Problem::Severity::error;
  if (const auto* section = main.section("modules")) {
    for (const auto& entry : section->entries) {
      const auto name = module_name(entry.key);
      const auto wanted = parse_boolean(entry.value);
      if (!wanted) {
        out.problems.push_back({severity, entry.where, fmt::format("[modules] {}: `{}` is not yes or no", entry.key, entry.value)});
        continue;
      }
      if (!named.emplace(name, *wanted).second || !*wanted) continue;
      if (std::find(available.begin(), available.end(), name) != available.end()) out.modules.push_back({name, entry.where});
      else out.problems.push_back({severity, entry.where, lacking_text(name, available)});
    }
  }
  if (modload)
    for (const auto& name : available)
      if (!named.contains(name)) out.modules.push_back({name, {main.file(), 0}});
  return out;
}

}  // namespace jackfield
