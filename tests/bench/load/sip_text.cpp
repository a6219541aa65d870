#include "sip_text.h"

#include <strings.h>

#include <charconv>

namespace jackfield::bench {

std::string_view header(std::string_view message, std::string_view name, std::size_t* end) {
  std::size_t line = end && *end ? *end : message.find("\r\n");
  while (line != message.npos && line + 2 + name.size() < message.size()) {
    const std::size_t start = line + 2;
    if (message[start] == '\r') break;
    const std::size_t colon = start + name.size();
    const std::size_t next = message.find("\r\n", start);
    if (message[colon] == ':' && strncasecmp(message.data() + start, name.data(), name.size()) == 0) {
      std::size_t value = colon + 1;
      while (value < message.size() && message[value] == ' ') ++value;
      const std::size_t stop = next == message.npos ? message.size() : next;
      if (end) *end = stop;
      return message.substr(value, stop - value);
    }
    line = next;
  }
  return {};
}

std::string_view parameter(std::string_view value, std::string_view name) {
  for (std::size_t at = 0; (at = value.find(name, at)) != value.npos; at += name.size()) {
    const bool begins = at == 0 || value[at - 1] == ' ' || value[at - 1] == ',' || value[at - 1] == ';';
    std::size_t start = at + name.size();
    if (!begins || start >= value.size() || value[start] != '=') continue;
    const bool quoted = ++start < value.size() && value[start] == '"';
    if (quoted) ++start;
    const std::size_t stop = quoted ? value.find('"', start) : value.find_first_of(",; >\r", start);
    return value.substr(start, stop == value.npos ? value.npos : stop - start);
  }
  return {};
}

std::string_view body(std::string_view message) {
  const auto blank = message.find("\r\n\r\n");
  return blank == message.npos ? std::string_view{} : message.substr(blank + 4);
}

int status(std::string_view message) {
  int code = 0;
  if (message.starts_with("SIP/2.0 ")) std::from_chars(message.data() + 8, message.data() + std::min<std::size_t>(message.size(), 11), code);
  return code;
}

std::string header_lines(std::string_view message, std::string_view name) {
  std::string lines;
  std::size_t end = 0;
  for (std::string_view value; !(value = header(message, name, &end)).empty();) lines.append(name).append(": ").append(value).append("\r\n");
  return lines;
}

}  // namespace jackfield::bench
