#include "bus_dispatch.h"

#include <fmt/format.h>

namespace jackfield {

namespace {

/// Scripts choose the names of messages: what is kept of them for ever is bounded.
constexpr std::size_t kMostLabels = 4096, kLongestLabel = 128;
constexpr const char* kOneOfMany = "a handler of one of too many names";

Task<bool> keep_proviso(std::unique_ptr<Verdict::Open> open) {
  auto waiting = open->durable.wait();
  const std::string error = co_await std::move(waiting);
  if (error.empty()) co_return true;
  if (open->message != nullptr) open->message->set(messages::param::kCode, open->code).set(messages::param::kReason, open->reason);
  co_return false;
}

}  // namespace

Task<bool> Verdict::task() && { return open_ ? keep_proviso(std::move(open_)) : std::move(task_); }

Task<bool> settle(Verdict verdict) {
  if (verdict.immediate()) co_return verdict.handled();
  auto task = std::move(verdict).task();
  co_return co_await std::move(task);
}

Bus::Impl::Impl(Host h) : host(std::move(h)), running(host.running != nullptr ? *host.running : own_running) {
  if (host.recorder == nullptr) return;
  for (const auto& [name, kind] : recorded_messages()) by_name[name].recorded = kind;
}

Verdict Bus::Impl::dispatch(Message& message) {
  const Busy busy(*this);
  const detail::Count count(in_flight);
  const Interested* const interested = by_name.find(message.name());
  if (interested != nullptr && host.recorder != nullptr && host.recorder->records(interested->recorded)) [[unlikely]]
    return dispatch_recorded(message, *interested, host.recorder->begin(message, interested->recorded));
  Progress progress{detail::kBeforeAll, next_id};
  Waiting waiting = ask<false>(message, progress, interested);
  if (waiting.entry != nullptr) {
    auto self = shared_from_this();
    return ask_on(self, &message, progress, std::move(waiting.task), Pin(self, waiting.entry), flight(), {});
  }
  if (waiting.open) return Verdict(std::move(waiting.open));
  if (!watcher_of_id.empty()) tell(message, progress.handled);
  return progress.handled;
}

detail::Flight Bus::Impl::flight() { return detail::Flight(std::shared_ptr<std::size_t>(shared_from_this(), &in_flight)); }

/// Who watches, or is asked next, wants to know how it ended.
bool Bus::Impl::may_stay_open(const Message& message) const {
  if (message.broadcast() || !watchers_of_all.empty()) return false;
  if (watcher_of_id.empty()) return true;
  const Interested* const interested = by_name.find(message.name());
  return interested == nullptr || interested->watchers.empty();
}

Bus::Impl::Waiting Bus::Impl::ask_further(Message& message, Progress& progress) {
  const Interested* const interested = by_name.find(message.name());
  return progress.recording != nullptr ? ask<true>(message, progress, interested) : ask<false>(message, progress, interested);
}

Task<bool> Bus::Impl::ask_on(std::shared_ptr<Impl> impl, Message* message, Progress progress, Task<bool> task, Pin pin, detail::Flight,
                             FlightRecorder::Open record) {
  std::optional<Task<bool>> waits(std::move(task));  // assigning to a task leaks the one it held
  progress.waited = true;
  for (;;) {
    bool handled = false, threw = false;
    try {
      handled = co_await std::move(*waits);
    } catch (...) {
      threw = true;
      impl->host.failed(pin.label(), detail::what_was_thrown());
    }
    waits.reset();
    const Busy busy(*impl);
    if (record) {
      using recorder::Answer;
      impl->host.recorder->resumed(*record.get(), *message, threw ? Answer::threw : handled ? Answer::handled : Answer::passed);
    }
    progress.handled = progress.handled || handled;
    if (!handled || message->broadcast()) {
      Waiting waiting = impl->ask_further(*message, progress);
      if (waiting.entry != nullptr) {
        pin.move_to(waiting.entry);
        waits.emplace(std::move(waiting.task));
        continue;
      }
    }
    const bool rehearsal = record && FlightRecorder::is_rehearsal(*record.get());
    if (record) impl->host.recorder->end(record);
    if (!impl->watcher_of_id.empty() && !rehearsal) impl->tell(*message, progress.handled);
    co_return progress.handled;
  }
}

void Bus::Impl::tell(const Message& message, bool handled) {
  static const WatcherList kNobody;
  const Interested* const interested = by_name.find(message.name());
  WatcherList::Walk named(interested == nullptr ? kNobody : interested->watchers, detail::kBeforeAll);
  WatcherList::Walk all(watchers_of_all, detail::kBeforeAll);
  const std::uint64_t limit = next_id;
  // Two lists, one order.
  WatcherEntry* first = named.next();
  WatcherEntry* second = all.next();
  while (first != nullptr || second != nullptr) {
    const bool take_first = second == nullptr || (first != nullptr && first->place < second->place);
    WatcherEntry* const entry = take_first ? first : second;
    if (!entry->withdrawn && entry->place.id < limit) {
      running.store(entry->label, std::memory_order_relaxed);
      try {
        entry->call(message, handled);
      } catch (...) {
        host.failed(entry->label, detail::what_was_thrown());
      }
    }
    (take_first ? first : second) = (take_first ? named : all).next();
  }
}

const char* Bus::Impl::label_of(const HandlerOptions& options) {
  auto label = fmt::format("{}:{}{}{}", options.message.empty() ? "*" : options.message, options.priority, options.track.empty() ? "" : " ",
                           options.track);
  if (label.size() > kLongestLabel) label.resize(kLongestLabel);
  if (labels.size() >= kMostLabels && !labels.contains(label)) return kOneOfMany;
  return labels.insert(std::move(label)).first->c_str();
}

std::uint64_t Bus::Impl::install(HandlerOptions options, Handler handler) {
  auto entry = std::make_unique<HandlerEntry>();
  entry->place = {options.priority, next_id++};
  entry->call = std::move(handler);
  entry->label = label_of(options);
  entry->filtered = !options.filter_name.empty();
  entry->tracked = !options.track.empty();
  if (entry->tracked) entry->tracking = fmt::format("{}:{}", options.track, options.priority);
  entry->options = std::move(options);
  handler_of_id.emplace(entry->place.id, entry.get());
  const std::uint64_t id = entry->place.id;
  HandlerList& handlers = by_name[entry->options.message].handlers;
  handlers.insert(std::move(entry));
  return id;
}

std::uint64_t Bus::Impl::watch(std::string message, Watcher watcher) {
  auto entry = std::make_unique<WatcherEntry>();
  entry->place = {0, next_id++};
  entry->call = std::move(watcher);
  entry->options = {.message = std::move(message), .priority = 0, .track = "watcher"};
  entry->label = label_of(entry->options);
  watcher_of_id.emplace(entry->place.id, entry.get());
  const std::uint64_t id = entry->place.id;
  WatcherList& watchers = entry->options.message.empty() ? watchers_of_all : by_name[entry->options.message].watchers;
  watchers.insert(std::move(entry));
  return id;
}

void Bus::Impl::withdraw(std::uint64_t id) {
  if (const auto node = handler_of_id.extract(id)) {
    HandlerEntry& entry = *node.mapped();
    entry.withdrawn = true;
    withdrawn_handlers.push_back(by_name.find(entry.options.message)->handlers.take(entry.place));
  } else if (const auto watcher = watcher_of_id.extract(id)) {
    WatcherEntry& entry = *watcher.mapped();
    entry.withdrawn = true;
    WatcherList& list = entry.options.message.empty() ? watchers_of_all : by_name.find(entry.options.message)->watchers;
    withdrawn_watchers.push_back(list.take(entry.place));
  }
  to_sweep = true;
  if (depth == 0) sweep();
}

/// Destroys what was withdrawn, save handlers whose tasks still wait. A destructor may come back to the bus.
void Bus::Impl::sweep() {
  to_sweep = false;
  const auto dead = std::partition(withdrawn_handlers.begin(), withdrawn_handlers.end(), [](const auto& entry) { return entry->pins != 0; });
  std::vector<std::unique_ptr<HandlerEntry>> handlers_to_drop(std::make_move_iterator(dead),
                                                               std::make_move_iterator(withdrawn_handlers.end()));
  withdrawn_handlers.erase(dead, withdrawn_handlers.end());
  const auto watchers_to_drop = std::exchange(withdrawn_watchers, {});
  for (const auto& entry : handlers_to_drop) forget_if_nobody(entry->options.message);
  for (const auto& entry : watchers_to_drop) forget_if_nobody(entry->options.message);
}

void Bus::Impl::forget_if_nobody(std::string_view message) {
  if (const Interested* const interested = by_name.find(message); interested != nullptr && interested->nobody()) by_name.erase(message);
}

Bus::Bus(Host host) : impl_(std::make_shared<Impl>(std::move(host))) {}

Bus::~Bus() { close(); }

Bus::Subscription::Subscription(Subscription&& other) noexcept : bus_(std::move(other.bus_)), id_(std::exchange(other.id_, 0)) {}

Bus::Subscription& Bus::Subscription::operator=(Subscription&& other) noexcept {
  if (this == &other) return *this;
  reset();
  bus_ = std::move(other.bus_);
  id_ = std::exchange(other.id_, 0);
  return *this;
}

void Bus::Subscription::reset() {
  const std::uint64_t id = std::exchange(id_, 0);
  if (id == 0) return;
  if (const auto bus = bus_.lock()) bus->withdraw(id);
  bus_.reset();
}

Bus::Subscription Bus::install(HandlerOptions options, Handler handler) {
  return {impl_, impl_->install(std::move(options), std::move(handler))};
}

Bus::Subscription Bus::watch(std::string message, Watcher watcher) { return {impl_, impl_->watch(std::move(message), std::move(watcher))}; }

Verdict Bus::dispatch(Message& message) { return impl_->dispatch(message); }

Task<bool> Bus::rehearse(Message& message, DispatchRecord& record) { return Impl::rehearse(impl_, &message, &record); }

bool Bus::has_handlers(std::string_view message) const {
  const Impl::Interested* const interested = impl_->by_name.find(message);
  return interested != nullptr && !interested->handlers.empty();
}

std::vector<HandlerInfo> Bus::handlers(std::string_view message) const {
  std::vector<const Impl::HandlerEntry*> entries;
  impl_->by_name.each([&](std::string_view name, const Impl::Interested& interested) {
    if (!message.empty() && name != message) return;
    for (const auto& entry : interested.handlers.entries()) entries.push_back(entry.get());
  });
  std::sort(entries.begin(), entries.end(), [](const auto* a, const auto* b) { return a->place < b->place; });
  std::vector<HandlerInfo> infos;
  for (const auto* entry : entries) {
    const HandlerOptions& options = entry->options;
    infos.push_back({options.message, options.track, options.filter_name, options.filter_value, options.priority});
  }
  return infos;
}

std::size_t Bus::in_flight() const { return impl_->in_flight; }

}  // namespace jackfield
