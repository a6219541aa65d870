#include "listeners.h"

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <fmt/format.h>

#include <algorithm>

#include <sys/stat.h>
#include <unistd.h>

#include "door/failures.h"
#include "door/peer_user.h"

namespace jackfield::extmodule {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kMostConnections = 1000;
constexpr Duration kAcceptPause = std::chrono::milliseconds(100);
/// Those that have not told the secret count for themselves: strangers take no place of scripts, and one address not all places of strangers.
constexpr std::size_t kMostOwing = 64, kMostOwingOfOne = 16;

}  // namespace

struct Listeners::Door {
  using Protocol = asio::generic::stream_protocol;
  explicit Door(asio::io_context& loop) : acceptor(loop) {}
  ListenerSettings settings;
  asio::basic_socket_acceptor<Protocol> acceptor;
};

/// Shared with the accepts under way.
struct Listeners::State : std::enable_shared_from_this<State> {
  explicit State(Engine& engine_in)
      : engine(engine_in),
        log(engine_in.log("extmodule")),
        wrong_secrets(engine_in.metrics().counter("jackfield_extmodule_wrong_secrets_count", "Wrong secrets told by who connected as a script.")),
        refused(engine_in.metrics().counter("jackfield_extmodule_refused_count", "Connections of scripts that were turned away.")) {}
  Engine& engine;
  Logger& log;
  Counter& wrong_secrets;
  Counter& refused;
  std::map<std::uint64_t, std::unique_ptr<Door>> doors;
  std::map<std::uint64_t, std::shared_ptr<Session>> sessions;
  std::map<std::uint64_t, net::Address> owing;  ///< where those are that have not told the secret
  door::Failures failures;
  std::uint64_t next_id = 1;
  Locals locals;
  Session::Calls calls;
  std::function<void(const Session&)> over;
  TimerSinkId sink = 0;
  bool closed = false, crowded = false;

  /// A door that rested opens again; who connected and has not told the secret goes.
  void timer(std::uint64_t id) {
    if (doors.contains(id)) return accept(id);
    const auto found = sessions.find(id);
    if (found == sessions.end() || !found->second->owes_secret()) return;
    const auto session = found->second;
    session->close("it did not tell the secret");
  }

  void accept(std::uint64_t id) {
    Door& door = *doors.at(id);
    door.acceptor.async_accept([self = shared_from_this(), id](const boost::system::error_code& error, Door::Protocol::socket socket) {
      if (self->closed || error == asio::error::operation_aborted) return;
      if (error) {
        // Out of descriptors, say: at once again would take the whole processor.
        self->engine.timers().start(self->sink, id, kAcceptPause);
        return;
      }
      self->welcome(self->doors.at(id)->settings, std::move(socket));
      self->accept(id);
    });
  }

  /// With too many, the newest is turned away. Said once, until there is room again.
  bool has_room(bool owes, const net::Address& from) {
    const auto same = [&](const auto& entry) { return entry.second.same_host(from); };
    const bool full = owes ? owing.size() >= kMostOwing || std::ranges::count_if(owing, same) >= std::ptrdiff_t(kMostOwingOfOne) : sessions.size() - owing.size() >= kMostConnections;
    if (full) refused.add();
    if (full && !crowded)
      log.warning("event=script-refused reason=too-many address={} connected={} of_them_without_secret={}", from.text(), sessions.size(), owing.size());
    crowded = full;
    return !full;
  }

  /// Where there is no secret, the kernel says whose process it is that connects to this machine's own address.
  bool is_trusted(const ListenerSettings& settings, const net::Address& far, const net::Address& near) {
    if (settings.is_local || !settings.secret.empty() || settings.trust.everybody()) return true;
    const auto user = door::user_of(far, near);
    if (settings.trust.admits(user)) return true;
    refused.add();
    log.warning("event=script-refused listener={} address={} user={} reason=\"only {} may connect without a secret\" hint=\"trust=, or secret=\"", log_value(settings.name),
                far.text(), user ? std::to_string(*user) : "unknown", settings.trust.text());
    return false;
  }

