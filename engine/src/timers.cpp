// A hierarchical wheel: five levels of 256 slots. A timer lies in the level of the highest byte in which its tick differs from
// the current one and moves down at most once a level, so a timer of 32 s costs two list insertions in its life.
#include <jackfield/timers.h>

#include <algorithm>
#include <array>
#include <bit>
#include <utility>
#include <vector>

namespace jackfield {
namespace {

constexpr std::uint32_t kNone = UINT32_MAX;
constexpr int kLevels = 5;
constexpr std::uint32_t kSlots = 256;
constexpr std::uint64_t kMaxTicks = 1ULL << 36;  // decades: longer delays end then, and still fit the levels

struct Node {
  std::uint64_t id;
  std::uint64_t tick;
  std::uint32_t next, previous;  // in its list; next also chains free nodes
  std::uint32_t generation = 0;
  TimerSinkId sink;
  std::uint16_t list;  // level × 256 + slot, or kFiring
  TimerKind kind;
  bool running = false;
};

constexpr std::uint16_t kFiring = kLevels * kSlots;

struct List {
  std::uint32_t first = kNone, last = kNone;
};

/// One wheel of a given step; the nodes are in a pool that the two wheels share.
class Wheel {
 public:
  Wheel(std::vector<Node>& nodes, Duration step) : nodes_(nodes), step_(step) {}

  std::uint64_t tick_at(MonoTime time) const { return static_cast<std::uint64_t>(time.time_since_epoch() / step_); }
  /// An idle wheel has nothing to catch up with.
  void rest_at(MonoTime now) {
    if (count_ == 0) current_ = std::max(current_, tick_at(now));
  }
  void insert(std::uint32_t index, MonoTime now, Duration delay) {
    const Duration kept = std::clamp(delay, Duration(0), step_ * static_cast<Duration::rep>(kMaxTicks));
    const std::uint64_t due = static_cast<std::uint64_t>((now.time_since_epoch() + kept + step_ - Duration(1)) / step_);
    nodes_[index].tick = std::max(due, current_ + 1);
    place(index);
    ++count_;
  }
  void remove(std::uint32_t index) {
    unlink(index);
    --count_;
  }

  /// Calls fire(index) for each timer due at `now`, already taken off its list.
  template <class Fire>
  void advance(MonoTime now, Fire fire) {
    const std::uint64_t target = tick_at(now);
    fire_taken(fire);  // what a sink that threw left behind
    for (std::optional<std::uint64_t> event = next_event(); event && *event <= target; event = next_event()) {
      current_ = *event;
      for (int level = kLevels - 1; level > 0; --level)
        if ((current_ & ((1ULL << (8 * level)) - 1)) == 0) cascade(level);
      lists_[kFiring] = take(slot_of(0));
      for (std::uint32_t index = lists_[kFiring].first; index != kNone; index = nodes_[index].next) nodes_[index].list = kFiring;
      fire_taken(fire);
    }
    current_ = std::max(current_, target);
  }

  std::optional<MonoTime> next_due() const {
    const auto event = next_event();
    if (!event) return {};
    return MonoTime(step_ * static_cast<Duration::rep>(*event));
  }

 private:
  std::uint16_t slot_of(int level) const { return static_cast<std::uint16_t>(level * kSlots + ((current_ >> (8 * level)) & 0xff)); }

  /// The next tick at which a list fires or moves down. Lists of a level lie after the current slot and within the current
  /// turn of that level, so the lowest level that has any is the next one.
  std::optional<std::uint64_t> next_event() const {
    if (count_ == 0) return {};
    if (lists_[kFiring].first != kNone) return current_;
    for (int level = 0; level < kLevels; ++level) {
      for (std::uint32_t word = ((current_ >> (8 * level)) & 0xff) / 64; word < kSlots / 64; ++word) {
        const std::uint64_t bits = occupied_[level * (kSlots / 64) + word];
        if (bits == 0) continue;
        const std::uint64_t slot = word * 64 + static_cast<std::uint64_t>(std::countr_zero(bits));
        return ((current_ >> (8 * (level + 1))) << (8 * (level + 1))) | slot << (8 * level);
      }
    }
    return {};
  }

  void place(std::uint32_t index) {
    Node& node = nodes_[index];
    const std::uint64_t differs = node.tick ^ current_;
    const int level = differs == 0 ? 0 : (63 - std::countl_zero(differs)) / 8;
    node.list = static_cast<std::uint16_t>(level * kSlots + ((node.tick >> (8 * level)) & 0xff));
    List& list = lists_[node.list];
    node.next = kNone;
    node.previous = list.last;
    (list.last == kNone ? list.first : nodes_[list.last].next) = index;
    list.last = index;
    occupied_[node.list / 64] |= 1ULL << (node.list % 64);
  }

