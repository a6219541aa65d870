// A query with placeholders, a NUL, and a value for each of them: whatever the value, the query keeps its shape.
#include <string>
#include <vector>

#include "expect.h"
#include "sql/query_template.h"
#include "sql/scanner.h"

using namespace jackfield::sql;
using jackfield::fuzz::expect;

namespace {

/// What a database sees of a text: its tokens, without what stands inside quotes.
std::string shape(std::string_view text, Dialect dialect) {
  Scanner scanner(text, dialect);
  std::string out;
  std::size_t size = 0;
  for (Token token = scanner.next(); token.kind != TokenKind::end; token = scanner.next()) {
    size += token.text.size();
    expect(!token.text.empty(), "a token has a text");
    if (token.kind == TokenKind::space) continue;
    out.push_back(static_cast<char>('a' + static_cast<int>(token.kind)));
    if (token.kind == TokenKind::literal || token.kind == TokenKind::quoted_name) out.append(token.prefix);
    else out.append(token.text);
    out.push_back(token.closed ? ' ' : '!');
  }
  expect(size == text.size(), "the tokens are the whole text");
  return out;
}

void in(Dialect dialect, std::string_view text, std::string_view value) {
  const auto query = QueryTemplate::parse(text, dialect);
  if (!query) return expect(!query.error().text.empty(), "a refusal is put into words");
  const std::vector<Value> none(query->names().size()), tame(query->names().size(), "1"), wild(query->names().size(), value);
  std::string storage, other;
  const auto bound = query->render_bound(tame, storage);
  expect(bound.has_value(), "a number can stand anywhere");
  const std::string bound_shape = shape(*bound, dialect);
  const auto escaped = query->render_escaped(tame);
  expect(escaped.has_value(), "a number can stand anywhere");
  const std::string escaped_shape = shape(*escaped, dialect);
  // Outside quotes the value itself is a token.
  bool bare = false;
  Scanner scanner(text, dialect);
  for (Token token = scanner.next(); token.kind != TokenKind::end; token = scanner.next()) bare = bare || token.kind == TokenKind::placeholder;
  if (const auto again = query->render_bound(wild, other)) {
    if (!bare) expect(shape(*again, dialect) == bound_shape, "no value changes a bound query");
    for (std::size_t i = 0; i < query->bound_count(); ++i) expect(query->bound_value(i, wild) == value, "a bound value is the value");
    if (query->constant_text()) expect(*again == *bound, "a constant text is constant");
  }
  if (const auto again = query->render_escaped(wild); again && !bare) expect(shape(*again, dialect) == escaped_shape, "no value changes an escaped query");
  (void)query->render_bound(none, other);
  (void)query->render_escaped(none);
  expect(QueryTemplate::plain(text, dialect).has_value(), "what parses is a text");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view all = jackfield::fuzz::text_of(data, size);
  const auto nul = all.find('\0');
  const auto text = all.substr(0, nul), value = nul == std::string_view::npos ? std::string_view("it's") : all.substr(nul + 1);
  for (const Dialect dialect : {Dialect::sqlite, Dialect::postgresql}) {
    in(dialect, text, value);
    shape(all, dialect);
  }
  return 0;
}
