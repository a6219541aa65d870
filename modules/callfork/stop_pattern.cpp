#include "stop_pattern.h"

#include <regex.h>

#include <string>

namespace jackfield::callfork {

namespace {
constexpr std::size_t kMaxPattern = 256, kMaxReason = 128;  // reasons come from far ends, and matching takes its time
}

struct StopPattern::Compiled {
  regex_t regex;
  ~Compiled() { regfree(&regex); }
};

StopPattern::StopPattern(std::string_view text) {
  negated_ = text.ends_with('^');
  if (negated_) text.remove_suffix(1);
  if (text.empty() || text.size() > kMaxPattern) return;
  regex_t regex;
  if (regcomp(&regex, std::string(text).c_str(), REG_NOSUB) == 0) compiled_.reset(new Compiled{regex});
}

StopPattern::~StopPattern() = default;
StopPattern::StopPattern(StopPattern&&) noexcept = default;
StopPattern& StopPattern::operator=(StopPattern&&) noexcept = default;

bool StopPattern::matches(std::string_view reason) const {
  if (!compiled_) return false;
  const bool found = regexec(&compiled_->regex, std::string(reason.substr(0, kMaxReason)).c_str(), 0, nullptr, 0) == 0;
  return found != negated_;
}

}  // namespace jackfield::callfork
