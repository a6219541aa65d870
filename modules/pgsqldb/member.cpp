#include "member.h"

#include "answers.h"

#include <fmt/format.h>

namespace jackfield::pgsqldb {

using database::Failure;

bool Member::render() {
  const auto& query = request->query();
  if (query.escaped.load(std::memory_order_relaxed)) return render_literals();
  if (query.text.names().empty()) {
    if (const auto bad = sql::invalid_utf8(query.text.text()); bad != std::string_view::npos) {
      request->fail(Failure::value, fmt::format("the query is not UTF-8 at byte {}", bad));
      return false;
    }
  }
  auto text = query.text.render_bound(request->values(), sql);
  if (!text) {
    request->fail(Failure::value, std::move(text.error().text));
    return false;
  }
  if (text->data() != sql.data()) sql = *text;
  return true;
}

bool Member::render_literals() {
  literals = true;
  name.clear();
  auto text = request->query().text.render_escaped(request->values());
  if (!text) {
    request->fail(Failure::value, std::move(text.error().text));
    return false;
  }
  sql = std::move(*text);
  return true;
}

void Member::send(Link& link, Arguments& arguments) const {
  const auto& text = request->query().text;
  arguments.fill(literals ? 0 : text.bound_count(), [&](std::size_t index) { return text.bound_value(index, request->values()); });
  if (name.empty()) link.send_text(sql, arguments.count(), arguments.data());
  else link.send(name.c_str(), arguments.count(), arguments.data());
}

void Member::answer(const PGresult* from) {
  result = {};
  add_result(from, request->wants_rows, result);
}

void Member::succeed() {
  if (trial) request->query().escaped.store(true, std::memory_order_relaxed);
  request->answer = std::move(result);
  request->succeed();
}

}  // namespace jackfield::pgsqldb