  void welcome(const ListenerSettings& settings, Door::Protocol::socket socket) {
    net::Address far, near;
    boost::system::error_code error;
    if (!settings.is_local) {
      const auto far_end = socket.remote_endpoint(error), near_end = error ? far_end : socket.local_endpoint(error);
      if (error) return;  // it has gone already
      far = net::Address::from(*far_end.data());
      near = net::Address::from(*near_end.data());
    }
    const bool owes = !settings.secret.empty();
    if (!is_trusted(settings, far, near) || !has_room(owes, far)) return;
    const int descriptor = socket.release(error);
    if (error) return;
    const auto id = next_id++;
    auto name = fmt::format("{}/{}", settings.name, id);
    log.info("event=script-connected script={} address={}", name, settings.is_local ? settings.path : far.text());
    if (owes) owing.emplace(id, far);
    Session::Door door{.role = settings.role, .secret = settings.secret, .calls = calls};
    door.admit = [weak = weak_from_this(), id] {
      const auto self = weak.lock();
      return self && self->admit(id);
    };
    door.wrong = [weak = weak_from_this(), far, script = name, delay = settings.fail_delay] {
      const auto self = weak.lock();
      return self ? self->wrong_secret(far, script, delay) : Duration(0);
    };
    sessions.emplace(id, Session::begin(engine, std::move(name), Connection::make(engine, descriptor, descriptor), locals, std::move(door),
                                        [weak = weak_from_this(), id](Session& session, std::string_view why) {
                                          const auto self = weak.lock();
                                          if (!self) return;
                                          self->over(session);
                                          self->log.info("event=script-closed script={} why={}", session.name(), log_value(why));
                                          self->owing.erase(id);
                                          self->sessions.erase(id);
                                        }));
    if (owes) engine.timers().start(sink, id, settings.secret_timeout);
  }

  bool admit(std::uint64_t id) {
    const auto owed = owing.find(id);
    if (owed == owing.end() || !has_room(false, owed->second)) return false;
    failures.forget(owed->second);
    owing.erase(owed);
    return true;
  }

  Duration wrong_secret(const net::Address& from, const std::string& script, Duration first) {
    wrong_secrets.add();
    const auto delay = failures.add(from, engine.clock().now(), first);
    log.warning("event=wrong-secret script={} address={} delay_ms={}", log_value(script), from.empty() ? "local" : from.text(), delay.count());
    return delay;
  }
};

Listeners::Listeners(Engine& engine) : state_(std::make_shared<State>(engine)) {
  state_->sink = engine.timers().add_sink([state = state_.get()](std::uint64_t id) { state->timer(id); });
}

Listeners::~Listeners() {
  state_->closed = true;
  state_->engine.timers().remove_sink(state_->sink);
  for (auto& [id, door] : state_->doors) {
    boost::system::error_code ignored;
    door->acceptor.close(ignored);
    if (door->settings.is_local) ::unlink(door->settings.path.c_str());
  }
  for (auto sessions = std::move(state_->sessions); auto& [id, session] : sessions) session->close("the module stops");
}

tl::expected<void, std::string> Listeners::open(const ListenerSettings& settings) {
  auto door = std::make_unique<Door>(state_->engine.io());
  door->settings = settings;
  boost::system::error_code error;
  const auto failed = [&](std::string_view what) { return tl::unexpected(fmt::format("[listener {}]: {}: {}", settings.name, what, error.message())); };
  if (settings.is_local) {
    if (settings.path.size() > 107) return tl::unexpected(fmt::format("[listener {}]: path= may have 107 bytes", settings.name));
    // One that nobody listens on is left from a server that was killed.
    asio::local::stream_protocol::socket probe(state_->engine.io());
    probe.connect(asio::local::stream_protocol::endpoint(settings.path), error);
    if (!error) return tl::unexpected(fmt::format("[listener {}]: somebody listens on {} already", settings.name, settings.path));
    struct stat about {};
    if (lstat(settings.path.c_str(), &about) == 0 && S_ISSOCK(about.st_mode)) ::unlink(settings.path.c_str());
    error = {};
    door->acceptor.open(asio::local::stream_protocol(), error);
    const auto mask = umask(0177);  // its owner only, from the first moment on
    if (!error) door->acceptor.bind(asio::local::stream_protocol::endpoint(settings.path), error);
    umask(mask);
    if (error) return failed(settings.path);
  } else {
    const auto address = asio::ip::make_address(settings.address, error);
    if (error) return failed(settings.address);
    const asio::ip::tcp::endpoint endpoint(address, settings.port);
    door->acceptor.open(endpoint.protocol(), error);
    if (!error) door->acceptor.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) door->acceptor.bind(endpoint, error);
    if (error) return failed(fmt::format("{}:{}", settings.address, settings.port));
  }
  door->acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return failed("listen");
  state_->doors.emplace(state_->next_id++, std::move(door));
  return {};
}

void Listeners::use(Locals locals) { state_->locals = std::move(locals); }

void Listeners::serve(Locals locals, Session::Calls calls, std::function<void(const Session&)> over) {
  state_->locals = std::move(locals);
  state_->calls = std::move(calls);
  state_->over = std::move(over);
  for (const auto& [id, door] : state_->doors) state_->accept(id);
}

void Listeners::each_session(const std::function<void(const Session&)>& visit) const {
  for (const auto& [id, session] : state_->sessions) visit(*session);
}

std::string Listeners::list() const {
  std::string out;
  each_session([&](const Session& session) {
    out += fmt::format("{} {}\r\n", session.name(), session.summary());
  });
  return out;
}

}  // namespace jackfield::extmodule
