#include <jackfield/log.h>

namespace jackfield {

namespace {

bool control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

void append_control(std::string& out, char c) {
  switch (c) {
    case '\n': out += "\\n"; break;
    case '\r': out += "\\r"; break;
    case '\t': out += "\\t"; break;
    default: fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(c));
  }
}

}  // namespace

void Logger::write(LogLevel level, std::string_view text) {
  if (!sink_) return;
  std::size_t clean = 0;
  while (clean < text.size() && !control(text[clean])) ++clean;
  if (clean == text.size()) {
    sink_->write(*this, level, text);
    return;
  }
  std::string escaped(text.substr(0, clean));
  for (const char c : text.substr(clean)) {
    if (control(c)) append_control(escaped, c);
    else escaped += c;
  }
  sink_->write(*this, level, escaped);
}

std::string log_value(std::string_view value) {
  bool bare = !value.empty();
  for (const char c : value) bare = bare && !control(c) && c != ' ' && c != '"' && c != '\\' && c != '=';
  if (bare) return std::string(value);
  std::string out = "\"";
  for (const char c : value) {
    if (control(c)) append_control(out, c);
    else if (c == '"' || c == '\\') (out += '\\') += c;
    else out += c;
  }
  return out += '"';
}

}  // namespace jackfield
