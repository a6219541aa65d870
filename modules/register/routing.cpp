#include "routing.h"

#include "rehearsal.h"
#include "rows.h"

#include <jackfield/messages/call.h>

#include <fmt/format.h>

namespace jackfield::register_module {
namespace param = messages::param;
namespace {

constexpr std::string_view kOverLimit = "over_limit", kOverLimitCode = "over_limit_code";
constexpr std::string_view kRefusal = "-";

/// What a call over a limit is refused with: the text, and the code that it stands for, so that words may go with it.
void add_over_limit(Values& values, const RouteSettings& route) {
  values.also(kOverLimit, route.over_limit).also(kOverLimitCode, route.over_limit == "busy" ? "486" : "503");
}

std::string_view target_of(const messages::DatabaseRows& rows, std::size_t row, std::string_view column) {
  return cell(rows, row, column).value_or(std::string_view());
}

bool has_any_target(const messages::DatabaseRows& rows, std::string_view column) {
  for (std::size_t row = 0; row < rows.size(); ++row)
    if (!target_of(rows, row, column).empty()) return true;
  return false;
}

/// Rows that lead somewhere; where there are none but one that refuses, that one.
std::vector<std::size_t> targets_in(const messages::DatabaseRows& rows, std::string_view column) {
  std::vector<std::size_t> out;
  std::optional<std::size_t> refusal;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const auto target = target_of(rows, row, column);
    if (target == kRefusal) refusal = refusal.value_or(row);
    else if (!target.empty()) out.push_back(row);
  }
  if (out.empty() && refusal) out.push_back(*refusal);
  return out;
}

bool route_to_one(Message& message, const messages::DatabaseRows& rows, std::size_t row, const RouteSettings& handler) {
  set_parameters(message, columns_of(rows, row, handler.result));
  message.set_retvalue(target_of(rows, row, handler.result));
  return true;
}

/// D11: callto.1, callto.2 …, each with its row's other columns; where q changes the next group begins.
bool route_to_fork(Message& message, const messages::DatabaseRows& rows, const std::vector<std::size_t>& targets, const RouteSettings& handler) {
  std::size_t number = 0;
  std::string_view q;
  for (const auto row : targets) {
    const auto its_q = cell(rows, row, param::kQ.name).value_or(std::string_view());
    if (row != targets.front() && its_q != q) message.set(fmt::format("callto.{}", ++number), "|");
    q = its_q;
    const auto name = fmt::format("callto.{}", ++number);
    message.set(name, target_of(rows, row, handler.result));
    for (const auto& [column, value] : columns_of(rows, row, handler.result))
      if (column != param::kQ.name) message.set(fmt::format("{}.{}", name, column), value);
  }
  message.set_retvalue("fork");
  return true;
}

Task<bool> preroute(SharedPtr shared, std::shared_ptr<const RegisterSettings> settings, Message& message) {
  const auto& handler = settings->preroute;
  Values values(shared->database->engine(), message);
  add_over_limit(values, settings->route);
  auto asking = Database::ask(shared->database, settings, &handler, &handler.query, values);
  const Answer answer = co_await std::move(asking);
  if (answer.failure == Answer::Failure::value) co_return false;  // a name that cannot be there
  if (!answer.good()) co_return no_answer(message, handler);
  if (answer.row_count() == 0) co_return false;
  set_parameters(message, columns_of(*answer.rows, 0, handler.result));
  const auto refusal = handler.result.empty() ? std::string_view() : target_of(*answer.rows, 0, handler.result);
  if (refusal.empty()) co_return false;
  message.set_retvalue(refusal);
  co_return true;
}

Task<bool> route(SharedPtr shared, std::shared_ptr<Fallback> fallback, std::shared_ptr<const RegisterSettings> settings, Message& message) {
  const auto& handler = settings->route;
  Values values(shared->database->engine(), message);
  add_over_limit(values, handler);
  auto asking = Database::ask(shared->database, settings, &handler, &handler.query, values);
  const Answer answer = co_await std::move(asking);
  if (answer.failure == Answer::Failure::value) co_return false;  // a name that cannot be there
  if (!answer.good()) co_return no_answer(message, handler);
  if (answer.row_count() == 0) co_return false;
  const auto& rows = *answer.rows;

  if (!has_any_target(rows, handler.result)) {
    set_parameters(message, columns_of(rows, 0, handler.result));
    if (!handler.offline_auto) co_return false;
    message.set(param::kError, "offline").set(param::kReason, "Offline");
    message.set_retvalue(kRefusal);
    co_return false;
  }
  const auto targets = targets_in(rows, handler.result);
  if (targets.size() == 1) co_return route_to_one(message, rows, targets.front(), handler);
  if (handler.fork) co_return route_to_fork(message, rows, targets, handler);
  // Kept as the call is before the first row's own parameters are set.
  if (settings->fallback.disconnected && !message.flag(param::kDryRun)) {
    std::vector<Fallback::Route> further;
    for (const auto row : targets)
      if (row != targets.front()) further.push_back({std::string(target_of(rows, row, handler.result)), columns_of(rows, row, handler.result)});
    fallback->keep(message, std::move(further));
  }
  co_return route_to_one(message, rows, targets.front(), handler);
}

}  // namespace

Verdict call_preroute(const SharedPtr& shared, Message& message) {
  if (!message.flag(param::kPrerouteRegister, true) || keeps_out(shared->database->engine(), message, shared->settings->preroute)) return false;
  return preroute(shared, shared->settings, message);
}

Verdict call_route(const SharedPtr& shared, const std::shared_ptr<Fallback>& fallback, Message& message) {
  if (!message.flag(param::kRouteRegister, true) || keeps_out(shared->database->engine(), message, shared->settings->route)) return false;
  if (shared->critical) return refuse_critical(message);
  return route(shared, fallback, shared->settings, message);
}

}  // namespace jackfield::register_module
