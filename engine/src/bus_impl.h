// The bus from inside: dispatching in bus.cpp and bus_dispatch.h, what is written down of it in bus_recorded.cpp, the queue and its lines in
// bus_queue.cpp. Engine thread only.
#pragma once

#include "bus_index.h"
#include "recorder/flight_recorder.h"

#include <deque>
#include <optional>
#include <set>
#include <unordered_map>

namespace jackfield {

namespace detail {
struct PendingSlot;
}

struct Bus::Impl : std::enable_shared_from_this<Bus::Impl> {
  using HandlerEntry = detail::Entry<Handler>;
  using HandlerList = detail::EntryList<Handler>;
  using WatcherEntry = detail::Entry<Watcher>;
  using WatcherList = detail::EntryList<Watcher>;

  explicit Impl(Host h);

  // bus.cpp

  /// How far a dispatch has come.
  struct Progress {
    detail::Place last;
    std::uint64_t limit;  // what was installed later than the dispatch began is not asked
    bool handled = false;
    bool waited = false;  // for a handler
    FlightRecorder::Recording* recording = nullptr;  // none: nobody writes it down
  };
  /// Keeps an entry while a task that it made waits.
  class Pin;
  /// Entries are not destroyed inside it.
  class Busy;
  /// The verdict of a handler that waits; no entry: the dispatch is over, with a proviso if it is `open`.
  struct Waiting {
    HandlerEntry* entry = nullptr;
    Task<bool> task = {};
    std::unique_ptr<Verdict::Open> open = {};
  };
  /// Who cares for messages of one name.
  struct Interested {
    HandlerList handlers;
    WatcherList watchers;
    Recorded recorded = Recorded::nothing;  // what is recorded stays known, also while nobody cares
    bool nobody() const { return handlers.empty() && watchers.empty() && recorded == Recorded::nothing; }
  };

  std::uint64_t install(HandlerOptions options, Handler handler);
  std::uint64_t watch(std::string message, Watcher watcher);
  void withdraw(std::uint64_t id);
  const char* label_of(const HandlerOptions& options);

  Verdict dispatch(Message& message);
  Verdict dispatch_recorded(Message& message, const Interested& interested, FlightRecorder::Open record);
  /// `kRecorded`: each step is written down. `interested`: who cares for the message's name now; null: nobody.
  template <bool kRecorded>
  Waiting ask(Message& message, Progress& progress, const Interested* interested);
  Waiting ask_further(Message& message, Progress& progress);
  static Task<bool> rehearse(std::shared_ptr<Impl> impl, Message* message, DispatchRecord* record);
  detail::Flight flight();
  bool may_stay_open(const Message& message) const;
  void tell(const Message& message, bool handled);
  void sweep();
  void forget_if_nobody(std::string_view message);
  static Task<bool> ask_on(std::shared_ptr<Impl> impl, Message* message, Progress progress, Task<bool> task, Pin pin, detail::Flight flight,
                           FlightRecorder::Open record);

  // bus_queue.cpp

  struct Queued {
    std::string key;
    Message message{std::string_view()};
    std::function<void(Message&, bool)> done;
    std::shared_ptr<detail::PendingSlot> ticket;  // instead of a message: whose turn it is
    ~Queued();
  };
  /// Exists while a message of its key waits for a handler; what came later stands behind it.
  struct Line {
    std::deque<std::unique_ptr<Queued>> parked;
  };
  class LineOwner;

  void enqueue(std::unique_ptr<Queued> item);
  void drain();
  bool turn_is_now(const std::string& key) const;
  /// Dispatches the item whose turn it is. False: it waits, and so does what stands behind it.
  bool begin(std::unique_ptr<Queued> item);
  /// The line's owner is done: on with what stands behind.
  void advance_line(const std::string& key);
  void finish(Queued& item, bool handled);
  static Task<> wait_and_finish(std::shared_ptr<Impl> impl, std::unique_ptr<Queued> item, Task<bool> task);
  static Task<bool> dispatch_in_order(std::shared_ptr<Impl> impl, Message* message);
  void close();

  Host host;
  std::atomic<const char*> own_running{nullptr};
  std::atomic<const char*>& running;

  std::uint64_t next_id = 1;
  detail::ByName<Interested> by_name;
  WatcherList watchers_of_all;
  std::unordered_map<std::uint64_t, HandlerEntry*> handler_of_id;
  std::unordered_map<std::uint64_t, WatcherEntry*> watcher_of_id;
  std::set<std::string> labels;  // kept, up to a number: the watchdog's thread may be reading one
  std::vector<std::unique_ptr<HandlerEntry>> withdrawn_handlers;
  std::vector<std::unique_ptr<WatcherEntry>> withdrawn_watchers;
  int depth = 0;
  bool to_sweep = false;
  std::size_t in_flight = 0;

  std::deque<std::unique_ptr<Queued>> queue;
  std::unordered_map<std::string, Line> lines;
  std::size_t parked = 0;
  bool drain_posted = false;
  bool closed = false;
};

}  // namespace jackfield
