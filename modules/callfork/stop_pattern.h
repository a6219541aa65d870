// `fork.stop`: a POSIX basic regular expression, as Yate's; a final `^` turns it round. Which reasons of a leg end the whole fork. Pure.
#pragma once

#include <memory>
#include <string_view>

namespace jackfield::callfork {

class StopPattern {
 public:
  /// Empty or not a regular expression: matches nothing.
  explicit StopPattern(std::string_view text);
  ~StopPattern();
  StopPattern(StopPattern&&) noexcept;
  StopPattern& operator=(StopPattern&&) noexcept;

  bool matches(std::string_view reason) const;
  bool valid() const { return compiled_ != nullptr; }

 private:
  struct Compiled;
  std::unique_ptr<Compiled> compiled_;
  bool negated_ = false;
};

}  // namespace jackfield::callfork
