#include "connection.h"

#include <jackfield/log.h>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace jackfield::pgsqldb {

using database::Delivery;
using database::Failure;
using database::Outcome;
using database::Request;
using database::Role;
using std::chrono::steady_clock;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kPreparedStatements = 256;
/// So many members may be taken out of a group, one for each run; then the rest goes one by one.
constexpr int kMostStops = 2;
/// What nobody waits for any more has this long to end by itself.
constexpr Duration kGrace = 100ms;
/// How soon an idle connection that the server closed is noticed.
constexpr Duration kCheckInterval = 5s;
/// SET client_connection_check_interval exists from here on; before it the server ends what takes too long by the clock.
constexpr int kServerNoticesOurEnd = 140000;

/// It may share a pipeline and a transaction with others.
bool suits_a_group(const Request& request) {
  const auto& text = request.query().text;
  return text.groupable() && text.statements() == 1;
}

std::vector<Request*> requests_of(const std::vector<Member>& members) {
  std::vector<Request*> requests;
  for (const auto& member : members) requests.push_back(member.request);
  return requests;
}

void drop_abandoned(std::vector<Member>& members) {
  std::erase_if(members, [](const Member& member) { return member.request->abandoned(); });
}

}  // namespace

Connection::Connection(Logger& log, ConnectionOptions options)
    : log_(log), options_(std::move(options)), link_(log), keys_(link_, log, *options_.doubts), pipeline_(link_, keys_), statements_(kPreparedStatements) {}

void Connection::cut_off() noexcept {
  cut_off_ = true;
  link_.wake();
}

tl::expected<std::string, std::string> Connection::open() {
  keys_.reset();
  statements_.clear();
  pipeline_.reset();
  std::string trouble;
  for (const auto& server : options_.servers) {
    const auto until_cut_off = [this]() -> std::optional<Duration> { return cut_off_ ? std::optional(Duration(0)) : std::nullopt; };
    std::string why;
    if (auto connected = link_.connect(server, until_cut_off); !connected) {
      why = std::move(connected.error());
    } else {
      link_.set_patience([this, deadline = steady_clock::now() + server.deadline]() -> std::optional<Duration> {
        return cut_off_ ? Duration(0) : std::chrono::ceil<Duration>(deadline - steady_clock::now());
      });
      const auto ready = set_up();
      link_.set_patience(nullptr);
      if (ready && *ready) return fmt::format("{} server_version={}", server.name, PQparameterStatus(link_.get(), "server_version"));
      why = fmt::format("{}: {}", server.name, ready ? ready->error() : ready.error().reason);
      link_.close();
    }
    if (cut_off_) return tl::unexpected(std::string("stopped"));
    if (trouble.find(why) == std::string::npos) trouble += (trouble.empty() ? "" : "; ") + why;
  }
  return tl::unexpected(std::move(trouble));
}

OrBroken<tl::expected<void, std::string>> Connection::set_up() {
  std::string sql = "SET standard_conforming_strings = on; SET bytea_output = 'hex'";
  if (PQserverVersion(link_.get()) >= kServerNoticesOurEnd) sql += "; SET client_connection_check_interval = '1s'";
  else sql += fmt::format("; SET statement_timeout = {}", options_.timeout.count());
  // A function that writes is found out by the server then, and goes to the connection that may.
  if (options_.role == Role::reader) sql += "; SET default_transaction_read_only = on";
  auto set = link_.command(sql);
  if (!set || !*set) return set;
  if (PQenterPipelineMode(link_.get()) == 0) return tl::unexpected(Broken{one_line(PQerrorMessage(link_.get()))});
  auto prepared = pipeline_.prepare();
  if (!prepared) return tl::unexpected(prepared.error());
  if (!*prepared) return tl::expected<void, std::string>(tl::unexpected(std::string("BEGIN and COMMIT cannot be prepared")));
  return tl::expected<void, std::string>();
}

Duration Connection::check_interval() const { return kCheckInterval; }

std::optional<std::string> Connection::check() {
  if (auto good = link_.check(); !good) return good.error().reason;
  if (options_.role == Role::reader) return {};
  link_.set_patience([this, deadline = steady_clock::now() + options_.timeout]() -> std::optional<Duration> {
    return cut_off_ ? Duration(0) : std::chrono::ceil<Duration>(deadline - steady_clock::now());
  });
  auto cleaned = keys_.clean();
  link_.set_patience(nullptr);
  if (!cleaned) return cleaned.error().reason;
  return {};
}

