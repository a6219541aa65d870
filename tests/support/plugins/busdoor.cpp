// A module for tests: over a socket in the state directory anybody sends messages into the bus, many at a time, and reads what
// became of them. tests/support/jackfield_test/busdoor.py is the other side. Texts are hexadecimal, so nothing is lost on the way.
//
//   in:   NUMBER MESSAGE [p.NAME=HEX]… [v.NAME=HEX]…          p: a parameter; v: a value of the payload QueryValues
//   out:  NUMBER true|false HEX [p.NAME=HEX]… [c=HEX]… [r=HEX|n]…   the return value, parameters; DatabaseRows: columns, cells (n: NULL)
#include <jackfield/messages/database.h>
#include <jackfield/module.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <charconv>
#include <filesystem>
#include <memory>
#include <set>
#include <string>

namespace {

using namespace jackfield;
namespace asio = boost::asio;
using Local = asio::local::stream_protocol;

constexpr KeyTable kKeys{.name = "busdoor", .doc = "Sends messages for tests.", .sections = {}};

std::string to_hex(std::string_view text) {
  std::string out;
  for (const unsigned char c : text) fmt::format_to(std::back_inserter(out), "{:02x}", c);
  return out;
}

std::string from_hex(std::string_view hex) {
  std::string out;
  for (; hex.size() >= 2; hex.remove_prefix(2)) {
    unsigned value = 0;
    std::from_chars(hex.data(), hex.data() + 2, value, 16);
    out.push_back(static_cast<char>(value));
  }
  return out;
}

std::string_view next_word(std::string_view& line) {
  const auto end = std::min(line.find(' '), line.size());
  const auto word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

/// What the connections share with the module; they may end after it.
struct Door {
  explicit Door(Engine& engine_in) : engine(engine_in), acceptor(engine_in.io()) {}
  struct Connection {
    explicit Connection(Engine& engine) : socket(engine.io()) {}
    Local::socket socket;
    std::string out;
    bool writing = false;
  };
  Engine& engine;
  Local::acceptor acceptor;
  std::set<std::shared_ptr<Connection>> connections;
  bool closed = false;

  void close() {
    closed = true;
    boost::system::error_code ignored;
    acceptor.close(ignored);
    for (const auto& one : connections) one->socket.close(ignored);
    connections.clear();
  }
};
using DoorPtr = std::shared_ptr<Door>;
using ConnectionPtr = std::shared_ptr<Door::Connection>;

std::string answer_to(std::string_view number, const Message& message, bool handled) {
  auto out = fmt::format("{} {} {}", number, handled, to_hex(message.retvalue()));
  for (const auto& [name, value] : message.parameters()) out += fmt::format(" p.{}={}", name, to_hex(value));
  if (const auto* rows = message.payload<messages::DatabaseRows>()) {
    for (const auto& column : rows->columns) out += fmt::format(" c={}", to_hex(column));
    for (const auto& cell : rows->cells) out += cell ? fmt::format(" r={}", to_hex(*cell)) : " n";
  }
  return out + "\n";
}

Task<> write(DoorPtr door, ConnectionPtr connection) {
  while (!door->closed && !connection->out.empty()) {
    const std::string bytes = std::exchange(connection->out, {});
    boost::system::error_code error;
    co_await asio::async_write(connection->socket, asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, error));
    if (error) break;
  }
  connection->writing = false;
}

Task<> send(DoorPtr door, ConnectionPtr connection, std::string line) {
  std::string_view rest = line;
  const auto number = next_word(rest);
  Message message(next_word(rest), door->engine.clock().wall());
  auto values = std::make_shared<messages::QueryValues>();
  while (!rest.empty()) {
    const auto word = next_word(rest);
    const auto equals = std::min(word.find('='), word.size() - 1);
    const auto name = word.substr(2, equals - 2);
    if (word.starts_with("p.")) message.set(name, from_hex(word.substr(equals + 1)));
    if (word.starts_with("v.")) values->values.emplace_back(name, from_hex(word.substr(equals + 1)));
  }
  if (!values->values.empty()) message.attach(std::move(values));
  auto verdict = settle(door->engine.bus().dispatch(message));
  const bool handled = co_await std::move(verdict);
  if (door->closed) co_return;
  connection->out += answer_to(number, message, handled);
  if (std::exchange(connection->writing, true)) co_return;
  door->engine.spawn("busdoor write", write(door, connection));
}

Task<> serve(DoorPtr door, ConnectionPtr connection) {
  std::string buffer;
  boost::system::error_code error;
  for (;;) {
    const auto size = co_await asio::async_read_until(connection->socket, asio::dynamic_buffer(buffer), '\n', asio::redirect_error(asio::use_awaitable, error));
    if (error || door->closed) break;
    door->engine.spawn("busdoor message", send(door, connection, buffer.substr(0, size - 1)));
    buffer.erase(0, size);
  }
  door->connections.erase(connection);
}

Task<> accept(DoorPtr door) {
  for (;;) {
    auto connection = std::make_shared<Door::Connection>(door->engine);
    boost::system::error_code error;
    co_await door->acceptor.async_accept(connection->socket, asio::redirect_error(asio::use_awaitable, error));
    if (error || door->closed) co_return;
    door->connections.insert(connection);
    door->engine.spawn("busdoor connection", serve(door, connection));
  }
}

class BusDoor final : public ModuleOf<Plan> {
 public:
  CheckResult check(const Settings&) const override { return {std::make_unique<Plan>(), {}}; }
  tl::expected<void, Problem> prepare_plan(Engine&, Plan&) override { return {}; }
  void apply_plan(Engine& engine, std::unique_ptr<Plan>) noexcept override {
    if (door_) return;
    door_ = std::make_shared<Door>(engine);
    const auto path = engine.state_dir() / "busdoor";
    std::filesystem::remove(path);
    door_->acceptor.open(Local());
    door_->acceptor.bind(Local::endpoint(path.string()));
    door_->acceptor.listen();
    engine.spawn("busdoor", accept(door_));
  }
  void stop() override { door_->close(); }

 private:
  DoorPtr door_;
};

}  // namespace

JACKFIELD_MODULE(.name = "busdoor", .summary = "sends messages for tests", .requires_modules = {}, .keys = &kKeys,
                 .create = []() -> std::unique_ptr<jackfield::Module> { return std::make_unique<BusDoor>(); });
