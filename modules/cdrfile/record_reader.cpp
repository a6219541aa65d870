#include "record_reader.h"

namespace jackfield::cdrfile {
namespace {

constexpr int kEnd = std::char_traits<char>::eof();

}  // namespace

bool RecordReader::next(std::vector<std::string>& cells) {
  while (read(cells)) {
    if (cells.size() == columns_) return true;
    ++strange_;
  }
  return false;
}

bool RecordReader::read(std::vector<std::string>& cells) {
  cells.assign(1, {});
  bool in_quotes = false, was_quoted = false;
  std::size_t size = 0;
  for (int c = in_.sbumpc(); c != kEnd; c = in_.sbumpc()) {
    if (++size > kLongest) {
      while (c != kEnd && c != '\n') c = in_.sbumpc();
      cells.clear();
      return c != kEnd;
    }
    const char character = std::char_traits<char>::to_char_type(c);
    auto& field = cells.back();
    if (in_quotes) {
      if (character != '"') field.push_back(character);
      else if (in_.sgetc() != '"') in_quotes = false;
      else field.push_back(std::char_traits<char>::to_char_type(in_.sbumpc()));  // a doubled one
    } else if (character == '"' && separator_ == ',' && field.empty() && !was_quoted) {
      in_quotes = was_quoted = true;
    } else if (character == separator_) {
      cells.emplace_back();
      was_quoted = false;
    } else if (character == '\n') {
      return true;
    } else {
      field.push_back(character);
    }
  }
  return false;
}

}  // namespace jackfield::cdrfile
