// A connection to PostgreSQL as the account's workers use it (database/connection.h): sorts a batch into what goes through the pipeline
// together and what must go by itself, and decides what becomes of each request that failed. Multi-host: each open() begins at the first
// server again, so a primary that failed over is followed.
#pragma once

#include "applied_keys.h"
#include "link.h"
#include "member.h"
#include "pipeline.h"
#include "servers.h"
#include "statements.h"

#include "database/connection.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace jackfield::pgsqldb {

struct ConnectionOptions {
  std::vector<Server> servers;
  Duration timeout{10000};  ///< of the account's questions
  database::Role role = database::Role::any;
  std::shared_ptr<Doubts> doubts;
};

class Connection final : public database::Connection {
 public:
  Connection(Logger& log, ConnectionOptions options);

  tl::expected<std::string, std::string> open() override;
  void close() noexcept override { link_.close(); }
  std::optional<std::string> run(std::span<database::Request* const> batch, database::Delivery& delivery) override;
  void interrupt() noexcept override { link_.wake(); }
  void cut_off() noexcept override;
  Duration check_interval() const override;
  std::optional<std::string> check() override;

 private:
  /// Of the session: what must hold for our escaping, and what makes the server notice that we are gone.
  OrBroken<tl::expected<void, std::string>> set_up();
  OrBroken<void> run_sorted(std::span<database::Request* const> batch, database::Delivery& delivery);
  OrBroken<void> run_reads(std::vector<Member> members, database::Delivery& delivery);
  OrBroken<void> run_writes(std::vector<Member> members, database::Delivery& delivery);
  /// Several statements, or one that shares no transaction: by itself, with literals.
  OrBroken<void> run_alone(database::Request& request, database::Delivery& delivery);
  /// Names for those worth preparing; who cannot be prepared is tried with literals, or refused and taken out.
  OrBroken<void> prepare(std::vector<Member>& members);
  OrBroken<void> forget(const Member& member);
  /// What becomes of a member that failed by itself. False: it has its outcome; true: it is worth another run right now.
  OrBroken<bool> judge(Member& member, const Stop& stop);
  /// From now on the server is waited for as long as that makes sense for these.
  void wait_for(std::vector<database::Request*> requests);

  Logger& log_;
  const ConnectionOptions options_;
  std::atomic<bool> cut_off_{false};
  Link link_;
  AppliedKeys keys_;
  Pipeline pipeline_;
  Statements statements_;
};

}  // namespace jackfield::pgsqldb