void Connection::wait_for(std::vector<Request*> requests) {
  link_.set_patience([this, requests = std::move(requests), began = steady_clock::now()]() -> std::optional<Duration> {
    const auto abandoned = static_cast<std::size_t>(std::ranges::count_if(requests, &Request::abandoned));
    // Dropped while it commits, a group is in doubt: for the sake of one, nobody's is.
    if (abandoned == 0 || (pipeline_.committing() && abandoned < requests.size())) return std::nullopt;
    // Which of them the server is at, nobody knows. The others are run again elsewhere.
    const auto grace = abandoned == requests.size() ? kGrace : std::max(kGrace, options_.timeout / 4);
    return grace - std::chrono::floor<Duration>(steady_clock::now() - began);
  });
}

std::optional<std::string> Connection::run(std::span<Request* const> batch, Delivery& delivery) {
  auto ran = run_sorted(batch, delivery);
  link_.set_patience(nullptr);
  if (!ran) return ran.error().reason;
  return {};
}

OrBroken<void> Connection::run_sorted(std::span<Request* const> batch, Delivery& delivery) {
  std::vector<Member> reads, group;
  std::vector<Request*> others;
  for (Request* const request : batch) {
    if (request->abandoned()) continue;
    if (sql::invalid_utf8(request->idempotency_key) != std::string_view::npos || request->idempotency_key.find('\0') != std::string::npos) {
      request->fail(Failure::value, "idempotency_key is no text: it holds a NUL or is not UTF-8");
      continue;
    }
    const bool keyed = !request->idempotency_key.empty();
    if (options_.role == Role::reader && keyed) {
      request->outcome = Outcome::elsewhere;
      continue;
    }
    const bool reads_only = options_.role == Role::reader || (options_.role == Role::any && !keyed && !request->query().writes);
    if (!reads_only || !suits_a_group(*request)) {
      others.push_back(request);
      continue;
    }
    Member member(*request);
    if (member.render()) reads.push_back(std::move(member));
  }
  // They need not wait for a commit.
  if (auto ran = run_reads(std::move(reads), delivery); !ran) return ran;

  for (Request* const request : others) {
    if (suits_a_group(*request)) {
      Member member(*request);
      if (member.render()) group.push_back(std::move(member));
      continue;
    }
    if (auto ran = run_writes(std::exchange(group, {}), delivery); !ran) return ran;
    if (auto ran = run_alone(*request, delivery); !ran) return ran;
  }
  return run_writes(std::move(group), delivery);
}

OrBroken<void> Connection::run_reads(std::vector<Member> members, Delivery& delivery) {
  if (auto prepared = prepare(members); !prepared) return prepared;
  for (drop_abandoned(members); !members.empty(); drop_abandoned(members)) {
    wait_for(requests_of(members));
    auto stop = pipeline_.read(members, options_.role == Role::any, [&delivery](Member& member) {
      member.succeed();
      delivery.finished(*member.request);
    });
    if (!stop) return tl::unexpected(stop.error());
    if (!*stop) return {};
    const auto at = members.begin() + static_cast<std::ptrdiff_t>((*stop)->member);
    auto again = judge(*at, **stop);
    if (!again) return tl::unexpected(again.error());
    members.erase(members.begin(), *again ? at : at + 1);
  }
  return {};
}

OrBroken<void> Connection::run_writes(std::vector<Member> members, Delivery& delivery) {
  if (members.empty()) return {};
  wait_for(requests_of(members));
  const auto keyed = [](const Member& member) { return !member.request->idempotency_key.empty(); };
  if (std::ranges::any_of(members, keyed)) {
    if (auto ready = keys_.prepare(); !ready) return ready;
    for (auto member = members.begin(); member != members.end();) {
      auto settled = keyed(*member) ? keys_.settle(*member->request) : OrBroken<bool>(false);
      if (!settled) return tl::unexpected(settled.error());
      member = *settled ? members.erase(member) : member + 1;
    }
  }
  if (auto prepared = prepare(members); !prepared) return prepared;

  int stops = 0;
  for (drop_abandoned(members); !members.empty(); drop_abandoned(members)) {
    delivery.about_to_wait();
    wait_for(requests_of(members));
    const auto stop = pipeline_.write(members);
    if (!stop) {
      for (const auto& member : members) {
        if (member.request->outcome == Outcome::answered) continue;  // it was the reason
        member.request->outcome = pipeline_.committing() ? Outcome::in_doubt : Outcome::unsent;
        if (pipeline_.committing() && keyed(member)) keys_.in_doubt(member.request->idempotency_key, pipeline_.transaction());
      }
      return tl::unexpected(stop.error());
    }
    if (!*stop) {
      for (auto& member : members) {
        member.succeed();
        delivery.finished(*member.request);
      }
      return {};
    }
    const auto& why = **stop;
    if (why.noting) keys_.missing(why.state);
    if (members.size() == 1 && !why.noting) {
      auto again = judge(members.front(), why);
      if (!again) return tl::unexpected(again.error());
      if (!*again) return {};
    } else if (why.member == Stop::kCommit || why.noting || ++stops > kMostStops) {
      for (const auto& member : members) member.request->run_again(failure(meaning(why.state)), why.text);
      return {};
    } else {
      members[why.member].request->run_again(failure(meaning(why.state)), why.text);
      members.erase(members.begin() + static_cast<std::ptrdiff_t>(why.member));
    }
  }
  return {};
}

