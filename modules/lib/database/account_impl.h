// The inside of an account: what is queued where, and which connections stand. Engine thread only.
#pragma once

#include "database/account.h"
#include "database/lane.h"
#include "database/outbox.h"
#include "database/worker.h"

#include <jackfield/metrics.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace jackfield::database {

struct Account::Impl : std::enable_shared_from_this<Account::Impl> {
  /// A lane, what was asked for it in this turn, and whether it works.
  struct Branch {
    Lane lane;
    std::vector<std::shared_ptr<Request>> asked;
    unsigned open = 0;
    bool failing = false;  ///< nothing is open and the last attempt failed
  };
  struct Link {
    std::unique_ptr<Worker> worker;
    Branch* branch = nullptr;
    bool open = false;
    bool ordered = false;  ///< an attempt is under way
    int failures = 0;      ///< in a row
    MonoTime since{};      ///< open since then
    TimerHandle retry;
  };

  Impl(Engine& engine, std::string_view module, AccountOptions options, ConnectionFactory factory);
  ~Impl();

  void start();
  Task<Answer> ask(const Question& question);
  void stop(Duration patience);
  State state() const;
  Statistics statistics() const;

  Branch& branch_for(const Query& query) { return options.separate_writer && query.writes.load(std::memory_order_relaxed) ? writing : reading; }
  void submit();
  void collect();
  void count(const Answer& answer);
  /// At the deadline: nobody waits any more.
  Answer give_up(Request& request, Duration deadline);
  std::string obstacle(const Request& request) const;
  void report(const Answer& answer);

  // links.cpp: connections come and go.
  void order(Link& link);
  void retry_later(Link& link);
  void handle(const LinkEvent& event);
  void opened(Link& link, const std::string& where);
  void refused(Link& link, const std::string& reason);
  void broken(Link& link, const std::string& reason);
  void fail(Branch& branch);

  Engine& engine;
  Logger& log;
  const std::string module;
  const AccountOptions options;
  const ConnectionFactory factory;
  Pendings pendings;
  const TimerSinkId sink;
  std::atomic<bool> cut_off{false};
  Outbox outbox;
  Branch reading, writing;  ///< without a separate writer, `reading` does everything
  std::vector<Link> links;
  std::string trouble;
  bool stopped = false;
  bool submit_posted = false;
  std::size_t outstanding = 0;  ///< with workers or on the way to them, abandoned ones included
  Statistics counted;           ///< what the engine thread counts itself
  std::uint64_t unreported = 0;
  std::optional<MonoTime> reported;

  struct Metrics {
    Counter &queries, &away, &late, &refused, &repeated, &lost, &refused_connects;
    std::vector<std::shared_ptr<void>> gauges;
  } metrics;
};

}  // namespace jackfield::database
