#include "sql/query_template.h"

#include "sql/scanner.h"
#include "text/trimmed.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace jackfield::sql {
namespace {

constexpr std::size_t kMaxPlaces = 1000;
constexpr std::size_t kMaxName = 128;
constexpr std::size_t kMaxNumber = 40;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// `12`, `-3.5`: what stays a number wherever it stands.
bool is_number(std::string_view text) {
  if (text.size() > kMaxNumber) return false;
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  const auto whole = std::ranges::find_if_not(text, is_digit) - text.begin();
  if (whole == 0) return false;
  text.remove_prefix(static_cast<std::size_t>(whole));
  if (text.empty()) return true;
  if (text.front() != '.') return false;
  text.remove_prefix(1);
  return !text.empty() && std::ranges::all_of(text, is_digit);
}

/// A default that the operator wrote for a place outside quotes: nothing that opens a quote, a comment or a statement.
bool is_plain_expression(std::string_view text) {
  return !text.empty() && (is_number(text) || std::ranges::all_of(text, [](char c) {
           return is_word_character(c) ? c != '$' : c == '(' || c == ')' || c == '.' || c == ',' || c == ' ';
         }));
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

constexpr auto kReading = std::to_array<std::string_view>({"SELECT", "VALUES", "TABLE", "WITH"});
constexpr auto kWriting = std::to_array<std::string_view>({"INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE"});

constexpr auto kOutside = std::to_array<std::string_view>({"BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE", "VACUUM",
                                                           "PRAGMA", "ATTACH", "DETACH", "PREPARE", "CALL", "CLUSTER", "CHECKPOINT", "REINDEX"});

QueryError refused(std::string text) { return {std::move(text)}; }

}  // namespace

std::size_t invalid_utf8(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  for (std::size_t at = 0; at < text.size();) {
    const unsigned char lead = byte(at);
    if (lead < 0x80) {
      ++at;
      continue;
    }
    const std::size_t size = lead >= 0xc2 && lead <= 0xdf ? 2 : lead >= 0xe0 && lead <= 0xef ? 3 : lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
    if (size == 0 || at + size > text.size()) return at;
    for (std::size_t i = 1; i < size; ++i) {
      if ((byte(at + i) & 0xc0) != 0x80) return at;
    }
    // Longer than needed, surrogates, past U+10FFFF.
    const unsigned char second = byte(at + 1);
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) || (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f)) {
      return at;
    }
    at += size;
  }
  return std::string_view::npos;
}

/// Walks the tokens once and fills the template.
class QueryTemplate::Parser {
 public:
  Parser(QueryTemplate& into, Dialect dialect, bool placeholders) : into_(into), dialect_(dialect), placeholders_(placeholders) {}

  tl::expected<void, QueryError> run() {
    Scanner scanner(into_.text_, dialect_);
    for (Token token = scanner.next(); token.kind != TokenKind::end; token = scanner.next()) {
      count_statement(token);
      if (placeholders_) {
        if (auto taken = take(token); !taken) return taken;
      }
    }
    if (!placeholders_) before_ = into_.text_;
    into_.rest_ = std::move(before_);
    finish();
    return {};
  }

 private:
  void count_statement(const Token& token) {
    if (token.kind == TokenKind::space || token.kind == TokenKind::comment) return;
    if (token.kind == TokenKind::semicolon) {
      in_statement_ = false;
      return;
    }
    if (in_statement_) return;
    // An opening bracket stands before the first word of `(SELECT …) UNION …`.
    if (token.kind == TokenKind::other && token.text == "(") return;
    in_statement_ = true;
    ++into_.statements_;
    const std::string word = token.kind == TokenKind::word ? upper(token.text) : std::string();
    const bool reads = std::ranges::find(kReading, word) != kReading.end();
    const bool writes = std::ranges::find(kWriting, word) != kWriting.end();
    into_.looks_read_only_ = into_.looks_read_only_ && reads;
    into_.groupable_ = into_.groupable_ && (reads || writes);
    into_.outside_transactions_ = into_.outside_transactions_ || std::ranges::find(kOutside, word) != kOutside.end();
  }

  tl::expected<void, QueryError> take(const Token& token) {
    if (token.kind == TokenKind::placeholder) {
      if (!token.closed) return unexpected(token.text, "`${` without `}`");
      return add_bare(token);
    }
    const bool quotes = token.kind == TokenKind::literal || token.kind == TokenKind::quoted_name || token.kind == TokenKind::dollar_quoted;
    if (quotes && !token.closed) return unexpected(token.text, fmt::format("the quote {} is not closed", token.text.substr(0, token.prefix.size() + 1)));
    if (token.kind == TokenKind::comment && !token.closed) return unexpected(token.text, "the comment is not closed");
    if (!quotes || token.content.find("${") == std::string_view::npos) {
      before_.append(token.text);
      return {};
    }
    if (token.kind == TokenKind::dollar_quoted) return unexpected(token.content, "a value cannot be escaped in dollar quotes; write '…'");
    if (token.prefix.size() == 2) return unexpected(token.content, "a value cannot be escaped in U&'…'; write '…'");
    if (token.quote == '[') return unexpected(token.content, "a value cannot be escaped in […]; write \"…\"");
    return add_quoted(token);
  }