OrBroken<void> Connection::prepare(std::vector<Member>& members) {
  std::vector<Pipeline::Preparation> wanted;
  for (auto& member : members) {
    if (!member.preparable()) continue;
    if (const auto* name = statements_.find(member.sql)) {
      member.name = *name;
      continue;
    }
    // A text of a script's own, values and all, is mostly never seen again.
    if (member.request->query().text.bound_count() == 0 && !statements_.seen_before(member.sql)) continue;
    if (std::ranges::find(wanted, member.sql, &Pipeline::Preparation::sql) == wanted.end()) wanted.push_back({member.sql, statements_.next_name()});
  }
  if (wanted.empty()) return {};
  wait_for(requests_of(members));
  std::vector<std::optional<Stop>> refused(wanted.size());
  auto prepared = pipeline_.prepare(wanted, [&refused](std::size_t index, const PGresult* result) {
    refused[index] = Stop{.member = 0, .state = std::string(sqlstate(result)), .text = error_text(result)};
  });
  if (!prepared) return prepared;

  std::vector<std::string> leaving;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (refused[i]) continue;
    if (auto name = statements_.add(wanted[i].sql, wanted[i].name)) leaving.push_back(std::move(*name));
  }
  if (auto left = pipeline_.deallocate(leaving); !left) return left;
  for (auto member = members.begin(); member != members.end();) {
    const auto place = std::ranges::find(wanted, member->sql, &Pipeline::Preparation::sql);
    bool stays = true;
    if (member->preparable() && place != wanted.end()) {
      const auto& stop = refused[static_cast<std::size_t>(place - wanted.begin())];
      if (!stop) {
        // With a name it is sent as prepared; pushed out by a later one already, it goes as text.
        if (const auto* name = statements_.find(member->sql)) member->name = *name;
      } else {
        auto again = judge(*member, *stop);
        if (!again) return tl::unexpected(again.error());
        stays = *again;
      }
    }
    member = stays ? member + 1 : members.erase(member);
  }
  return {};
}

OrBroken<void> Connection::forget(const Member& member) {
  const auto name = statements_.forget(member.sql);
  if (!name) return {};
  return pipeline_.deallocate(std::span(&*name, 1));
}

OrBroken<bool> Connection::judge(Member& member, const Stop& stop) {
  Request& request = *member.request;
  const auto& query = request.query();
  const auto what = meaning(stop.state);
  // What the server objects to now, it read: as a text with literals it is SQL.
  if (member.trial && !stop.state.starts_with("42")) query.escaped.store(true, std::memory_order_relaxed);
  switch (what) {
    case Meaning::again: request.run_again(Failure::query, stop.text); return false;
    case Meaning::stale:
      if (member.name.empty()) break;
      if (auto forgotten = forget(member); !forgotten) return tl::unexpected(forgotten.error());
      request.run_again(Failure::query, stop.text);
      return false;
    case Meaning::bound_badly:
      if (member.literals || query.text.names().empty()) break;
      member.trial = true;
      return member.render_literals();
    case Meaning::read_only:
      if (options_.role == Role::reader) {
        request.outcome = Outcome::elsewhere;
        return false;
      }
      if (!query.writes.exchange(true)) {
        request.run_again(Failure::query, stop.text);
        return false;
      }
      // It was the primary when we connected; another is now.
      if (options_.servers.size() > 1) {
        request.outcome = Outcome::unsent;
        return tl::unexpected(Broken{"the server only reads now"});
      }
      break;
    case Meaning::full:
    case Meaning::refused: break;
  }
  request.fail(failure(what), stop.text);
  return false;
}

}  // namespace jackfield::pgsqldb
