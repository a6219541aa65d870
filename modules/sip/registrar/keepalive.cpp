#include "registrar/keepalive.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "guard/guard.h"
#include "sip/writer.h"

namespace jackfield::sip::registrar {

namespace {

constexpr std::string_view kPing = "\r\n\r\n";  // RFC 5626 §3.5.1; over datagrams it is ignored, but opens the way

}  // namespace

void Keepalive::tick(std::int64_t second) {
  const auto& settings = core_.settings->registrar;
  if (settings.keepalive == sip::Keepalive::none) return;
  const auto interval = std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(settings.nat_refresh).count());
  table_.every(static_cast<std::size_t>(second % interval), static_cast<std::size_t>(interval), [&](BindingId id, const Binding& binding) {
    const auto& facts = binding.facts();
    if (!facts.behind_nat || !facts.flow || binding.expired(core_.engine.clock().now())) return;
    if (settings.keepalive == sip::Keepalive::options) send_options(id, binding);
    else core_.transport.send(facts.flow, kPing);
  });
}

void Keepalive::send_options(BindingId id, const Binding& binding) {
  const auto& flow = binding.facts().flow;
  const auto reach = core_.transport.reach(flow);
  const auto branch = core_.transactions.new_branch();
  const auto us = fmt::format("<sip:{}:{}>", reach.host, reach.port);
  std::string bytes;
  Writer writer(bytes);
  writer.request("OPTIONS", binding.contact());
  writer.header(HeaderId::via, fmt::format("SIP/2.0/{} {}:{};branch={};rport", stack::transport_name(flow.kind), reach.host, reach.port, branch));
  if (!binding.path().empty()) writer.header(HeaderId::route, binding.path());
  writer.header(HeaderId::max_forwards, core_.settings->max_forwards);
  writer.header(HeaderId::from, fmt::format("{};tag={:016x}", us, core_.engine.random().next()));
  writer.header(HeaderId::to, fmt::format("<{}>", binding.contact()));
  writer.header(HeaderId::call_id, fmt::format("{:016x}{:016x}", core_.engine.random().next(), core_.engine.random().next()));
  writer.cseq(++cseq_, "OPTIONS");
  writer.header(HeaderId::accept, "application/sdp");
  writer.end();
  asked_[core_.transactions.send(flow, Method::options, branch, bytes).value] = {id, core_.engine.clock().now()};
}

bool Keepalive::answered(stack::ClientTransactionId transaction) {
  const auto asked = asked_.find(transaction.value);
  if (asked == asked_.end()) return false;
  if (auto* binding = table_.find(asked->second.binding)) {
    binding->set_unavailable(false);
    binding->set_round_trip(core_.engine.clock().now() - asked->second.at);
  }
  asked_.erase(asked);
  return true;
}

bool Keepalive::failed(stack::ClientTransactionId transaction) {
  const auto asked = asked_.find(transaction.value);
  if (asked == asked_.end()) return false;
  if (auto* binding = table_.find(asked->second.binding); binding && !binding->unavailable()) {
    binding->set_unavailable(true);
    if (core_.guard) core_.guard->last_failures().note(binding->username(), core_.engine.clock().wall(), binding->facts().flow.remote, "no answer to OPTIONS");
    core_.log.info("event=unreachable user={} contact={}", log_value(binding->username()), log_value(binding->contact()));
  }
  asked_.erase(asked);
  return true;
}

}  // namespace jackfield::sip::registrar
