#include "line/lines.h"

#include <jackfield/messages/engine.h>
#include <jackfield/messages/user.h>

#include <algorithm>
#include <fstream>
#include <unordered_map>
#include <utility>

#include "line/carried.h"
#include "line/commands.h"
#include "line/connection.h"
#include "line/directory.h"
#include "line/table.h"

namespace jackfield::sip::line {

namespace {

namespace param = messages::param;

constexpr Duration kDrainLimit{800};  // the engine cuts a drain off after a second
constexpr Duration kDrainStep{10};
constexpr std::string_view kKeyFile = "contact_key";

/// What the parameter of our Contacts is made from. Kept, so that a registrar knows our contacts again after a restart.
stack::HashKey contact_key(Engine& engine, Logger& log) {
  const auto path = engine.state_dir() / kKeyFile;
  stack::HashKey key;
  if (std::ifstream in(path); in && in >> key.k0 >> key.k1) return key;
  key = {engine.random().next(), engine.random().next()};
  std::error_code error;
  {
    std::ofstream out(path, std::ios::trunc);
    std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write, error);
    out << key.k0 << ' ' << key.k1 << '\n';
    if (out.flush()) return key;
  }
  log.warning("event=contact-key file={} hint=\"it cannot be written: after a restart registrars keep our old contacts until they lapse\"", log_value(path.string()));
  return key;
}

}  // namespace

struct Lines::Impl {
  Impl(Core& core_, stack::Resolver& resolver)
      : core(core_), services(std::make_shared<Services>(Services{.core = core_, .resolver = resolver, .find = {}, .addresses_changed = {}, .ended = {}})) {
    services->self = services;
    services->find = [this](LineNumber number) { return table.find(number); };
    services->addresses_changed = [this](LineNumber number) { index(number); };
    services->ended = [this](LineNumber number) {
      core.engine.post([weak = std::weak_ptr<Services>(services), number, this] {
        if (!weak.expired()) end(number);
      });
    };
    for (std::size_t timer = 0; timer < kTimers; ++timer)
      services->sinks[timer] = core.engine.timers().add_sink([this, timer](std::uint64_t number) {
        if (Connection* connection = table.find(number)) connection->fired(static_cast<Timer>(timer));
      });
    services->pace = std::make_unique<Pace>(
        core.engine, [this] { return core.settings->registrations_per_second; },
        [this](LineNumber number) {
          if (Connection* connection = table.find(number)) connection->turn();
        });
  }
  ~Impl() {
    handlers.clear();
    commands.reset();
    table.clear();
    for (const auto sink : services->sinks) core.engine.timers().remove_sink(sink);
  }

  Verdict login(jackfield::Message& message);
  bool refuse(jackfield::Message& message, std::string_view name, const std::string& problem);
  void index(LineNumber number);
  void end(LineNumber number);

  Core& core;
  std::shared_ptr<Services> services;
  Table table;
  Directory directory;
  Carried carried{*services, table};
  Pendings waits{core.engine.timers()};
  MonoTime drained_by{};
  bool stopping = false;
  std::optional<Commands> commands;
  std::vector<Bus::Subscription> handlers;
};

Lines::Lines(Core& core, stack::Resolver& resolver) : impl_(std::make_unique<Impl>(core, resolver)) {}
Lines::~Lines() = default;

void Lines::start() {
  auto& engine = impl_->core.engine;
  impl_->services->contact_key = contact_key(engine, impl_->core.log);
  impl_->handlers.push_back(engine.bus().install({.message = messages::kUserLogin, .priority = 100, .track = "sip"},
                                                 [impl = impl_.get()](jackfield::Message& message) { return impl->login(message); }));
  impl_->carried.start();
  impl_->commands.emplace(engine, impl_->table);
}

Verdict Lines::Impl::login(jackfield::Message& message) {
  const auto protocol = message.get(param::kProtocol);
  if (!protocol.empty() && protocol != "sip") return false;
  const auto name = message.get(param::kAccount);
  const auto operation = message.get(param::kOperation);
  auto* const known = table.find(name);
  if (operation == "logout" || operation == "delete") {
    if (!known) return false;
    known->leave();
    return true;
  }
  if (!operation.empty() && operation != "login" && operation != "create") return false;
  if (stopping) return refuse(message, name, "the server is stopping");
  auto settings = read_connection(message);
  if (!settings) {
    // What was configured before is no longer wanted; nothing that is half understood takes its place.
    if (known) known->leave();
    return refuse(message, name, settings.error());
  }
  if (known) {
    known->login(std::move(*settings));
    return true;
  }
  auto& connection = table.add(*services, std::move(*settings));
  index(connection.context().number);
  connection.begin();
  return true;
}

