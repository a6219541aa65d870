// enqueue() and the lines that keep messages of one key in order. Everything enqueued stands in one queue; a line exists only
// for a key of which a message waits for a handler, and vanishes with the last one behind it.
#include "bus_impl.h"

#include <jackfield/detail/pending.h>

namespace jackfield {
namespace {

// Looking through a longer queue for one key costs more than standing in it.
constexpr std::size_t kLookThrough = 32;

/// Keys of different kinds never meet: a user may be called as a channel is.
std::string line_key(const Message& message) {
  const std::string_view key = order_key(message);
  if (key.empty()) return {};
  const std::string_view name = message.name();
  const char kind = name.starts_with("user.") ? 'u' : name == "call.cdr" ? 'r' : 'c';
  std::string line(1, kind);
  return line.append(key);
}

}  // namespace

std::string_view order_key(const Message& message) {
  const std::string_view name = message.name();
  if (name == "user.register" || name == "user.unregister") return message.get("username");
  if (name == "call.cdr") return message.get("cdrid");
  if (name.starts_with("user.")) return {};
  if (name == "call.drop") return {};  // it ends what waits, also a handler that never answers
  return message.get("id");
}

/// Holds the line of a message whose handler waits.
class Bus::Impl::LineOwner {
 public:
  LineOwner(std::shared_ptr<Impl> impl, std::string key) : impl_(std::move(impl)), key_(std::move(key)) { impl_->lines.try_emplace(key_); }
  LineOwner(const LineOwner&) = delete;
  /// What stands behind begins in a turn of its own, not on the stack of whoever ends.
  ~LineOwner() {
    const auto line = impl_->lines.find(key_);
    if (line == impl_->lines.end()) return;
    if (line->second.parked.empty()) impl_->lines.erase(line);
    else impl_->host.post([impl = impl_, key = key_] { impl->advance_line(key); });
  }

 private:
  std::shared_ptr<Impl> impl_;
  std::string key_;
};

Bus::Impl::Queued::~Queued() {
  if (ticket) ticket->abandon();
}

void Bus::Impl::enqueue(std::unique_ptr<Queued> item) {
  if (closed) return;
  queue.push_back(std::move(item));
  if (std::exchange(drain_posted, true)) return;
  host.post([weak = weak_from_this()] {
    if (const auto impl = weak.lock()) impl->drain();
  });
}

void Bus::Impl::drain() {
  drain_posted = false;
  // What is enqueued from here on belongs to a later turn.
  for (std::size_t count = queue.size(); count != 0 && !queue.empty(); --count) {
    std::unique_ptr<Queued> item = std::move(queue.front());
    queue.pop_front();
    const auto line = item->key.empty() || lines.empty() ? lines.end() : lines.find(item->key);
    if (line == lines.end()) {
      begin(std::move(item));
    } else {
      line->second.parked.push_back(std::move(item));
      ++parked;
    }
  }
}

bool Bus::Impl::begin(std::unique_ptr<Queued> item) {
  if (item->ticket) {
    // The line is kept for whoever holds the ticket, who is resumed in a later turn and then owns it.
    lines.try_emplace(item->key);
    std::exchange(item->ticket, nullptr)->finish(nullptr, {});
    return false;
  }
  Verdict verdict = dispatch(item->message);
  if (verdict.immediate()) {
    finish(*item, verdict.handled());
    return true;
  }
  if (!item->key.empty()) lines.try_emplace(item->key);
  const std::string name(item->message.name());
  host.start_task(name, wait_and_finish(shared_from_this(), std::move(item), std::move(verdict).task()));
  return false;
}

Task<> Bus::Impl::wait_and_finish(std::shared_ptr<Impl> impl, std::unique_ptr<Queued> item, Task<bool> task) {
  std::optional<LineOwner> owner;
  if (!item->key.empty()) owner.emplace(impl, item->key);
  const bool handled = co_await std::move(task);
  impl->finish(*item, handled);
}

void Bus::Impl::advance_line(const std::string& key) {
  for (;;) {
    const auto line = lines.find(key);
    if (line == lines.end()) return;
    if (line->second.parked.empty()) {
      lines.erase(line);
      return;
    }
    std::unique_ptr<Queued> item = std::move(line->second.parked.front());
    line->second.parked.pop_front();
    --parked;
    if (!begin(std::move(item))) return;
  }
}

void Bus::Impl::finish(Queued& item, bool handled) {
  if (!item.done) return;
  const std::string name(item.message.name());
  try {
    item.done(item.message, handled);
  } catch (const std::exception& error) {
    host.failed(name, error.what());
  }
}

bool Bus::Impl::turn_is_now(const std::string& key) const {
  if (lines.contains(key)) return false;
  return queue.size() <= kLookThrough && std::none_of(queue.begin(), queue.end(), [&](const auto& item) { return item->key == key; });
}

Task<bool> Bus::Impl::dispatch_in_order(std::shared_ptr<Impl> impl, Message* message) {
  const std::string key = line_key(*message);
  std::optional<LineOwner> owner;
  if (!key.empty() && !impl->turn_is_now(key)) {
    auto ticket = std::make_shared<detail::PendingSlot>();
    auto item = std::make_unique<Queued>();
    item->key = key;
    item->ticket = ticket;
    impl->enqueue(std::move(item));
    co_await detail::wait_until_finished(ticket);
    owner.emplace(impl, key);
  }
  Verdict verdict = impl->dispatch(*message);
  if (verdict.immediate()) co_return verdict.handled();
  if (!key.empty() && !owner) owner.emplace(impl, key);
  const bool handled = co_await std::move(verdict).task();
  co_return handled;
}

void Bus::Impl::close() {
  closed = true;
  parked = 0;
  // Their destructors may come back.
  const auto dropped = std::exchange(queue, {});
  const auto dropped_lines = std::exchange(lines, {});
}

Task<bool> Bus::dispatch_in_order(Message& message) { return Impl::dispatch_in_order(impl_, &message); }

void Bus::enqueue(Message message) { enqueue(std::move(message), {}); }

void Bus::enqueue(Message message, std::function<void(Message&, bool handled)> done) {
  auto item = std::make_unique<Impl::Queued>();
  item->key = line_key(message);
  item->message = std::move(message);
  item->done = std::move(done);
  impl_->enqueue(std::move(item));
}

std::size_t Bus::queued() const { return impl_->queue.size() + impl_->parked; }

void Bus::close() { impl_->close(); }

}  // namespace jackfield
