// The table that makes a repeated write harmless: the key of a write is noted in the transaction of the write itself. These are query
// templates that both dialects take as they are; values by name. For a connection: before the query of a request that has an
// idempotency key, run kNoteApplied in the same transaction (`key`, `now`: seconds since 1970); when it affects no row, the request was
// applied before and succeeds with nothing affected. The table is made when it is first missed.
#pragma once

#include <string_view>

namespace jackfield::database {

inline constexpr std::string_view kCreateApplied =
    "CREATE TABLE IF NOT EXISTS jackfield_applied (key VARCHAR(255) NOT NULL PRIMARY KEY, applied BIGINT NOT NULL)";
inline constexpr std::string_view kNoteApplied =
    "INSERT INTO jackfield_applied (key, applied) VALUES ('${key}', CAST('${now}' AS BIGINT)) ON CONFLICT (key) DO NOTHING";
/// What is older than `before` will not be repeated.
inline constexpr std::string_view kForgetApplied = "DELETE FROM jackfield_applied WHERE applied < CAST('${before}' AS BIGINT)";
inline constexpr std::size_t kMaxIdempotencyKey = 255;

}  // namespace jackfield::database
