// One connection to a database, as each module implements it. A worker owns it and calls it from its own thread, one call at a time;
// only interrupt() and cut_off() come from the engine thread. No call ever touches the engine.
#pragma once

#include "database/request.h"

#include <jackfield/clock.h>

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tl/expected.hpp>

namespace jackfield::database {

/// Where the answers of a batch go while the rest of it still runs.
class Delivery {
 public:
  virtual ~Delivery() = default;
  /// `request` has its outcome for good (what was written is committed). Handed on soon; what is left undelivered when run() returns
  /// is delivered then.
  virtual void finished(Request& request) = 0;
  /// Hands on what has finished. Called before a wait that may be long (a lock, an answer over the network). `reason` is told to
  /// those whose deadline passes meanwhile: what stands in the way and what to do; empty: nothing special.
  virtual void about_to_wait(std::string_view reason = {}) = 0;
  /// Asked again and again during such a wait, by whoever cannot be interrupted in it: whether it may go on, though nobody has abandoned a request.
  virtual bool may_wait_on() { return true; }
};

class Connection {
 public:
  virtual ~Connection() = default;

  /// Opens it, once before the first run() and again after each break. Answers what it is connected to, for logs and status
  /// (`host=db1 port=5432`, a file's name), or why it is not and what to do. May block as long as connecting may take.
  virtual tl::expected<std::string, std::string> open() = 0;
  virtual void close() noexcept = 0;

  /// Runs the requests in their order and gives each an outcome. Writes that can (QueryTemplate::groupable) share one transaction; none
  /// is answered before the commit. A group that fails is rolled back and its members are given `again`: the worker runs
  /// each by itself then, in a batch of one. A request that is abandoned is skipped, or ended where it stands, and needs no
  /// outcome. Answers why the connection is no good any more; nothing when it is.
  virtual std::optional<std::string> run(std::span<Request* const> batch, Delivery& delivery) = 0;

  /// From the engine thread, at any time of the object's life: a request of the batch that run() is at has been abandoned. A run() that
  /// waits looks again; it may come for nothing.
  virtual void interrupt() noexcept {}
  /// From the engine thread, once, for the end: an open() under way gives up, a run() finds all its requests abandoned. It is not
  /// opened again.
  virtual void cut_off() noexcept {}

  /// How often check() is called while there is nothing to run; zero: never.
  virtual Duration check_interval() const { return Duration(0); }
  /// Whether the connection still stands: as the answer of run().
  virtual std::optional<std::string> check() { return {}; }
};

enum class Role : std::uint8_t {
  any,     ///< reads and writes
  reader,  ///< only reads; what writes is given the outcome `elsewhere`
  writer,
};
/// Called on the engine thread; opens nothing.
using ConnectionFactory = std::function<std::unique_ptr<Connection>(Role role)>;

}  // namespace jackfield::database
