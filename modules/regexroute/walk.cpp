#include "walk.h"

#include <jackfield/messages/user.h>
#include <jackfield/settings.h>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "text/trimmed.h"

namespace jackfield::regexroute {
namespace {

namespace param = messages::param;
using Verb = Action::Verb;

constexpr Duration kLongestSleep = std::chrono::seconds(60);
constexpr std::size_t kMostSteps = 200000;  // sections that include themselves twice would go on for ever
constexpr int kDeepestDispatch = 10;        // a rule that dispatches what it answers would, too
constexpr long long kLongestChain = 100;    // so would one that enqueues it, a turn later
constexpr std::string_view kChain = "enqueued_by_rules";  // parameter: how many rules did so in a row
constexpr std::size_t kMostEnqueued = 10'000;
constexpr Duration kBreath{100}, kQuiet{1000};

/// Yate's levels: 0 is the worst, 10 says everything.
void debug_line(Logger& log, std::string_view text) {
  int level = 9;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), level);
  if (error == std::errc()) text = trimmed(text.substr(static_cast<std::size_t>(end - text.data())));
  if (level <= 2) log.error("{}", text);
  else if (level <= 5) log.warning("{}", text);
  else if (level <= 8) log.info("{}", text);
  else log.debug("{}", text);
}

Task<bool> rehearsed(Bus& bus, Message* question) {
  DispatchRecord ignored;
  auto asking = bus.rehearse(*question, ignored);
  co_return co_await std::move(asking);
}

}  // namespace

Walk::Walk(WalkServices services, std::shared_ptr<const RuleSet> rules, Message& message, std::string_view match)
    : dry_run_(message.flag(param::kDryRun)),
      recorded_(services.engine.recorder().current()),
      own_variables_(dry_run_ ? std::make_unique<Variables>(services.variables) : nullptr),
      services_{services.engine, own_variables_ ? *own_variables_ : services.variables, services.pendings, services.log, services.dispatching, std::move(services.enqueued)},
      rules_(std::move(rules)),
      message_(&message),
      functions_{message, services_.variables, services.engine, services.dispatching},
      match_(trimmed(match)) {
  if (message.flag(param::kTraceToMsg)) trace_.emplace();
}

bool Walk::enter(std::string_view context) {
  const auto found = rules_->contexts.find(context);
  if (found == rules_->contexts.end()) return false;
  frames_.push_back({.block = &found->second, .context = found->first, .depth = 1, .is_context = true});
  return true;
}

bool Walk::run() {
  while (!frames_.empty()) {
    Frame& frame = frames_.back();
    if (!tested_) {
      if (frame.next == frame.block->rules.size()) {
        // A context that ends returns false; whoever included it goes on.
        frames_.pop_back();
        continue;
      }
      const Rule& next = frame.block->rules[frame.next++];
      if (++steps_ > kMostSteps) {
        services_.log.error("{}:{}: given up after {} rules: sections include one another over and over", next.where.file, next.where.line, kMostSteps);
        frames_.clear();
        break;
      }
      if (!next.otherwise) frame.chain_entered = false;
      if (frame.chain_entered) continue;
      tested_ = &next;
      condition_ = 0;
      holding_ = true;
      captures_.clear();
    }
    const auto held = holds(*tested_);
    if (!held) return false;
    const Rule& rule = *std::exchange(tested_, nullptr);
    trace(rule, *held);
    if (!*held) continue;
    frame.chain_entered = true;
    if (rule.block) frames_.push_back({.block = rule.block.get(), .context = frame.context, .depth = frame.depth, .is_context = false});
    else if (!act(rule)) return false;
  }
  return true;
}

std::optional<bool> Walk::holds(const Rule& rule) {
  for (; condition_ < rule.conditions.size(); ++condition_) {
    const Condition& condition = rule.conditions[condition_];
    const bool first = condition_ == 0;
    if (!first && condition.alternative && holding_) return true;  // the rest of the chain is not asked any more
    if (!first && !condition.alternative && !holding_) continue;
    if (condition.subject && !know(*condition.subject)) return std::nullopt;
    holding_ = test(condition);
  }
  return holding_;
}

