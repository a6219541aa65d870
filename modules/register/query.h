// A query as register.conf has it: SQL with `${name}`s, and the names. What the names stand for is taken from the message that is
// handled, and from what this server knows; the database module puts it in. Immutable; engine thread only.
#pragma once

#include <jackfield/engine.h>
#include <jackfield/message.h>
#include <jackfield/messages/database.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace jackfield::register_module {

class Query {
 public:
  Query() = default;
  explicit Query(std::string text);

  const std::string& text() const { return text_; }
  bool empty() const { return text_.empty(); }
  /// `@…`: the text is itself a query, whose one cell is the text to use.
  bool indirect() const { return text_.starts_with('@'); }
  /// Each name once.
  const std::vector<std::string>& names() const { return names_; }

 private:
  std::string text_;
  std::vector<std::string> names_;
};

/// Where values come from: the parameters of a message, and these by the server itself:
///   now         seconds since 1970
///   expires_at  `now` and the message's `expires`: when a binding ends; 0 where it has none
///   nodename    this server
///   runid       this run, where the message names none; two starts within a second have the same
///   process     this run and no other
/// and what the configuration names (`over_limit`, …).
class Values {
 public:
  Values(const Engine& engine, const Message& message) : engine_(engine), message_(message) {}
  Values& also(std::string_view name, std::string_view value) {
    more_.emplace_back(name, value);
    return *this;
  }

  /// Nothing for a name that nobody gives a value.
  std::optional<std::string> find(std::string_view name) const;
  messages::QueryValues of(const Query& query) const;
  /// True when the message itself says nothing about any of the query's names: the question would be about nobody.
  bool about_nobody(const Query& query) const;

 private:
  const Engine& engine_;
  const Message& message_;
  std::vector<std::pair<std::string_view, std::string_view>> more_;
};

}  // namespace jackfield::register_module
