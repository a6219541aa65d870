// Cuts SQL into tokens, as far as one must know them to tell data from code: literals, names, comments, statements. Pure: views into
// the text, no allocation, no I/O. Nothing is refused here; what is not closed says so.
#pragma once

#include "sql/dialect.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace jackfield::sql {

enum class TokenKind : std::uint8_t {
  end,
  space,
  comment,        ///< `-- …` to the end of the line, `/* … */`
  word,           ///< a keyword, a name or a number
  literal,        ///< '…' with what stands before its quote (E, X, B, N, U&)
  quoted_name,    ///< "…", `…`, […]
  dollar_quoted,  ///< $$…$$ and $tag$…$tag$ (PostgreSQL)
  placeholder,    ///< ${…} outside of all quotes
  semicolon,
  other,          ///< one character of anything else
};

struct Token {
  TokenKind kind = TokenKind::end;
  std::string_view text;     ///< all of it, quotes included
  std::string_view prefix;   ///< of a literal: `E`, `X`, `U&`, …; empty for most
  std::string_view content;  ///< between the quotes, still escaped; of a placeholder, between the braces
  char quote = 0;            ///< how it opens: ' " ` [
  bool closed = true;        ///< false: the text ended first
};

class Scanner {
 public:
  Scanner(std::string_view text, Dialect dialect) : text_(text), dialect_(dialect) {}
  /// The texts of all tokens, one after the other, are the whole text.
  Token next();

 private:
  Token quoted(TokenKind kind, std::size_t prefix, char close, bool backslashes);
  Token line_comment();
  Token block_comment();
  Token dollar_quoted(std::size_t tag);
  Token placeholder();
  Token word();
  Token take(TokenKind kind, std::size_t size);
  /// The length of what stands before the quote of a literal here; npos: here begins none.
  std::size_t literal_prefix() const;
  /// The length of `$tag$` here; 0: here begins none.
  std::size_t dollar_tag() const;
  char at(std::size_t offset) const { return at_ + offset < text_.size() ? text_[at_ + offset] : '\0'; }

  std::string_view text_;
  Dialect dialect_;
  std::size_t at_ = 0;
};

/// Names and keywords go on with it, also in other alphabets.
bool is_word_character(char c);

}  // namespace jackfield::sql
