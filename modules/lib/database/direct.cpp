#include "database/direct.h"

#include "database/values.h"

#include <atomic>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

namespace jackfield::database {
namespace {

using Clock = std::chrono::steady_clock;

class Direct final : public DirectDatabase, private Delivery {
 public:
  Direct(std::string type, sql::Dialect dialect, std::unique_ptr<Connection> connection, int retry, Duration patience)
      : type_(std::move(type)), dialect_(dialect), connection_(std::move(connection)), retry_(retry), patience_(patience) {}
  ~Direct() override { connection_->close(); }

  std::string_view type() const override { return type_; }

  tl::expected<Answer, std::string> run(std::string_view text, const messages::QueryValues* given) override {
    auto parsed = given != nullptr ? sql::QueryTemplate::parse(text, dialect_) : sql::QueryTemplate::plain(text, dialect_);
    if (!parsed) return tl::unexpected(std::move(parsed.error().text));
    const auto query = std::make_shared<const Query>(std::move(*parsed));
    std::vector<sql::Value> values;
    if (given != nullptr) values_of(*given, query->text.names(), values);
    const auto request = std::make_shared<Request>(query, values, never_);
    Request* const batch[] = {request.get()};
    waits_since_.reset();
    for (int left = retry_;; --left) {
      request->reset();
      if (const auto broken = connection_->run(batch, *this); broken && request->outcome != Outcome::answered) return tl::unexpected(*broken);
      if (request->outcome != Outcome::again || left == 0) break;
    }
    if (request->answer.failure != Failure::none) return tl::unexpected(std::move(request->answer.error));
    Answer answer{.rows = {}, .affected = static_cast<long long>(request->answer.affected)};
    if (request->answer.rows) answer.rows = std::move(*request->answer.rows);
    return answer;
  }

 private:
  void finished(Request&) override {}
  // Nobody abandons a command's query: it waits no longer than this, all its runs together.
  void about_to_wait(std::string_view) override {
    if (!waits_since_) waits_since_ = Clock::now();
  }
  bool may_wait_on() override { return !waits_since_ || Clock::now() - *waits_since_ < patience_; }

  const std::string type_;
  const sql::Dialect dialect_;
  const std::unique_ptr<Connection> connection_;
  const int retry_;
  const Duration patience_;
  std::optional<Clock::time_point> waits_since_;
  const std::atomic<bool> never_{false};
};

}  // namespace

tl::expected<std::unique_ptr<DirectDatabase>, std::string> open_direct(std::string type, sql::Dialect dialect, std::unique_ptr<Connection> connection,
                                                                       int retry, Duration patience) {
  if (auto opened = connection->open(); !opened) return tl::unexpected(std::move(opened.error()));
  return std::make_unique<Direct>(std::move(type), dialect, std::move(connection), retry, patience);
}

}  // namespace jackfield::database
