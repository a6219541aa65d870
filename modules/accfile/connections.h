// What routing has to know of every connection, whichever module's account it is: learnt from user.login as it was performed. Chooses
// the connection a number leaves by, finds the owner whose phones ring, and knows whom an inbound connection's user is. Engine thread only.
#pragma once

#include "pattern/pattern.h"

#include <jackfield/message.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace jackfield::accfile {

struct Connection {
  std::string name;
  bool inbound = false;
  std::string owner;
  std::optional<pattern::Pattern> numbers;  ///< those that leave by it
  std::int64_t weight = 0;

  // Of inbound ones.
  std::string username, password;
  std::string ha1_md5, ha1_sha256, ha1_realm;
  std::uint32_t max_contacts = 1;
  std::vector<std::pair<std::string, std::string>> entry_parameters;  ///< `inb:`, of calls that come in
};

/// Whether a user.login of that `operation` ends the connection.
bool ends_connection(std::string_view operation);

class Connections {
 public:
  /// A user.login that somebody performed.
  void learn(const Message& login);
  void forget(std::string_view name);

  const Connection* find(std::string_view name) const;
  /// The inbound connection whose other side is this user.
  const Connection* of_user(std::string_view username) const;
  /// By which a number leaves; never by `in_line`.
  const Connection* for_number(std::string_view number, std::string_view in_line) const;
  std::size_t size() const { return all_.size(); }
  void each(const std::function<void(const Connection&)>& visit) const;

 private:
  std::map<std::string, Connection, std::less<>> all_;
  std::unordered_map<std::string, std::string> by_user_;    ///< username to name
  std::vector<std::pair<std::int64_t, std::string>> exits_;  ///< those with numbers, by weight and name
};

}  // namespace jackfield::accfile