  tl::expected<void, QueryError> add_quoted(const Token& token) {
    const bool backslashes = token.prefix == "e" || token.prefix == "E";
    const auto& content = token.content;
    const bool literal = token.kind == TokenKind::literal;
    // Without its E the literal is the value itself, which is what the parameter is too.
    if (literal && (token.prefix.empty() || backslashes) && content.starts_with("${") && content.find('}') == content.size() - 1) {
      return add(Place::whole_literal, content.substr(2, content.size() - 3));
    }
    const Place place = !literal ? token.quote == '`' ? Place::backtick_name : Place::name : backslashes ? Place::backslash_literal : Place::literal;
    before_.append(token.text.substr(0, token.prefix.size() + 1));
    std::string_view left = content;
    for (;;) {
      const auto open = left.find("${");
      if (open == std::string_view::npos) break;
      const auto close = left.find('}', open);
      if (close == std::string_view::npos) return unexpected(left, "`${` without `}`");
      // A backslash before it would take the first character of the value.
      if (backslashes) {
        std::size_t slashes = 0;
        while (slashes < open && left[open - 1 - slashes] == '\\') ++slashes;
        if (slashes % 2 == 1) return unexpected(left, "`\\${`: the backslash would swallow the value's first character");
      }
      before_.append(left.substr(0, open));
      if (auto added = add(place, left.substr(open + 2, close - open - 2)); !added) return added;
      left.remove_prefix(close + 1);
    }
    before_.append(left);
    before_.push_back(token.quote);
    return {};
  }

  tl::expected<void, QueryError> add_bare(const Token& token) {
    const bool minus = before_.ends_with('-');
    if (auto added = add(Place::bare, token.content); !added) return added;
    Slot& slot = into_.slots_.back();
    slot.after_minus = minus;
    if (slot.has_fallback && !is_plain_expression(slot.fallback)) {
      return unexpected(token.text, "outside quotes a default is a number, a word or a call, such as NULL or now()");
    }
    if (slot.has_fallback && minus && slot.fallback.starts_with('-')) return unexpected(token.text, "`--` would begin a comment");
    return {};
  }

  tl::expected<void, QueryError> add(Place place, std::string_view inner) {
    const auto dollar = inner.find('$');
    const auto name = trimmed(inner.substr(0, dollar));
    if (name.empty() || name.size() > kMaxName || name.find_first_of("{\"'`;\r\n\\") != std::string_view::npos) {
      return unexpected(inner, fmt::format("`${{{}}}` is no name of a parameter", inner.substr(0, 40)));
    }
    if (into_.slots_.size() == kMaxPlaces) return unexpected(inner, fmt::format("more than {} places", kMaxPlaces));
    // As it stands in the text it would still be escaped.
    if (dollar != std::string_view::npos && inner.find_first_of("'\"`\\", dollar) != std::string_view::npos) {
      return unexpected(inner, fmt::format("the default of `${{{}}}` has a quote or a backslash", name));
    }
    Slot slot;
    slot.before = std::exchange(before_, {});
    slot.place = place;
    if (dollar != std::string_view::npos) {
      slot.has_fallback = true;
      slot.fallback = inner.substr(dollar + 1);
    }
    const auto known = std::ranges::find(into_.names_, name);
    slot.name = static_cast<std::uint16_t>(known - into_.names_.begin());
    if (known == into_.names_.end()) into_.names_.emplace_back(name);
    if (place == Place::whole_literal) into_.bound_.push_back(static_cast<std::uint16_t>(into_.slots_.size()));
    else into_.in_place_ = true;
    into_.slots_.push_back(std::move(slot));
    return {};
  }

  void finish() {
    if (into_.statements_ == 0) into_.looks_read_only_ = into_.groupable_ = false;
    if (into_.in_place_) return;
    std::size_t number = 0;
    for (const Slot& slot : into_.slots_) {
      into_.bound_text_.append(slot.before);
      into_.append_parameter(++number, into_.bound_text_);
    }
    into_.bound_text_.append(into_.rest_);
  }

  /// `part` is a view into the text, or into a token of it.
  tl::unexpected<QueryError> unexpected(std::string_view part, std::string_view what) const {
    const auto before = std::string_view(into_.text_).substr(0, static_cast<std::size_t>(part.data() - into_.text_.data()));
    const auto line = 1 + std::ranges::count(before, '\n');
    return tl::unexpected(refused(line == 1 ? std::string(what) : fmt::format("line {}: {}", line, what)));
  }

  QueryTemplate& into_;
  Dialect dialect_;
  bool placeholders_;
  std::string before_;
  bool in_statement_ = false;
};

