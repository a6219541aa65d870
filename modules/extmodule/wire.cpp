#include "wire.h"

#include <jackfield/settings.h>

#include <fmt/format.h>

#include <charconv>
#include <iterator>

namespace jackfield::extmodule {
namespace {

/// Takes the next field off the front.
std::optional<std::string_view> next(std::string_view& fields, bool& more) {
  if (!more) return std::nullopt;
  const auto colon = fields.find(':');
  const auto field = fields.substr(0, colon);
  more = colon != std::string_view::npos;
  fields.remove_prefix(more ? colon + 1 : fields.size());
  return field;
}

bool read_parameters(std::string_view fields, bool more, std::vector<WireParameter>& into) {
  while (auto field = next(fields, more)) {
    if (field->empty()) continue;
    const auto equals = field->find('=');
    auto name = unescaped(field->substr(0, equals));
    if (!name) return false;
    WireParameter parameter{.name = std::move(*name)};
    if (equals != std::string_view::npos) {
      parameter.value = unescaped(field->substr(equals + 1));
      if (!parameter.value) return false;
    }
    into.push_back(std::move(parameter));
  }
  return true;
}

void append_parameters(std::string& out, const Message& message) {
  for (const auto& [name, value] : message.parameters()) {
    out.push_back(':');
    append_escaped(out, name, true);
    out.push_back('=');
    append_escaped(out, value);
  }
  out.push_back('\n');
}

}  // namespace

std::optional<std::string> unescaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto percent = text.find('%');
    out.append(text.substr(0, percent));
    if (percent == std::string_view::npos) break;
    if (percent + 1 == text.size()) return std::nullopt;
    const char code = text[percent + 1];
    if (code == '%') out.push_back('%');
    else if ((code >= 'A' && code <= '_') || code == 'z' || code == '}') out.push_back(static_cast<char>(code - 64));
    else return std::nullopt;
    text.remove_prefix(percent + 2);
  }
  return out;
}

std::vector<std::string_view> split_fields(std::string_view text) {
  std::vector<std::string_view> fields;
  bool more = true;
  while (const auto field = next(text, more)) fields.push_back(*field);
  return fields;
}

std::optional<WireMessage> parse_message(std::string_view fields) {
  bool more = true;
  const auto id = next(fields, more), time = next(fields, more), name = next(fields, more), retval = next(fields, more);
  if (!name || name->empty()) return std::nullopt;
  WireMessage read;
  auto plain_id = unescaped(*id), plain_name = unescaped(*name), plain_retval = unescaped(retval.value_or(""));
  if (!plain_id || !plain_name || !plain_retval || !read_parameters(fields, more, read.parameters)) return std::nullopt;
  if (!time->empty()) {
    const auto [end, error] = std::from_chars(time->data(), time->data() + time->size(), read.time);
    if (error != std::errc() || end != time->data() + time->size()) return std::nullopt;
  }
  read.id = std::move(*plain_id);
  read.name = std::move(*plain_name);
  read.retval = std::move(*plain_retval);
  return read;
}

std::optional<WireAnswer> parse_answer(std::string_view fields) {
  bool more = true;
  const auto handled = next(fields, more), name = next(fields, more), retval = next(fields, more);
  if (!handled) return std::nullopt;
  WireAnswer read{.handled = parse_boolean(*handled).value_or(false)};
  auto plain_name = unescaped(name.value_or("")), plain_retval = unescaped(retval.value_or(""));
  if (!plain_name || !plain_retval || !read_parameters(fields, more, read.parameters)) return std::nullopt;
  read.name = std::move(*plain_name);
  read.retval = std::move(*plain_retval);
  return read;
}

void WireAnswer::apply(Message& message) const {
  if (!name.empty()) message.rename(name);
  message.set_retvalue(retval);
  for (const auto& parameter : parameters) {
    if (parameter.value) message.set(parameter.name, *parameter.value);
    else message.erase(parameter.name);
  }
}

void append_question(std::string& out, std::string_view id, const Message& message) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(message.created().time_since_epoch()).count();
  out += "%%>message:";
  append_escaped(out, id);
  fmt::format_to(std::back_inserter(out), ":{}:", seconds);
  append_escaped(out, message.name());
  out.push_back(':');
  append_escaped(out, message.retvalue());
  append_parameters(out, message);
}

void append_answer(std::string& out, std::string_view id, bool handled, const Message& message) {
  append_dispatched(out, id, handled, message, false);
  out.push_back('\n');
}

}  // namespace jackfield::extmodule
