#include "database/worker.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace jackfield::database {
namespace {

using std::chrono::steady_clock;
using namespace std::chrono_literals;

/// A queue no longer than this is one worker's: a batch costs less than waking another.
constexpr std::size_t kShareAbove = 32;
/// Answers wait no longer than this for the rest of their batch.
constexpr auto kHandOnAfter = 500us;
/// A request that saw so many connections break is likely the reason.
constexpr int kMaxBrokenLinks = 3;
constexpr auto kFirstPause = 2ms;
constexpr int kLongestPause = 6;  // doublings

}  // namespace

Worker::Worker(int index, Lane& lane, Lane* writing, Outbox& outbox, std::unique_ptr<Connection> connection, WorkerOptions options)
    : index_(index), lane_(lane), writing_(writing), outbox_(outbox), connection_(std::move(connection)), options_(options), thread_([this] { run(); }) {}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::order_connection() {
  {
    const std::lock_guard lock(lane_.mutex);
    connect_ordered_ = true;
  }
  lane_.changed.notify_all();
}

std::string Worker::waits_for() const {
  const std::lock_guard lock(reason_mutex_);
  return reason_;
}

void Worker::run() {
  std::unique_lock lock(lane_.mutex);
  for (;;) {
    // What waits for a connection that is still to be tried gets its turn.
    if (lane_.ending && (lane_.queue.empty() || (!open_ && !connect_ordered_))) break;
    if (!open_ && std::exchange(connect_ordered_, false)) {
      lock.unlock();
      open();
      lock.lock();
    } else if (!open_) {
      lane_.changed.wait(lock);
    } else if (!lane_.queue.empty()) {
      take();
      lock.unlock();
      process();
      lock.lock();
    } else {
      ++lane_.idle_workers;
      const auto interval = connection_->check_interval();
      const auto awake = [this] { return lane_.ending || !lane_.queue.empty(); };
      bool called = true;
      if (interval > Duration(0)) called = lane_.changed.wait_for(lock, interval, awake);
      else lane_.changed.wait(lock, awake);
      --lane_.idle_workers;
      if (called) continue;
      lock.unlock();
      check_link();
      lock.lock();
    }
  }
  if (open_) {
    --lane_.open_workers;
    lock.unlock();
    connection_->close();
    lock.lock();
  }
  ended_ = true;
  lock.unlock();
  lane_.changed.notify_all();
}

void Worker::open() {
  const auto opened = connection_->open();
  if (!opened) {
    outbox_.put({LinkEvent::Kind::refused, index_, opened.error()});
    return;
  }
  open_ = true;
  {
    const std::lock_guard lock(lane_.mutex);
    ++lane_.open_workers;
  }
  outbox_.put({LinkEvent::Kind::opened, index_, *opened});
}

void Worker::check_link() {
  if (const auto broken = connection_->check()) lost(*broken);
}

void Worker::lost(const std::string& reason) {
  connection_->close();
  open_ = false;
  {
    const std::lock_guard lock(lane_.mutex);
    --lane_.open_workers;
  }
  outbox_.put({LinkEvent::Kind::broken, index_, reason});
}

/// With the lane's mutex held. A short queue is taken whole; of a long one each worker takes its share.
void Worker::take() {
  const std::size_t waiting = lane_.queue.size();
  const std::size_t share = (waiting + lane_.open_workers - 1) / std::max(1u, lane_.open_workers);
  const std::size_t size = std::min({waiting, options_.max_batch, std::max(share, kShareAbove)});
  const auto end = lane_.queue.begin() + static_cast<std::ptrdiff_t>(size);
  held_.assign(std::make_move_iterator(lane_.queue.begin()), std::make_move_iterator(end));
  lane_.queue.erase(lane_.queue.begin(), end);
  if (!lane_.queue.empty() && lane_.idle_workers > 0) lane_.changed.notify_one();
}

void Worker::process() {
  flushed_ = steady_clock::now();
  live_.clear();
  for (const auto& request : held_) {
    // Before anybody looks whether it is abandoned: who abandons it looks for its worker afterwards.
    request->worker.store(index_);
    request->reset();
    live_.push_back(request.get());
  }
  auto broken = run_live();

  Held again;
  for (auto& request : held_) {
    if (settle(*request, broken.has_value())) again.push_back(request);
  }
  if (!broken && !again.empty()) broken = run_one_by_one(again);
  if (broken) {
    // What never got its turn by itself goes back as well.
    back_.insert(back_.end(), again.begin(), again.end());
    std::ranges::stable_sort(back_, {}, [](const auto& request) { return request->id; });
    lane_.put_back(back_);
    back_.clear();
  }
  flush();
  if (!elsewhere_.empty()) writing_->push(elsewhere_);
  held_.clear();
  {
    const std::lock_guard lock(reason_mutex_);
    reason_.clear();
  }
  if (broken) lost(*broken);
}

