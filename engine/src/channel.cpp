#include <jackfield/bus.h>
#include <jackfield/channel.h>
#include <jackfield/clock.h>
#include <jackfield/messages/call.h>
#include <jackfield/messages/chan.h>
#include <jackfield/messages/parameters.h>
#include <jackfield/timers.h>

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>

namespace jackfield {

using namespace messages;

namespace {

constexpr int kConnectPriority = 90;
constexpr int kLocatePriority = 40;
constexpr int kMasqueradePriority = 10;
constexpr Duration kTakeoverTimeout = std::chrono::seconds(30);

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

std::string_view direction_word(ChannelDirection direction) {
  return direction == ChannelDirection::incoming ? "incoming" : "outgoing";
}

void set_unless_empty(Message& message, std::string_view name, std::string_view value) {
  if (!value.empty()) message.set(name, value);
}

void set_reason(Message& message, const DisconnectReason& reason) {
  set_unless_empty(message, param::kReason, reason.reason);
  for (const auto& [name, value] : reason.parameters) message.set(name, value);
}

}  // namespace

Channel::Channel(std::string id, std::string driver, ChannelDirection direction)
    : id_(std::move(id)), driver_(std::move(driver)), direction_(direction) {}

Channel::~Channel() = default;

std::string_view Channel::status() const {
  switch (state_) {
    case ChannelState::started: return direction_word(direction_);
    case ChannelState::routed: return "routed";
    case ChannelState::progressing: return "progressing";
    case ChannelState::ringing: return "ringing";
    case ChannelState::answered: return "answered";
    case ChannelState::hungup: return "hungup";
  }
  return {};
}

void Channel::complete(Message& message) const {
  message.set(param::kId, id_).set(param::kModule, driver_).set(param::kStatus, status());
  set_unless_empty(message, param::kAddress, address_);
  set_unless_empty(message, param::kTargetid, target_.empty() ? peer_ : target_);  // scripts go by either name
  set_unless_empty(message, param::kBillid, billid_);
  set_unless_empty(message, param::kPeerid, peer_);
  set_unless_empty(message, param::kLastpeerid, last_peer_);
  message.set_flag(param::kAnswered, answered_).set(param::kDirection, direction_word(direction_));
}

struct ChannelTable::Impl : std::enable_shared_from_this<ChannelTable::Impl> {
  Impl(Bus& b, TimerWheel& t, const Clock& c, std::string r)
      : bus(b), timers(t), clock(c), run_id(std::move(r)), late(timers.add_sink([this](std::uint64_t number) { left_alone(number); })) {}
  ~Impl() { timers.remove_sink(late); }

  void install();
  Channel* find(std::string_view id) const {
    const auto found = channels.find(id);
    return found == channels.end() ? nullptr : found->second;
  }
  /// The channel, or its peer when `peer_flag` says so.
  Channel* find(const Message& message, std::string_view id, std::string_view peer_flag) const {
    Channel* const channel = find(message.get(id));
    return channel != nullptr && message.flag(peer_flag) ? find(channel->peer()) : channel;
  }

  bool connect(Channel& a, Channel& b, const DisconnectReason& reason);
  void tell_connected(const Channel& channel, const DisconnectReason& reason);
  void part(Channel& channel, const DisconnectReason& reason);
  void told(std::uint64_t number, const Message& message, bool handled);
  void left_alone(std::uint64_t number);
  void drop_untaken(const std::string& id, const DisconnectReason& reason);
  bool masquerade(Message& message) const;

  /// A channel whose peer has left it, until the handlers of chan.disconnected have spoken or their time is over.
  struct Left {
    std::string id;
    DisconnectReason reason;
    TimerHandle timer;
  };

