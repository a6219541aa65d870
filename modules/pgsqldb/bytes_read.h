// How much has been read from a TCP connection, as the kernel counts it. Any thread.
#pragma once

#include <cstdint>
#include <optional>

namespace jackfield::pgsqldb {

/// Bytes that the far side sent and this program has taken; nothing where they are not counted: another kind of socket.
std::optional<std::uint64_t> bytes_read(int socket);

}  // namespace jackfield::pgsqldb
