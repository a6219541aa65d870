#include "line/registration.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "line/connection.h"

namespace jackfield::sip::line {

namespace {

using namespace std::chrono_literals;

constexpr std::chrono::seconds kMostRetryAfter{600};
constexpr Duration kRemoval{5000};                   // then the binding is left to lapse
constexpr Duration kLostFlow{1000};                  // to twice that: not all that shared a connection at once
constexpr Duration kMoved{2000};                     // COMPAT §6
constexpr unsigned kMostRedirections = 5;
constexpr std::size_t kMostRoute = 8;

std::chrono::seconds retry_after(const Message& response) {
  const auto value = response.value(HeaderId::retry_after);  // `120 (busy);duration=60`
  const auto number = parse_number(value.substr(0, value.find_first_not_of("0123456789")));
  return number ? std::min(std::chrono::seconds(*number), kMostRetryAfter) : 0s;
}

std::string phrase_of(const Message& response) { return fmt::format("{} {}", response.status(), response.reason_phrase()); }

}  // namespace

std::string_view state_name(Registration::State state) {
  switch (state) {
    case Registration::State::unregistered: return "unregistered";
    case Registration::State::waiting: return "waiting";
    case Registration::State::registering: return "registering";
    case Registration::State::registered: return "registered";
    case Registration::State::failed: return "failed";
    case Registration::State::unregistering: return "unregistering";
  }
  return "";
}

Registration::Registration(Context& context, Owner& owner) : context_(context), owner_(owner), asked_(context.settings.interval) {
  auto& random = context.core().engine.random();
  call_id_ = fmt::format("{:016x}{:016x}", random.next(), random.next());
  tag_ = fmt::format("{:016x}", random.next());
}

Registration::~Registration() { give_up(); }

// What is wanted.

void Registration::begin() {
  if (state_ == State::unregistering || attempt_) {
    again_ = true;  // §10.2: no new one before the last is answered or has timed out
    return;
  }
  context_.stop(Timer::next);
  next_.reset();
  if (state_ != State::registered) become(State::waiting, code_, reason_);
  context_.services.pace->ask(context_.number);
}

void Registration::begin_anew() {
  if (state_ == State::unregistering) return begin();
  redirection_.reset();  // of the server that is left
  if (attempt_) give_up();
  attempt(Purpose::refresh);
}

void Registration::withdraw() {
  again_ = false;
  context_.services.pace->forget(context_.number);
  context_.stop(Timer::next);
  next_.reset();
  if (state_ == State::unregistering) return;
  if (attempt_ && attempt_->transaction) {
    // It may have arrived: what it bound is taken back where it went.
    if (contact_.empty()) contact_ = attempt_->contact, server_ = attempt_->server, hop_ = attempt_->hop;
    bound_until_ = context_.now() + asked_;
  }
  give_up();
  if (contact_.empty() || context_.now() >= bound_until_) return become(State::unregistered);
  become(State::unregistering);
  attempt(Purpose::removal);
}

void Registration::probe() {
  // What keeps the binding comes first: a refresh whose turn is near must not find us busy.
  if (attempt_ || state_ != State::registered || context_.services.pace->waits(context_.number)) return;
  attempt(Purpose::probe);
}

void Registration::settings_changed(bool other_credentials) {
  asked_ = context_.settings.interval;
  if (other_credentials) proofs_.clear();
  if (!attempt_) redirection_.reset();
  one_contact_ = false;
}

// What happens by itself.

void Registration::due() {
  next_.reset();
  switch (state_) {
    case State::registered:     // §10.2.4: refreshed before it lapses
    case State::failed:         // nothing is given up
      return begin();
    case State::unregistered:
    case State::waiting:
    case State::registering:
    case State::unregistering:
      return;
  }
}

void Registration::turn() {
  switch (state_) {
    case State::waiting:
    case State::registered:
    case State::failed:
      if (!attempt_) attempt(Purpose::refresh);
      return;
    case State::unregistered:
    case State::registering:
    case State::unregistering:
      return;
  }
}

/// A connection that carries the binding is gone: what the server sends no longer reaches us (RFC 5626 §4.2.1).
void Registration::flow_closed() {
  if (state_ != State::registered || attempt_) return;
  wait(context_.services.jitter(kLostFlow, 2 * kLostFlow));
}

// One attempt.

void Registration::attempt(Purpose purpose) {
  proofs_.begin_round();
  attempt_.emplace(Attempt{.purpose = purpose});
  attempt_->server = purpose == Purpose::probe ? 0 : purpose == Purpose::removal ? server_ : context_.servers.active();
  if (purpose == Purpose::refresh && state_ != State::registered) become(State::registering, code_, reason_);
  if (purpose == Purpose::removal && hop_) {
    attempt_->hop = *hop_;
    return send();
  }
  look_up();
}

void Registration::look_up() {
  auto& services = context_.services;
  auto& way = context_.servers.way(attempt_->server, Servers::Purpose::registration);
  const bool elsewhere = redirection_ && attempt_->purpose != Purpose::probe;
  const auto& destination = elsewhere ? redirection_->destination : way.destination();
  if (const auto known = services.resolver.known(destination)) return looked_up(*known);
  attempt_->lookup = services.resolver.resolve(destination, [weak = services.self, number = context_.number](const stack::Resolved& resolved) {
    const auto alive = weak.lock();
    if (Connection* connection = alive ? alive->find(number) : nullptr) connection->registration().looked_up(resolved);
  });
}

void Registration::looked_up(const stack::Resolved& resolved) {
  if (!attempt_) return;
  attempt_->lookup = 0;
  if (!resolved) return server_failed(0, resolved.error(), 0s);
  if (redirection_ && attempt_->purpose != Purpose::probe) {
    attempt_->hop = resolved->hops.front();
  } else {
    auto& way = context_.servers.way(attempt_->server, Servers::Purpose::registration);
    way.resolved(resolved->hops);
    attempt_->hop = *way.current();
  }
  send();
}

void Registration::send() {
  const auto flow = context_.flow_to(attempt_->hop);
  if (!flow)
    return server_failed(0, fmt::format("no listener reaches {} over {}", attempt_->hop.address.text(), stack::transport_parameter(attempt_->hop.transport)), 0s);
  attempt_->flow = *flow;
  const auto branch = context_.core().transactions.new_branch();
  const auto bytes = write(branch);
  attempt_->transaction = context_.send(Slot::registration, *flow, Method::reg, branch, bytes);
  const auto limit = attempt_->purpose == Purpose::removal ? kRemoval : context_.limit();
  if (limit.count() != 0) context_.start(Timer::attempt, limit);
}

void Registration::give_up() {
  context_.stop(Timer::attempt);
  if (!attempt_) return;
  if (attempt_->lookup != 0) context_.services.resolver.cancel(attempt_->lookup);
  context_.abandon(attempt_->transaction);
  attempt_.reset();
}

// What came of it.

void Registration::response(const Message& response, const stack::FlowId& flow) {
  if (!attempt_ || response.status() < 200) return;
  attempt_->transaction = {};
  context_.stop(Timer::attempt);
  const int code = response.status();
  if (attempt_->purpose == Purpose::removal && code != 401 && code != 407) return removed();  // §10.2.2; refused: it lapses
  if (code < 300) return succeeded(response, flow);                                           // §10.2.4
  if (code == 401 || code == 407) return challenged(response);                                // §22.2
  if (code == 423) return too_brief(response);                                                // §10.2.8
  if (code < 400 && redirected(response)) return;                                             // §8.1.3.4
  if (code == 408 || code == 503) return server_failed(code, phrase_of(response), retry_after(response));  // D18
  refused(code, phrase_of(response), retry_after(response));
}

void Registration::client_failed(stack::ClientFailure failure) {
  if (!attempt_) return;
  attempt_->transaction = {};
  switch (failure) {
    case stack::ClientFailure::timeout: return server_failed(408, "no answer", 0s);       // §8.1.3.1
    case stack::ClientFailure::flow_closed: return server_failed(503, "not reachable", 0s);
    case stack::ClientFailure::stopped: return;
  }
}

/// No answer within the time a server has (EL-2).
void Registration::attempt_over() {
  if (!attempt_) return;
  context_.abandon(attempt_->transaction);
  attempt_->transaction = {};
  server_failed(408, "no answer", 0s);
}

void Registration::succeeded(const Message& response, const stack::FlowId& flow) {
  const auto done = *std::exchange(attempt_, std::nullopt);
  const bool home = done.purpose == Purpose::probe;
  if (home) {
    context_.servers.make_active(0);
    redirection_.reset();
  }
  context_.servers.answered();
  const auto taken_back = done.purpose == Purpose::refresh ? std::exchange(old_contacts_, {}) : old_contacts_;
  if (!contact_.empty() && contact_ != done.contact && server_ == done.server && std::ranges::find(taken_back, contact_) == taken_back.end())
    old_contacts_.push_back(contact_);
  contact_ = done.contact;
  server_ = done.server;
  hop_ = done.hop;
  granted_ = granted_by(response);
  bound_until_ = context_.now() + granted_;
  context_.use_flow(done.flow);
  service_route_.clear();
  for (const auto& route : response.list(HeaderId::service_route))
    if (service_route_.size() < kMostRoute) service_route_.emplace_back(route);
  // Three quarters of it at the latest, and not all together. However little it is: Yate counts no less than a minute, and is not there in between.
  const auto counted = std::chrono::duration_cast<Duration>(granted_);
  const bool regular = !std::exchange(moved_, false);
  become(State::registered);
  wait(context_.services.jitter(counted * 65 / 100, counted * 75 / 100));
  if (regular) note_seen_address(response, flow);
  note_stale_contacts(response);
  if (one_contact_) old_contacts_.clear();
  if (moved_ || !old_contacts_.empty()) wait(std::min(kMoved, counted / 2));
  owner_.registration_changed();
  if (home) owner_.came_home();
  if (std::exchange(again_, false)) begin();
}

void Registration::challenged(const Message& response) {
  const auto verdict = proofs_.learn(response, {context_.settings.authname, context_.settings.password});
  switch (verdict) {
    case Proofs::Verdict::answer: return send();
    case Proofs::Verdict::wrong: break;
    case Proofs::Verdict::unusable: break;
    case Proofs::Verdict::endless: break;
  }
  if (attempt_->purpose == Purpose::removal) return removed();
  proofs_.clear();
  const std::string_view why = context_.settings.password.empty() ? " (there is no password)" : verdict == Proofs::Verdict::wrong ? " (wrong username or password)"
                               : verdict == Proofs::Verdict::unusable ? " (a challenge we cannot answer)" : " (one challenge after another)";
  refused(response.status(), phrase_of(response).append(why), retry_after(response));
}

void Registration::too_brief(const Message& response) {
  const auto least = parse_number(response.value(HeaderId::min_expires));
  const bool better = least && std::chrono::seconds(*least) > asked_ && std::chrono::seconds(*least) <= kMostInterval;
  if (!better || attempt_->raised) return refused(423, phrase_of(response), 0s);
  asked_ = std::chrono::seconds(*least);
  attempt_->raised = true;
  send();
}

bool Registration::redirected(const Message& response) {
  const auto& contacts = response.contacts();
  if (!contacts || contacts->empty() || contacts->front().star || attempt_->purpose != Purpose::refresh || ++attempt_->redirections > kMostRedirections) return false;
  const auto& uri = contacts->front().address.uri;
  auto destination = parse_destination(uri.text);
  if (!destination) return false;
  // The Request-URI of a REGISTER has no user (§10.2).
  proofs_.clear();  // they were for whoever sent us here
  proofs_.begin_round();
  redirection_.emplace(Redirection{*destination, "sip:" + uri_host(*destination)});
  look_up();
  return true;
}

/// It did not answer, or does not serve now: the next one, and after the last a pause (EL-2, EL-6, EL-7).
void Registration::server_failed(int code, std::string reason, std::chrono::seconds after) {
  context_.stop(Timer::attempt);
  const auto failed = *std::exchange(attempt_, std::nullopt);
  if (failed.purpose == Purpose::removal) return removed();
  if (failed.purpose == Purpose::probe) {
    context_.servers.way(0, Servers::Purpose::registration).advance();  // a name's machines take turns
    if (std::exchange(again_, false)) begin();
    return;
  }
  context_.core().log.warning("event=connection-server-failed connection={} server={} address={} reason={}", log_value(context_.settings.name),
                              log_value(uri_host(context_.settings.servers[failed.server].registrar)), failed.hop.address.empty() ? "" : failed.hop.address.text(),
                              log_value(reason));
  proofs_.clear();
  code_ = code;
  reason_ = std::move(reason);
  // One that was kept from an earlier time; where it has just been told, the server is no better than its redirection.
  if (std::exchange(redirection_, std::nullopt) && failed.redirections == 0) return attempt(Purpose::refresh);
  if (context_.servers.move_on(Servers::Purpose::registration)) return attempt(Purpose::refresh);
  context_.servers.begin_cycle();
  refused(code_, reason_, after);
}

/// A server that answers and says no is asked again later; another would say the same (D18).
void Registration::refused(int code, std::string reason, std::chrono::seconds after) {
  const bool probe = attempt_ && attempt_->purpose == Purpose::probe;
  attempt_.reset();
  if (probe) {
    if (std::exchange(again_, false)) begin();
    return;
  }
  // It may be that it takes no more than one contact in a request: the old ones lapse by themselves.
  if (!old_contacts_.empty()) one_contact_ = true;
  old_contacts_.clear();
  redirection_.reset();
  become(State::failed, code, std::move(reason));
  const auto retry = context_.settings.retry;
  wait(std::max<Duration>(context_.services.jitter(retry * 4 / 5, retry), after));
  owner_.registration_changed();
  if (std::exchange(again_, false)) begin();
}

void Registration::removed() {
  context_.stop(Timer::attempt);
  redirection_.reset();
  attempt_.reset();
  contact_.clear();
  bound_until_ = {};
  service_route_.clear();
  context_.use_flow({});
  become(State::unregistered);
  owner_.registration_changed();
  if (std::exchange(again_, false)) begin();
}

void Registration::wait(Duration delay) {
  next_ = context_.now() + delay;
  context_.start(Timer::next, delay);
}

void Registration::become(State state, int code, std::string reason) {
  state_ = state;
  code_ = code;
  reason_ = std::move(reason);
}

}  // namespace jackfield::sip::line
