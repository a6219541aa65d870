#include "control/control_server.h"

#include "control/control_connection.h"
#include "control/protocol.h"

#include <jackfield/pending.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <system_error>

namespace jackfield {

namespace asio = boost::asio;
using Local = asio::local::stream_protocol;

namespace {

constexpr std::size_t kMaxConnections = 32;
constexpr Duration kAcceptPause = std::chrono::milliseconds(100);

}  // namespace

/// Shared with the tasks of the connections, which may end after the server object.
struct ControlServer::Impl {
  explicit Impl(Engine& engine_in) : engine(engine_in), acceptor(engine.io()), pauses(std::make_shared<Pendings>(engine.timers())) {}

  Engine& engine;
  Local::acceptor acceptor;
  std::shared_ptr<Pendings> pauses;  // of the connections, too
  std::map<std::uint64_t, std::shared_ptr<ControlConnection>> connections;
  std::uint64_t next_id = 1;
  bool closed = false;

  void listen();
  static Task<> accept(std::shared_ptr<Impl> self);
  static Task<> serve(std::shared_ptr<Impl> self, std::uint64_t id, std::shared_ptr<ControlConnection> connection);
};

void ControlServer::Impl::listen() {
  const auto path = control_socket(engine.state_dir());
  // Through the directory's descriptor: a socket's own path may have 107 bytes only.
  const int directory = open(engine.state_dir().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) throw std::system_error(errno, std::generic_category(), engine.state_dir().string());
  unlinkat(directory, "control", 0);
  boost::system::error_code error;
  acceptor.open(Local(), error);
  // The mode is right from the first moment on, not only after a chmod.
  const auto mask = umask(0177);
  if (!error) acceptor.bind(Local::endpoint(fmt::format("/proc/self/fd/{}/control", directory)), error);
  umask(mask);
  ::close(directory);
  if (!error) acceptor.listen(Local::acceptor::max_listen_connections, error);
  if (error) throw std::system_error(error.value(), std::generic_category(), path.string());
}

Task<> ControlServer::Impl::accept(std::shared_ptr<Impl> self) {
  while (!self->closed) {
    auto socket = std::make_shared<Local::socket>(self->engine.io());
    boost::system::error_code error;
    co_await self->acceptor.async_accept(*socket, asio::redirect_error(asio::use_awaitable, error));
    if (error == asio::error::operation_aborted || self->closed) co_return;
    if (error) {
      // Out of descriptors, say: trying again at once would take the whole processor.
      auto pause = self->pauses->open<bool>(kAcceptPause);
      auto over = co_await pause.wait();
      (void)over;
      continue;
    }
    // With too many, the newest is closed rather than an older one.
    if (self->connections.size() >= kMaxConnections) continue;
    const auto id = self->next_id++;
    auto connection = std::make_shared<ControlConnection>(self->engine, std::move(*socket), self->pauses);
    self->connections.emplace(id, connection);
    self->engine.spawn("control connection", serve(self, id, connection));
  }
}

Task<> ControlServer::Impl::serve(std::shared_ptr<Impl> self, std::uint64_t id, std::shared_ptr<ControlConnection> connection) {
  auto serving = ControlConnection::serve(connection);
  co_await std::move(serving);
  // A connection stays open until the server ends: `jackfield stop` waits for that.
  if (!self->closed) self->connections.erase(id);
}

ControlServer::ControlServer(Engine& engine) : impl_(std::make_shared<Impl>(engine)) {
  impl_->listen();
  engine.spawn("control", Impl::accept(impl_));
}

void ControlServer::close() {
  if (impl_->closed) return;
  impl_->closed = true;
  boost::system::error_code ignored;
  impl_->acceptor.close(ignored);
  impl_->pauses->stop();
  unlink(control_socket(impl_->engine.state_dir()).c_str());
  for (auto& [id, connection] : impl_->connections) connection->close();
}

ControlServer::~ControlServer() {
  close();
  impl_->connections.clear();
}

}  // namespace jackfield
