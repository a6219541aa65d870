#include "expression.h"

#include <fmt/format.h>

#include "text/trimmed.h"

namespace jackfield::regexroute {
namespace {

/// At commas that are not inside a ${…}.
std::vector<std::string_view> split_arguments(std::string_view text) {
  std::vector<std::string_view> arguments;
  std::size_t begin = 0;
  bool in_parameter = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i).starts_with("${")) in_parameter = true;
    if (text[i] == '}') in_parameter = false;
    if (text[i] != ',' || in_parameter) continue;
    arguments.push_back(text.substr(begin, i - begin));
    begin = i + 1;
  }
  arguments.push_back(text.substr(begin));
  return arguments;
}

/// What a rule makes of itself again and again, twice as long each time, ends here.
constexpr std::size_t kLongest = 64 * 1024;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

void Expression::add_text(std::string_view text) {
  if (pieces_.empty() || pieces_.back().kind != Kind::text) pieces_.push_back({.kind = Kind::text});
  pieces_.back().text.append(text);
}

tl::expected<Expression, std::string> Expression::parse(std::string_view text) {
  Expression parsed;
  while (!text.empty()) {
    if (text.size() > 1 && text[0] == '\\' && (text[1] == '\\' || is_digit(text[1]))) {
      if (text[1] == '\\') parsed.add_text("\\");
      else parsed.pieces_.push_back({.kind = Kind::capture, .group = static_cast<std::size_t>(text[1] - '0')});
      text.remove_prefix(2);
      continue;
    }
    const bool parameter = text.starts_with("${"), function = text.starts_with("$(");
    if (!parameter && !function) {
      const auto next = text.find_first_of("\\$", 1);
      parsed.add_text(text.substr(0, next));
      text.remove_prefix(std::min(next, text.size()));
      continue;
    }
    const auto close = text.find(parameter ? '}' : ')');
    if (close == std::string_view::npos)
      return tl::unexpected(fmt::format("{} is not closed: a {} is missing", text, parameter ? '}' : ')'));
    const auto inside = text.substr(2, close - 2);
    text.remove_prefix(close + 1);

    Piece piece{.kind = parameter ? Kind::parameter : Kind::variable};
    std::vector<std::string_view> parts;
    if (parameter) {
      const auto dollar = inside.find('$');
      parts = {trimmed(inside.substr(0, dollar)), dollar == std::string_view::npos ? std::string_view() : inside.substr(dollar + 1)};
    } else {
      parts = split_arguments(inside);
      const auto name = trimmed(parts[0]);
      if (inside.empty()) { parsed.add_text(";"); continue; }
      if (inside == "$") { parsed.add_text("$"); continue; }
      const bool step = name.starts_with("++") || name.starts_with("--");
      piece.function = find_function(step ? name.substr(0, 2) : name);
      if (piece.function) {
        piece.kind = Kind::function;
        if (step) parts[0] = name.substr(2);
        else parts.erase(parts.begin());
        if (parts.size() < piece.function->least || parts.size() > piece.function->most)
          return tl::unexpected(fmt::format("$({}) is written {}", inside, piece.function->usage));
      } else if (parts.size() > 1) {
        return tl::unexpected(fmt::format("there is no function {}", name));
      }
    }
    for (const auto part : parts) {
      const bool variable = piece.kind == Kind::function && trimmed(part).starts_with('$') && !trimmed(part).starts_with("${");
      piece.names.emplace_back(variable ? trimmed(part).substr(1) : std::string_view());
      auto expression = parse(variable ? std::string_view() : part);
      if (!expression) return expression;
      parsed.asks_ = parsed.asks_ || expression->asks_;
      piece.parts.push_back(std::move(*expression));
    }
    parsed.asks_ = parsed.asks_ || (piece.function && piece.function->asks);
    parsed.pieces_.push_back(std::move(piece));
  }
  return parsed;
}

std::string Expression::evaluate(const pattern::Captures& captures, FunctionContext& context) const {
  if (is_literal()) return std::string(literal());
  std::string out;
  for (const Piece& piece : pieces_) {
    switch (piece.kind) {
      case Kind::text:
        out += piece.text;
        break;
      case Kind::capture:
        out += captures.group(piece.group);
        break;
      case Kind::parameter: {
        const auto* found = context.message.find(piece.parts[0].evaluate(captures, context));
        if (found) out += found->value;
        else out += piece.parts[1].evaluate(captures, context);
        break;
      }
      case Kind::variable:
        out += context.variables.get(piece.parts[0].evaluate(captures, context));
        break;
      case Kind::function:
        out += piece.function->run(arguments_of(piece, captures, context), context);
        break;
    }
  }
  if (out.size() > kLongest) out.resize(kLongest);
  return out;
}

std::vector<Argument> Expression::arguments_of(const Piece& piece, const pattern::Captures& captures, FunctionContext& context) {
  std::vector<Argument> arguments;
  arguments.reserve(piece.parts.size());
  for (std::size_t i = 0; i < piece.parts.size(); ++i) {
    const auto& name = piece.names[i];
    arguments.push_back({name.empty() ? piece.parts[i].evaluate(captures, context) : std::string(context.variables.get(name)), name});
  }
  return arguments;
}

std::optional<std::string> Expression::unanswered(const pattern::Captures& captures, FunctionContext& context) const {
  if (!asks_) return std::nullopt;
  for (const Piece& piece : pieces_) {
    for (const Expression& part : piece.parts)
      if (auto user = part.unanswered(captures, context)) return user;
    if (!piece.function || !piece.function->asks) continue;
    auto user = std::move(arguments_of(piece, captures, context)[0].value);
    if (!context.registered.contains(user)) return user;
  }
  return std::nullopt;
}

}  // namespace jackfield::regexroute
