#include "sip/scan.h"

namespace jackfield::sip {

LineWalker::What LineWalker::bad(std::string_view problem, const char* from) {
  problem_ = problem;
  // On to the next line that a CRLF really ends.
  for (const char* p = from; (p = text::find_line_break(p, end_)) != end_; ++p) {
    if (*p == '\r' && end_ - p > 1 && p[1] == '\n') {
      at_ = p + 2;
      return What::bad;
    }
  }
  at_ = end_;
  return What::bad;
}

LineWalker::What LineWalker::next() {
  if (at_ == end_) return What::truncated;
  if (*at_ == '\r' && end_ - at_ > 1 && at_[1] == '\n') {
    at_ += 2;
    return What::end;
  }
  const char* p = text::find_token_end(at_, end_);
  name_ = {at_, static_cast<std::size_t>(p - at_)};
  while (p != end_ && (*p == ' ' || *p == '\t')) ++p;
  if (p == end_) return What::truncated;
  if (name_.empty()) return bad("Header line without a name", at_);
  if (*p != ':') return bad("Header line without a colon", at_);

  const char* const value = ++p;
  for (;;) {
    p = text::find_line_break(p, end_);
    if (end_ - p < 2) return What::truncated;
    // A lone CR or LF ends a line for some and not for others; what they then read differs, so nobody gets to read it.
    if (*p != '\r') return bad("Line feed without carriage return", p);
    if (p[1] != '\n') return bad("Carriage return without line feed", p);
    if (end_ - p > 2 && (p[2] == ' ' || p[2] == '\t')) {
      p += 3;
      continue;
    }
    break;
  }
  value_ = text::trim({value, static_cast<std::size_t>(p - value)});
  at_ = p + 2;
  return What::header;
}

bool ListWalker::next(std::string_view& value) {
  for (;;) {
    const char* const begin = rest_.data();
    const char* const end = begin + rest_.size();
    const char* p = begin;
    for (; (p = text::find_any<',', '"', '<'>(p, end)) != end && *p != ','; ++p) {
      if (*p == '"') {
        for (++p; p != end && *p != '"'; ++p) {
          if (*p == '\\' && ++p == end) break;
        }
      } else {
        p = text::find_any<'>'>(p, end);
      }
      if (p == end) {
        broken_ = true;
        return false;
      }
    }
    value = text::trim({begin, static_cast<std::size_t>(p - begin)});
    rest_.remove_prefix(static_cast<std::size_t>(p - begin) + (p == end ? 0 : 1));
    if (!value.empty()) return true;
    if (rest_.empty()) return false;
  }
}

bool ParameterWalker::next() {
  const char* const from = cursor_.at();
  cursor_.skip_blanks();
  if (cursor_.done()) return false;
  bad_ = true;
  if (!cursor_.eat_spaced(';')) return false;
  name = cursor_.take_token();
  if (name.empty()) return false;
  value = {};
  if (cursor_.eat_spaced('=')) {
    if (cursor_.peek() == '"') {
      const auto inside = cursor_.quoted();
      if (!inside) return false;
      value = *inside;
    } else {
      value = cursor_.take_value();
      if (value.empty()) return false;
    }
  }
  text = cursor_.since(from);
  bad_ = false;
  return true;
}

}  // namespace jackfield::sip
