// What a console's client sends: telnet and keys make the same lines however the bytes arrive, memory stays bounded, and no line holds a
// control character. Aliases expand whatever is in the line.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "alias.h"
#include "expect.h"
#include "line_editor.h"
#include "telnet.h"

using namespace jackfield::rmanager;
using jackfield::fuzz::expect;

namespace {

using Events = std::vector<std::pair<LineEditor::Kind, std::string>>;

/// `step` bytes at a time; the first byte of the input says whether keys are echoed.
Events type(std::string_view bytes, std::size_t step, bool echoed, std::string& screen) {
  Telnet telnet;
  LineEditor editor(3);
  editor.set_echo(echoed);
  Events events;
  std::string in, replies;
  while (!bytes.empty()) {
    const auto part = bytes.substr(0, step);
    bytes.remove_prefix(part.size());
    telnet.take(part, in);
    replies += telnet.take_reply();
    for (;;) {
      auto event = editor.take(in, screen);
      if (event.kind == LineEditor::Kind::none) break;
      if (event.kind == LineEditor::Kind::line) editor.remember(event.text);
      events.emplace_back(event.kind, std::move(event.text));
      if (events.back().first == LineEditor::Kind::too_long) return events;  // as the session does
    }
    expect(in.empty(), "without an event all bytes are taken");
    expect(editor.line().size() <= LineEditor::kLongestLine, "a line has an end");
  }
  expect(replies.size() <= 300, "nobody is answered for ever");
  expect(telnet.width() >= 0 && telnet.width() <= 65535 && telnet.height() >= 0 && telnet.height() <= 65535, "a screen has a size");
  return events;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  auto bytes = jackfield::fuzz::text_of(data, size);
  if (bytes.empty()) return 0;
  const bool echoed = bytes.front() % 2 == 1;
  bytes.remove_prefix(1);
  std::string screen, same;
  const auto events = type(bytes, bytes.size() + 1, echoed, screen);
  expect(type(bytes, 1, echoed, same) == events && same == screen, "bytes make the same lines however they arrive");
  expect(echoed || screen.empty(), "without echo the screen is the client's own");
  for (const auto& [kind, text] : events) {
    for (const char c : text) expect(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f, "a line holds no control character");
    const auto commands = expand(text, {{"a", "b \\1 $() \\0\\9"}, {"", "never"}});
    expect(!commands.empty() && commands.size() <= 16, "a line is one command or what its alias says");
  }
  return 0;
}
