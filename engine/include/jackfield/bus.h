// The message bus: named messages, handlers in order of priority, watchers, and one line per key for what was enqueued.
// Engine thread only. A dispatch whose handlers all answer at once allocates nothing.
#pragma once

#include <jackfield/durability.h>
#include <jackfield/message.h>
#include <jackfield/recorder.h>
#include <jackfield/task.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace jackfield {

class FlightRecorder;

namespace detail {

/// Keeps a count one higher while it lives.
class Flight {
 public:
  Flight() = default;
  explicit Flight(std::shared_ptr<std::size_t> count) : count_(std::move(count)) { ++*count_; }
  Flight(Flight&&) noexcept = default;
  Flight& operator=(Flight&& other) noexcept {
    std::swap(count_, other.count_);
    return *this;
  }
  ~Flight() {
    if (count_) --*count_;
  }

 private:
  std::shared_ptr<std::size_t> count_;
};

}  // namespace detail

/// What a handler answers: a verdict now, a task that will give it, or *handled* with the proviso that something becomes durable.
/// Also what dispatch() answers.
class [[nodiscard]] Verdict {
 public:
  /// A proviso on its way from the handler to whoever dispatched; the dispatch counts as under way as long as it lives.
  struct Open : Proviso {
    explicit Open(Proviso proviso) : Proviso(std::move(proviso)) {}
    Message* message = nullptr;
    detail::Flight flight;
  };

  Verdict(bool handled) : handled_(handled) {}                         // NOLINT: handlers return plain booleans
  Verdict(Task<bool> task) : task_(std::move(task)) {}                 // NOLINT
  Verdict(Proviso proviso) : open_(std::make_unique<Open>(std::move(proviso))) {}  // NOLINT
  explicit Verdict(std::unique_ptr<Open> open) : open_(std::move(open)) {}

  bool immediate() const { return !task_.valid() && !open_; }
  /// Only when immediate().
  bool handled() const { return handled_; }
  /// Handled, but not yet to be acknowledged. Who can hold his answer back takes open(), is done with the message, and answers when
  /// `durable` has come true; for everybody else it is a verdict that is waited for.
  bool provisional() const { return open_ != nullptr; }
  /// Only when provisional(), once.
  std::unique_ptr<Open> open() && { return std::move(open_); }
  /// Only when not immediate(), once.
  Task<bool> task() &&;
  /// Waits for the verdict; cheap when immediate. `bool handled = co_await settle(bus.dispatch(message));`
  friend Task<bool> settle(Verdict verdict);

 private:
  bool handled_ = false;
  Task<bool> task_;
  std::unique_ptr<Open> open_;
};
Task<bool> settle(Verdict verdict);

/// The message outlives the task a handler returns.
using Handler = std::function<Verdict(Message&)>;
/// Sees the message after its dispatch, with the final parameters and the verdict.
using Watcher = std::function<void(const Message&, bool handled)>;

struct HandlerOptions {
  std::string message;           ///< name it answers to
  int priority = 100;            ///< lower runs first; equal ones in the order they were installed
  std::string track;             ///< when not empty, `track:priority` is appended to the message's `handlers` parameter
  std::string filter_name = {};  ///< when not empty: only messages whose parameter `filter_name` …
  std::string filter_value = {}; ///< … has exactly this value
  /// It looks for `dry_run` in the message, and then changes nothing, counts nothing and begins nothing: rehearse() asks it, too.
  bool dry_run = false;
};

/// One installed handler, as handlers() lists it.
struct HandlerInfo {
  std::string message, track, filter_name, filter_value;
  int priority;
};

class Bus {
 public:
  struct Impl;

  /// Withdraws its handler or watcher when destroyed; harmless after the bus is gone. A dispatch under way skips what was
  /// withdrawn meanwhile.
  class [[nodiscard]] Subscription {
   public:
    Subscription() = default;
    Subscription(Subscription&& other) noexcept;
    Subscription& operator=(Subscription&& other) noexcept;
    ~Subscription() { reset(); }
    void reset();
    explicit operator bool() const { return id_ != 0; }

   private:
    friend class Bus;
    Subscription(std::weak_ptr<Impl> bus, std::uint64_t id) : bus_(std::move(bus)), id_(id) {}
    std::weak_ptr<Impl> bus_;
    std::uint64_t id_ = 0;
  };

  /// `start_task` runs what enqueue() began and a handler could not answer at once (the engine's guarded spawn);
  /// `post` runs a function in a later turn of the loop.
  /// `failed` is told of a handler or watcher that threw (`user.auth:100 regfile`), which then counts as not handled;
  /// `running` is where the bus notes whose handler runs: a name that stays readable as long as the bus lives;
  /// `recorder` gets the dispatches of calls and registrations.
  struct Host {
    std::function<void(std::string_view name, Task<void>)> start_task;
    std::function<void(std::function<void()>)> post;
    std::function<void(std::string_view handler, std::string_view what)> failed;
    std::atomic<const char*>* running = nullptr;
    FlightRecorder* recorder = nullptr;
  };
  explicit Bus(Host host);
  ~Bus();
  Bus(const Bus&) = delete;
  Bus& operator=(const Bus&) = delete;

  Subscription install(HandlerOptions options, Handler handler);
  /// An empty name watches every message. What counts is the name after the dispatch.
  Subscription watch(std::string message, Watcher watcher);

  /// Asks the handlers in order until one returns true (all of them for a broadcast). Runs at once, in the caller's turn,
  /// also inside a handler of a message with the same key. The caller keeps `message` alive until the verdict.
  Verdict dispatch(Message& message);
  /// As dispatch(), but waits for its turn in the line of its key (see order_key). Never call it from a handler of that key.
  Task<bool> dispatch_in_order(Message& message);
  /// What dispatch() would do, without consequences: `dry_run` is set, handlers that do not know it are passed over, watchers are told
  /// nothing. What happened is in `record`. Both are kept alive until the verdict.
  Task<bool> rehearse(Message& message, DispatchRecord& record);
  /// Dispatched in a later turn, after what was enqueued before it with the same key; the sender is done with it.
  void enqueue(Message message);
  /// As enqueue, then `done` sees the message and its verdict.
  void enqueue(Message message, std::function<void(Message&, bool handled)> done);

  bool has_handlers(std::string_view message) const;
  /// In the order in which they would be asked; an empty name lists all.
  std::vector<HandlerInfo> handlers(std::string_view message = {}) const;
  /// Dispatches under way, waiting ones included.
  std::size_t in_flight() const;
  /// Messages enqueued and not yet begun.
  std::size_t queued() const;
  /// Gives up what is enqueued or waits for its turn; nothing begins any more. For the end of the loop.
  void close();

 private:
  std::shared_ptr<Impl> impl_;  // also held by dispatches that wait
};

/// What keeps messages in order: the channel `id`; for user.register and user.unregister the AOR (`username`); for call.cdr
/// the `cdrid`. Empty: no order is promised. call.drop has none: it must reach a channel one of whose handlers never answers.
std::string_view order_key(const Message& message);

}  // namespace jackfield
