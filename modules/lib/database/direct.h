// A connection for a command: no server, no loop, no threads. Each query is run by itself and waited for.
#pragma once

#include "database/connection.h"

#include <jackfield/direct_database.h>

#include <memory>
#include <string>
#include <tl/expected.hpp>

namespace jackfield::database {

/// Opens the connection. `type` is the module's name, `patience` how long a query waits for a lock.
tl::expected<std::unique_ptr<DirectDatabase>, std::string> open_direct(std::string type, sql::Dialect dialect, std::unique_ptr<Connection> connection,
                                                                       int retry, Duration patience);

}  // namespace jackfield::database
