// An OutgoingLeg's attempts: who it says calls whom, and how it goes from one server to the next for the same call (D18, RFC 3263
// §4.3). Each attempt has a dialog of its own, so what comes late from a server that was left finds no leg: a 2xx is acknowledged and
// ended with BYE (Services::refuse_answer), anything before it meets a CANCEL.
#include <jackfield/messages/call.h>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "call/identity.h"
#include "call/outgoing_leg.h"
#include "settings.h"

namespace jackfield::sip::call {

namespace {

namespace param = messages::param;

/// RFC 3323 §4.1.1.3.
constexpr std::string_view kAnonymous = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";

std::string quoted(std::string_view display) {
  std::string out = "\"";
  for (const char c : display) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out += "\" ";
}

std::string name_addr(std::string_view display, std::string_view user, std::string_view host) {
  std::string out = display.empty() ? std::string() : quoted(display);
  out += "<sip:";
  if (!user.empty()) out.append(escape_user(user)).append("@");
  return out.append(host).append(">");
}

/// What a leg is called by: host and port of a URI without its parameters.
std::string host_port(const Uri& uri) {
  return uri.port ? fmt::format("{}:{}", uri.host, uri.port) : std::string(uri.host);
}

}  // namespace

OutgoingLeg::OutgoingLeg(Services& services, Target target, const BusMessage& execute)
    : Leg(services, ChannelDirection::outgoing, target.flow), target_(std::move(target)) {
  auto& core = services.core;
  device_ = target_.device;
  authenticated_ = target_.is_binding;
  phone_user_ = target_.username;
  caller_ = execute.get(param::kCaller);
  called_ = execute.get(param::kCalled);
  set_billid(std::string(execute.get(param::kBillid)));

  bool believed = is_believed(core, target_.flow);
  names_.from_user = caller_;
  names_.from_display = execute.get(param::kCallername);
  // The domain of a call is the route's to say; without one it is where we are.
  names_.domain = execute.get(param::kDomain);
  if (const auto& line = target_.line) {
    line_ = line->name;
    believed = is_believed(core, line_);
    if (const auto* connection = core.connections->find(line_)) transfer_allowed_ = connection->settings().transfer;
    names_.from_user = line->from_user(caller_);
    if (!line->exit.display.empty()) names_.from_display = line->exit.display;
    const auto& exit = line->exit;
    contact_ = OwnContact{exit.contact_user.empty() ? caller_ : exit.contact_user, exit.contact_host};
    customer_ = std::make_unique<Customer>(Customer{.credentials = exit.credentials, .t1 = exit.initial_timeout});
    own_domain_ = line->upstream && !names_.domain.empty();
    if (!own_domain_) names_.domain = target_.line_host();
  }
  take_credentials(execute);
  if (const auto user = execute.get(param::kContactUser); !user.empty()) contact_ = OwnContact{std::string(user), contact_ ? contact_->host : std::string()};
  domain_ = names_.domain;
  const auto reach = core.transport.reach(target_.flow);
  const auto uri = Uri::parse(target_.request_uri);
  names_.to_user = called_.empty() && uri ? unescape(uri->user) : called_;
  names_.to_display = execute.get(param::kCalledname);
  names_.max_forwards = static_cast<unsigned>(std::clamp<long long>(execute.number(param::kAntiloop, core.settings->max_forwards), 0, 255));

  auto identity = identity_headers(execute, execute.flag(param::kTrustIdentity, believed), domain_.empty() ? reach.host : domain_);
  extra_ = std::move(identity.headers);
  anonymous_ = identity.anonymous;
  begin_dialog();

  reliable_ = execute.has(param::kPrack) ? execute.flag(param::kPrack) : core.settings->prack;
  const auto& limits = core.settings->call;
  start_timer(Timer::maxcall, Duration(execute.number(param::kMaxcall, limits.maxcall.count())));
  start_timer(Timer::maxpdd, Duration(execute.number(param::kMaxpdd, limits.maxpdd.count())));
  start_timer(Timer::timeout, Duration(execute.number(param::kTimeout, limits.timeout.count())));
}

OutgoingLeg::~OutgoingLeg() {
  if (lookup_ != 0) services_.core.resolver->cancel(lookup_);
}

void OutgoingLeg::begin_dialog() {
  auto& core = services_.core;
  any_transport_ = target_.any_transport;
  heard_ = wide_ = false;
  const auto reach = core.transport.reach(target_.flow);
  if (target_.line && !own_domain_) domain_ = names_.domain = target_.line_host();
  const auto host = names_.domain.empty() ? std::string_view(reach.host) : std::string_view(names_.domain);
  const auto uri = Uri::parse(target_.request_uri);
  const auto to_host = !target_.is_binding && uri ? host_port(*uri) : std::string(host);
  auto& random = core.engine.random();
  set_dialog(stack::Dialog({.call_id = fmt::format("{:016x}{:016x}@{}", random.next(), random.next(), reach.host),
                            .local_tag = fmt::format("{:016x}", random.next()),
                            .local = anonymous_ ? std::string(kAnonymous) : name_addr(names_.from_display, names_.from_user, host),
                            .remote = name_addr(names_.to_display, names_.to_user, to_host),
                            .target = target_.request_uri,
                            .route = target_.route,
                            .max_forwards = names_.max_forwards}));
}

void OutgoingLeg::follow_route() {
  auto& core = services_.core;
  const auto hop = Uri::parse(dialog().next_hop());
  if (target_.is_binding || !hop || !hop->is_sip()) return;  // D5: a phone is where its packets come from
  const auto said = hop->parameter("transport");
  const auto kind = said == "tcp" ? stack::TransportKind::tcp : said == "udp" ? stack::TransportKind::udp : flow().kind;
  auto address = net::Address::parse(hop->host, hop->port ? hop->port : stack::kSipPort);
  if (!address && core.resolver)
    if (const auto known = core.resolver->known({std::string(hop->host), hop->port, kind}); known && *known) address = (*known)->hops.front().address;
  // A private address from somebody who has none is one behind a NAT, which sees us through where we called.
  const bool hidden = address && address->is_private() && !flow().remote.is_private() && !flow().remote.is_loopback();
  if (!address || hidden || (address->same_host(flow().remote) && kind == flow().kind)) return;
  if (const auto way = core.transport.flow_to(kind, *address, flow().listener)) set_flow(*way);
}

void OutgoingLeg::heard(const Message& response) {
  const bool failing = response.status() == 408 || response.status() == 503;
  if (heard_ || (failing && !progressed_)) return;
  heard_ = true;
  stop_timer(Timer::attempt);
  auto& core = services_.core;
  // Which of a name's machines is in use follows no call that went elsewhere for its length.
  if (!target_.line || !target_.itinerary || !core.connections || wide_) return;
  if (const auto* hop = target_.itinerary->hop()) core.connections->answered(line_, target_.itinerary->place()->server, *hop);
}

bool OutgoingLeg::proved_first(const Message& response) {
  const bool challenge = response.status() == 401 || response.status() == 407;
  if (!challenge || !customer_ || state_ != State::calling) return false;
  if (customer_->proofs.learn(response, customer_->credentials, customer_->invite) != line::Proofs::Verdict::answer) return false;
  const auto learned = customer_->invite;
  heard_ = false;  // of the request that follows
  const bool sent = send_attempt();
  customer_->invite = learned;
  return sent;
}

void OutgoingLeg::take_credentials(const BusMessage& execute) {
  stack::Credentials own{std::string(execute.get(param::kAuthname)), std::string(execute.get(param::kPassword)), std::string(execute.get(param::kHa1Md5)),
                         std::string(execute.get(param::kHa1Sha256)), std::string(execute.get(param::kHa1Realm))};
  passes_challenges_ = execute.flag(param::kPassChallenge);
  if (passes_challenges_)
    for (const auto& [name, value] : execute.parameters()) {
      // To nobody else: whoever has them may try passwords on them.
      if (name == param::kAuthorization.name) relayed_.emplace_back(HeaderId::authorization, value);
      if (name == param::kProxyAuthorization.name) relayed_.emplace_back(HeaderId::proxy_authorization, value);
    }
  if (own.can_answer()) {
    if (!customer_) customer_ = std::make_unique<Customer>();
    customer_->credentials = std::move(own);
  } else if (customer_ && passes_challenges_) {
    customer_->credentials = {};  // the connection must not answer what the caller is asked
  }
}

bool OutgoingLeg::send_attempt() { return send_first(exchange_.offered() ? std::string(sent_description()) : std::string()); }

// EL-2: not even 100 within invite_total_timeout.
void OutgoingLeg::attempt_due() {
  if (state_ != State::calling || heard_) return;
  if (move_on(line::Failure::unreachable, {"noanswer"})) return;
  drop({"noanswer"});
}

bool OutgoingLeg::move_on(line::Failure failure, DisconnectReason otherwise) {
  auto& core = services_.core;
  auto& way = target_.itinerary;
  if (state_ != State::calling || progressed_ || gone() || !way || !way->place()) return false;
  if (target_.line && core.connections && !wide_) core.connections->failed(line_, way->place()->server, way->hop(), failure);
  const bool goes_on = way->goes_on();
  if (!goes_on) return false;
  core.log.info("event=failover channel={} line={} from={} reason={} callid={}", id(), log_value(line_), flow().remote.text(), log_value(otherwise.reason),
                log_value(dialog().call_id()));
  core.engine.metrics().counter("jackfield_sip_failovers_total", "Calls that went on to another server.").add();
  failure_ = std::move(otherwise);
  // It may still answer: then it is cancelled, and a 2xx finds nobody (§9.1, §13.2.2.4).
  core.transactions.cancel(exchange_.client());
  services_.legs.disown(exchange_.client());
  stop_timer(Timer::attempt);
  stop_timer(Timer::connecting);
  narrow_.reset();
  way->advance();
  next_attempt();
  return true;
}

void OutgoingLeg::next_attempt() {
  auto& core = services_.core;
  for (;;) {
    switch (aim(core, target_)) {
      case Aim::nowhere:
        return give_up();
      case Aim::unknown:
        state_ = State::moving;
        lookup_ = core.resolver->resolve(target_.itinerary->place()->destination, [weak = services_.self, number = number()](const stack::Resolved& resolved) {
          const auto services = weak.lock();
          if (!services) return;
          const LegTable::Scope scope(services->legs);
          if (Leg* leg = services->legs.find(number)) static_cast<OutgoingLeg*>(leg)->looked_up(resolved);
        });
        return;
      case Aim::ready:
        break;
    }
    state_ = State::calling;
    set_flow(target_.flow);
    begin_dialog();
    if (customer_) customer_->proofs.clear();  // they were for the server that is left
    if (send_attempt()) return;
    target_.itinerary->advance();
  }
}

void OutgoingLeg::looked_up(const stack::Resolved& resolved) {
  lookup_ = 0;
  if (state_ != State::moving || gone()) return;
  target_.itinerary->resolved(resolved);
  next_attempt();
}

void OutgoingLeg::give_up() {
  state_ = State::over;
  services_.legs.disown(exchange_.client());
  exchange_.refused();
  leave(failure_);
  settle_end();
}

}  // namespace jackfield::sip::call
