// A database that does what a test says: each batch is answered by `run`, opening works while `reachable`.
#pragma once

#include "database/account.h"

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace jackfield::database {

struct FakeServer {
  using Run = std::function<std::optional<std::string>(std::span<Request* const>, Delivery&)>;

  std::mutex mutex;
  std::condition_variable changed;
  bool reachable = true;
  bool held = false;  ///< run() waits until it is let go or interrupted
  int opened = 0, refused = 0, closed = 0, interrupted = 0;
  std::vector<std::vector<std::string>> batches;  ///< the texts of the queries, batch by batch
  Run run = [](std::span<Request* const> batch, Delivery&) -> std::optional<std::string> {
    for (auto* request : batch) request->succeed();
    return {};
  };

  template <class Read>
  auto read(Read look) {
    const std::lock_guard lock(mutex);
    return look(*this);
  }
  void hold(bool on) {
    {
      const std::lock_guard lock(mutex);
      held = on;
    }
    changed.notify_all();
  }
};

class FakeConnection final : public Connection {
 public:
  FakeConnection(std::shared_ptr<FakeServer> server, Role role) : server_(std::move(server)), role_(role) {}

  tl::expected<std::string, std::string> open() override {
    const std::lock_guard lock(server_->mutex);
    if (!server_->reachable) return ++server_->refused, tl::unexpected(std::string("no route to it"));
    ++server_->opened;
    return "fake";
  }
  void close() noexcept override {
    const std::lock_guard lock(server_->mutex);
    ++server_->closed;
  }
  std::optional<std::string> run(std::span<Request* const> batch, Delivery& delivery) override {
    FakeServer::Run answer;
    {
      std::unique_lock lock(server_->mutex);
      auto& texts = server_->batches.emplace_back();
      for (const auto* request : batch) texts.push_back(request->query().text.text());
      if (server_->held) delivery.about_to_wait("a test holds it");
      server_->changed.wait(lock, [&] { return !server_->held || std::exchange(looked_up_, false); });
      answer = server_->run;
    }
    if (role_ == Role::reader) {
      for (auto* request : batch) {
        if (request->query().text.text().find("write") != std::string::npos) request->outcome = Outcome::elsewhere;
        else request->succeed();
      }
      return {};
    }
    return answer(batch, delivery);
  }
  void interrupt() noexcept override {
    {
      const std::lock_guard lock(server_->mutex);
      ++server_->interrupted;
      looked_up_ = true;
    }
    server_->changed.notify_all();
  }
  void cut_off() noexcept override { interrupt(); }

 private:
  std::shared_ptr<FakeServer> server_;
  Role role_;
  bool looked_up_ = false;
};

inline ConnectionFactory factory_of(const std::shared_ptr<FakeServer>& server) {
  return [server](Role role) { return std::make_unique<FakeConnection>(server, role); };
}

}  // namespace jackfield::database
