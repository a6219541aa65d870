// Where a host is (RFC 3263), with what DNS said kept as long as it holds: names that are there, names that are not (RFC 2308), and
// for a moment questions that nobody answered. What has lapsed serves on while the name servers are away (RFC 8767). Bounded.
// Made by module.cpp; engine thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <unordered_map>

#include "stack/server_location.h"

#include <jackfield/engine.h>

namespace jackfield::sip::stack {

struct ResolverOptions {
  std::chrono::milliseconds deadline{5000};  ///< of a whole resolution
  std::size_t max_entries = 10000;           ///< answers kept; the least recently used leave first
};

using ResolveId = std::uint64_t;  ///< 0: none

/// A sentence for people: what was asked and why there is no answer.
using Resolved = tl::expected<Resolution, std::string>;

class Resolver {
 public:
  /// `dns` is asked for what is not known.
  Resolver(Engine& engine, ResolverOptions options, std::unique_ptr<Dns> dns, Reaches reaches);
  ~Resolver();
  Resolver(const Resolver&) = delete;

  /// Without waiting: a numeric host, or one whose every answer is at hand. Nothing: ask resolve().
  std::optional<Resolved> known(const Destination& destination);

  /// `done` is called once, in a later turn, at the deadline at the latest; never after cancel() or the resolver's end.
  using Done = std::function<void(const Resolved&)>;
  ResolveId resolve(Destination destination, Done done);
  void cancel(ResolveId id);

  /// The same for coroutines. Never longer than the deadline; when the resolver ends meanwhile, an error.
  Task<Resolved> resolved(Destination destination);

  /// From now on; what is kept stays where `dns` is null, else other name servers may know better.
  void configure(ResolverOptions options, std::unique_ptr<Dns> dns);
  void stop();

  std::size_t kept() const { return entries_.size(); }
  std::size_t open() const { return lookups_.size(); }

 private:
  struct QuestionHash {
    std::size_t operator()(const DnsQuestion& question) const noexcept {
      return std::hash<std::string>()(question.first) * 31 + static_cast<std::size_t>(question.second);
    }
  };
  using AnswerPointer = std::shared_ptr<const DnsAnswer>;
  struct Entry {
    AnswerPointer answer;
    MonoTime until;
    std::list<DnsQuestion>::iterator used;
  };
  struct Lookup {
    Destination destination;
    Done done;
    std::unordered_map<DnsQuestion, AnswerPointer, QuestionHash> seen = {};  ///< good for this walk, however short it holds
    std::size_t asked = 0;
    TimerHandle deadline = {};
  };

  AnswerPointer kept_answer(const DnsQuestion& question);
  /// What to make of an answer that is not at hand: at the deadline what has lapsed will do, and else there is none.
  enum class Lacking : std::uint8_t { is_open, is_failure };
  Located look(const Destination& destination, Lookup* lookup, Lacking lacking);
  void go_on(ResolveId id);
  void ask(const DnsQuestion& question, ResolveId asker);
  void answered(const DnsQuestion& question, DnsAnswer answer);
  void keep(const DnsQuestion& question, const AnswerPointer& answer, std::chrono::seconds ttl);
  void finish(ResolveId id, const Resolved& resolved);
  static Resolved verdict(const Destination& destination, Located located);

  Engine& engine_;
  ResolverOptions options_;
  std::unique_ptr<Dns> dns_;
  Reaches reaches_;
  Pendings pendings_;
  TimerSinkId timers_;
  std::unordered_map<DnsQuestion, Entry, QuestionHash> entries_;
  std::list<DnsQuestion> order_;  ///< of use, the latest first
  std::unordered_map<ResolveId, Lookup> lookups_;
  std::unordered_map<DnsQuestion, std::vector<ResolveId>, QuestionHash> asked_;
  ResolveId last_ = 0;
  std::shared_ptr<void> alive_ = std::make_shared<int>(0);
};

}  // namespace jackfield::sip::stack
