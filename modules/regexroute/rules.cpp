#include "rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/trimmed.h"

namespace jackfield::regexroute {
namespace {

using Verb = Action::Verb;

constexpr std::size_t kDeepest = 10;  // blocks in blocks

struct Word {
  std::string_view text;
  Verb verb;
};
constexpr Word kWords[] = {
    {"noop", Verb::noop},     {"return", Verb::give_back}, {"include", Verb::include}, {"call", Verb::include},   {"goto", Verb::jump},
    {"jump", Verb::jump},     {"match", Verb::match},      {"newmatch", Verb::match},  {"rename", Verb::rename},  {"retval", Verb::retval},
    {"msleep", Verb::msleep}, {"echo", Verb::echo},        {"output", Verb::echo},     {"debug", Verb::debug},    {"enqueue", Verb::enqueue},
    {"dispatch", Verb::dispatch},
};

/// Takes the word off the front, when a blank or the end follows it.
bool take_word(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word) || (text.size() > word.size() && text[word.size()] != ' ' && text[word.size()] != '\t')) return false;
  text = trimmed(text.substr(word.size()));
  return true;
}

/// Takes a ^ off the end that no backslash protects.
bool take_negation(std::string_view& text) {
  if (!text.ends_with('^')) return false;
  const auto before = text.substr(0, text.size() - 1);
  const auto last_other = before.find_last_not_of('\\');
  const auto backslashes = before.size() - (last_other == std::string_view::npos ? 0 : last_other + 1);
  if (backslashes % 2 == 1) return false;
  text = before;
  return true;
}

bool prints(Verb verb) { return verb == Verb::echo || verb == Verb::debug; }

/// Reads the lines of one section, one after another.
class Reader {
 public:
  Reader(const SettingsSection& section, const RuleOptions& options, Problems& problems)
      : options_(options), problems_(problems), section_(section), open_{&top_} {}

  Block read() {
    for (const Entry& entry : section_.entries) line(entry);
    if (open_.size() > 1)
      problem(openers_.back(), fmt::format("the block in [{}] is not closed: a line with }} is missing", section_.name));
    return std::move(top_);
  }

 private:
  void problem(const SourceLine& where, std::string text) { problems_.push_back({Problem::Severity::error, where, std::move(text)}); }

  void line(const Entry& entry) {
    Rule rule{.text = entry.value.empty() ? entry.key : entry.key + "=" + entry.value, .where = entry.where};
    std::string_view left = trimmed(entry.key), right = trimmed(entry.value);
    if (left.starts_with('}')) {
      if (open_.size() == 1) return problem(entry.where, "there is no open block for this }");
      open_.pop_back();
      openers_.pop_back();
      left = trimmed(left.substr(1));
      if (left.empty() && right.empty()) return;
      rule.otherwise = true;
    }
    // Behind a } an empty condition is the last `else`; elsewhere the file's reader has left such lines out.
    if (!left.empty() && !condition(left, false, rule)) return;
    for (;;) {
      const bool alternative = take_word(right, "or");
      if (!alternative && !take_word(right, "if") && !take_word(right, "and")) break;
      const auto equals = right.find('=');
      if (equals == std::string_view::npos) return problem(entry.where, "if, and, or: an expression and = have to follow");
      if (!condition(trimmed(right.substr(0, equals)), alternative, rule)) return;
      right = trimmed(right.substr(equals + 1));
    }
    auto& rules = open_.back()->rules;
    if (right == "{") {
      if (open_.size() > kDeepest) return problem(entry.where, fmt::format("blocks may be {} deep", kDeepest));
      rule.block = std::make_unique<Block>();
      open_.push_back(rule.block.get());
      openers_.push_back(entry.where);
    } else if (!action(right, rule)) {
      return;
    }
    rules.push_back(std::move(rule));
  }

