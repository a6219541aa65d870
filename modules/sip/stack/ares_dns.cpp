#include "stack/ares_dns.h"

#include <ares.h>
#include <netdb.h>

#include <boost/asio/posix/stream_descriptor.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "stack/dns_message.h"

namespace jackfield::sip::stack {

namespace {

namespace asio = boost::asio;

constexpr int kTries = 2;
constexpr int kInternetClass = 1;
constexpr Duration kConfigurationHolds = std::chrono::seconds(60);  // of /etc/resolv.conf
constexpr std::chrono::seconds kHostsFileHolds{60};
constexpr long long kLongestWait = 60000;  // ms

/// One socket of c-ares', which opens and closes it.
struct Watch {
  explicit Watch(asio::io_context& io) : descriptor(io) {}
  asio::posix::stream_descriptor descriptor;
  bool readable = false, writable = false;              // what c-ares wants to know
  bool waits_readable = false, waits_writable = false;  // what Asio was asked
};

class AresDns final : public Dns {
 public:
  AresDns(Engine& engine, AresOptions options) : engine_(engine), options_(std::move(options)) {
    ares_library_init(ARES_LIB_INIT_ALL);
    timers_ = engine_.timers().add_sink([this](std::uint64_t) {
      timer_ = {};
      process(ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    });
  }
  ~AresDns() override {
    alive_.reset();
    close();
    engine_.timers().remove_sink(timers_);
    ares_library_cleanup();
  }

  void ask(const std::string& name, DnsType type, Done done) override {
    if (auto answer = from_hosts_file(name, type)) return deliver(std::move(done), std::move(*answer));
    if (!open()) return deliver(std::move(done), {.problem = "there are no name servers to ask"});
    ++asked_;
    auto* question = new Question{*this, type, std::move(done)};  // c-ares gives it back, whatever happens
    ares_query(channel_, name.c_str(), kInternetClass, static_cast<int>(type), &AresDns::answered, question);
    wait();
  }

 private:
  struct Question {
    AresDns& dns;
    DnsType type;
    Done done;
  };

  /// In a later turn: c-ares must not be called back into from its own calls.
  void deliver(Done done, DnsAnswer answer) {
    engine_.post([alive = std::weak_ptr<void>(alive_), done = std::move(done), answer = std::move(answer)]() mutable {
      if (!alive.expired()) done(std::move(answer));
    });
  }

  static void answered(void* argument, int status, int /*timeouts*/, unsigned char* message, int size) {
    const std::unique_ptr<Question> question(static_cast<Question*>(argument));
    auto& self = question->dns;
    if (self.asked_ > 0) --self.asked_;
    if (!self.alive_) return;
    // Also an answer that says "none" comes with its message, and that with the time it holds.
    const bool read = message && size > 0 && (status == ARES_SUCCESS || status == ARES_ENODATA || status == ARES_ENOTFOUND);
    self.deliver(std::move(question->done), read ? read_dns_message({message, static_cast<std::size_t>(size)}, question->type) : failure(status));
  }

  static DnsAnswer failure(int status) {
    if (status == ARES_ENODATA || status == ARES_ENOTFOUND || status == ARES_EBADNAME) return {.status = DnsAnswer::Status::none};
    return {.problem = fmt::format("the name servers: {}", ares_strerror(status))};
  }

  // The channel.

  bool open() {
    const auto now = engine_.clock().now();
    if (channel_ && options_.servers.empty() && asked_ == 0 && now - opened_ > kConfigurationHolds) close();
    if (channel_) return true;
    ares_options options{};
    options.flags = ARES_FLAG_EDNS;
    options.ednspsz = 1232;  // what passes every network in one piece
    options.timeout = static_cast<int>(options_.timeout.count());
    options.tries = kTries;
    options.sock_state_cb = &AresDns::socket_changed;
    options.sock_state_cb_data = this;
    if (ares_init_options(&channel_, &options, ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB) != ARES_SUCCESS) {
      channel_ = nullptr;
      return false;
    }
    opened_ = now;
    std::string servers;
    for (const auto& server : options_.servers) servers.append(servers.empty() ? "" : ",").append(server.text());
    if (servers.empty() || ares_set_servers_ports_csv(channel_, servers.c_str()) == ARES_SUCCESS) return true;
    close();
    return false;
  }

  void close() {
    if (channel_) ares_destroy(std::exchange(channel_, nullptr));
    watches_.clear();
    if (timer_) engine_.timers().stop(timer_);
    timer_ = {};
  }

  static void socket_changed(void* argument, ares_socket_t socket, int readable, int writable) {
    auto& self = *static_cast<AresDns*>(argument);
    const auto found = self.watches_.find(socket);
    if (!readable && !writable) {
      if (found == self.watches_.end()) return;
      found->second->descriptor.release();  // c-ares closes it
      self.watches_.erase(found);
      return;
    }
    auto watch = found == self.watches_.end() ? nullptr : found->second;
    if (!watch) {
      watch = self.watches_[socket] = std::make_shared<Watch>(self.engine_.io());
      watch->descriptor.assign(socket);
    }
    watch->readable = readable != 0;
    watch->writable = writable != 0;
    self.await(socket, watch);
  }

  void await(ares_socket_t socket, const std::shared_ptr<Watch>& watch) {
    const auto wait_for = [&](bool wanted, bool Watch::*waits, asio::posix::stream_descriptor::wait_type what) {
      if (!wanted || (*watch).*waits) return;
      (*watch).*waits = true;
      watch->descriptor.async_wait(what, [this, alive = std::weak_ptr<void>(alive_), weak = std::weak_ptr<Watch>(watch), socket, waits,
                                          what](const boost::system::error_code& error) {
        const auto watch = weak.lock();
        if (alive.expired() || !watch) return;
        (*watch).*waits = false;
        if (error) return;
        const bool reads = what == asio::posix::stream_descriptor::wait_read;
        process(reads ? socket : ARES_SOCKET_BAD, reads ? ARES_SOCKET_BAD : socket);
        if (const auto found = watches_.find(socket); found != watches_.end() && found->second == watch) await(socket, watch);
      });
    };
    wait_for(watch->readable, &Watch::waits_readable, asio::posix::stream_descriptor::wait_read);
    wait_for(watch->writable, &Watch::waits_writable, asio::posix::stream_descriptor::wait_write);
  }

  void process(ares_socket_t readable, ares_socket_t writable) {
    if (!channel_) return;
    ares_process_fd(channel_, readable, writable);
    wait();
  }

  void wait() {
    if (timer_) engine_.timers().stop(timer_);
    timer_ = {};
    timeval next{};
    if (!channel_ || !ares_timeout(channel_, nullptr, &next)) return;
    const long long ms = static_cast<long long>(next.tv_sec) * 1000 + next.tv_usec / 1000 + 1;
    timer_ = engine_.timers().start(timers_, 0, Duration(std::min(ms, kLongestWait)));
  }

  std::optional<DnsAnswer> from_hosts_file(const std::string& name, DnsType type) {
    if ((type != DnsType::a && type != DnsType::aaaa) || !open()) return std::nullopt;
    DnsAnswer answer{.status = DnsAnswer::Status::found, .ttl = kHostsFileHolds};
    bool listed = false;
    for (const int family : {AF_INET, AF_INET6}) {
      hostent* entry = nullptr;
      if (ares_gethostbyname_file(channel_, name.c_str(), family, &entry) != ARES_SUCCESS || !entry) continue;
      listed = true;
      if (family == (type == DnsType::a ? AF_INET : AF_INET6))
        for (char** each = entry->h_addr_list; *each; ++each) {
          char text[INET6_ADDRSTRLEN] = {};
          ares_inet_ntop(family, *each, text, sizeof text);
          if (const auto address = net::Address::parse(text)) answer.addresses.push_back(*address);
        }
      ares_free_hostent(entry);
    }
    if (!listed) return std::nullopt;  // who has one address in the file has no others in DNS, as in the C library
    if (answer.addresses.empty()) answer.status = DnsAnswer::Status::none;
    return answer;
  }

  Engine& engine_;
  AresOptions options_;
  ares_channel channel_ = nullptr;
  MonoTime opened_{};
  std::size_t asked_ = 0;  // of c-ares, and not answered
  std::unordered_map<ares_socket_t, std::shared_ptr<Watch>> watches_;
  TimerSinkId timers_;
  TimerHandle timer_;
  std::shared_ptr<void> alive_ = std::make_shared<int>(0);
};

}  // namespace

std::unique_ptr<Dns> make_ares_dns(Engine& engine, AresOptions options) { return std::make_unique<AresDns>(engine, std::move(options)); }

}  // namespace jackfield::sip::stack
