#include "bindings.h"

#include "rows.h"

#include <jackfield/messages/parameters.h>
#include <jackfield/messages/stored_bindings.h>

#include <charconv>

namespace jackfield::register_module {
namespace param = messages::param;
namespace {

constexpr Duration kAskAgain{200};

/// Seconds since 1970, with fractions where a database has them; what is none never ends.
WallTime time_from(std::string_view text) {
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || seconds <= 0 || seconds > 1e11) return {};
  return WallTime(std::chrono::microseconds(static_cast<std::int64_t>(seconds * 1e6)));
}

void append(const messages::DatabaseRows& rows, messages::StoredBindings& out) {
  for (std::size_t row = 0; row < rows.size(); ++row) {
    messages::StoredBinding stored;
    const auto cells = rows.row(row);
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (!cells[i]) continue;
      const auto& name = rows.columns[i];
      if (name == param::kUsername.name) stored.username = *cells[i];
      else if (name == param::kData.name) stored.data = *cells[i];
      else if (name == param::kExpires.name) stored.expires = time_from(*cells[i]);
      else if (!cells[i]->empty()) stored.parameters.emplace_back(name, *cells[i]);
    }
    if (!stored.username.empty() && !stored.data.empty()) out.bindings.push_back(std::move(stored));
  }
}

void attach(const Answer& answer, Message& message) {
  auto* all = message.payload<messages::StoredBindings>();
  if (!all) {
    auto made = std::make_shared<messages::StoredBindings>();
    all = made.get();
    message.attach(std::move(made));
  }
  if (answer.rows) append(*answer.rows, *all);
}

}  // namespace

Task<bool> tell_bindings(std::shared_ptr<Database> database, std::shared_ptr<const RegisterSettings> settings, Message& message) {
  const auto& handler = settings->bindings;
  const bool one = !message.get(param::kUsername).empty();
  if (!one && handler.all.empty()) co_return false;
  const auto limit = database->engine().clock().now() + handler.deadline;
  for (;;) {
    const Values values(database->engine(), message);
    auto asking = Database::ask(database, settings, &handler, one ? &handler.query : &handler.all, values);
    const Answer answer = co_await std::move(asking);
    if (answer.good()) {
      attach(answer, message);
      if (settings->registration.shared) message.set_flag(param::kShared, true);
      co_return true;
    }
    if (one || answer.failure != Answer::Failure::away || database->engine().clock().now() >= limit) co_return false;
    auto pausing = database->pause(kAskAgain);
    const bool goes_on = co_await std::move(pausing);
    if (!goes_on) co_return false;
  }
}

Task<> attach_shared(std::shared_ptr<Database> database, std::shared_ptr<const RegisterSettings> settings, Message& message) {
  message.set_flag(param::kShared, true);
  const auto& handler = settings->bindings;
  const Values values(database->engine(), message);
  auto asking = Database::ask(database, settings, &handler, &handler.query, values);
  const Answer answer = co_await std::move(asking);
  if (answer.good()) attach(answer, message);
}

}  // namespace jackfield::register_module
