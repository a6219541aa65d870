#include "line_editor.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

using jackfield::rmanager::LineEditor;
using Kind = LineEditor::Kind;

namespace {

struct Typist {
  LineEditor editor{3};
  std::string screen;

  /// The events that these bytes make, given one at a time.
  std::vector<std::pair<Kind, std::string>> type(std::string_view bytes) {
    std::vector<std::pair<Kind, std::string>> events;
    for (const char byte : bytes) {
      std::string in(1, byte);
      const auto event = editor.take(in, screen);
      CHECK(in.empty());
      if (event.kind != Kind::none) events.emplace_back(event.kind, event.text);
    }
    return events;
  }
};

const std::pair<Kind, std::string> kNothing{Kind::line, ""};

}  // namespace

TEST_CASE("line editor: CR LF, LF, CR and CR NUL each end one line") {
  Typist typist;
  const auto events = typist.type(std::string_view("a\r\nb\nc\rd\r\0e\n", 13));
  REQUIRE(events.size() == 5);
  for (std::size_t i = 0; i < events.size(); ++i) CHECK(events[i] == std::pair{Kind::line, std::string(1, static_cast<char>('a' + i))});
  CHECK(typist.type("\n\n") == std::vector{kNothing, kNothing});
  CHECK(typist.screen.empty());
}

TEST_CASE("line editor: bytes behind an event stay for later") {
  LineEditor editor(3);
  std::string bytes = "one\ntwo\nthr", echo;
  CHECK(editor.take(bytes, echo).text == "one");
  CHECK(bytes == "two\nthr");
  CHECK(editor.take(bytes, echo).text == "two");
  CHECK(editor.take(bytes, echo).kind == Kind::none);
  CHECK(editor.line() == "thr");
}

TEST_CASE("line editor: keys that end, leave, reload and complete") {
  Typist typist;
  CHECK(typist.type("\x03") == std::vector{std::pair{Kind::close, std::string()}});
  CHECK(typist.type("\x1c") == std::vector{std::pair{Kind::reload, std::string()}});
  CHECK(typist.type("sta\t") == std::vector{std::pair{Kind::complete, std::string("sta")}});
  CHECK(typist.type("\x04").empty());  // not on an empty line
  CHECK(typist.type("\x15\x04") == std::vector{std::pair{Kind::quit, std::string()}});
}

TEST_CASE("line editor: what is typed is echoed, and taken back character by character, also of several bytes") {
  Typist typist;
  typist.editor.set_echo(true);
  typist.type("aü");
  CHECK(typist.screen == "aü");
  typist.type("\x7f");
  CHECK(typist.editor.line() == "a");
  CHECK(typist.screen == "aü\b \b");
  typist.type("\b\b\b");
  CHECK(typist.editor.line().empty());
  typist.screen.clear();
  CHECK(typist.type("drop it  \x17now\r") == std::vector{std::pair{Kind::line, std::string("drop now")}});
  CHECK(typist.screen.ends_with("now\r\n"));
}

TEST_CASE("line editor: arrows fetch earlier lines back and the one being typed again") {
  Typist typist;
  for (const auto* line : {"one", "two", "two", "three", "four"}) typist.editor.remember(line);
  typist.type("new\x1b[A");
  CHECK(typist.editor.line() == "four");
  typist.type("\x1b[A\x1bOA\x1b[A\x1b[A");
  CHECK(typist.editor.line() == "two");  // three lines are kept, the same one twice is one
  typist.type("\x1b[B\x1b[B\x1b[B\x1b[B");
  CHECK(typist.editor.line() == "new");
  typist.type("\x1b[1;5C\x1bx!");
  CHECK(typist.editor.line() == "new!");
}

TEST_CASE("line editor: a line has an end, or it is too long") {
  Typist typist;
  const std::string longest(LineEditor::kLongestLine, 'x');
  CHECK(typist.type(longest).empty());
  CHECK(typist.type("x") == std::vector{std::pair{Kind::too_long, std::string()}});
}
