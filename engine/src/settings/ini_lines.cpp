#include "settings/ini_lines.h"

#include <ini.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace jackfield::settings {

namespace {

/// With key and `=` it stays far below the 199 bytes at which inih cuts.
constexpr std::size_t kPiece = 120;

struct PhysicalLine {
  std::string_view text;  ///< leading blanks gone, trailing ones kept: a blank after `\` means it is data
  int number = 0;
};

class PhysicalLines {
 public:
  explicit PhysicalLines(std::string_view bytes) : rest_(bytes) {
    if (rest_.starts_with("\xEF\xBB\xBF")) rest_.remove_prefix(3);
  }

  bool next(PhysicalLine& line) {
    if (rest_.empty()) return false;
    const auto end = std::min(rest_.find_first_of(std::string_view("\r\n\0", 3)), rest_.size());
    auto text = rest_.substr(0, end);
    rest_.remove_prefix(end);
    if (rest_.starts_with("\r\n")) rest_.remove_prefix(2);
    else if (!rest_.empty()) rest_.remove_prefix(1);
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
    line = {text, ++number_};
    return true;
  }

 private:
  std::string_view rest_;
  int number_ = 0;
};

bool plain(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '/' || c == '.'; }

void append_escaped(std::string& out, char c) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  if (plain(c)) {
    out += c;
    return;
  }
  const auto byte = static_cast<unsigned char>(c);
  out += '%';
  out += kDigits[byte >> 4];
  out += kDigits[byte & 15];
}

void append_unescaped(std::string& out, std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%' || i + 2 >= text.size()) {
      out += text[i];
      continue;
    }
    unsigned byte = 0;
    std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16);
    out += static_cast<char>(byte);
    i += 2;
  }
}

/// What inih reads from: `b17=…` (bracket), `k17=…` (key), `v17=…` (value), `x17=…` (broken), several of each when long.
class Feeder {
 public:
  explicit Feeder(std::string_view bytes) : lines_(bytes) {}

  /// As fgets: at most `size - 1` bytes, the line's end included.
  static char* read(char* buffer, int size, void* self) { return static_cast<Feeder*>(self)->read_line(buffer, size); }

 private:
  char* read_line(char* buffer, int size) {
    while (at_ == made_.size()) {
      PhysicalLine line;
      if (!lines_.next(line)) return nullptr;
      made_.clear();
      at_ = 0;
      make(line);
    }
    const auto end = made_.find('\n', at_) + 1;
    const auto count = std::min(end - at_, static_cast<std::size_t>(size) - 1);
    std::memcpy(buffer, made_.data() + at_, count);
    buffer[count] = '\0';
    at_ += count;
    return buffer;
  }

  void make(const PhysicalLine& line) {
    if (line.text.empty() || line.text.front() == ';') return;
    if (line.text.front() == '[') {
      const auto close = line.text.find(']');
      if (close == std::string_view::npos) return put('x', line.number, trim(line.text));
      return put('b', line.number, trim(line.text.substr(1, close - 1)));
    }
    const auto equals = line.text.find('=');
    const auto key = trim(line.text.substr(0, equals));
    if (equals == std::string_view::npos) return put('k', line.number, key);
    std::string value(line.text.substr(equals + 1));
    for (PhysicalLine more; value.ends_with('\\');) {
      value.pop_back();
      if (!lines_.next(more)) break;
      value += more.text;
    }
    if (key.empty()) return;
    put('k', line.number, key);
    put('v', line.number, trim(value));
  }

  void put(char kind, int number, std::string_view text) {
    do {
      made_ += kind;
      made_ += std::to_string(number);
      made_ += '=';
      const auto piece = text.substr(0, kPiece / 3);
      for (const char c : piece) append_escaped(made_, c);
      made_ += '\n';
      text.remove_prefix(piece.size());
    } while (!text.empty());
  }

  PhysicalLines lines_;
  std::string made_;
  std::size_t at_ = 0;
};

int collect(void* user, const char* /*section*/, const char* name, const char* value) {
  auto& lines = *static_cast<std::vector<IniLine>*>(user);
  int number = 0;
  std::from_chars(name + 1, name + std::strlen(name), number);
  if (lines.empty() || lines.back().number != number) {
    const auto kind = *name == 'b' ? IniLine::Kind::bracket : *name == 'x' ? IniLine::Kind::broken : IniLine::Kind::entry;
    lines.push_back({kind, number, {}, {}});
  }
  append_unescaped(*name == 'v' ? lines.back().value : lines.back().key, value);
  return 1;
}

}  // namespace

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::vector<IniLine> ini_lines(std::string_view bytes) {
  std::vector<IniLine> lines;
  Feeder feeder(bytes);
  ini_parse_stream(&Feeder::read, &feeder, &collect, &lines);
  return lines;
}

}  // namespace jackfield::settings
