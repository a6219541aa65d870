#include "line_editor.h"

#include <utility>

namespace jackfield::rmanager {
namespace {

constexpr char kCtrlC = 3, kCtrlD = 4, kBackspace = 8, kTab = 9, kCtrlU = 21, kCtrlW = 23, kEscape = 27, kCtrlBackslash = 28, kDelete = 127;

/// Of UTF-8, the bytes after the first.
bool continues(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

}  // namespace

LineEditor::Event LineEditor::take(std::string& bytes, std::string& echo) {
  Event event;
  std::size_t used = 0;
  while (event.kind == Kind::none && used < bytes.size()) {
    const char c = bytes[used++];
    // CR LF, CR NUL (RFC 854) and CR alone each end one line.
    if (std::exchange(after_cr_, false) && (c == '\n' || c == '\0')) continue;
    if (escape_ != 0) {
      escape(c, echo);
      continue;
    }
    switch (c) {
      case '\r':
        after_cr_ = true;
        [[fallthrough]];
      case '\n':
        if (echo_) echo += "\r\n";
        event = {Kind::line, std::exchange(line_, {})};
        shown_ = 0;
        break;
      case kCtrlC: event.kind = Kind::close; break;
      case kCtrlD:
        if (line_.empty()) event.kind = Kind::quit;
        break;
      case kCtrlBackslash: event.kind = Kind::reload; break;
      case kTab: event = {Kind::complete, line_}; break;
      case kBackspace:
      case kDelete: erase(1, echo); break;
      case kCtrlU: erase(line_.size(), echo); break;
      case kCtrlW: {
        const auto end = line_.find_last_not_of(' ');
        const auto begin = end == std::string::npos ? end : line_.find_last_of(' ', end);
        erase(line_.size() - (begin == std::string::npos ? 0 : begin + 1), echo);
        break;
      }
      case kEscape: escape_ = 1; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) break;
        if (line_.size() >= kLongestLine) event.kind = Kind::too_long;
        else insert(std::string_view(&c, 1), echo);
    }
  }
  bytes.erase(0, used);
  return event;
}

void LineEditor::insert(std::string_view text, std::string& echo) {
  line_ += text;
  if (echo_) echo += text;
}

void LineEditor::remember(std::string line) {
  if (max_history_ == 0 || line.empty() || (!history_.empty() && history_.front() == line)) return;
  history_.push_front(std::move(line));
  if (history_.size() > max_history_) history_.pop_back();
}

void LineEditor::erase(std::size_t count, std::string& echo) {
  while (count > 0 && !line_.empty()) {
    while (line_.size() > 1 && continues(line_.back())) {
      line_.pop_back();
      if (count > 1) --count;
    }
    line_.pop_back();
    --count;
    if (echo_) echo += "\b \b";
  }
}

void LineEditor::replace(std::string_view text, std::string& echo) {
  erase(line_.size(), echo);
  insert(text, echo);
}

/// ESC [ A is up, ESC [ B down (and ESC O A, in application mode); whatever else begins with ESC means nothing here.
void LineEditor::escape(char c, std::string& echo) {
  if (escape_ == 1) {
    escape_ = c == '[' || c == 'O' ? 2 : 0;
    return;
  }
  if (static_cast<unsigned char>(c) < 0x40) return;  // parameters of the sequence
  escape_ = 0;
  if (c == 'A' || c == 'B') recall(c == 'A', echo);
}

void LineEditor::recall(bool older, std::string& echo) {
  if (older ? shown_ == history_.size() : shown_ == 0) return;
  if (shown_ == 0) typed_ = line_;
  shown_ += older ? 1 : -1;
  replace(shown_ == 0 ? typed_ : history_[shown_ - 1], echo);
}

}  // namespace jackfield::rmanager