  void unlink(std::uint32_t index) {
    const Node& node = nodes_[index];
    List& list = lists_[node.list];
    (node.previous == kNone ? list.first : nodes_[node.previous].next) = node.next;
    (node.next == kNone ? list.last : nodes_[node.next].previous) = node.previous;
    if (list.first == kNone && node.list != kFiring) occupied_[node.list / 64] &= ~(1ULL << (node.list % 64));
  }

  List take(std::uint16_t list) {
    occupied_[list / 64] &= ~(1ULL << (list % 64));
    return std::exchange(lists_[list], List{});
  }

  template <class Fire>
  void fire_taken(Fire fire) {
    while (lists_[kFiring].first != kNone) {
      const std::uint32_t index = lists_[kFiring].first;
      remove(index);
      fire(index);
    }
  }

  void cascade(int level) {
    for (std::uint32_t index = take(slot_of(level)).first; index != kNone;) {
      const std::uint32_t next = nodes_[index].next;
      place(index);
      index = next;
    }
  }

  std::vector<Node>& nodes_;
  const Duration step_;
  std::uint64_t current_ = 0;  // everything up to this tick has fired
  std::size_t count_ = 0;
  std::array<List, kLevels * kSlots + 1> lists_;
  std::array<std::uint64_t, kLevels * kSlots / 64> occupied_{};
};

}  // namespace

struct TimerWheel::Impl {
  explicit Impl(const Clock& c) : clock(c), precise(nodes, Duration(10)), coarse(nodes, Duration(1000)) {}

  Wheel& wheel(TimerKind kind) { return kind == TimerKind::precise ? precise : coarse; }
  void release(std::uint32_t index) {
    Node& node = nodes[index];
    node.running = false;
    ++node.generation;
    node.next = std::exchange(free, index);
    --running;
  }
  void fire(std::uint32_t index) {
    const Node fired = nodes[index];
    release(index);
    (*sinks[fired.sink])(fired.id);
  }

  const Clock& clock;
  std::vector<Node> nodes;
  std::uint32_t free = kNone;
  std::size_t running = 0;
  Wheel precise, coarse;
  std::vector<std::unique_ptr<TimerSink>> sinks;    // by id; ids are not used again
  std::vector<std::unique_ptr<TimerSink>> removed;  // while one of them may be running
  bool firing = false;
};

TimerWheel::TimerWheel(const Clock& clock) : impl_(std::make_unique<Impl>(clock)) {}
TimerWheel::~TimerWheel() = default;

TimerSinkId TimerWheel::add_sink(TimerSink sink) {
  impl_->sinks.push_back(std::make_unique<TimerSink>(std::move(sink)));
  return static_cast<TimerSinkId>(impl_->sinks.size() - 1);
}

void TimerWheel::remove_sink(TimerSinkId sink) {
  for (std::uint32_t index = 0; index < impl_->nodes.size(); ++index) {
    const Node& node = impl_->nodes[index];
    if (!node.running || node.sink != sink) continue;
    impl_->wheel(node.kind).remove(index);
    impl_->release(index);
  }
  impl_->removed.push_back(std::move(impl_->sinks[sink]));
  if (!impl_->firing) impl_->removed.clear();
}

TimerHandle TimerWheel::start(TimerSinkId sink, std::uint64_t id, Duration delay, TimerKind kind) {
  std::uint32_t index = impl_->free;
  if (index != kNone) {
    impl_->free = impl_->nodes[index].next;
  } else {
    index = static_cast<std::uint32_t>(impl_->nodes.size());
    impl_->nodes.emplace_back();
  }
  Node& node = impl_->nodes[index];
  node.id = id;
  node.sink = sink;
  node.kind = kind;
  node.running = true;
  ++impl_->running;
  const MonoTime now = impl_->clock.now();
  Wheel& wheel = impl_->wheel(kind);
  wheel.rest_at(now);
  wheel.insert(index, now, delay);
  return {index, node.generation};
}

bool TimerWheel::stop(TimerHandle handle) {
  if (handle.slot >= impl_->nodes.size()) return false;
  const Node& node = impl_->nodes[handle.slot];
  if (!node.running || node.generation != handle.generation) return false;
  impl_->wheel(node.kind).remove(handle.slot);
  impl_->release(handle.slot);
  return true;
}

void TimerWheel::advance() {
  if (impl_->firing) return;  // a sink that turns the loop itself does not fire the rest out of order
  impl_->firing = true;
  const std::unique_ptr<Impl, void (*)(Impl*)> done(impl_.get(), [](Impl* impl) { impl->removed.clear(), impl->firing = false; });
  const MonoTime now = impl_->clock.now();
  const auto fire = [this](std::uint32_t index) { impl_->fire(index); };
  impl_->precise.advance(now, fire);
  impl_->coarse.advance(now, fire);
}

std::optional<MonoTime> TimerWheel::next_due() const {
  const auto precise = impl_->precise.next_due();
  const auto coarse = impl_->coarse.next_due();
  return precise && coarse ? std::min(precise, coarse) : precise ? precise : coarse;
}

std::size_t TimerWheel::running() const { return impl_->running; }

}  // namespace jackfield
