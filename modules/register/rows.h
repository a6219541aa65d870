// Rows of an answer as parameters of a message. Pure.
#pragma once

#include <jackfield/message.h>
#include <jackfield/messages/database.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace jackfield::register_module {

using Parameters = std::vector<std::pair<std::string, std::string>>;

/// Nothing when there is no such column.
std::optional<std::size_t> column_of(const messages::DatabaseRows& rows, std::string_view name);
/// The cell, or nothing where it is NULL or there is no such column.
std::optional<std::string_view> cell(const messages::DatabaseRows& rows, std::size_t row, std::string_view column);
/// Every column that is not NULL, but for `except`.
Parameters columns_of(const messages::DatabaseRows& rows, std::size_t row, std::string_view except);
void set_parameters(Message& message, const Parameters& parameters);

}  // namespace jackfield::register_module
