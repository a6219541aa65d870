// The external-module protocol's lines (COMPAT §9): `%%>keyword:field:…` to the engine, `%%<keyword:field:…` from it, fields escaped. Pure.
#pragma once

#include <jackfield/message_text.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace jackfield::extmodule {

/// What append_escaped() of jackfield/message_text.h made; nothing when a % is followed by something that is no escape.
std::optional<std::string> unescaped(std::string_view text);

/// At colons; escaped ones are none. Views into `text`.
std::vector<std::string_view> split_fields(std::string_view text);

/// One parameter of a message line: `name=value`, or `name` alone, which takes the parameter away in an answer.
struct WireParameter {
  std::string name;
  std::optional<std::string> value;
};

/// `%%>message:id:time:name:retval:k=v…`: a message of a script.
struct WireMessage {
  std::string id;          ///< empty: no answer is wanted
  long long time = 0;      ///< seconds; 0: now
  std::size_t size = 0;    ///< as it came
  std::string name, retval;
  std::vector<WireParameter> parameters;
};
/// What follows the keyword; nothing when a field is missing or badly escaped.
std::optional<WireMessage> parse_message(std::string_view fields);

/// `%%<message:id:handled:name:retval:k=v…:k`: a script's answer.
struct WireAnswer {
  bool handled = false;
  std::string name;  ///< empty: as it was
  std::string retval;
  std::vector<WireParameter> parameters;
  void apply(Message& message) const;
};
/// What follows the id.
std::optional<WireAnswer> parse_answer(std::string_view fields);

/// `%%>message:id:time:name:retval:k=v…` and the line end.
void append_question(std::string& out, std::string_view id, const Message& message);
/// `%%<message:id:handled:name:retval:k=v…` and the line end; an empty id is what a watcher sees. Every parameter has its =.
void append_answer(std::string& out, std::string_view id, bool handled, const Message& message);

/// "true" or "false", as scripts compare it.
constexpr std::string_view wire_boolean(bool value) { return value ? "true" : "false"; }

}  // namespace jackfield::extmodule
