#include "sql/scanner.h"

#include <algorithm>

namespace jackfield::sql {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool begins_word(char c) { return is_letter(c) || c == '_' || static_cast<unsigned char>(c) >= 0x80; }

}  // namespace

bool is_word_character(char c) { return begins_word(c) || is_digit(c) || c == '$'; }

Token Scanner::next() {
  if (at_ >= text_.size()) return {};
  const char c = at(0);
  if (is_space(c)) {
    std::size_t size = 1;
    while (is_space(at(size))) ++size;
    return take(TokenKind::space, size);
  }
  if (c == '-' && at(1) == '-') return line_comment();
  if (c == '/' && at(1) == '*') return block_comment();
  if (c == ';') return take(TokenKind::semicolon, 1);
  if (c == '$' && at(1) == '{') return placeholder();
  if (c == '"') return quoted(TokenKind::quoted_name, 0, '"', false);
  if (dialect_ == Dialect::sqlite && c == '`') return quoted(TokenKind::quoted_name, 0, '`', false);
  if (dialect_ == Dialect::sqlite && c == '[') return quoted(TokenKind::quoted_name, 0, ']', false);
  if (dialect_ == Dialect::postgresql && c == '$') {
    if (const auto tag = dollar_tag(); tag != 0) return dollar_quoted(tag);
  }
  if (const auto prefix = literal_prefix(); prefix != std::string_view::npos) {
    const bool backslashes = dialect_ == Dialect::postgresql && prefix == 1 && (c == 'e' || c == 'E');
    const bool name = at(prefix) == '"';
    return quoted(name ? TokenKind::quoted_name : TokenKind::literal, prefix, at(prefix), backslashes);
  }
  if (begins_word(c) || is_digit(c)) return word();
  return take(TokenKind::other, 1);
}

std::size_t Scanner::literal_prefix() const {
  const char c = at(0);
  if (c == '\'') return 0;
  if (dialect_ == Dialect::sqlite) return (c == 'x' || c == 'X') && at(1) == '\'' ? 1 : std::string_view::npos;
  constexpr std::string_view kPrefixes = "eEbBnNxX";
  if (kPrefixes.find(c) != std::string_view::npos && at(1) == '\'') return 1;
  if ((c == 'u' || c == 'U') && at(1) == '&' && (at(2) == '\'' || at(2) == '"')) return 2;
  return std::string_view::npos;
}

std::size_t Scanner::dollar_tag() const {
  std::size_t size = 1;
  if (begins_word(at(size))) {
    while (is_word_character(at(size)) && at(size) != '$') ++size;
  }
  return at(size) == '$' ? size + 1 : 0;
}

Token Scanner::quoted(TokenKind kind, std::size_t prefix, char close, bool backslashes) {
  const char open = at(prefix);
  std::size_t size = prefix + 1;
  bool closed = false;
  while (at_ + size < text_.size() && !closed) {
    const char c = at(size++);
    if (c == '\\' && backslashes) {
      if (at_ + size < text_.size()) ++size;
    } else if (c == close) {
      if (close != ']' && at_ + size < text_.size() && at(size) == close) ++size;
      else closed = true;
    }
  }
  Token token = take(kind, size);
  token.prefix = token.text.substr(0, prefix);
  token.content = token.text.substr(prefix + 1, token.text.size() - prefix - 1 - (closed ? 1 : 0));
  token.quote = open;
  token.closed = closed;
  return token;
}

Token Scanner::line_comment() {
  // SQLite ends it at a line feed, PostgreSQL at a carriage return too.
  const auto end = text_.find_first_of(dialect_ == Dialect::postgresql ? "\r\n" : "\n", at_);
  return take(TokenKind::comment, (end == std::string_view::npos ? text_.size() : end) - at_);
}

Token Scanner::block_comment() {
  std::size_t size = 2;
  int depth = 1;
  while (at_ + size < text_.size() && depth > 0) {
    if (at(size) == '*' && at(size + 1) == '/') --depth, size += 2;
    else if (dialect_ == Dialect::postgresql && at(size) == '/' && at(size + 1) == '*') ++depth, size += 2;
    else ++size;
  }
  Token token = take(TokenKind::comment, size);
  token.closed = depth == 0;
  return token;
}

Token Scanner::dollar_quoted(std::size_t tag) {
  const auto mark = text_.substr(at_, tag);
  const auto end = text_.find(mark, at_ + tag);
  const bool closed = end != std::string_view::npos;
  Token token = take(TokenKind::dollar_quoted, closed ? end + tag - at_ : text_.size() - at_);
  token.content = token.text.substr(tag, token.text.size() - tag - (closed ? tag : 0));
  token.quote = '$';
  token.closed = closed;
  return token;
}

Token Scanner::placeholder() {
  const auto end = text_.find('}', at_);
  const bool closed = end != std::string_view::npos;
  Token token = take(TokenKind::placeholder, closed ? end + 1 - at_ : text_.size() - at_);
  token.content = token.text.substr(2, token.text.size() - 2 - (closed ? 1 : 0));
  token.closed = closed;
  return token;
}

Token Scanner::word() {
  std::size_t size = 1;
  while (is_word_character(at(size)) && !(at(size) == '$' && at(size + 1) == '{')) ++size;
  return take(TokenKind::word, size);
}

Token Scanner::take(TokenKind kind, std::size_t size) {
  Token token;
  token.kind = kind;
  token.text = text_.substr(at_, size);
  at_ += token.text.size();
  return token;
}

}  // namespace jackfield::sql
