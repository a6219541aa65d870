// What shares no pipeline with others: several statements in one text, and statements that may stand in no transaction of ours. They go
// with literals, in libpq's simple protocol.
#include "connection.h"

namespace jackfield::pgsqldb {

using database::Failure;
using database::Outcome;
using database::Request;

OrBroken<void> Connection::run_alone(Request& request, database::Delivery& delivery) {
  if (request.abandoned()) return {};
  delivery.about_to_wait();
  wait_for({&request});
  auto text = request.query().text.render_escaped(request.values());
  if (!text) {
    request.fail(Failure::value, std::move(text.error().text));
    return {};
  }
  const bool keyed = !request.idempotency_key.empty();
  if (keyed) {
    if (auto ready = keys_.prepare(); !ready) return ready;
    auto settled = keys_.settle(request);
    if (!settled) return tl::unexpected(settled.error());
    if (*settled) return {};
  }
  const bool transaction = options_.role != database::Role::reader && (keyed || request.query().text.groupable());

  database::Answer answer;
  std::optional<Stop> stop;
  const auto take = [&](Result result) {
    if (is_copy(result.get())) stop = Stop{.state = {}, .text = "COPY from or to the client is not possible here; name a file of the server"};
    else if (is_too_large(result.get())) stop = Stop{.state = {}, .text = database::too_large()};
    else if (PQresultStatus(result.get()) != PGRES_FATAL_ERROR) add_result(result.get(), request.wants_rows, answer);
    else if (!stop) stop = Stop{.state = std::string(sqlstate(result.get())), .text = error_text(result.get())};
  };
  // A broken connection leaves nothing of a transaction that has not begun to commit.
  const auto break_off = [&](Broken broken, Outcome outcome) -> OrBroken<void> {
    if (broken.too_large) request.fail(Failure::query, broken.reason);
    else if (stop && stop->state.empty()) request.fail(Failure::query, stop->text);
    else request.outcome = outcome;
    return tl::unexpected(std::move(broken));
  };
  const auto run = [&](const std::string& sql) { return link_.simple(sql, take); };

  Transaction transaction_number;
  if (transaction) {
    if (auto ran = run("BEGIN"); !ran) return break_off(ran.error(), Outcome::unsent);
  }
  bool applied = false, noting = keyed;
  if (keyed) {
    const auto note = keys_.table() ? keys_.note(request.idempotency_key) : AppliedKeys::which_transaction();
    auto noted = link_.simple(note, [&](Result result) {
      if (PQresultStatus(result.get()) == PGRES_FATAL_ERROR) return take(std::move(result));
      if (keys_.table()) applied = std::string_view(PQcmdTuples(result.get())) == "0";
      else transaction_number = AppliedKeys::transaction_of(result.get());
    });
    if (!noted) return break_off(noted.error(), Outcome::unsent);
  }
  if (!stop && !applied) {
    noting = false;
    if (auto ran = run(*text); !ran) {
      return break_off(ran.error(), transaction || !request.query().writes ? Outcome::unsent : Outcome::in_doubt);
    }
  }
  if (transaction && !stop) {
    if (auto ran = run("COMMIT"); !ran) {
      if (keyed) keys_.in_doubt(request.idempotency_key, transaction_number);
      return break_off(ran.error(), Outcome::in_doubt);
    }
  }
  if (PQtransactionStatus(link_.get()) != PQTRANS_IDLE) {
    if (!stop) stop = Stop{.state = {}, .text = "the query left a transaction open, which was rolled back"};
    if (auto back = link_.command("ROLLBACK"); !back) return break_off(back.error(), Outcome::unsent);
  }

  if (!stop) {
    request.answer = std::move(answer);
    request.succeed();
    delivery.finished(request);
    return {};
  }
  const auto what = meaning(stop->state);
  if (noting) keys_.missing(stop->state);
  if (what == Meaning::again || noting) request.run_again(failure(what), stop->text);
  else if (what == Meaning::read_only && options_.role == database::Role::reader) request.outcome = Outcome::elsewhere;
  else request.fail(failure(what), stop->text);
  return {};
}

}  // namespace jackfield::pgsqldb
