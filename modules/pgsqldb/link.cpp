#include "link.h"

#include "bytes_read.h"

#include "database/request.h"

#include <jackfield/log.h>

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <vector>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace jackfield::pgsqldb {
namespace {

using std::chrono::steady_clock;

/// The server ends the session after these: admin_shutdown, crash_shutdown, cannot_connect_now, idle_session_timeout …
bool ends_the_session(std::string_view state) { return state.starts_with("57P") || state.starts_with("08"); }

constexpr int kMostNothing = 100;
constexpr int kReadsBetweenLooks = 64;
/// Only a command that libpq refused to send, mostly for lack of memory, gets us here.
tl::unexpected<Broken> disagreement() { return tl::unexpected(Broken{"the server owes us no answer to what we sent"}); }

}  // namespace

bool is_too_large(const PGresult* result) { return PQresultMemorySize(result) > database::kMaxResult; }

bool is_copy(const PGresult* result) {
  const auto status = PQresultStatus(result);
  return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

std::string one_line(std::string_view text) {
  std::string line;
  for (const char c : text) {
    if (c != '\n' && c != '\r' && c != '\t') line.push_back(c);
    else if (!line.empty() && line.back() != ' ') line.push_back(' ');
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

std::string_view sqlstate(const PGresult* result) {
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  return state != nullptr ? state : "";
}

std::string error_text(const PGresult* result) {
  const char* primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  if (primary == nullptr) return one_line(PQresultErrorMessage(result));
  return fmt::format("{} (SQLSTATE {})", one_line(primary), sqlstate(result));
}

Link::Link(Logger& log) : log_(log), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (wake_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

Link::~Link() {
  close();
  ::close(wake_);
}

void Link::wake() noexcept { (void)!::write(wake_, "\1\0\0\0\0\0\0\0", 8); }

void Link::close() noexcept {
  PQfinish(conn_);
  conn_ = nullptr;
}

/// A function of the user's may raise anything, so only what the server itself thinks worth a warning is shown without being asked for,
/// and never its detail, which quotes rows.
void Link::take_notice(void* self, const PGresult* notice) {
  auto& log = static_cast<Link*>(self)->log_;
  const char* severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
  const auto text = error_text(notice);
  if (severity != nullptr && std::string_view(severity) == "WARNING") log.warning("event=server_warning text={}", log_value(text));
  else log.debug("event=server_notice text={}", log_value(text));
}

tl::expected<void, std::string> Link::connect(const Server& server, const Patience& patience) {
  close();
  const auto deadline = steady_clock::now() + server.deadline;
  patience_ = [&patience, deadline]() -> std::optional<Duration> {
    const auto left = std::chrono::ceil<Duration>(deadline - steady_clock::now());
    const auto other = patience();
    return other ? std::min(*other, left) : left;
  };
  const auto failed = [this](std::string_view why) {
    auto text = one_line(why);
    close();
    patience_ = nullptr;
    return tl::unexpected(std::move(text));
  };

  std::vector<const char*> keywords, values;
  for (const auto& [keyword, value] : server.parameters) {
    keywords.push_back(keyword.c_str());
    values.push_back(value.c_str());
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  conn_ = PQconnectStartParams(keywords.data(), values.data(), 0);
  if (conn_ == nullptr) return failed("out of memory");
  PQsetNoticeReceiver(conn_, take_notice, this);
  for (auto status = PGRES_POLLING_WRITING; status != PGRES_POLLING_OK; status = PQconnectPoll(conn_)) {
    if (status == PGRES_POLLING_FAILED || PQstatus(conn_) == CONNECTION_BAD) return failed(PQerrorMessage(conn_));
    if (!wait(status == PGRES_POLLING_READING ? POLLIN : POLLOUT)) {
      return failed(fmt::format("{}: no answer within {} ms", server.name, server.deadline.count()));
    }
  }
  if (PQsetnonblocking(conn_, 1) != 0) return failed(PQerrorMessage(conn_));
  patience_ = nullptr;
  return {};
}

OrBroken<void> Link::wait(short events) {
  for (;;) {
    int timeout = -1;
    if (patience_) {
      if (const auto left = patience_()) {
        if (*left <= Duration(0)) return tl::unexpected(Broken{"the server did not answer in time, and the connection was dropped"});
        timeout = static_cast<int>(std::min<std::int64_t>(left->count(), 3'600'000));
      }
    }
    pollfd descriptors[] = {{PQsocket(conn_), events, 0}, {wake_, POLLIN, 0}};
    const int ready = ::poll(descriptors, 2, timeout);
    if (ready < 0 && errno != EINTR) return tl::unexpected(Broken{std::generic_category().message(errno)});
    if (ready <= 0) continue;
    if (descriptors[1].revents != 0) {
      std::uint64_t count = 0;
      (void)!::read(wake_, &count, sizeof count);
    }
    if (descriptors[0].revents != 0) return {};
  }
}

tl::unexpected<Broken> Link::broken() const { return tl::unexpected(Broken{one_line(PQerrorMessage(conn_))}); }

OrBroken<void> Link::flush() {
  for (;;) {
    const int left = PQflush(conn_);
    if (left == 0) return {};
    if (left < 0) return broken();
    // The server may have to get rid of results before it reads on.
    if (auto waited = wait(POLLIN | POLLOUT); !waited) return waited;
    if (PQconsumeInput(conn_) == 0) return broken();
  }
}

OrBroken<Result> Link::next() {
  if (auto flushed = flush(); !flushed) return tl::unexpected(flushed.error());
  std::optional<std::uint64_t> began;
  for (int reads = 1; PQisBusy(conn_) != 0; ++reads) {
    if (auto waited = wait(POLLIN); !waited) return tl::unexpected(waited.error());
    if (PQconsumeInput(conn_) == 0) return broken();
    // libpq takes a whole result before it lets us see any of it.
    if (reads % kReadsBetweenLooks != 0) continue;
    const auto read = bytes_read(PQsocket(conn_));
    if (!began) began = read;
    if (read && began && *read - *began > database::kMaxResult) return tl::unexpected(Broken{.reason = database::too_large(), .too_large = true});
  }
  Result result(PQgetResult(conn_));
  if (!result) return result;
  if (PQstatus(conn_) == CONNECTION_BAD) return broken();
  if (PQresultStatus(result.get()) == PGRES_FATAL_ERROR && ends_the_session(sqlstate(result.get()))) {
    return tl::unexpected(Broken{error_text(result.get())});
  }
  return result;
}

void Link::send(const char* statement, int parameters, const char* const* values) {
  PQsendQueryPrepared(conn_, statement, parameters, values, nullptr, nullptr, 0);
}
void Link::send_text(const std::string& sql, int parameters, const char* const* values) {
  PQsendQueryParams(conn_, sql.c_str(), parameters, nullptr, values, nullptr, nullptr, 0);
}
void Link::send_prepare(const char* statement, const std::string& sql) { PQsendPrepare(conn_, statement, sql.c_str(), 0, nullptr); }
void Link::sync() { PQpipelineSync(conn_); }
void Link::want_results() { PQsendFlushRequest(conn_); }

OrBroken<Result> Link::result() {
  auto first = next();
  // Between two commands libpq may say once more that the one before has ended.
  for (int nothing = 0; first && !*first; first = next()) {
    if (++nothing > kMostNothing) return disagreement();
  }
  if (!first) return first;
  for (;;) {
    auto end = next();
    if (!end) return end;
    if (!*end) return first;
  }
}

OrBroken<bool> Link::reach_sync() {
  bool good = true;
  for (int nothing = 0;;) {
    auto one = next();
    if (!one) return tl::unexpected(one.error());
    if (!*one) {
      if (++nothing > kMostNothing) return disagreement();
      continue;
    }
    nothing = 0;
    const auto status = PQresultStatus(one->get());
    if (status == PGRES_PIPELINE_SYNC) return good;
    good = good && (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY);
  }
}

OrBroken<void> Link::simple(const std::string& sql, const std::function<void(Result)>& take) {
  const bool pipeline = PQpipelineStatus(conn_) != PQ_PIPELINE_OFF;
  if (pipeline && PQexitPipelineMode(conn_) == 0) return broken();
  if (PQsendQuery(conn_, sql.c_str()) == 0) return broken();
  for (;;) {
    auto one = next();
    if (!one) return tl::unexpected(one.error());
    if (!*one) break;
    const bool copies = is_copy(one->get());
    take(std::move(*one));
    // Data would follow, in a protocol of its own.
    if (copies) return tl::unexpected(Broken{"a query tried to COPY from or to us"});
  }
  if (pipeline && PQenterPipelineMode(conn_) == 0) return broken();
  return {};
}

OrBroken<tl::expected<void, std::string>> Link::command(const std::string& sql) {
  tl::expected<void, std::string> verdict;
  auto run = simple(sql, [&verdict](Result result) {
    if (PQresultStatus(result.get()) == PGRES_FATAL_ERROR) verdict = tl::unexpected(error_text(result.get()));
  });
  if (!run) return tl::unexpected(run.error());
  return verdict;
}

OrBroken<void> Link::check() {
  if (PQconsumeInput(conn_) == 0) return broken();
  if (PQstatus(conn_) == CONNECTION_BAD) return broken();
  return {};
}

}  // namespace jackfield::pgsqldb
