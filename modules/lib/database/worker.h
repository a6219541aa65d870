// A thread with one connection: takes what waits in its lane, lets the connection run it, and sees to what did not work: a group that
// was rolled back is run one by one, a deadlock is tried again, what a broken connection had not begun goes back to the queue.
// Made and ended on the engine thread; run() and what it calls is the worker's own thread.
#pragma once

#include "database/connection.h"
#include "database/lane.h"
#include "database/outbox.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace jackfield::database {

struct WorkerOptions {
  int retry = 5;               ///< runs more of a request that ends in `again`
  std::size_t max_batch = 256;
};

class Worker final : private Delivery {
 public:
  struct Counts {
    std::atomic<std::uint64_t> runs{0}, batches{0}, repeated{0}, busy_ns{0};
  };

  /// `writing` takes what this worker's connection may not write; null when it may write anything.
  Worker(int index, Lane& lane, Lane* writing, Outbox& outbox, std::unique_ptr<Connection> connection, WorkerOptions options);
  ~Worker() { join(); }
  Worker(const Worker&) = delete;

  /// Opens the connection, once: whether it worked is mailed.
  void order_connection();
  void interrupt() { connection_->interrupt(); }
  void cut_off() { connection_->cut_off(); }
  /// Waits for the thread; the lane is ending already.
  void join();
  /// What its connection waits for, in words; empty: nothing special.
  std::string waits_for() const;
  /// Under its lane's mutex; the lane's `changed` tells when it becomes true.
  bool ended() const { return ended_; }
  Lane& lane() { return lane_; }
  const Counts& counts() const { return counts_; }

 private:
  using Held = std::vector<std::shared_ptr<Request>>;

  void finished(Request& request) override;
  void about_to_wait(std::string_view reason) override;

  void run();
  void open();
  void take();
  void process();
  /// Runs what is in live_; why the connection broke, if it did.
  std::optional<std::string> run_live();
  std::optional<std::string> run_one_by_one(Held& requests);
  void pause(int attempt);
  /// What becomes of a request after a run; true: run it again by itself.
  bool settle(Request& request, bool broken);
  void deliver(Request& request);
  void flush();
  void lost(const std::string& reason);
  void check_link();

  const int index_;
  Lane& lane_;
  Lane* const writing_;
  Outbox& outbox_;
  const std::unique_ptr<Connection> connection_;
  const WorkerOptions options_;
  Counts counts_;
  bool connect_ordered_ = false;  // under the lane's mutex
  bool open_ = false;             // the worker's own
  bool ended_ = false;            // under the lane's mutex
  mutable std::mutex reason_mutex_;
  std::string reason_;

  Held held_;                   // the batch
  std::vector<Request*> live_;  // of it, what is run now
  Held ready_;                  // answered, not handed on yet
  Held back_;                   // to be run on the next connection
  Held elsewhere_;              // for the writer
  std::chrono::steady_clock::time_point flushed_;
  std::thread thread_;
};

}  // namespace jackfield::database
