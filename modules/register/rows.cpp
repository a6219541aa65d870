#include "rows.h"

#include <algorithm>

namespace jackfield::register_module {

std::optional<std::size_t> column_of(const messages::DatabaseRows& rows, std::string_view name) {
  const auto found = std::ranges::find(rows.columns, name);
  if (found == rows.columns.end()) return std::nullopt;
  return static_cast<std::size_t>(found - rows.columns.begin());
}

std::optional<std::string_view> cell(const messages::DatabaseRows& rows, std::size_t row, std::string_view column) {
  const auto at = column_of(rows, column);
  if (!at) return std::nullopt;
  const auto& found = rows.row(row)[*at];
  return found ? std::optional<std::string_view>(*found) : std::nullopt;
}

Parameters columns_of(const messages::DatabaseRows& rows, std::size_t row, std::string_view except) {
  Parameters out;
  const auto cells = rows.row(row);
  for (std::size_t i = 0; i < cells.size(); ++i)
    if (cells[i] && rows.columns[i] != except) out.emplace_back(rows.columns[i], *cells[i]);
  return out;
}

void set_parameters(Message& message, const Parameters& parameters) {
  for (const auto& [name, value] : parameters) message.set(name, value);
}

}  // namespace jackfield::register_module