std::optional<std::string> Worker::run_live() {
  std::erase_if(live_, [](const Request* request) { return request->abandoned(); });
  if (live_.empty()) return {};
  for (auto* request : live_) request->begun.store(true, std::memory_order_relaxed);
  const auto began = steady_clock::now();
  auto broken = connection_->run(live_, *this);
  const auto took = std::chrono::duration_cast<std::chrono::nanoseconds>(steady_clock::now() - began);
  counts_.busy_ns.fetch_add(static_cast<std::uint64_t>(took.count()), std::memory_order_relaxed);
  counts_.runs.fetch_add(live_.size(), std::memory_order_relaxed);
  counts_.batches.fetch_add(1, std::memory_order_relaxed);
  return broken;
}

/// Those that have had their turn leave `requests`.
std::optional<std::string> Worker::run_one_by_one(Held& requests) {
  while (!requests.empty()) {
    const auto request = requests.front();
    requests.erase(requests.begin());
    for (bool more = true; more;) {
      counts_.repeated.fetch_add(1, std::memory_order_relaxed);
      const auto last_failure = request->answer.failure;
      auto last_error = std::move(request->answer.error);
      request->reset();
      live_.assign(1, request.get());
      const auto broken = run_live();
      const bool undecided = request->outcome == Outcome::again || request->outcome == Outcome::in_doubt;
      if (undecided && ++request->attempts > options_.retry) {
        if (request->outcome == Outcome::in_doubt) request->answer.failure = Failure::late, request->answer.error = "it may have been written";
        request->outcome = Outcome::answered;  // with what it was refused for
      } else if (request->outcome == Outcome::none && request->abandoned()) {
        request->fail(last_failure, std::move(last_error));
      }
      more = settle(*request, broken.has_value());
      if (broken) return broken;
      if (more) pause(request->attempts);
    }
  }
  return {};
}

bool Worker::settle(Request& request, bool broken) {
  if (request.outcome == Outcome::answered) {
    deliver(request);
    return false;
  }
  if (request.outcome == Outcome::elsewhere) {
    request.query().writes.store(true, std::memory_order_relaxed);
    if (writing_ != nullptr) {
      elsewhere_.push_back(request.shared_from_this());
      return false;
    }
    request.fail(Failure::query, "it writes, and this connection may not");
  } else if (request.outcome == Outcome::in_doubt && request.idempotency_key.empty()) {
    request.fail(Failure::late, "the connection broke while it was committed; it may have been written");
  } else if (request.abandoned()) {
    // Nobody is left to be told.
  } else if (broken && ++request.broken_links >= kMaxBrokenLinks) {
    request.fail(Failure::away, fmt::format("the connection broke {} times while it ran", request.broken_links));
  } else if (broken) {
    back_.push_back(request.shared_from_this());
    return false;
  } else if (request.outcome == Outcome::again || request.outcome == Outcome::in_doubt) {
    return true;
  } else {
    request.fail(Failure::query, "the database module gave no verdict");
  }
  deliver(request);
  return false;
}

void Worker::pause(int attempt) {
  const auto length = kFirstPause * (1 << std::min(attempt, kLongestPause));
  std::unique_lock lock(lane_.mutex);
  lane_.changed.wait_for(lock, length, [this] { return lane_.ending; });
}

void Worker::deliver(Request& request) {
  // Delivered while its batch ran: the engine has it.
  if (request.delivered) return;
  request.delivered = true;
  ready_.push_back(request.shared_from_this());
}

void Worker::finished(Request& request) {
  deliver(request);
  if (const auto now = steady_clock::now(); now - flushed_ > kHandOnAfter) {
    flush();
    flushed_ = now;
  }
}

void Worker::about_to_wait(std::string_view reason) {
  flush();
  const std::lock_guard lock(reason_mutex_);
  reason_ = reason;
}

void Worker::flush() {
  if (!ready_.empty()) outbox_.put(ready_);
}

}  // namespace jackfield::database
