// A line of an external script: what its fields are, and that whatever they hold survives being written again.
#include <jackfield/message.h>

#include <string>

#include "expect.h"
#include "wire.h"

using namespace jackfield;
using namespace jackfield::extmodule;
using fuzz::expect;

namespace {

/// The parameters as a message has them: a later one of the same name replaces the earlier.
void set(Message& message, const std::vector<WireParameter>& parameters) {
  for (const auto& parameter : parameters)
    if (parameter.value) message.set(parameter.name, *parameter.value);
}

void survives(const Message& message, std::string_view id) {
  std::string line;
  append_question(line, id, message);
  expect(line.ends_with('\n') && line.find('\n') == line.size() - 1, "a line is one line");
  const auto again = parse_message(std::string_view(line).substr(0, line.size() - 1).substr(std::string_view("%%>message:").size()));
  expect(again.has_value(), "what was written can be read");
  expect(again->id == id && again->name == message.name() && again->retval == message.retvalue(), "names and values survive");
  expect(again->parameters.size() == message.parameters().size(), "so do parameters");
  for (std::size_t i = 0; i < again->parameters.size(); ++i) {
    expect(again->parameters[i].name == message.parameters()[i].name && again->parameters[i].value == message.parameters()[i].value, "each of them");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  std::string escaped;
  append_escaped(escaped, text);
  if (text.find('\0') == std::string_view::npos) expect(unescaped(escaped) == text, "any text survives");
  if (const auto message = parse_message(text); message && text.find('\0') == std::string_view::npos) {
    Message made(message->name);
    made.set_retvalue(message->retval);
    set(made, message->parameters);
    bool named = true;
    for (const auto& parameter : made.parameters()) named = named && !parameter.name.empty();
    if (named) survives(made, message->id);
  }
  if (const auto answer = parse_answer(text)) {
    Message asked("asked");
    asked.set("a", "1").set("b", "2");
    answer->apply(asked);
    expect(answer->name.empty() ? asked.name() == "asked" : asked.name() == answer->name, "an answer renames or does not");
  }
  return 0;
}
