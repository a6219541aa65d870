#include "settings.h"

#include <fmt/format.h>

#include "text/trimmed.h"

namespace jackfield::regexroute {
namespace {

constexpr std::string_view kPriorities = "priorities", kOnce = "$once", kInit = "$init", kExtra = "extra", kContexts = "contexts";

constexpr Key kPriorityKeys[] = {
    {.name = "preroute", .type = KeyType::integer, .fallback = "100", .unit = "", .doc = "Priority of the answer to call.preroute; 0: none.", .min = 0, .max = 10000},
    {.name = "route", .type = KeyType::integer, .fallback = "100", .unit = "", .doc = "Priority of the answer to call.route; 0: none.", .min = 0, .max = 10000},
    {.name = "status", .type = KeyType::integer, .fallback = "110", .unit = "", .doc = "Priority of the answer to engine.status; 0: none.", .min = 0, .max = 10000},
    {.name = "extended", .type = KeyType::boolean, .fallback = "no", .unit = "",
     .doc = "Whether expressions are extended ones: ( ) { } + ? | stand without backslashes."},
    {.name = "insensitive", .type = KeyType::boolean, .fallback = "no", .unit = "", .doc = "Whether upper and lower case are the same in expressions."},
    {.name = "backrefs", .type = KeyType::boolean, .fallback = "no", .unit = "",
     .doc = "Whether an expression may refer to its own groups (\\1 on the left side); such a match can take seconds."},
    {.name = "defaultrule", .type = KeyType::text, .fallback = "^\\(false\\|no\\|off\\|disable\\|f\\|0*\\)$^", .unit = "",
     .doc = "What ${parameter}= and $(function)= without an expression test. By default: neither empty, nor false, nor zero.", .literal = true},
    {.name = "prerouteall", .type = KeyType::boolean, .fallback = "no", .unit = "",
     .doc = "Whether [contexts] is asked for calls too that have a context already or no caller."},
    {.name = "maxdepth", .type = KeyType::integer, .fallback = "5", .unit = "", .doc = "How many includes and jumps may follow one another.", .min = 5, .max = 100},
    {.name = "trackparam", .type = KeyType::boolean, .fallback = "yes", .unit = "",
     .doc = "Whether the message's `handlers` parameter names this module."},
};

constexpr std::string_view kIgnored[] = {"rex_debug", "add_once"};

constexpr Section kSections[] = {
    {.name = kPriorities, .doc = "", .keys = kPriorityKeys, .ignored = kIgnored},
    {.name = kOnce, .doc = "Variables that are set when the module starts, as name=value.", .keys = {}, .any_key = true},
    {.name = kInit, .doc = "Variables that are set at each start and reload.", .keys = {}, .any_key = true},
    {.name = kExtra,
     .doc = "Rules for other messages: message=priority[,parameter[,context[,filter[,value]]]]. The rules of [context], or of a section with "
            "the message's name, test the parameter; only messages whose parameter `filter` is the value (or matches it, where it begins with ^) are asked.",
     .keys = {},
     .any_key = true,
     .sample = "call.execute=90,callto,outgoing\n"},
    {.name = kContexts,
     .doc = "Gives a call its context by the caller's number: expression=context, the first that matches.",
     .keys = {},
     .any_key = true,
     .sample = "^00=international\n.*=default\n"},
    {.name = "*",
     .doc = "Every other section is a context with rules for the called number: expression=target;parameter=value;… The first that matches "
            "routes the call. share/doc/routing.md has 21 tasks with their rules.",
     .keys = {},
     .any_key = true,
     .sample = "[default]\n^9\\(.*\\)$=sip/sip:\\1@192.0.2.10;caller=4930123456\n^0=-;error=forbidden\n"},
};

std::vector<std::pair<std::string, std::string>> variables(const Settings& settings, std::string_view section) {
  std::vector<std::pair<std::string, std::string>> read;
  if (const auto* found = settings.section(section))
    for (const auto& entry : found->entries) read.emplace_back(entry.key, entry.value);
  return read;
}

/// At commas; the last part keeps those it has.
std::vector<std::string> fields(std::string_view text, std::size_t most) {
  std::vector<std::string> parts;
  while (parts.size() + 1 < most && text.find(',') != std::string_view::npos) {
    parts.emplace_back(text.substr(0, text.find(',')));
    text.remove_prefix(text.find(',') + 1);
  }
  parts.emplace_back(text);
  for (auto& part : parts) part = std::string(trimmed(part));
  parts.resize(most);
  return parts;
}

std::optional<ExtraHandler> read_extra(const Entry& entry, const RuleSet& rules, const RuleOptions& options, Problems& problems) {
  const auto error = [&](std::string text) {
    problems.push_back({Problem::Severity::error, entry.where, std::move(text)});
    return std::nullopt;
  };
  auto parts = fields(entry.value, 5);
  const auto priority = parse_integer(parts[0]);
  if (!priority || *priority < 0 || *priority > 10000) return error(fmt::format("{}={}: the priority comes first, a number up to 10000", entry.key, entry.value));
  ExtraHandler handler{.message = entry.key,
                       .priority = static_cast<int>(*priority),
                       .parameter = std::move(parts[1]),
                       .context = parts[2].empty() ? entry.key : std::move(parts[2]),
                       .filter_name = std::move(parts[3]),
                       .filter_value = std::move(parts[4])};
  if (!rules.find(handler.context)) return error(fmt::format("there is no section [{}] for the rules of {}", handler.context, entry.key));
  if (!handler.filter_name.empty() && handler.filter_value.starts_with('^')) {
    auto pattern = pattern::Pattern::compile(handler.filter_value, {.extended = options.extended, .insensitive = options.insensitive});
    if (!pattern) return error(fmt::format("{}: {}", handler.filter_value, pattern.error()));
    handler.filter = std::move(*pattern);
  }
  return handler;
}

}  // namespace

const KeyTable kKeys{.name = "regexroute", .doc = "Routes calls by rules: regular expressions for numbers and parameters.", .sections = kSections};

std::optional<RegexRouteSettings> read_settings(const Settings& settings, Problems& problems) {
  const RuleOptions options{.extended = settings.boolean(kPriorities, "extended"),
                            .insensitive = settings.boolean(kPriorities, "insensitive"),
                            .back_references = settings.boolean(kPriorities, "backrefs"),
                            .default_rule = settings.text(kPriorities, "defaultrule")};
  auto rules = std::make_shared<RuleSet>();
  rules->deepest = static_cast<int>(settings.integer(kPriorities, "maxdepth"));
  for (const auto& section : settings.sections()) {
    if (section.name == kPriorities || section.name == kOnce || section.name == kInit || section.name == kExtra) continue;
    rules->contexts.insert_or_assign(section.name, read_rules(section, options, problems));
  }
  for (const auto& [name, block] : rules->contexts)
    each_named_context(block, [&](const Rule& rule, std::string_view context) {
      if (!rules->find(context))
        problems.push_back({Problem::Severity::warning, rule.where, fmt::format("there is no section [{}]; write @include or @jump where that is meant to be", context)});
    });

  RegexRouteSettings read{.preroute_priority = static_cast<int>(settings.integer(kPriorities, "preroute")),
                          .route_priority = static_cast<int>(settings.integer(kPriorities, "route")),
                          .status_priority = static_cast<int>(settings.integer(kPriorities, "status")),
                          .preroute_all = settings.boolean(kPriorities, "prerouteall"),
                          .track = settings.boolean(kPriorities, "trackparam"),
                          .rules = rules,
                          .once = variables(settings, kOnce),
                          .init = variables(settings, kInit),
                          .extra = {}};
  if (const auto* extra = settings.section(kExtra))
    for (const auto& entry : extra->entries)
      if (auto handler = read_extra(entry, *rules, options, problems)) read.extra.push_back(std::move(*handler));

  if (has_errors(problems)) return std::nullopt;
  return read;
}

}  // namespace jackfield::regexroute
