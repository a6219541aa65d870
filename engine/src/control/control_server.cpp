#include "control/control_server.h"

#include <jackfield/pending.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

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
/// For a client that asks nothing, or does not read its answer.
constexpr Duration kIdle = std::chrono::seconds(60);
constexpr Duration kAcceptPause = std::chrono::milliseconds(100);

}  // namespace

/// Shared with the tasks of the connections, which may end after the server object.
struct ControlServer::Impl {
  Impl(Engine& engine_in, Execute execute_in) : engine(engine_in), execute(std::move(execute_in)), acceptor(engine.io()), pauses(engine.timers()) {}

  Engine& engine;
  Execute execute;
  Local::acceptor acceptor;
  Pendings pauses;
  std::map<std::uint64_t, std::shared_ptr<Local::socket>> connections;
  std::uint64_t next_id = 1;
  TimerSinkId sink = 0;
  bool closed = false;

  void listen();
  static Task<> accept(std::shared_ptr<Impl> self);
  static Task<> serve(std::shared_ptr<Impl> self, std::uint64_t id, std::shared_ptr<Local::socket> socket);
  void drop(std::uint64_t id) {
    const auto found = connections.find(id);
    if (found == connections.end()) return;
    boost::system::error_code ignored;
    found->second->close(ignored);
    connections.erase(found);
  }
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
      auto pause = self->pauses.open<bool>(kAcceptPause);
      auto over = co_await pause.wait();
      (void)over;
      continue;
    }
    // With too many, the newest is closed rather than an older one.
    if (self->connections.size() >= kMaxConnections) continue;
    const auto id = self->next_id++;
    self->connections.emplace(id, socket);
    self->engine.spawn("control connection", serve(self, id, socket));
  }
}

Task<> ControlServer::Impl::serve(std::shared_ptr<Impl> self, std::uint64_t id, std::shared_ptr<Local::socket> socket) {
  std::string buffer;
  boost::system::error_code error;
  while (!self->closed) {
    auto timer = self->engine.timers().start(self->sink, id, kIdle, TimerKind::coarse);
    auto input = asio::dynamic_buffer(buffer, kMaxControlLine);
    const auto size = co_await asio::async_read_until(*socket, input, '\n', asio::redirect_error(asio::use_awaitable, error));
    if (self->closed) break;
    self->engine.timers().stop(timer);
    if (error) break;
    std::string line = buffer.substr(0, size - 1);
    buffer.erase(0, size);
    if (line.ends_with('\r')) line.pop_back();
    auto executing = self->execute(std::move(line));
    const ControlAnswer answer = co_await std::move(executing);
    const std::string bytes = framed(answer);
    // While the server ends, nothing limits the wait but the end itself.
    if (!self->closed) timer = self->engine.timers().start(self->sink, id, kIdle, TimerKind::coarse);
    co_await asio::async_write(*socket, asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, error));
    if (!self->closed) self->engine.timers().stop(timer);
    if (error) break;
  }
  // A connection stays open until the server ends: `jackfield stop` waits for that.
  if (!self->closed) self->drop(id);
}

ControlServer::ControlServer(Engine& engine, Execute execute) : impl_(std::make_shared<Impl>(engine, std::move(execute))) {
  impl_->listen();
  impl_->sink = engine.timers().add_sink([impl = impl_.get()](std::uint64_t id) { impl->drop(id); });
  engine.spawn("control", Impl::accept(impl_));
}

void ControlServer::close() {
  if (impl_->closed) return;
  impl_->closed = true;
  impl_->engine.timers().remove_sink(impl_->sink);
  boost::system::error_code ignored;
  impl_->acceptor.close(ignored);
  impl_->pauses.stop();
  unlink(control_socket(impl_->engine.state_dir()).c_str());
  // Wakes those that wait for a line; their sockets stay open until the end.
  for (auto& [id, socket] : impl_->connections) socket->cancel(ignored);
}

ControlServer::~ControlServer() {
  close();
  impl_->connections.clear();
}

}  // namespace jackfield
