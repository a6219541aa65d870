#include "pattern.h"


#include <regex.h>

namespace jackfield::pattern {
namespace {

/// The first \1 to \9 outside a bracket expression. Extended ones have it too, as GNU's addition.
bool has_back_reference(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      if (++i < text.size() && text[i] >= '1' && text[i] <= '9') return true;
    } else if (text[i] == '[') {
      // A ] that comes first, also after ^, belongs to the list.
      i += i + 1 < text.size() && text[i + 1] == '^' ? 2 : 1;
      i = text.find(']', i + 1);
      if (i == std::string_view::npos) return false;  // regcomp will say so
    }
  }
  return false;
}

}  // namespace

struct Pattern::Compiled {
  regex_t regex;
  ~Compiled() { regfree(&regex); }
};

std::string_view Captures::group(std::size_t index) const {
  return index < ends_.size() ? std::string_view(subject_).substr(begins_[index], ends_[index] - begins_[index]) : std::string_view();
}

tl::expected<Pattern, std::string> Pattern::compile(std::string_view text, Options options) {
  if (text.find('\0') != std::string_view::npos) return tl::unexpected(std::string("a regular expression cannot hold a NUL"));
  if (!options.back_references && has_back_reference(text))
    return tl::unexpected(std::string("a back-reference inside a regular expression can take seconds to match; backrefs=yes allows it"));
  // Made whole before it is owned: regfree may only see what regcomp accepted.
  regex_t regex;
  const int flags = (options.extended ? REG_EXTENDED : 0) | (options.insensitive ? REG_ICASE : 0);
  if (const int failed = regcomp(&regex, std::string(text).c_str(), flags)) {
    std::array<char, 128> why;
    regerror(failed, &regex, why.data(), why.size());
    return tl::unexpected(std::string(why.data()));
  }
  return Pattern(std::shared_ptr<const Compiled>(new Compiled{regex}));
}

bool Pattern::matches(std::string_view subject) const {
  if (subject.size() > kLongestSubject) return false;
  regmatch_t whole{.rm_so = 0, .rm_eo = static_cast<regoff_t>(subject.size())};
  // Copied for the NUL behind it: REG_STARTEND needs none, but who checks memory (sanitizers) looks for it.
  return regexec(&compiled_->regex, std::string(subject).c_str(), 1, &whole, REG_STARTEND) == 0;
}

bool Pattern::match(std::string_view subject, Captures& captures) const {
  captures.clear();
  if (subject.size() > kLongestSubject) return false;
  captures.subject_ = subject;
  std::array<regmatch_t, 10> found;
  found[0] = {.rm_so = 0, .rm_eo = static_cast<regoff_t>(subject.size())};
  if (regexec(&compiled_->regex, captures.subject_.c_str(), found.size(), found.data(), REG_STARTEND) != 0) return false;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i].rm_so < 0) continue;
    captures.begins_[i] = static_cast<std::size_t>(found[i].rm_so);
    captures.ends_[i] = static_cast<std::size_t>(found[i].rm_eo);
  }
  return true;
}

}  // namespace jackfield::pattern
