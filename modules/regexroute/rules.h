// Rules as they are run: sections of regexroute.conf read once, with every expression compiled and every fault found (COMPAT §8).
#pragma once

#include "expression.h"

#include <jackfield/settings.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pattern/pattern.h"

namespace jackfield::regexroute {

struct RuleOptions {
  bool extended = false;
  bool insensitive = false;
  bool back_references = false;
  std::string default_rule;  ///< what an empty expression after ${…} or $(…) means
};

/// One test of a rule. Without a subject of its own it tests the match string.
struct Condition {
  std::optional<Expression> subject;
  std::optional<pattern::Pattern> pattern;  ///< none: always true
  bool negated = false;                     ///< true when it does not match
  bool alternative = false;                 ///< joined with `or` to those before it, else with `and`
};

struct Assignment {
  enum class Kind : std::uint8_t { set_parameter, clear_parameter, set_variable, clear_variable } kind;
  Expression name, value;
};

/// What a rule does once its conditions hold; the assignments come first.
struct Action {
  enum class Verb : std::uint8_t {
    route,          ///< the argument is the return value, and the message is handled; an empty one goes on
    noop, give_back, include, jump, match, rename, retval, msleep, echo, debug, enqueue, dispatch
  } verb = Verb::noop;
  bool quiet = false;  ///< @include, @jump: a context that is not there is nobody's mistake
  Expression argument;
  std::vector<Assignment> assignments;
};

struct Block;

struct Rule {
  std::string text;  ///< as written, for traces
  SourceLine where;
  std::vector<Condition> conditions;
  bool otherwise = false;  ///< stands behind a `}`: only when no block before it in the chain was entered
  Action action;
  std::unique_ptr<Block> block;  ///< instead of the action
};

struct Block {
  std::vector<Rule> rules;
};

/// What a `[contexts]`, a `[default]` or any other section of rules became.
using Contexts = std::map<std::string, Block, std::less<>>;

/// Reads one section; problems carry the rule's line.
Block read_rules(const SettingsSection& section, const RuleOptions& options, Problems& problems);

/// What the rule names statically: contexts it includes or jumps to, for a check that they exist.
void each_named_context(const Block& block, const std::function<void(const Rule&, std::string_view context)>& visit);

}  // namespace jackfield::regexroute
