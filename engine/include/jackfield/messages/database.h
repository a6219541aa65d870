// The message that carries SQL to a database, and its payloads: values go in, rows come back.
#pragma once

#include <jackfield/messages/parameters.h>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace jackfield::messages {

/// Payload of the question: what the `${name}`s in `query` stand for. With it, `'${name}'` is a bound parameter and a `${name}` inside a
/// longer literal is escaped; a name without a value is the empty text. Without it `query` is sent as it is, `${` included.
struct QueryValues {
  std::vector<std::pair<std::string, std::string>> values;
};

/// Payload of the answer: the last result set. Absent when the query gave none, failed, or `results` was false.
struct DatabaseRows {
  using Cell = std::optional<std::string>;  ///< absent: NULL; a blob's bytes as they are

  std::vector<std::string> columns;
  std::vector<Cell> cells;  ///< row by row

  std::size_t size() const { return columns.empty() ? 0 : cells.size() / columns.size(); }
  std::span<const Cell> row(std::size_t index) const { return std::span(cells).subspan(index * columns.size(), columns.size()); }
};

inline constexpr ParameterUse kDatabaseParameters[] = {
    {&param::kAccount}, {&param::kQuery}, {&param::kResults}, {&param::kDeadline}, {&param::kIdempotencyKey}, {&param::kRows, Way::out},
    {&param::kColumns, Way::out}, {&param::kAffected, Way::out}, {&param::kDbtype, Way::out}, {&param::kError, Way::out},
    {&param::kFailure, Way::out}, {&param::kReason, Way::out}};
inline constexpr MessageName kDatabase{
    .name = "database",
    .doc = "Runs SQL on an account. A payload QueryValues gives what the `${name}`s in `query` stand for; the answer's payload is DatabaseRows.",
    .sent_by = "register, scripts",
    .result = "true: the account exists and the query was tried; `error` says whether it failed. What it wrote is committed then",
    .parameters = kDatabaseParameters};

}  // namespace jackfield::messages
