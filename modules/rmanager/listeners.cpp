#include "listeners.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace jackfield::rmanager {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;

namespace {

constexpr Duration kAcceptPause = std::chrono::milliseconds(100);

}  // namespace

class Listeners::Door {
 public:
  explicit Door(asio::io_context& loop) : acceptor(loop) {}
  std::uint64_t id = 0;
  std::shared_ptr<const ListenerSettings> settings;
  Tcp::acceptor acceptor;
};

/// Shared with the accepts under way.
struct Listeners::State : std::enable_shared_from_this<State> {
  explicit State(Engine& engine_in) : engine(engine_in), log(engine_in.log("rmanager")) {
    shared->failed_passwords = &engine.metrics().counter("jackfield_rmanager_failed_passwords_count", "Wrong passwords told to consoles.");
    shared->dropped = &engine.metrics().counter("jackfield_rmanager_dropped_count", "Consoles dropped because they read too slowly.");
    refused = &engine.metrics().counter("jackfield_rmanager_refused_count", "Connections turned away because there were too many.");
  }

  Engine& engine;
  Logger& log;
  std::shared_ptr<Session::Shared> shared = std::make_shared<Session::Shared>(engine.timers());
  Counter* refused;
  std::map<std::uint64_t, std::shared_ptr<Door>> doors;
  std::map<std::uint64_t, std::shared_ptr<Session>> sessions;
  std::map<std::string, std::size_t> by_listener;
  std::uint64_t next_id = 1;
  TimerSinkId sink = 0;
  bool closed = false;

  void accept(std::uint64_t id) {
    const auto found = doors.find(id);
    if (found == doors.end()) return;
    found->second->acceptor.async_accept([self = shared_from_this(), id](const boost::system::error_code& error, Tcp::socket socket) {
      if (self->closed || error == asio::error::operation_aborted) return;
      if (error) {
        // Out of descriptors, say: at once again would take the whole processor.
        self->engine.timers().start(self->sink, id, kAcceptPause);
        return;
      }
      if (const auto door = self->doors.find(id); door != self->doors.end()) self->welcome(door->second->settings, std::move(socket));
      self->accept(id);
    });
  }

  void welcome(const std::shared_ptr<const ListenerSettings>& settings, Tcp::socket socket) {
    auto& count = by_listener[settings->name];
    if (count >= settings->max_connections) {
      refused->add();
      log.debug("event=refused listener={} reason=too_many connections={}", log_value(settings->name), count);
      return;
    }
    ++count;
    boost::system::error_code ignored;
    socket.set_option(Tcp::no_delay(true), ignored);
    const auto id = next_id++;
    auto session = Session::begin(engine, id, std::move(socket), settings, shared, [weak = weak_from_this(), name = settings->name, id](Session&) {
      const auto self = weak.lock();
      if (!self) return;
      --self->by_listener[name];
      self->sessions.erase(id);
    });
    log.info("event=connected listener={} address={}", log_value(settings->name), session->peer());
    sessions.emplace(id, std::move(session));
  }
};

Listeners::Listeners(Engine& engine) : state_(std::make_shared<State>(engine)) {
  state_->sink = engine.timers().add_sink([state = state_.get()](std::uint64_t id) { state->accept(id); });
  state_->shared->sink = engine.timers().add_sink([state = state_.get()](std::uint64_t id) {
    if (const auto found = state->sessions.find(id / 2); found != state->sessions.end()) found->second->on_timer(id % 2 == 1);
  });
}

Listeners::~Listeners() {
  state_->closed = true;
  state_->engine.timers().remove_sink(state_->sink);
  boost::system::error_code ignored;
  for (auto& [id, door] : state_->doors) door->acceptor.close(ignored);
  for (auto sessions = std::move(state_->sessions); auto& [id, session] : sessions) session->close();
  state_->engine.timers().remove_sink(state_->shared->sink);
}

tl::expected<std::vector<std::shared_ptr<Listeners::Door>>, Problem> Listeners::open(const List& wanted) const {
  std::vector<std::shared_ptr<Door>> opened;
  for (const auto& settings : wanted) {
    const auto there = std::ranges::any_of(state_->doors, [&](const auto& door) { return door.second->settings->address == settings->address; });
    if (there) continue;
    auto door = std::make_shared<Door>(state_->engine.io());
    door->settings = settings;
    const Tcp::endpoint endpoint(asio::ip::make_address(settings->address.host()), settings->address.port());
    boost::system::error_code error;
    door->acceptor.open(endpoint.protocol(), error);
    if (!error) door->acceptor.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) door->acceptor.bind(endpoint, error);
    if (!error) door->acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error)
      return tl::unexpected(Problem{Problem::Severity::error, settings->where,
                                    fmt::format("[{}]: {} cannot be listened on: {}; addr= and port= name another", settings->name, settings->address.text(), error.message())});
    opened.push_back(std::move(door));
  }
  return opened;
}

void Listeners::use(const List& wanted, std::vector<std::shared_ptr<Door>> opened) {
  auto& doors = state_->doors;
  std::erase_if(doors, [&](auto& door) {
    const auto kept = std::ranges::find_if(wanted, [&](const auto& settings) { return settings->address == door.second->settings->address; });
    if (kept != wanted.end()) return door.second->settings = *kept, false;
    boost::system::error_code ignored;
    door.second->acceptor.close(ignored);
    return true;
  });
  for (auto& door : opened) {
    const auto id = state_->next_id++;
    const auto& settings = *door->settings;
    const auto administrators = !settings.password.empty() || !settings.userpass.empty() ? "by password" : settings.trust.text();
    state_->log.info("event=listening listener={} address={} administrators={}", log_value(settings.name), settings.address.text(), log_value(administrators));
    doors.emplace(id, std::move(door));
    state_->accept(id);
  }
}

std::size_t Listeners::doors() const { return state_->doors.size(); }
std::size_t Listeners::sessions() const { return state_->sessions.size(); }

void Listeners::each_session(const std::function<void(const Session&)>& visit) const {
  for (const auto& [key, session] : state_->sessions) visit(*session);
}

}  // namespace jackfield::rmanager
