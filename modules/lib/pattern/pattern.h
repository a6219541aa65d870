// POSIX regular expressions exactly as the C library has them, which is what routing rules written for Yate expect: basic ones with GNU's
// \+ \? \| by default. Matching without back-references takes time in proportion to the subject, whose length is capped.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace jackfield::pattern {

/// What the last match found: \0 is the whole of it, \1 to \9 the groups. Keeps its own copy of the subject.
class Captures {
 public:
  /// Empty for a group that took no part, and after a match that failed.
  std::string_view group(std::size_t index) const;
  void clear() { begins_ = ends_ = {}; }

 private:
  friend class Pattern;
  std::string subject_;
  std::array<std::size_t, 10> begins_{}, ends_{};
};

class Pattern {
 public:
  struct Options {
    bool extended = false;         ///< ( ) { } + ? | without backslashes
    bool insensitive = false;
    bool back_references = false;  ///< \1 inside a pattern, which can take seconds to match
  };
  /// Longer subjects match nothing.
  static constexpr std::size_t kLongestSubject = 4096;

  /// The error says what is wrong with the text.
  static tl::expected<Pattern, std::string> compile(std::string_view text, Options options);

  bool matches(std::string_view subject) const;
  /// As matches(); `captures` has what was found, or nothing.
  bool match(std::string_view subject, Captures& captures) const;

 private:
  struct Compiled;
  explicit Pattern(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace jackfield::pattern
