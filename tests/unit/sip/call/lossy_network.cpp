#include "lossy_network.h"

#include <cstdio>
#include <cstdlib>

namespace jackfield::sip::call {
namespace {

/// With JACKFIELD_TEST_TRACE set, each packet as it is sent and as it arrives: for whoever replays a run.
void trace(const CallWorld& world, std::string_view what, const stack::FlowId& flow, const std::string& bytes) {
  static const bool wanted = std::getenv("JACKFIELD_TEST_TRACE") != nullptr;
  if (!wanted) return;
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(world.engine.clock().now().time_since_epoch()).count();
  std::fputs(fmt::format("{:>8} {:<9} {} {} | {} | {} | {} -> {}\n", ms, what, flow.remote.text(), flow.connection, stack::first_line(bytes), header(bytes, "CSeq"),
                         header(bytes, "From"), header(bytes, "To")).c_str(), stderr);
}

}  // namespace

LossyNetwork::LossyNetwork(CallWorld& world, Dice& dice, Weather weather)
    : world_(world), dice_(dice), weather_(weather), timers_(world.engine.timers().add_sink([this](std::uint64_t id) {
        const auto found = waiting_.extract(id);
        if (!found.empty()) found.mapped()();
      })) {
  world_.network.on_send = [this](const stack::FlowId& flow, std::string_view bytes) {
    const auto end = ends_.find(flow.remote.text());
    if (end == ends_.end()) return;
    trace(world_, "server", flow, std::string(bytes));
    carry(flow.connection != 0, [this, flow, to = end->second, text = std::string(bytes)] {
      if (world_.network.dead.contains(flow.connection)) return;
      trace(world_, "  arrives", flow, text);
      to->deliver(flow.connection, flow.kind, text);
    });
  };
}

LossyNetwork::~LossyNetwork() {
  world_.network.on_send = [](const stack::FlowId&, std::string_view) {};
  world_.engine.timers().remove_sink(timers_);
}

void LossyNetwork::send(const stack::FlowId& from, std::string bytes) {
  trace(world_, "phone", from, bytes);
  carry(from.connection != 0, [this, from, text = std::move(bytes)] {
    if (world_.network.dead.contains(from.connection)) return;
    trace(world_, "  arrives", from, text);
    world_.door.sender.username = ends_.at(from.remote.text())->user();
    static_cast<stack::TransportEvents&>(world_.transactions).message(from, text);
  });
}

void LossyNetwork::carry(bool reliable, std::function<void()> deliver) {
  if (reliable) {
    return world_.engine.post([alive = std::weak_ptr(alive_), deliver = std::move(deliver)] {
      if (!alive.expired()) deliver();
    });
  }
  for (int copies = dice_.chance(weather_.repeated) ? 2 : 1; copies > 0; --copies)
    if (!dice_.chance(weather_.lost)) after(dice_.within(weather_.late), deliver);
}

void LossyNetwork::after(Duration delay, std::function<void()> work) {
  waiting_[++last_] = std::move(work);
  world_.engine.timers().start(timers_, last_, delay);
}

}  // namespace jackfield::sip::call
