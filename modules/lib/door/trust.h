// Whose processes may come in over a TCP connection within this machine without a password.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace jackfield::door {

/// Root and the account the server runs as, unless more is said.
class Trust {
 public:
  /// `owner` (nobody else), `any` (whoever has an account), or the names of accounts besides, separated by commas. The error is a sentence.
  static tl::expected<Trust, std::string> parse(std::string_view text);

  bool everybody() const { return everybody_; }
  /// `user`: as user_of() answers; nothing is nobody.
  bool admits(std::optional<uid_t> user) const;
  /// Who that is, for people.
  std::string text() const;

 private:
  bool everybody_ = false;
  std::vector<uid_t> besides_;
  std::string names_;
};

}  // namespace jackfield::door
