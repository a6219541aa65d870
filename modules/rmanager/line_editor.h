// From keys to lines: what a terminal in raw mode sends, or a program line by line. Pure: bytes in; events, and what is to be echoed, out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace jackfield::rmanager {

class LineEditor {
 public:
  static constexpr std::size_t kLongestLine = 4096;

  enum class Kind : std::uint8_t {
    none,      ///< more bytes are needed
    line,      ///< `text` is a line without its end
    complete,  ///< Tab: `text` is the line so far; answer with insert() or redraw()
    close,     ///< ^C
    quit,      ///< ^D on an empty line
    reload,    ///< ^\ .
    too_long,  ///< the line is longer than any command
  };
  struct Event {
    Kind kind = Kind::none;
    std::string text;
  };

  explicit LineEditor(std::size_t max_history) : max_history_(max_history) {}

  void set_echo(bool on) { echo_ = on; }
  /// Takes bytes off the front of `bytes` until there is an event. What the screen needs goes to `echo`.
  Event take(std::string& bytes, std::string& echo);
  /// What was found for Tab, typed by us.
  void insert(std::string_view text, std::string& echo);
  const std::string& line() const { return line_; }
  void remember(std::string line);

 private:
  void replace(std::string_view text, std::string& echo);
  void erase(std::size_t count, std::string& echo);
  void escape(char c, std::string& echo);
  void recall(bool older, std::string& echo);

  std::size_t max_history_;
  std::deque<std::string> history_;
  std::size_t shown_ = 0;  ///< how far back the line shown is; 0: the one being typed
  std::string line_, typed_;
  bool echo_ = false;
  bool after_cr_ = false;
  std::uint8_t escape_ = 0;  ///< 1 after ESC, 2 within ESC [
};

}  // namespace jackfield::rmanager
