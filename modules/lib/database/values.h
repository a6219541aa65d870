// The values of a message in the order in which a query names them. Pure.
#pragma once

#include "sql/query_template.h"

#include <jackfield/messages/database.h>

#include <string>
#include <vector>

namespace jackfield::database {

/// One for each of `names`, absent where nobody gave one; views into `given`.
void values_of(const messages::QueryValues& given, const std::vector<std::string>& names, std::vector<sql::Value>& out);

}  // namespace jackfield::database
