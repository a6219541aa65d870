#include "line/reachability.h"

#include <fmt/format.h>

#include <utility>

#include "line/connection.h"
#include "stack/dialog.h"

namespace jackfield::sip::line {

namespace {

constexpr std::string_view kPing = "\r\n\r\n";  // RFC 5626 §3.5.1; over datagrams it is ignored, but opens the way

}  // namespace

void Reachability::ask(Purpose purpose, ServerIndex server) {
  if (server >= context_.servers.size()) return;
  if (question_) {
    // With intervals that are multiples of each other the two would always meet, and one never be asked.
    if (purpose == Purpose::homing && question_->purpose != purpose) home_waits_ = server;
    return;
  }
  question_.emplace(Question{.purpose = purpose, .server = server});
  auto& services = context_.services;
  const auto& destination = context_.servers.way(server, Servers::Purpose::calls).destination();
  if (const auto known = services.resolver.known(destination)) return looked_up(*known);
  question_->lookup = services.resolver.resolve(destination, [weak = services.self, number = context_.number](const stack::Resolved& resolved) {
    const auto alive = weak.lock();
    if (Connection* connection = alive ? alive->find(number) : nullptr) connection->reachability().looked_up(resolved);
  });
}

void Reachability::looked_up(const stack::Resolved& resolved) {
  if (!question_) return;
  question_->lookup = 0;
  if (!resolved) return finish(false, 0, resolved.error());
  auto& way = context_.servers.way(question_->server, Servers::Purpose::calls);
  way.resolved(resolved->hops);
  const auto flow = context_.flow_to(*way.current());
  if (!flow) return finish(false, 0, fmt::format("no listener reaches {}", way.current()->address.text()));
  question_->flow = *flow;
  const auto branch = context_.core().transactions.new_branch();
  question_->transaction = context_.send(Slot::options, *flow, Method::options, branch, write("OPTIONS", question_->server, *flow, branch));
  if (const auto limit = context_.limit(); limit.count() != 0) context_.start(Timer::ask, limit);
}

/// Outside any dialog, from the connection's own user to the server (RFC 3261 §11.1).
std::string Reachability::write(std::string_view method, ServerIndex server, const stack::FlowId& flow, const std::string& branch) {
  const auto& settings = context_.settings;
  auto& random = context_.core().engine.random();
  const auto reach = context_.core().transport.reach(flow);
  const auto host = uri_host(settings.servers[server].proxy);
  const auto user = settings.username.empty() ? std::string() : escape_user(settings.username) + "@";
  std::string out;
  Writer writer(out);
  writer.request(method, "sip:" + host);
  writer.header(HeaderId::via, stack::via_value({stack::transport_name(flow.kind), reach.host, reach.port, branch}));
  if (!settings.outbound_route.empty()) writer.header(HeaderId::route, settings.outbound_route);
  writer.header(HeaderId::max_forwards, 70UL);
  writer.header(HeaderId::from, fmt::format("<sip:{}{}>;tag={:016x}", user, settings.domain.empty() ? reach.host : settings.domain, random.next()));
  writer.header(HeaderId::to, fmt::format("<sip:{}>", host));
  writer.header(HeaderId::call_id, fmt::format("{:016x}{:016x}", random.next(), random.next()));
  writer.cseq(++cseq_, method);
  writer.header(HeaderId::contact, fmt::format("<{}>", context_.contact(flow)));
  if (method == "NOTIFY") {
    writer.header(HeaderId::event, "keep-alive");
    writer.header(HeaderId::subscription_state, "active");
  } else {
    writer.header(HeaderId::accept, "application/sdp");
  }
  if (!context_.core().settings->useragent.empty()) writer.header(HeaderId::user_agent, context_.core().settings->useragent);
  writer.end();
  return out;
}

void Reachability::keep_alive() {
  auto flow = context_.flow;
  if (const auto* current = context_.servers.size() == 0 ? nullptr : context_.servers.way(context_.servers.active(), Servers::Purpose::calls).current(); !flow && current)
    flow = context_.flow_to(*current).value_or(stack::FlowId{});
  if (!flow) return;
  auto& core = context_.core();
  if (context_.settings.keepalive_method == KeepaliveMethod::crlf) {
    core.transport.send(flow, kPing);
    return;
  }
  const bool notify = context_.settings.keepalive_method == KeepaliveMethod::notify;
  const auto branch = core.transactions.new_branch();
  // Whatever comes back, or nothing: the packet has passed.
  core.transactions.send(flow, notify ? Method::notify : Method::options, branch,
                         write(notify ? "NOTIFY" : "OPTIONS", context_.servers.active(), flow, branch), context_.settings.initial_timeout);
}

void Reachability::response(const Message& response) {
  if (!question_ || response.status() < 200) return;
  question_->transaction = {};
  const int code = response.status();
  if (code != 408 && code != 503) context_.use_flow(question_->server == context_.servers.active() && !context_.settings.registers() ? question_->flow : context_.flow);
  finish(code != 408 && code != 503, code, fmt::format("{} {}", code, response.reason_phrase()));
}

void Reachability::client_failed() {
  if (!question_) return;
  question_->transaction = {};
  finish(false, 0, "no answer");
}

void Reachability::over() {
  if (question_) finish(false, 0, "no answer");
}

void Reachability::give_up() {
  context_.stop(Timer::ask);
  home_waits_.reset();
  if (!question_) return;
  if (question_->lookup != 0) context_.services.resolver.cancel(question_->lookup);
  context_.abandon(question_->transaction);
  question_.reset();
}

void Reachability::finish(bool alive, int code, const std::string& reason) {
  const auto done = *question_;
  const auto home = home_waits_;
  give_up();
  owner_.asked(done.purpose, done.server, alive, code, reason);
  if (home) ask(Purpose::homing, *home);
}

}  // namespace jackfield::sip::line
