// A few words to look for in a text, in any case of letters: one pass over it, which compares only where a word may begin.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace jackfield::sip::guard {

class Words {
 public:
  Words() = default;
  /// Empty words are left out.
  explicit Words(const std::vector<std::string>& words);

  bool empty() const { return words_.empty(); }
  /// Whether one of them is part of `text`.
  bool any_in(std::string_view text) const;

 private:
  std::vector<std::string> words_;  // lower case
  std::array<bool, 256> begins_{};  // with which bytes, lower and upper
};

}  // namespace jackfield::sip::guard