  Bus& bus;
  TimerWheel& timers;
  const Clock& clock;
  const std::string run_id;
  const TimerSinkId late;
  Duration takeover_timeout = kTakeoverTimeout;
  std::uint64_t last_left = 0;
  std::unordered_map<std::uint64_t, Left> left;
  std::uint64_t last_billid = 0;
  std::map<std::string, std::uint64_t, std::less<>> last_number;  // by driver
  std::unordered_map<std::string, Channel*, TextHash, std::equal_to<>> channels;
  std::vector<Bus::Subscription> handlers;
};

void ChannelTable::Impl::install() {
  handlers.push_back(bus.install({kChanConnect, kConnectPriority}, [this](Message& message) {
    Channel* const a = find(message, param::kId, param::kIdPeer);
    Channel* const b = find(message, param::kTargetid, param::kTargetidPeer);
    return a != nullptr && b != nullptr && connect(*a, *b, {std::string(message.get(param::kReason))});
  }));
  handlers.push_back(bus.install({kChanLocate, kLocatePriority}, [this](Message& message) {
    const Channel* const channel = find(message.get(param::kId));
    if (channel == nullptr) return false;
    message.attach(std::make_shared<ChannelHandle>(channel->id()));
    return true;
  }));
  handlers.push_back(
      bus.install({kChanMasquerade, kMasqueradePriority}, [this](Message& message) { return masquerade(message); }));
}

// The message goes on as the one named in `message`, as if the channel had sent it. False, so that those handlers are asked.
bool ChannelTable::Impl::masquerade(Message& message) const {
  const Channel* const channel = find(message.get(param::kId));
  const std::string_view name = message.get(param::kMessage);
  if (channel == nullptr || name.empty()) return false;
  message.rename(name);
  message.erase(param::kMessage);
  if (message.flag(param::kCompleteMinimal)) message.set(param::kModule, channel->driver());
  else channel->complete(message);
  message.attach(std::make_shared<ChannelHandle>(channel->id()));
  return false;
}

bool ChannelTable::Impl::connect(Channel& a, Channel& b, const DisconnectReason& reason) {
  if (&a == &b) return false;
  if (a.peer_ == b.id_) return true;
  part(a, reason);
  part(b, reason);
  a.peer_ = b.id_;
  b.peer_ = a.id_;
  tell_connected(a, reason);
  tell_connected(b, reason);
  return true;
}

void ChannelTable::Impl::tell_connected(const Channel& channel, const DisconnectReason& reason) {
  Message message(kChanConnected, clock.wall());
  channel.complete(message);
  set_unless_empty(message, param::kReason, reason.reason);
  bus.enqueue(std::move(message));
}

void ChannelTable::Impl::part(Channel& channel, const DisconnectReason& reason) {
  if (channel.peer_.empty()) return;
  Channel* const peer = find(channel.peer_);
  channel.last_peer_ = std::exchange(channel.peer_, {});
  if (peer == nullptr) return;
  peer->last_peer_ = std::exchange(peer->peer_, {});
  Message message(kChanDisconnected, clock.wall());
  peer->complete(message);
  set_reason(message, reason);
  const auto number = ++last_left;
  const auto timer = takeover_timeout > Duration::zero() ? timers.start(late, number, takeover_timeout, TimerKind::coarse) : TimerHandle{};
  left.emplace(number, Left{peer->id(), reason, timer});
  bus.enqueue(std::move(message), [weak = weak_from_this(), number](Message& message, bool handled) {
    if (const auto impl = weak.lock()) impl->told(number, message, handled);
  });
}

void ChannelTable::Impl::told(std::uint64_t number, const Message& message, bool handled) {
  auto entry = left.extract(number);
  if (entry.empty()) return;  // it took too long
  auto& [id, reason, timer] = entry.mapped();
  if (timer) timers.stop(timer);
  if (handled) return;
  // A handler may have given another reason (D15): `error`, as in routing, or `reason` itself.
  reason.reason = message.get(param::kError, message.get(param::kReason));
  drop_untaken(id, reason);
}

void ChannelTable::Impl::left_alone(std::uint64_t number) {
  const auto entry = left.extract(number);
  if (!entry.empty()) drop_untaken(entry.mapped().id, entry.mapped().reason);
}

void ChannelTable::Impl::drop_untaken(const std::string& id, const DisconnectReason& reason) {
  const Channel* const channel = find(id);
  if (channel == nullptr || !channel->peer().empty()) return;
  Message message(kCallDrop, clock.wall());
  message.set(param::kId, id);
  set_reason(message, reason);
  bus.enqueue(std::move(message));
}

ChannelTable::ChannelTable(Bus& bus, TimerWheel& timers, const Clock& clock, std::string run_id)
    : impl_(std::make_shared<Impl>(bus, timers, clock, std::move(run_id))) {
  impl_->install();
}

ChannelTable::~ChannelTable() = default;

void ChannelTable::set_takeover_timeout(Duration timeout) { impl_->takeover_timeout = timeout; }

std::string ChannelTable::next_id(std::string_view driver) {
  auto number = impl_->last_number.find(driver);
  if (number == impl_->last_number.end()) number = impl_->last_number.emplace(driver, 0).first;
  return fmt::format("{}/{}", driver, ++number->second);
}

std::string ChannelTable::next_billid() { return fmt::format("{}-{}", impl_->run_id, ++impl_->last_billid); }

void ChannelTable::add(Channel& channel) { impl_->channels.insert_or_assign(channel.id(), &channel); }

void ChannelTable::remove(Channel& channel) {
  if (impl_->find(channel.id()) != &channel) return;
  impl_->part(channel, {});
  impl_->channels.erase(channel.id());
}

Channel* ChannelTable::find(std::string_view id) const { return impl_->find(id); }

std::vector<Channel*> ChannelTable::all() const {
  std::vector<Channel*> all;
  for (const auto& [id, channel] : impl_->channels) all.push_back(channel);
  std::sort(all.begin(), all.end(), [](const Channel* a, const Channel* b) { return a->id() < b->id(); });
  return all;
}

std::size_t ChannelTable::size() const { return impl_->channels.size(); }

bool ChannelTable::connect(std::string_view a, std::string_view b, const DisconnectReason& reason) {
  Channel* const first = impl_->find(a);
  Channel* const second = impl_->find(b);
  return first != nullptr && second != nullptr && impl_->connect(*first, *second, reason);
}

void ChannelTable::disconnect(std::string_view id, const DisconnectReason& reason) {
  if (Channel* const channel = impl_->find(id)) impl_->part(*channel, reason);
}

}  // namespace jackfield