  bool condition(std::string_view text, bool alternative, Rule& rule) {
    Condition made{.alternative = alternative};
    const bool parameter = text.starts_with("${"), function = text.starts_with("$(");
    if (parameter || function) {
      const auto close = text.find(parameter ? '}' : ')');
      if (close == std::string_view::npos) return problem(rule.where, fmt::format("{} is not closed", text)), false;
      auto subject = Expression::parse(text.substr(0, close + 1));
      if (!subject) return problem(rule.where, subject.error()), false;
      made.subject = std::move(*subject);
      text = trimmed(text.substr(close + 1));
    }
    made.negated = take_negation(text);
    std::string_view regex = text;
    if (made.subject && regex.empty()) {
      regex = options_.default_rule;
      if (take_negation(regex)) made.negated = !made.negated;
    }
    auto pattern = pattern::Pattern::compile(
        regex, {.extended = options_.extended, .insensitive = options_.insensitive, .back_references = options_.back_references});
    if (!pattern) return problem(rule.where, fmt::format("{}: {}", regex, pattern.error())), false;
    made.pattern = std::move(*pattern);
    rule.conditions.push_back(std::move(made));
    return true;
  }

  bool action(std::string_view text, Rule& rule) {
    auto& action = rule.action;
    action.verb = Verb::route;
    const auto semicolon = text.find(';');
    auto target = trimmed(text.substr(0, semicolon));
    auto named = target;
    if (named.starts_with('@')) named.remove_prefix(1);
    for (const Word& word : kWords) {
      if (!take_word(named, word.text)) continue;
      const bool moves = word.verb == Verb::include || word.verb == Verb::jump;
      if (target.starts_with('@') && !moves) continue;
      action.quiet = target.starts_with('@');
      action.verb = word.verb;
      target = named;
      // What is printed is the whole line.
      if (prints(word.verb)) target = trimmed(trimmed(text).substr(word.text.size()));
      break;
    }
    if (!expression(target, rule.where, action.argument)) return false;
    if (prints(action.verb) || semicolon == std::string_view::npos) return true;
    for (auto rest = text.substr(semicolon + 1); !rest.empty();) {
      const auto end = rest.find(';');
      if (!assignment(trimmed(rest.substr(0, end)), rule)) return false;
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    return true;
  }

  bool assignment(std::string_view text, Rule& rule) {
    if (text.empty()) return true;
    const auto equals = equals_sign(text);
    const bool sets = equals != std::string_view::npos, variable = text.starts_with('$') && !text.starts_with("${") && !text.starts_with("$(");
    if (variable) text.remove_prefix(1);
    const auto at = sets ? equals - (variable ? 1 : 0) : text.size();
    using Kind = Assignment::Kind;
    Assignment made{.kind = variable ? (sets ? Kind::set_variable : Kind::clear_variable) : (sets ? Kind::set_parameter : Kind::clear_parameter)};
    if (!expression(trimmed(text.substr(0, at)), rule.where, made.name)) return false;
    if (sets && !expression(trimmed(text.substr(at + 1)), rule.where, made.value)) return false;
    rule.action.assignments.push_back(std::move(made));
    return true;
  }

  /// The first = that is not inside a ${…} or $(…).
  static std::size_t equals_sign(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '=') return i;
      if (!text.substr(i).starts_with("${") && !text.substr(i).starts_with("$(")) continue;
      i = text.find(text[i + 1] == '{' ? '}' : ')', i);
      if (i == std::string_view::npos) return i;
    }
    return std::string_view::npos;
  }

  bool expression(std::string_view text, const SourceLine& where, Expression& into) {
    auto parsed = Expression::parse(text);
    if (!parsed) return problem(where, parsed.error()), false;
    if (parsed->asks()) return problem(where, fmt::format("{}: whether a user is registered is asked on the left side of a rule", text)), false;
    into = std::move(*parsed);
    return true;
  }

  const RuleOptions& options_;
  Problems& problems_;
  const SettingsSection& section_;
  Block top_;
  std::vector<Block*> open_;         // stable: a rule's block is on the heap
  std::vector<SourceLine> openers_;
};

}  // namespace

Block read_rules(const SettingsSection& section, const RuleOptions& options, Problems& problems) {
  return Reader(section, options, problems).read();
}

void each_named_context(const Block& block, const std::function<void(const Rule&, std::string_view)>& visit) {
  for (const Rule& rule : block.rules) {
    if (rule.block) each_named_context(*rule.block, visit);
    const auto& action = rule.action;
    if ((action.verb == Verb::include || action.verb == Verb::jump) && !action.quiet && action.argument.is_literal()) visit(rule, action.argument.literal());
  }
}

}  // namespace jackfield::regexroute