bool Lines::Impl::refuse(jackfield::Message& message, std::string_view name, const std::string& problem) {
  core.log.error("event=connection-refused connection={} reason={}", log_value(name), log_value(problem));
  message.set(param::kError, "failure").set(param::kReason, problem);
  return false;
}

void Lines::Impl::index(LineNumber number) {
  const Connection* connection = table.find(number);
  if (!connection) return;
  if (!connection->settings().enabled) return directory.erase(number);
  std::vector<net::Address> servers;
  connection->context().servers.each_way([&](const Way& way) {
    for (const auto& hop : way.hops())
      if (std::ranges::find(servers, hop.address) == servers.end()) servers.push_back(hop.address);
  });
  const auto contact = connection->settings().registers() ? connection->context().contact_parameter().substr(std::string_view(";line=").size()) : std::string();
  directory.set(number, connection->settings(), contact, std::move(servers));
}

void Lines::Impl::end(LineNumber number) {
  const Connection* connection = table.find(number);
  if (!connection || !connection->leaving()) return;
  directory.erase(number);
  carried.ended(number);
  table.erase(number);
}

void Lines::unregister_all() {
  impl_->stopping = true;
  impl_->drained_by = impl_->core.engine.clock().now() + kDrainLimit;
  impl_->table.each([](Connection& connection) {
    if (connection.settings().type != Type::upstream) connection.unregister();  // who carried something there says good-bye by it
  });
}

Task<> Lines::drained() {
  auto* const impl = impl_.get();
  const std::weak_ptr<Services> alive = impl->services;
  for (;;) {
    bool busy = impl->carried.busy();
    impl->table.each([&](const Connection& connection) { busy = busy || connection.busy(); });
    if (!busy || impl->core.engine.clock().now() >= impl->drained_by) co_return;
    auto step = impl->waits.open<bool>(kDrainStep);
    const auto woken = co_await step.wait();
    (void)woken;
    if (alive.expired()) co_return;
  }
}

void Lines::stop() {
  impl_->handlers.clear();
  impl_->commands.reset();
  impl_->waits.stop();
  impl_->carried.stop();
  impl_->table.clear();
}

const Line* Lines::find(std::string_view name) const {
  const Connection* connection = impl_->table.find(name);
  return connection && connection->settings().enabled ? connection : nullptr;
}

const Line* Lines::entry(const stack::FlowId& flow, const Message& request) const {
  const auto& uri = request.request_uri();
  const auto number = impl_->directory.find(flow.remote, uri ? unescape(uri->user) : std::string(), uri ? uri->parameter("line").value_or("") : std::string_view());
  return number == 0 ? nullptr : impl_->table.find(number);
}

const Line* Lines::upstream_at(const net::Address& source) const {
  const auto number = impl_->directory.find_upstream(source);
  return number == 0 ? nullptr : impl_->table.find(number);
}

bool Lines::is_source(const net::Address& source) const { return impl_->directory.is_source(source); }

std::optional<Exit> Lines::exit(std::string_view name) const {
  const Connection* connection = impl_->table.find(name);
  return connection ? connection->exit() : std::nullopt;
}

void Lines::failed(std::string_view name, ServerIndex server, const stack::Hop* hop, Failure failure) {
  if (Connection* connection = impl_->table.find(name)) connection->call_failed(server, hop, failure);
}

void Lines::answered(std::string_view name, ServerIndex server, const stack::Hop& hop) {
  if (Connection* connection = impl_->table.find(name)) connection->call_answered(server, hop);
}

bool Lines::response(stack::ClientTransactionId transaction, const Message& response, const stack::FlowId& flow) {
  const auto asked = impl_->services->asked.find(transaction.value);
  if (asked == impl_->services->asked.end()) return impl_->carried.response(transaction, response, flow);
  const auto [number, slot] = asked->second;
  if (response.status() >= 200) impl_->services->asked.erase(asked);
  if (Connection* connection = impl_->table.find(number)) connection->response(slot, response, flow);
  return true;
}

bool Lines::client_failed(stack::ClientTransactionId transaction, stack::ClientFailure failure) {
  const auto asked = impl_->services->asked.find(transaction.value);
  if (asked == impl_->services->asked.end()) return impl_->carried.client_failed(transaction, failure);
  const auto [number, slot] = asked->second;
  impl_->services->asked.erase(asked);
  if (Connection* connection = impl_->table.find(number)) connection->client_failed(slot, failure);
  return true;
}

void Lines::flow_closed(const stack::FlowId& flow) {
  for (const auto number : impl_->services->on_flow(flow))
    if (Connection* connection = impl_->table.find(number)) connection->flow_closed(flow);
}

std::size_t Lines::size() const { return impl_->table.size(); }

}  // namespace jackfield::sip::line
