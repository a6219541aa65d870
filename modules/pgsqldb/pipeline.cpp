#include "pipeline.h"

#include <algorithm>

namespace jackfield::pgsqldb {
namespace {

constexpr const char* kBegin = "jackfield_begin";
constexpr const char* kBeginReading = "jackfield_begin_reading";
constexpr const char* kCommit = "jackfield_commit";
constexpr const char* kRollBack = "jackfield_roll_back";

bool failed(const PGresult* result) {
  const auto status = PQresultStatus(result);
  return status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY;
}

/// The one whose result broke the connection would break the next one, too.
const Broken& blame(const Member& member, const Broken& broken) {
  if (broken.too_large) member.request->fail(database::Failure::query, broken.reason);
  return broken;
}

bool is_no_answer(const PGresult* result) { return failed(result) || is_too_large(result); }

Stop stop_at(std::size_t member, const PGresult* result) {
  if (!failed(result)) return {.member = member, .state = {}, .text = database::too_large()};
  return {.member = member, .state = std::string(sqlstate(result)), .text = error_text(result)};
}

}  // namespace

OrBroken<bool> Pipeline::prepare() {
  link_.send_prepare(kBegin, "BEGIN");
  link_.send_prepare(kBeginReading, "BEGIN READ ONLY");
  link_.send_prepare(kCommit, "COMMIT");
  link_.send_prepare(kRollBack, "ROLLBACK");
  link_.sync();
  return link_.reach_sync();
}

OrBroken<void> Pipeline::prepare(std::span<const Preparation> statements, const std::function<void(std::size_t, const PGresult*)>& failure) {
  // A sync after each: one that is refused takes no other with it.
  for (const auto& [sql, name] : statements) {
    link_.send_prepare(name.c_str(), sql);
    link_.sync();
  }
  for (std::size_t i = 0; i < statements.size(); ++i) {
    auto prepared = link_.result();
    if (!prepared) return tl::unexpected(prepared.error());
    if (failed(prepared->get())) failure(i, prepared->get());
    if (auto end = link_.reach_sync(); !end) return tl::unexpected(end.error());
  }
  return {};
}

OrBroken<void> Pipeline::deallocate(std::span<const std::string> names) {
  for (const auto& name : names) {
    link_.send_text("DEALLOCATE " + name);
    link_.sync();
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (auto end = link_.reach_sync(); !end) return tl::unexpected(end.error());
  }
  return {};
}

OrBroken<std::optional<Stop>> Pipeline::read(std::span<Member> members, bool begin, const std::function<void(Member&)>& done) {
  if (begin) link_.send(kBeginReading);
  for (const auto& member : members) member.send(link_, arguments_);
  if (begin) link_.send(kCommit);
  link_.sync();
  if (begin) {
    if (auto begun = link_.result(); !begun) return tl::unexpected(begun.error());
  }
  std::optional<Stop> stop;
  for (std::size_t i = 0; i < members.size() && !stop; ++i) {
    auto answer = link_.result();
    if (!answer) return tl::unexpected(blame(members[i], answer.error()));
    if (is_no_answer(answer->get())) {
      stop = stop_at(i, answer->get());
    } else {
      members[i].answer(answer->get());
      done(members[i]);
    }
  }
  if (auto end = link_.reach_sync(); !end) return tl::unexpected(end.error());
  if (stop && begin) {
    if (auto back = roll_back(); !back) return tl::unexpected(back.error());
  }
  return stop;
}

OrBroken<std::optional<Stop>> Pipeline::write(std::span<Member> members) {
  committing_ = false;
  transaction_ = {};
  const bool keyed = std::ranges::any_of(members, [](const Member& member) { return !member.request->idempotency_key.empty(); });
  const bool numbered = keyed && !keys_.table();

  link_.send(kBegin);
  if (numbered) link_.send_text(AppliedKeys::which_transaction());
  std::optional<Stop> stop;
  if (keyed && !numbered) {
    // Which of them were applied before must be known before any is sent.
    auto noted = note_keys(members);
    if (!noted) return noted;
    stop = std::move(*noted);
  }
  if (!stop) {
    for (const auto& member : members) {
      if (!member.applied) member.send(link_, arguments_);
    }
    link_.want_results();
    if (!keyed || numbered) {
      if (auto begun = link_.result(); !begun) return tl::unexpected(begun.error());
    }
    if (numbered) {
      auto number = link_.result();
      if (!number) return tl::unexpected(number.error());
      if (failed(number->get())) stop = stop_at(0, number->get());
      else transaction_ = AppliedKeys::transaction_of(number->get());
    }
    if (!stop) {
      auto answered = take_answers(members);
      if (!answered) return answered;
      stop = std::move(*answered);
    }
  }
  if (stop) {
    link_.sync();
    if (auto end = link_.reach_sync(); !end) return tl::unexpected(end.error());
    if (auto back = roll_back(); !back) return tl::unexpected(back.error());
    return stop;
  }

  committing_ = true;
  link_.send(kCommit);
  link_.sync();
  auto committed = link_.result();
  if (!committed) return tl::unexpected(committed.error());
  // Deferred constraints and serialisation failures show here; the transaction is over either way.
  if (failed(committed->get())) stop = stop_at(Stop::kCommit, committed->get());
  else if (std::string_view(PQcmdStatus(committed->get())) != "COMMIT") stop = Stop{.text = "the transaction was rolled back"};
  if (auto end = link_.reach_sync(); !end) return tl::unexpected(end.error());
  committing_ = false;
  return stop;
}

OrBroken<std::optional<Stop>> Pipeline::note_keys(std::span<Member> members) {
  for (const auto& member : members) {
    if (!member.request->idempotency_key.empty()) keys_.send_note(member.request->idempotency_key);
  }
  link_.want_results();
  if (auto begun = link_.result(); !begun) return tl::unexpected(begun.error());
  for (std::size_t i = 0; i < members.size(); ++i) {
    Member& member = members[i];
    member.applied = false;
    if (member.request->idempotency_key.empty()) continue;
    auto noted = link_.result();
    if (!noted) return tl::unexpected(noted.error());
    if (failed(noted->get())) {
      auto stop = stop_at(i, noted->get());
      stop.noting = true;
      return stop;
    }
    member.applied = std::string_view(PQcmdTuples(noted->get())) == "0";
    if (member.applied) member.result = {};
  }
  return std::nullopt;
}

OrBroken<std::optional<Stop>> Pipeline::take_answers(std::span<Member> members) {
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (members[i].applied) continue;
    auto answer = link_.result();
    if (!answer) return tl::unexpected(blame(members[i], answer.error()));
    if (is_no_answer(answer->get())) return stop_at(i, answer->get());
    members[i].answer(answer->get());
  }
  return std::nullopt;
}

OrBroken<void> Pipeline::roll_back() {
  link_.send(kRollBack);
  link_.sync();
  auto end = link_.reach_sync();
  if (!end) return tl::unexpected(end.error());
  return {};
}

}  // namespace jackfield::pgsqldb
