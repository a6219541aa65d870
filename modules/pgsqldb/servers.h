// Where an account's connections go: the keys of its section, or a connection string of libpq, taken apart into one server after another,
// so that each gets its own deadline and a silent one does not keep us from the next. Pure, but for libpq's parser.
#pragma once

#include <jackfield/clock.h>

#include <string>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

namespace jackfield::pgsqldb {

/// One attempt: what libpq is told, and what people are told instead (no password).
struct Server {
  std::vector<std::pair<std::string, std::string>> parameters;
  std::string name;  ///< `host=db1 port=5432 dbname=yate`
  Duration deadline;
};

struct ServerKeys {
  std::string connection;  ///< a connection string; empty: the others
  std::string host, port, database, user, password;
  std::string encoding;    ///< empty: UTF8
  Duration timeout;        ///< for all attempts together
};

/// The servers in the order in which they are tried. Several servers without target_session_attrs: the one that takes writes. The error
/// says what is wrong with the connection string, never what stands in it.
tl::expected<std::vector<Server>, std::string> servers(const ServerKeys& keys);

}  // namespace jackfield::pgsqldb