bool Walk::know(const Expression& subject) {
  while (auto user = subject.unanswered(captures_, functions_)) {
    dispatched_ = std::make_unique<Message>(messages::kUserRegistered.name, services_.engine.clock().wall());
    dispatched_->set(param::kUsername, *user);
    asked_ = std::move(user);
    if (dry_run_) verdict_.emplace(rehearsed(services_.engine.bus(), dispatched_.get()));
    else verdict_.emplace(services_.engine.bus().dispatch(*dispatched_));
    if (!verdict_->immediate()) return false;
    answered(verdict_->handled());
  }
  return true;
}

void Walk::answered(bool handled) {
  if (asked_) functions_.registered.insert_or_assign(std::move(*asked_), handled);
  asked_.reset();
  verdict_.reset();
  dispatched_.reset();
}

bool Walk::test(const Condition& condition) {
  bool matched;
  if (condition.subject) {
    const auto subject = value(*condition.subject);
    matched = condition.pattern->match(trimmed(subject), captures_);
  } else {
    matched = condition.pattern->match(match_, captures_);
  }
  if (condition.negated) captures_.clear();
  return matched != condition.negated;
}

bool Walk::act(const Rule& rule) {
  const Action& action = rule.action;
  auto argument = value(action.argument);  // before anything is assigned
  const bool about_another = action.verb == Verb::enqueue || action.verb == Verb::dispatch;
  if (!about_another) assign(action, *message_);
  switch (action.verb) {
    case Verb::route:
      if (argument.empty()) break;
      result_ = std::move(argument);
      handled_ = true;
      frames_.clear();
      break;
    case Verb::noop: break;
    case Verb::give_back: leave_context(parse_boolean(argument).value_or(false)); break;
    case Verb::include: include(rule, argument); break;
    case Verb::jump: jump(rule, argument); break;
    case Verb::match: match_ = trimmed(argument); break;
    case Verb::rename:
      if (!argument.empty()) message_->rename(argument);
      break;
    case Verb::retval: result_ = std::move(argument); break;
    case Verb::msleep: {
      long long wanted = 0;
      std::from_chars(argument.data(), argument.data() + argument.size(), wanted);
      sleep_ = dry_run_ ? Duration::zero() : std::clamp(Duration(wanted), Duration::zero(), kLongestSleep);
      return sleep_ == Duration::zero();
    }
    case Verb::echo:
      if (dry_run_) note(fmt::format("would log {}", argument));
      else services_.log.info("{}", argument);
      break;
    case Verb::debug:
      if (!dry_run_) debug_line(services_.log, argument);
      break;
    case Verb::enqueue:
    case Verb::dispatch: {
      if (argument.empty()) break;
      if (dry_run_) {
        note(fmt::format("would send the message {}", argument));
        break;
      }
      if (action.verb == Verb::dispatch && functions_.depth >= kDeepestDispatch) {
        services_.log.error("{}:{}: {} is not dispatched: rules dispatch what rules dispatched, {} times", rule.where.file, rule.where.line, argument, kDeepestDispatch);
        break;
      }
      auto made = std::make_unique<Message>(argument, services_.engine.clock().wall());
      assign(action, *made);
      made->share_payload(*message_);
      if (action.verb == Verb::enqueue) {
        enqueue(rule, std::move(*made));
        break;
      }
      dispatched_ = std::move(made);
      ++services_.dispatching;
      verdict_.emplace(services_.engine.bus().dispatch(*dispatched_));
      --services_.dispatching;
      if (!verdict_->immediate()) return false;
      answered(verdict_->handled());
      break;
    }
  }
  return true;
}

Task<> Walk::wait() {
  if (verdict_) {
    Verdict verdict = std::move(*verdict_);
    const bool handled = co_await settle(std::move(verdict));
    answered(handled);
  } else {
    // Nobody answers it: its end is its deadline, or that of the module.
    auto pause = services_.pendings.open<bool>(sleep_);
    co_await pause.wait();
  }
}

