// One connection of libpq in pipeline mode: connecting, sending and waiting, each of which ends early when there is nobody to wait for
// any more. A worker's thread only, except wake().
#pragma once

#include "servers.h"

#include <libpq-fe.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace jackfield {
class Logger;
}

namespace jackfield::pgsqldb {

struct FreeResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using Result = std::unique_ptr<PGresult, FreeResult>;

/// Why the connection is no good any more; for people.
struct Broken {
  std::string reason = {};
  bool too_large = false;  ///< a result grew past database::kMaxResult, and the connection was given up for it
};
template <class T>
using OrBroken = tl::expected<T, Broken>;

/// How long a wait still makes sense, asked at its beginning and after each wake(); nothing: for ever. Zero or less ends it.
using Patience = std::function<std::optional<Duration>()>;

class Link {
 public:
  /// `log` gets the server's notices.
  explicit Link(Logger& log);
  ~Link();
  Link(const Link&) = delete;

  /// Connects; the error is the reason, without secrets. `give_up` ends it early.
  tl::expected<void, std::string> connect(const Server& server, const Patience& patience);
  void close() noexcept;
  bool open() const { return conn_ != nullptr; }
  PGconn* get() const { return conn_; }

  /// What follows waits no longer than this says.
  void set_patience(Patience patience) { patience_ = std::move(patience); }
  /// From any thread: who waits asks its patience again.
  void wake() noexcept;

  // Sending only fills libpq's buffer, unless it is large; flush() or result() sends it. What libpq refuses (a broken connection, mostly)
  // shows in the next of them.
  void send(const char* statement, int parameters = 0, const char* const* values = nullptr);
  void send_text(const std::string& sql, int parameters = 0, const char* const* values = nullptr);
  void send_prepare(const char* statement, const std::string& sql);
  /// The end of an implicit transaction, or of what an error makes the server skip.
  void sync();
  /// Asks the server to hand over the results so far.
  void want_results();

  /// The result of the next command sent: rows, an error, or aborted because of an error before it.
  OrBroken<Result> result();
  /// Reads up to the next sync(); false when an error was among what came.
  OrBroken<bool> reach_sync();
  /// One text of any number of statements, outside the pipeline: all of their results, to `take`. After a COPY the connection is no good.
  OrBroken<void> simple(const std::string& sql, const std::function<void(Result)>& take);
  /// As simple(), for one statement of ours. The error is the server's.
  OrBroken<tl::expected<void, std::string>> command(const std::string& sql);

  /// Looks at the socket without waiting: whether the server has closed it.
  OrBroken<void> check();

 private:
  static void take_notice(void* self, const PGresult* notice);
  OrBroken<void> flush();
  OrBroken<void> wait(short events);
  /// The next thing libpq has; null ends a command's results.
  OrBroken<Result> next();
  tl::unexpected<Broken> broken() const;

  Logger& log_;
  PGconn* conn_ = nullptr;
  int wake_ = -1;
  Patience patience_;
};

/// "42P01"; empty for what has none.
std::string_view sqlstate(const PGresult* result);
/// The server's own sentence, and its code.
std::string error_text(const PGresult* result);
/// More than an answer may have.
bool is_too_large(const PGresult* result);
/// Data would come or be wanted after it.
bool is_copy(const PGresult* result);
/// A message of libpq's as one line.
std::string one_line(std::string_view text);

}  // namespace jackfield::pgsqldb
