// One message on its way through the rules. It runs without waiting until a rule says so (dispatch, msleep), so that the usual message costs
// no coroutine. Engine thread only.
#pragma once

#include "rules.h"

#include <jackfield/engine.h>
#include <jackfield/pending.h>
#include <jackfield/task.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace jackfield::regexroute {

/// Everything a reload swaps at once. A walk goes on with the rules it began with.
struct RuleSet {
  Contexts contexts;
  int deepest = 5;  ///< contexts in contexts, and jumps

  const Block* find(std::string_view context) const {
    const auto found = contexts.find(context);
    return found == contexts.end() ? nullptr : &found->second;
  }
};

/// What rules have enqueued.
struct Enqueued {
  std::size_t waiting = 0;        ///< and nobody has begun with
  WallTime quiet_until = {};      ///< what is refused is logged once a second
};

/// What all walks share. Outlives them.
struct WalkServices {
  Engine& engine;
  Variables& variables;
  Pendings& pendings;
  Logger& log;
  int& dispatching;  ///< how many rules wait on the stack for the end of what they dispatch
  std::shared_ptr<Enqueued> enqueued;
};

class Walk {
 public:
  /// `message` outlives the walk. Rules without a subject of their own test `match`.
  Walk(WalkServices services, std::shared_ptr<const RuleSet> rules, Message& message, std::string_view match);

  /// The context to begin in; false when there is none of that name.
  bool enter(std::string_view context);

  /// Goes on to the end, and answers true, or to a rule that has to wait, and answers false: then wait() and call it again.
  bool run();
  Task<> wait();

  bool handled() const { return handled_; }
  /// What the rules return; may be set although nothing handled the message.
  const std::optional<std::string>& result() const { return result_; }
  /// With `trace_to_msg` in the message: the rules that held, in order, as trace_msg_0 and so on.
  void leave_trace();

 private:
  struct Frame {
    const Block* block;
    std::string_view context;
    int depth;                  ///< of contexts
    bool is_context;            ///< else a block in the frame below
    std::size_t next = 0;
    bool chain_entered = false; ///< a block of the chain `{ … } … { … }` that the next rule may go on
  };

  /// Nothing: it has to wait.
  std::optional<bool> holds(const Rule& rule);
  bool test(const Condition& condition);
  /// What the subject asks is answered; false: it has to wait.
  bool know(const Expression& subject);
  /// What was dispatched has its verdict.
  void answered(bool handled);
  /// False: it has to wait.
  bool act(const Rule& rule);
  void assign(const Action& action, Message& into);
  void enqueue(const Rule& rule, Message made);
  void include(const Rule& rule, std::string_view context);
  void jump(const Rule& rule, std::string_view context);
  bool may_enter(const Rule& rule, std::string_view context, int depth);
  void leave_context(bool handled);
  std::string value(const Expression& expression) { return expression.evaluate(captures_, functions_); }
  /// `held`: else only who rehearses is told of it.
  void trace(const Rule& rule, bool held);
  /// What a rule would have done, where nothing is to be done.
  void note(std::string_view what);

  const bool dry_run_;
  const Recorder::DispatchId recorded_;
  std::unique_ptr<Variables> own_variables_;  // those of all calls stay as they are where nothing is to be done
  WalkServices services_;
  std::shared_ptr<const RuleSet> rules_;
  Message* message_;
  FunctionContext functions_;
  std::string match_;
  pattern::Captures captures_;
  std::vector<Frame> frames_;
  const Rule* tested_ = nullptr;  ///< its conditions are gone through …
  std::size_t condition_ = 0;     ///< … and this one is next
  bool holding_ = false;          ///< those before it hold
  std::size_t steps_ = 0;         ///< rules it came by
  bool handled_ = false;
  std::optional<std::string> result_;
  std::optional<std::vector<std::string>> trace_;

  // What it waits for: one of the two.
  std::unique_ptr<Message> dispatched_;
  std::optional<Verdict> verdict_;
  std::optional<std::string> asked_;  ///< whether this user is registered is what was dispatched
  Duration sleep_ = {};
};

}  // namespace jackfield::regexroute
