// The transport with sockets: listeners by index, connections by number, UDP flows by nothing but their id.
#include "stack/transport.h"

#include <fmt/format.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <unordered_map>

#include "stack/local_addresses.h"
#include "stack/port_owner.h"
#include "stack/source_key.h"
#include "stack/tcp_connection.h"
#include "stack/tcp_listener.h"
#include "stack/udp_socket.h"

#include <jackfield/engine.h>
#include <jackfield/metrics.h>

namespace jackfield::sip::stack {
namespace {

namespace asio = boost::asio;

constexpr std::uint16_t kDefaultPort = 5060;
constexpr std::size_t kReadBuffer = 64 * 1024;
constexpr Duration kExhaustedPause{1000};  // before accepting again when descriptors ran out
constexpr std::size_t kMaxDatagram = 65535;
constexpr unsigned kCandidates = 32;       // connections looked at for one to give up

Counter& sent_counter(Metrics& metrics, TransportKind kind) {
  return metrics.counter("jackfield_sip_messages_sent_total", "SIP messages and keep-alives sent.", {{"transport", std::string(transport_parameter(kind))}});
}

bool same_text(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

class SocketTransport final : public Transport, private SocketHost {
 public:
  SocketTransport(Engine& engine, TransportOptions options, TransportEvents& events);
  ~SocketTransport() override;

  tl::expected<std::uint16_t, std::string> open(const ListenerOptions& listener) override;
  void close(std::uint16_t listener) override;
  std::vector<std::pair<std::uint16_t, ListenerOptions>> listeners() const override;
  bool send(const FlowId& flow, std::string_view bytes) override;
  std::optional<FlowId> flow_to(TransportKind kind, const net::Address& remote, std::optional<std::uint16_t> prefer) override;
  void hold(const FlowId& flow) override;
  void release(const FlowId& flow) override;
  bool alive(const FlowId& flow) const override;
  bool connecting(const FlowId& flow) const override;
  void close(const FlowId& flow) override;
  Reach reach(const FlowId& flow) const override;
  bool is_ours(std::string_view host, std::uint16_t port) const override;
  void flush() override;

 private:
  struct Listener {
    ListenerOptions options;  // `bind` with the real port
    std::shared_ptr<UdpSocket> udp;
    std::shared_ptr<TcpListener> tcp;
    bool is_open() const { return udp || tcp; }
  };
  struct Entry {
    std::shared_ptr<TcpConnection> connection;
    TimerHandle age;
  };
  struct Ended {
    FlowId flow;
    std::string reason;
  };

  TransportEvents& events() override { return events_; }
  SocketHost& host() { return *this; }
  void queued(std::uint32_t connection) override;
  void enter() override { ++depth_; }
  void leave() override;
  void ended(const FlowId& flow, std::string reason) override;
  void watch(const FlowId& flow, Duration delay, TimerKind kind) override;
  std::span<char> read_buffer() override { return {read_buffer_.get(), kReadBuffer}; }

  const Listener* listener(std::uint16_t index) const {
    return index < listeners_.size() && listeners_[index].is_open() ? &listeners_[index] : nullptr;
  }
  TcpConnection* connection(const FlowId& flow) const {
    const auto entry = connections_.find(flow.connection);
    return entry != connections_.end() ? entry->second.connection.get() : nullptr;
  }
  std::optional<std::uint16_t> choose(TransportKind kind, const net::Address& remote, std::optional<std::uint16_t> prefer) const;
  void accepted(std::uint16_t listener, asio::ip::tcp::socket socket, const net::Address& remote);
  TcpConnection& add_connection(asio::ip::tcp::socket socket, const net::Address& remote, std::uint16_t listener);
  bool make_room();
  void limit_source(SourceKey source);
  void check_age(std::uint64_t number);
  void later();

  Engine& engine_;
  Logger& log_;
  TransportOptions options_;
  TransportEvents& events_;
  mutable LocalAddresses local_;
  std::unique_ptr<ReceiveBatch, ReceiveBatchDeleter> batch_;
  std::unique_ptr<char[]> read_buffer_;
  std::vector<Listener> listeners_;
  std::unordered_map<std::uint32_t, Entry> connections_;
  std::unordered_map<net::Address, std::uint32_t, net::AddressHash> by_remote_;
  std::unordered_map<SourceKey, std::vector<std::uint32_t>> by_source_;
  std::uint32_t last_connection_ = 0;
  std::vector<std::uint32_t> dirty_;  // connections with something to send
  std::vector<Ended> ended_;
  unsigned depth_ = 0;
  bool posted_ = false, full_ = false;
  Counter& sent_udp_;
  Counter& sent_tcp_;
  Counter& unsent_;
  Counter& turned_away_;
  Counter& crowded_out_;
  std::shared_ptr<void> connections_gauge_;
  TimerSinkId ages_, pauses_;
  std::shared_ptr<SocketTransport*> self_;  // what is posted looks here whether we still are
};

SocketTransport::SocketTransport(Engine& engine, TransportOptions options, TransportEvents& events)
    : engine_(engine),
      log_(engine.log("sip")),
      options_(options),
      events_(events),
      local_(engine.clock()),
      batch_(make_receive_batch(std::min(options.max_message, kMaxDatagram))),
      read_buffer_(std::make_unique_for_overwrite<char[]>(kReadBuffer)),
      sent_udp_(sent_counter(engine.metrics(), TransportKind::udp)),
      sent_tcp_(sent_counter(engine.metrics(), TransportKind::tcp)),
      unsent_(engine.metrics().counter("jackfield_sip_messages_unsent_total", "SIP messages for a flow that was gone or whose queue was full.")),
      turned_away_(engine.metrics().counter("jackfield_sip_connections_refused_total", "Connections closed at once: of a banned source, or because max_connections were open and in use.")),
      crowded_out_(engine.metrics().counter("jackfield_sip_connections_crowded_out_total", "Unused connections closed for newer ones of the same source.")),
      connections_gauge_(engine.metrics().gauge("jackfield_sip_connections_count", "Open connections.", {}, [this] { return static_cast<double>(connections_.size()); })),
      ages_(engine.timers().add_sink([this](std::uint64_t number) { check_age(number); })),
      pauses_(engine.timers().add_sink([this](std::uint64_t index) {
        if (const Listener* found = listener(static_cast<std::uint16_t>(index)); found && found->tcp) found->tcp->resume();
      })),
      self_(std::make_shared<SocketTransport*>(this)) {}

SocketTransport::~SocketTransport() {
  *self_ = nullptr;
  for (auto& [number, entry] : connections_) entry.connection->detach();
  for (Listener& listener : listeners_) {
    if (listener.udp) listener.udp->close();
    if (listener.tcp) listener.tcp->close();
  }
  engine_.timers().remove_sink(ages_);
  engine_.timers().remove_sink(pauses_);
}

tl::expected<std::uint16_t, std::string> SocketTransport::open(const ListenerOptions& options) {
  const auto index = static_cast<std::uint16_t>(listeners_.size());
  Listener listener{options, nullptr, nullptr};
  tl::expected<net::Address, std::string> bound;
  switch (options.kind) {
    case TransportKind::udp:
      listener.udp = std::make_shared<UdpSocket>(engine_.io(), host(), *batch_, index);
      bound = listener.udp->open(options.bind);
      break;
    case TransportKind::tcp:
      listener.tcp = std::make_shared<TcpListener>(
          engine_.io(), [this, index](asio::ip::tcp::socket socket, const net::Address& remote) { accepted(index, std::move(socket), remote); },
          [this, index](const std::string& reason) {
            log_.error("event=accept_failed listener={} reason={}", log_value(listeners_[index].options.name), log_value(reason));
            engine_.timers().start(pauses_, index, kExhaustedPause);
          });
      bound = listener.tcp->open(options.bind);
      break;
  }
  if (!bound) {
    const std::string owner = port_owner(options.kind, options.bind);
    return tl::unexpected(fmt::format("cannot listen on {} {}: {}{}", transport_name(options.kind), options.bind.text(), bound.error(),
                                      owner.empty() ? "" : "; the port is taken by " + owner));
  }
  listener.options.bind = *bound;
  listeners_.push_back(std::move(listener));
  return index;
}

void SocketTransport::close(std::uint16_t index) {
  if (index >= listeners_.size()) return;
  Listener& listener = listeners_[index];
  if (listener.udp) listener.udp->close();
  if (listener.tcp) listener.tcp->close();
  listener.udp.reset();
  listener.tcp.reset();
  std::vector<std::shared_ptr<TcpConnection>> its;
  for (const auto& [number, entry] : connections_)
    if (entry.connection->flow().listener == index) its.push_back(entry.connection);
  for (const auto& connection : its) connection->close("listener closed");
}

std::vector<std::pair<std::uint16_t, ListenerOptions>> SocketTransport::listeners() const {
  std::vector<std::pair<std::uint16_t, ListenerOptions>> all;
  for (std::size_t i = 0; i < listeners_.size(); ++i)
    if (listeners_[i].is_open()) all.emplace_back(static_cast<std::uint16_t>(i), listeners_[i].options);
  return all;
}

bool SocketTransport::send(const FlowId& flow, std::string_view bytes) {
  const auto counted = [this](bool sent, Counter& counter) {
    (sent ? counter : unsent_).add();
    return sent;
  };
  if (!is_reliable(flow.kind)) {
    const Listener* from = listener(flow.listener);
    return counted(from && from->udp && from->udp->send(flow.remote, bytes), sent_udp_);
  }
  TcpConnection* to = connection(flow);
  return counted(to && to->send(bytes), sent_tcp_);
}

std::optional<std::uint16_t> SocketTransport::choose(TransportKind kind, const net::Address& remote,
                                                     std::optional<std::uint16_t> prefer) const {
  const auto fits = [&](const Listener& listener) {
    return listener.is_open() && listener.options.kind == kind && listener.options.bind.is_v6() == remote.is_v6();
  };
  if (prefer && *prefer < listeners_.size() && fits(listeners_[*prefer])) return prefer;
  std::optional<std::uint16_t> any;
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    if (!fits(listeners_[i])) continue;
    const auto index = static_cast<std::uint16_t>(i);
    // A listener on one address reaches what the route from that address reaches.
    const net::Address& bind = listeners_[i].options.bind;
    if (bind.is_unspecified() || bind.same_host(local_.towards(remote))) return index;
    if (!any) any = index;
  }
  return any;
}

std::optional<FlowId> SocketTransport::flow_to(TransportKind kind, const net::Address& remote, std::optional<std::uint16_t> prefer) {
  if (remote.empty() || remote.port() == 0) return {};
  if (is_reliable(kind)) {
    if (const auto known = by_remote_.find(remote); known != by_remote_.end()) {
      const TcpConnection& open = *connections_.at(known->second).connection;
      if (open.usable()) return open.flow();
    }
  }
  const auto index = choose(kind, remote, prefer);
  if (!index) return {};
  if (!is_reliable(kind)) return FlowId{remote, 0, *index, kind};
  if (connections_.size() >= options_.max_connections) return {};
  TcpConnection& connection = add_connection(asio::ip::tcp::socket(engine_.io()), remote, *index);
  const FlowId flow = connection.flow();
  connection.connect(listeners_[*index].options.bind);
  return flow;
}

TcpConnection& SocketTransport::add_connection(asio::ip::tcp::socket socket, const net::Address& remote, std::uint16_t index) {
  const FlowId flow{remote, ++last_connection_, index, TransportKind::tcp};
  auto connection = std::make_shared<TcpConnection>(std::move(socket), host(), flow, options_, engine_.clock());
  by_remote_[remote] = flow.connection;
  by_source_[source_key(remote)].push_back(flow.connection);
  return *connections_.emplace(flow.connection, Entry{std::move(connection), {}}).first->second.connection;
}

void SocketTransport::accepted(std::uint16_t index, asio::ip::tcp::socket socket, const net::Address& remote) {
  const TurnScope scope(*this);
  const auto admitted = events_.admits(index, remote);
  if (admitted == TransportEvents::Admit::no) return turned_away_.add();  // the socket closes itself
  if (admitted == TransportEvents::Admit::within_limits) limit_source(source_key(remote));
  if (connections_.size() < options_.max_connections) {
    if (connections_.size() < options_.max_connections / 10 * 9) full_ = false;
  } else {
    if (!std::exchange(full_, true))
      log_.warning("event=connections_full remote={} open={} hint=\"max_connections= in [general] of sip.conf\"", remote.text(), connections_.size());
    if (!make_room()) return turned_away_.add();  // the socket closes itself
  }
  TcpConnection& connection = add_connection(std::move(socket), remote, index);
  connection.start();
  events_.opened(connection.flow());
}

void SocketTransport::hold(const FlowId& flow) {
  if (is_reliable(flow.kind))
    if (TcpConnection* held = connection(flow)) held->hold();
}

void SocketTransport::release(const FlowId& flow) {
  if (is_reliable(flow.kind))
    if (TcpConnection* held = connection(flow)) held->release();
}

bool SocketTransport::alive(const FlowId& flow) const {
  if (!is_reliable(flow.kind)) return listener(flow.listener) != nullptr;
  return connection(flow) != nullptr;
}

bool SocketTransport::connecting(const FlowId& flow) const {
  if (!is_reliable(flow.kind)) return false;
  const TcpConnection* const opening = connection(flow);
  return opening && opening->connecting();
}

void SocketTransport::close(const FlowId& flow) {
  if (!is_reliable(flow.kind)) return;
  if (TcpConnection* ending = connection(flow)) ending->close("closed by us");
}

Transport::Reach SocketTransport::reach(const FlowId& flow) const {
  const Listener* by = flow.listener < listeners_.size() ? &listeners_[flow.listener] : nullptr;
  if (!by) return {local_.towards(flow.remote).uri_host(), kDefaultPort};
  const ListenerOptions& options = by->options;
  const std::uint16_t port = options.bind.port();
  const bool near = std::any_of(options.local_net.begin(), options.local_net.end(),
                                [&](const net::Cidr& range) { return range.contains(flow.remote); });
  if (!options.advertise_host.empty() && !near) {
    const auto address = net::Address::parse(options.advertise_host);
    return {address ? address->uri_host() : options.advertise_host, options.advertise_port != 0 ? options.advertise_port : port};
  }
  if (!options.bind.is_unspecified()) return {options.bind.uri_host(), port};
  net::Address local;
  if (is_reliable(flow.kind))
    if (const TcpConnection* open = connection(flow)) local = open->local();
  if (local.empty() || local.is_unspecified()) local = local_.towards(flow.remote);
  return {local.uri_host(), port};
}

bool SocketTransport::is_ours(std::string_view host, std::uint16_t port) const {
  if (port == 0) port = kDefaultPort;
  const auto address = net::Address::parse(host);
  for (const Listener& listener : listeners_) {
    if (!listener.is_open()) continue;
    const ListenerOptions& options = listener.options;
    if (!options.advertise_host.empty() && port == (options.advertise_port != 0 ? options.advertise_port : options.bind.port())) {
      const auto advertised = net::Address::parse(options.advertise_host);
      if (advertised && address ? advertised->same_host(*address) : same_text(options.advertise_host, host)) return true;
    }
    if (!address || port != options.bind.port() || address->is_v6() != options.bind.is_v6()) continue;
    if (options.bind.is_unspecified() ? local_.has(*address) : options.bind.same_host(*address)) return true;
  }
  return false;
}

void SocketTransport::queued(std::uint32_t connection) {
  if (connection != 0) dirty_.push_back(connection);
  if (depth_ == 0) later();
}

void SocketTransport::later() {
  if (posted_) return;
  posted_ = true;
  asio::post(engine_.io(), [self = self_] {
    if (!*self) return;
    (*self)->posted_ = false;
    (*self)->enter();
    (*self)->leave();
  });
}

// What ended is told before the last flush of the turn, so that what the layers above send about it leaves at once, too.
void SocketTransport::leave() {
  if (depth_ == 1) {
    std::vector<Ended> ended;
    ended.swap(ended_);
    for (const Ended& end : ended) events_.closed(end.flow, end.reason);
    flush();
  }
  --depth_;
  if (depth_ == 0 && !ended_.empty()) later();
}

void SocketTransport::flush() {
  for (const Listener& listener : listeners_)
    if (listener.udp) listener.udp->flush();
  std::vector<std::uint32_t> dirty;
  dirty.swap(dirty_);
  for (const std::uint32_t number : dirty) {
    const auto entry = connections_.find(number);
    if (entry == connections_.end()) continue;
    const auto connection = entry->second.connection;  // it may end
    connection->flush();
  }
  if (dirty_.empty()) {
    dirty.clear();
    dirty_.swap(dirty);  // keeps its room
  }
}

void SocketTransport::ended(const FlowId& flow, std::string reason) {
  if (is_reliable(flow.kind)) {
    const auto entry = connections_.find(flow.connection);
    if (entry == connections_.end()) return;
    engine_.timers().stop(entry->second.age);
    connections_.erase(entry);
    if (const auto known = by_remote_.find(flow.remote); known != by_remote_.end() && known->second == flow.connection)
      by_remote_.erase(known);
    const auto its = by_source_.find(source_key(flow.remote));
    std::erase(its->second, flow.connection);
    if (its->second.empty()) by_source_.erase(its);
  }
  ended_.push_back({flow, std::move(reason)});
  later();
}

void SocketTransport::watch(const FlowId& flow, Duration delay, TimerKind kind) {
  const auto entry = connections_.find(flow.connection);
  if (entry == connections_.end()) return;
  engine_.timers().stop(entry->second.age);
  entry->second.age = engine_.timers().start(ages_, flow.connection, delay, kind);
}

// Whoever opens connections and says nothing must not keep phones out. A few are looked at, from anywhere in the table, and the one
// that has been silent for longest goes: connections that are used are hardly ever it, however fast newcomers come.
bool SocketTransport::make_room() {
  std::shared_ptr<TcpConnection> silent;
  Duration longest{-1};
  unsigned seen = 0;
  const std::size_t buckets = connections_.bucket_count();
  std::size_t bucket = static_cast<std::size_t>(engine_.random().next() % buckets);
  for (std::size_t i = 0; i < buckets && seen < kCandidates; ++i, bucket = (bucket + 1) % buckets) {
    for (auto at = connections_.begin(bucket); at != connections_.end(bucket); ++at) {
      ++seen;
      const auto silence = at->second.connection->silence();
      if (silence && *silence > longest) silent = at->second.connection, longest = *silence;
    }
  }
  if (silent) silent->abort("given up for another connection");
  return silent != nullptr;
}

// One host cannot take all the room: what it has open and unused beyond its share makes place for what it opens now.
void SocketTransport::limit_source(SourceKey source) {
  const auto its = by_source_.find(source);
  if (options_.max_per_source == 0 || its == by_source_.end() || its->second.size() < options_.max_per_source) return;
  std::shared_ptr<TcpConnection> silent;
  Duration longest{-1};
  std::size_t unused = 0;
  for (const std::uint32_t number : its->second) {
    const auto& connection = connections_.at(number).connection;
    const auto silence = connection->silence();
    if (!silence) continue;
    ++unused;
    if (*silence > longest) silent = connection, longest = *silence;
  }
  if (unused < options_.max_per_source) return;
  silent->abort("too many connections of one source");
  crowded_out_.add();
}

void SocketTransport::check_age(std::uint64_t number) {
  const auto entry = connections_.find(static_cast<std::uint32_t>(number));
  if (entry == connections_.end()) return;
  const auto connection = entry->second.connection;
  const Duration left = connection->check_age();
  if (left.count() > 0) watch(connection->flow(), left, TimerKind::coarse);
}

}  // namespace

std::unique_ptr<Transport> make_transport(Engine& engine, TransportOptions options, TransportEvents& events) {
  return std::make_unique<SocketTransport>(engine, options, events);
}

}  // namespace jackfield::sip::stack
