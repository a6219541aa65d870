// The right side of a rule, read once: text with \0 to \9, ${parameter$default} and $(function,argument,…) in it (COMPAT §8). What these
// stand for is data and goes into the result as it is: it is never read again for more of them.
#pragma once

#include "functions.h"

#include <jackfield/message.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "pattern/pattern.h"

namespace jackfield::regexroute {

class Expression {
 public:
  Expression() = default;
  /// The error says what is wrong with the text.
  static tl::expected<Expression, std::string> parse(std::string_view text);

  std::string evaluate(const pattern::Captures& captures, FunctionContext& context) const;
  /// One of its functions asks; then unanswered() goes before evaluate().
  bool asks() const { return asks_; }
  /// The next user it wants to know of whether he is registered, until context.registered has them all.
  std::optional<std::string> unanswered(const pattern::Captures& captures, FunctionContext& context) const;
  /// Only text, so that it is the same each time.
  bool is_literal() const { return pieces_.empty() || (pieces_.size() == 1 && pieces_[0].kind == Kind::text); }
  /// Of a literal.
  std::string_view literal() const { return pieces_.empty() ? std::string_view() : std::string_view(pieces_[0].text); }

 private:
  enum class Kind : std::uint8_t { text, capture, parameter, variable, function };
  struct Piece {
    Kind kind;
    std::string text = {};                  ///< of a text; the name of a function
    std::size_t group = 0;                  ///< of a capture
    const Function* function = nullptr;
    std::vector<Expression> parts = {};     ///< a parameter's name and default; a variable's name; a function's arguments
    std::vector<std::string> names = {};    ///< of variables that are arguments (`$name`), else empty: one for each argument
  };
  void add_text(std::string_view text);

  static std::vector<Argument> arguments_of(const Piece& piece, const pattern::Captures& captures, FunctionContext& context);

  std::vector<Piece> pieces_;
  bool asks_ = false;
};

}  // namespace jackfield::regexroute