namespace {

tl::expected<void, QueryError> check_text(std::string_view text) {
  if (text.size() > QueryTemplate::kMaxText) {
    return tl::unexpected(refused(fmt::format("the query has {} bytes; {} are allowed", text.size(), QueryTemplate::kMaxText)));
  }
  if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
    return tl::unexpected(refused(fmt::format("the query holds a NUL at byte {}", nul)));
  }
  return {};
}

}  // namespace

tl::expected<QueryTemplate, QueryError> QueryTemplate::parse(std::string_view text, Dialect dialect) {
  if (auto good = check_text(text); !good) return tl::unexpected(good.error());
  QueryTemplate made;
  made.text_ = text;
  made.dialect_ = dialect;
  if (auto run = Parser(made, dialect, true).run(); !run) return tl::unexpected(run.error());
  return made;
}

tl::expected<QueryTemplate, QueryError> QueryTemplate::plain(std::string_view text, Dialect dialect) {
  if (auto good = check_text(text); !good) return tl::unexpected(good.error());
  QueryTemplate made;
  made.text_ = text;
  made.dialect_ = dialect;
  (void)Parser(made, dialect, false).run();
  return made;
}

void QueryTemplate::append_parameter(std::size_t number, std::string& out) const {
  // Blanks on both sides: what is beside it must not grow together with it.
  out.append(dialect_ == Dialect::sqlite ? " ?" : " $").append(std::to_string(number)).push_back(' ');
}

tl::expected<void, QueryError> QueryTemplate::check(const Slot& slot, std::string_view value, bool bound) const {
  const bool holds_nul = bound && dialect_ == Dialect::sqlite;
  if (const auto nul = holds_nul ? std::string_view::npos : value.find('\0'); nul != std::string_view::npos) {
    return tl::unexpected(refused(fmt::format("${{{}}} holds a NUL at byte {}, which {}", names_[slot.name], nul,
                                              bound ? "PostgreSQL cannot store as text" : "cannot stand inside a literal")));
  }
  if (dialect_ == Dialect::postgresql) {
    if (const auto bad = invalid_utf8(value); bad != std::string_view::npos) {
      return tl::unexpected(refused(fmt::format("${{{}}} is not UTF-8 at byte {}", names_[slot.name], bad)));
    }
  }
  return {};
}

tl::expected<void, QueryError> QueryTemplate::append_number(const Slot& slot, const Value& value, std::string& out) const {
  if (!value && slot.has_fallback) {
    out.append(slot.fallback);
    return {};
  }
  const bool good = value && is_number(*value) && !(slot.after_minus && value->starts_with('-'));
  if (!good) {
    return tl::unexpected(refused(fmt::format("${{{0}}} stands outside quotes, where only a number can take its place; write '${{{0}}}'",
                                              names_[slot.name])));
  }
  out.append(*value);
  return {};
}

tl::expected<void, QueryError> QueryTemplate::append_in_place(const Slot& slot, const Value& value, std::string& out) const {
  if (slot.place == Place::bare) return append_number(slot, value, out);
  const std::string_view text = value ? *value : std::string_view(slot.fallback);
  if (auto good = check(slot, text, false); !good) return good;
  const char quote = slot.place == Place::name ? '"' : slot.place == Place::backtick_name ? '`' : '\'';
  if (slot.place == Place::whole_literal) out.push_back('\'');
  for (const char c : text) {
    if (c == quote || (c == '\\' && slot.place == Place::backslash_literal)) out.push_back(c);
    out.push_back(c);
  }
  if (slot.place == Place::whole_literal) out.push_back('\'');
  return {};
}

tl::expected<std::string_view, QueryError> QueryTemplate::render_bound(std::span<const Value> values, std::string& storage) const {
  for (std::size_t i = 0; i < bound_.size(); ++i) {
    if (auto good = check(slots_[bound_[i]], bound_value(i, values), true); !good) return tl::unexpected(good.error());
  }
  if (!in_place_) return bound_text_;
  storage.clear();
  std::size_t number = 0;
  for (const Slot& slot : slots_) {
    storage.append(slot.before);
    if (slot.place == Place::whole_literal) append_parameter(++number, storage);
    else if (auto added = append_in_place(slot, values[slot.name], storage); !added) return tl::unexpected(added.error());
  }
  storage.append(rest_);
  return storage;
}

std::string_view QueryTemplate::bound_value(std::size_t index, std::span<const Value> values) const {
  const Slot& slot = slots_[bound_[index]];
  const Value& value = values[slot.name];
  return value ? *value : std::string_view(slot.fallback);
}

tl::expected<std::string, QueryError> QueryTemplate::render_escaped(std::span<const Value> values) const {
  std::string out;
  for (const Slot& slot : slots_) {
    out.append(slot.before);
    if (auto added = append_in_place(slot, values[slot.name], out); !added) return tl::unexpected(added.error());
  }
  out.append(rest_);
  return out;
}

}  // namespace jackfield::sql