/// Rules that enqueue what they answer would, too, keep the engine at it for ever, and with two of a kind fill its memory. One that slept
/// between is a clock, and may go on.
void Walk::enqueue(const Rule& rule, Message made) {
  auto& enqueued = *services_.enqueued;
  const auto now = services_.engine.clock().wall();
  const bool at_once = now - message_->created() < kBreath;
  const auto chain = at_once ? message_->number(kChain) + 1 : 1;
  const bool too_long = chain > kLongestChain;
  if (too_long || enqueued.waiting >= kMostEnqueued) {
    if (now < enqueued.quiet_until) return;
    enqueued.quiet_until = now + kQuiet;
    const auto why = too_long ? fmt::format("rules enqueue what rules enqueued, {} times within {} ms each; msleep between them makes a clock of it", kLongestChain, kBreath.count())
                              : fmt::format("{} messages of rules wait already", enqueued.waiting);
    services_.log.error("{}:{}: {} is not enqueued: {}", rule.where.file, rule.where.line, made.name(), why);
    return;
  }
  made.set(kChain, chain);
  ++enqueued.waiting;
  services_.engine.bus().enqueue(std::move(made), [counted = services_.enqueued](Message&, bool) { --counted->waiting; });
}

void Walk::assign(const Action& action, Message& into) {
  for (const Assignment& assignment : action.assignments) {
    const auto name = value(assignment.name);
    if (name.empty()) continue;
    using Kind = Assignment::Kind;
    switch (assignment.kind) {
      case Kind::set_parameter: into.set(name, value(assignment.value)); break;
      case Kind::clear_parameter: into.erase(name); break;
      case Kind::set_variable:
        if (!services_.variables.set(name, value(assignment.value)))
          services_.log.error("event=too-many-variables count={} name={}", Variables::kMost, log_value(name));
        break;
      case Kind::clear_variable: services_.variables.clear(name); break;
    }
  }
}

bool Walk::may_enter(const Rule& rule, std::string_view context, int depth) {
  if (depth > rules_->deepest) {
    services_.log.warning("{}:{}: [{}] is not entered: includes and jumps are more than maxdepth={} deep", rule.where.file, rule.where.line, context,
                          rules_->deepest);
    return false;
  }
  if (rules_->find(context)) return true;
  if (!rule.action.quiet) services_.log.warning("{}:{}: there is no section [{}]", rule.where.file, rule.where.line, context);
  return false;
}

void Walk::include(const Rule& rule, std::string_view context) {
  const int depth = frames_.back().depth + 1;
  if (!may_enter(rule, context, depth)) return;
  const auto found = rules_->contexts.find(context);
  frames_.push_back({.block = &found->second, .context = found->first, .depth = depth, .is_context = true});
}

void Walk::jump(const Rule& rule, std::string_view context) {
  const int depth = frames_.back().depth + 1;
  const bool goes = may_enter(rule, context, depth);
  if (!goes) return;
  while (!frames_.back().is_context) frames_.pop_back();
  const auto found = rules_->contexts.find(context);
  frames_.back() = {.block = &found->second, .context = found->first, .depth = depth, .is_context = true};
}

void Walk::leave_context(bool handled) {
  if (handled) {
    handled_ = true;
    frames_.clear();
    return;
  }
  while (!frames_.back().is_context) frames_.pop_back();
  frames_.pop_back();
}

void Walk::trace(const Rule& rule, bool held) {
  if (recorded_ != 0 && (held || dry_run_)) {
    fmt::memory_buffer line;
    fmt::format_to(std::back_inserter(line), "{}:{} [{}] {}{}", rule.where.file, rule.where.line, frames_.back().context, rule.text, held ? "" : "  (does not hold)");
    note({line.data(), line.size()});
  }
  if (trace_ && held) trace_->push_back(fmt::format("[{}] {}:{} {}", frames_.back().context, rule.where.file, rule.where.line, rule.text));
}

void Walk::note(std::string_view what) { services_.engine.recorder().note(recorded_, what); }

void Walk::leave_trace() {
  if (!trace_) return;
  for (std::size_t i = 0; i < trace_->size(); ++i) message_->set(fmt::format("trace_msg_{}", i), (*trace_)[i]);
  message_->set("trace_msg_count", static_cast<long long>(trace_->size()));
}

}  // namespace jackfield::regexroute
