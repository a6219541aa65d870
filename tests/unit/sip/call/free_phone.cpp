#include "free_phone.h"

namespace jackfield::sip::call {

FreePhone::FreePhone(LossyNetwork& network, std::string name, const std::string& address, std::uint32_t connection)
    : network_(network), dice_(network.dice()), transactions_(network.world().engine, {}), name_(std::move(name)), address_(stack::address(address)),
      connection_(connection), kind_(connection ? stack::TransportKind::tcp : stack::TransportKind::udp) {
  if (dice_.chance(60)) allow_ += ", UPDATE";
  transactions_.attach(wire_, *this);
  wire_.on_send = [this](const stack::FlowId& flow, std::string_view bytes) {
    if (!dead_) network_.send({address_, flow.connection, 0, flow.kind}, std::string(bytes));
  };
  network_.attach(address_.text(), *this);
}

FreePhone::~FreePhone() { transactions_.stop(); }

stack::FlowId FreePhone::server() const { return {stack::address("192.0.2.1:5060"), connection_, 0, kind_}; }

std::string FreePhone::contact() const { return fmt::format("<sip:{}@{}>", name_, address_.text()); }

void FreePhone::deliver(std::uint32_t connection, stack::TransportKind kind, const std::string& bytes) {
  if (dead_) return;
  static_cast<stack::TransportEvents&>(transactions_).message({stack::address("192.0.2.1:5060"), connection, 0, kind}, bytes);
}

void FreePhone::reconnect(std::uint32_t connection) {
  const auto old = server();
  wire_.dead.insert(connection_);
  connection_ = connection;
  static_cast<stack::TransportEvents&>(transactions_).closed(old, "gone");
  // What rang over the old one rings no more: no CANCEL could reach it.
  for (Call& call : calls_)
    if (call.state == State::ringing) end(call);
}

// What it sends.

stack::ClientTransactionId FreePhone::send(Call& call, Method method, std::string_view body, std::string_view extra) {
  std::string out;
  const auto branch = transactions_.new_branch();
  auto writer = call.dialog.begin_request(out, method_name(method), call.dialog.next_cseq(),
                                          {stack::transport_name(kind_), address_.host(), address_.port(), branch});
  if (method == Method::invite || method == Method::update || method == Method::refer)
    writer.header(HeaderId::contact, contact()).header("Allow", allow_);
  for (; !extra.empty(); extra.remove_prefix(extra.find('\n') + 1)) {
    const auto line = extra.substr(0, extra.find('\n'));
    writer.header(line.substr(0, line.find(':')), line.substr(line.find(':') + 2));
  }
  if (body.empty()) writer.end();
  else writer.body(method == Method::info ? "application/dtmf-relay" : method == Method::message ? "text/plain" : "application/sdp", body);
  return transactions_.send(server(), method, branch, out);
}

void FreePhone::begin_invite(Call& call, std::string_view extra) {
  call.offered = !dice_.chance(15);
  call.cancelled = false;
  call.invite_cseq = call.dialog.local_cseq() + 1;
  call.invite = send(call, Method::invite, call.offered ? sdp("offer of " + name_) : std::string(), session() + std::string(extra));
}

std::string FreePhone::session() const {
  if (dice_.chance(60)) return {};
  return fmt::format("Supported: timer\nSession-Expires: {}{}\n", dice_.pick({90, 90, 120}), dice_.pick<std::string_view>({"", ";refresher=uac", ";refresher=uas"}));
}

void FreePhone::call(const std::string& number, const std::string& extra) {
  ++tags_;
  stack::Dialog dialog({.call_id = fmt::format("{}-{}", name_, tags_), .local_tag = fmt::format("{}t{}", name_, tags_),
                        .local = fmt::format("<sip:{}@192.0.2.1>", name_), .remote = fmt::format("<sip:{}@192.0.2.1>", number),
                        .target = fmt::format("sip:{}@192.0.2.1", number)});
  calls_.push_back({std::move(dialog), State::calling});
  begin_invite(calls_.back(), dice_.pick<std::string>({"", "", "Require: 100rel\n", "Supported: 100rel\n"}) + extra);
}

void FreePhone::acknowledge(Call& call, std::uint32_t cseq, bool offered) {
  std::string out;
  auto writer = call.dialog.begin_request(out, "ACK", cseq, {stack::transport_name(kind_), address_.host(), address_.port(), transactions_.new_branch()});
  if (offered) writer.end();
  else writer.body("application/sdp", sdp("answer of " + name_));
  transactions_.send_stateless(server(), out);
  call.acks[cseq] = std::move(out);
}

void FreePhone::respond(Call& call, stack::ServerTransactionId transaction, int code, std::string_view body, std::string_view extra) {
  const Message* const request = transactions_.request_of(transaction);
  if (!request) return;
  std::string out;
  auto writer = start_response(out, *request, code, {}, code == 100 ? std::string_view() : call.dialog.local_tag(), "192.0.2.1", 5060);
  if (code > 100 && code < 400) writer.header(HeaderId::contact, code < 300 ? contact() : "<sip:103@192.0.2.1>").header("Allow", allow_);
  for (; !extra.empty(); extra.remove_prefix(extra.find('\n') + 1)) {
    const auto line = extra.substr(0, extra.find('\n'));
    writer.header(line.substr(0, line.find(':')), line.substr(line.find(':') + 2));
  }
  if (body.empty()) writer.end();
  else writer.body("application/sdp", body);
  transactions_.respond(transaction, code, out);
  if (extra.starts_with("RSeq")) repeat(number_of(call), transaction, call.unacknowledged, std::move(out), std::chrono::milliseconds(500));
}

void FreePhone::reply(const stack::IncomingRequest& request, int code, std::string_view body) {
  if (body.empty()) return transactions_.reply_and_keep(request, code);
  const auto transaction = transactions_.begin(request);
  std::string out;
  auto writer = start_response(out, request.message, code, {}, {}, "192.0.2.1", 5060);
  writer.header(HeaderId::contact, contact()).body("application/sdp", body);
  transactions_.respond(transaction, code, out);
}

// What it wants.

void FreePhone::act(const FreePhone& other) {
  if (dead_ || calm_) return;
  if (open() == 0 || (calls_.size() < 3 && dice_.chance(5))) {
    if (calls_.size() >= 4) return;
    std::string extra;
    for (const Call& one : other.calls_)
      if (dice_.chance(20)) extra = fmt::format("Replaces: {};to-tag={};from-tag={}\n", one.dialog.call_id(), one.dialog.remote_tag(), one.dialog.local_tag());
    return call(dice_.chance(5) ? "404" : other.name_, extra);
  }
  Call& call = calls_[dice_.roll(calls_.size())];
  if (call.state == State::calling) {
    if (dice_.chance(30)) end(call);
    else if (dice_.chance(20) && !call.dialog.remote_tag().empty()) send(call, dice_.pick({Method::update, Method::info, Method::options}));
    return;
  }
  if (call.state != State::up) return;
  switch (dice_.roll(10)) {
    case 0:
    case 1:
    case 2:
      if (!call.invite && !call.asked) begin_invite(call);
      break;
    case 3:
    case 4:
      if (!call.update) call.update = send(call, Method::update, dice_.chance(70) ? sdp("update of " + name_) : std::string(), session());
      break;
    case 5:
      send(call, Method::info, "Signal=5\r\nDuration=160\r\n");
      break;
    case 6:
      send(call, dice_.pick({Method::options, Method::message}), "hello");
      break;
    case 7:
      refer(call);
      break;
    case 8:
      if (call.invite && !call.cancelled) transactions_.cancel(call.invite), call.cancelled = true;
      break;
    default:
      if (dice_.chance(40)) end(call);
  }
}

void FreePhone::refer(Call& call) {
  std::string to = fmt::format("<sip:{}@192.0.2.1", dice_.pick<std::string_view>({"101", "102", "103", "103", "103", "404"}));
  for (const Call& one : calls_)
    if (&one != &call && one.state == State::up)
      to += fmt::format("?Replaces={}%3Bto-tag%3D{}%3Bfrom-tag%3D{}", one.dialog.call_id(), one.dialog.remote_tag(), one.dialog.local_tag());
  send(call, Method::refer, {}, "Refer-To: " + to.substr(0, to.find("?Replaces", to.find("?Replaces") + 1)) + ">\n");
}

bool FreePhone::hang_up() {
  for (Call& call : calls_)
    if (call.state != State::over) return end(call), true;
  return false;
}

void FreePhone::end(Call& call) {
  switch (call.state) {
    case State::calling:
      if (!call.cancelled) transactions_.cancel(call.invite);
      call.cancelled = true;
      break;
    case State::ringing:
      if (call.asked) respond(call, std::exchange(call.asked, {}), 486);
      call.state = State::over;
      break;
    case State::up:
      call.state = State::ending;
      if (call.asked) respond(call, std::exchange(call.asked, {}), 487);
      // RFC 3261 §15: the called side waits for the ACK of its 2xx.
      if (call.accepted) call.bye_waits = true;
      else send_bye(call);
      break;
    default:
      break;
  }
}

void FreePhone::send_bye(Call& call) {
  call.bye_waits = false;
  call.bye = send(call, Method::bye);
}

// What comes of it.

void FreePhone::response(stack::ClientTransactionId transaction, const Message& response, const stack::FlowId&) {
  Call* const found = find(response, true);
  if (!found) return;
  Call& call = *found;
  const int code = response.status();
  if (code >= 200) ++saw_[fmt::format("{} {}", method_name(response.method()), code)];
  if (response.method() == Method::invite) return answered(call, response);
  if (code < 200) return;
  if (transaction == call.update) call.update = {};
  if (transaction == call.bye) call.state = State::over;
}

void FreePhone::answered(Call& call, const Message& response) {
  const int code = response.status();
  const auto cseq = response.cseq()->number;
  if (code < 200) {
    if (call.state != State::calling || response.to()->tag.empty()) return;
    call.dialog.establish(response);
    if (response.value(HeaderId::rseq).empty()) return;
    const std::string tag(response.to()->tag), rseq(response.value(HeaderId::rseq));
    if (call.pracked.insert(tag + rseq).second) send(call, Method::prack, {}, fmt::format("RAck: {} {} INVITE\n", rseq, cseq));
    return;
  }
  if (code < 300) {
    if (const auto ack = call.acks.find(cseq); ack != call.acks.end()) return void(transactions_.send_stateless(server(), ack->second));
    call.invite = {};
    if (call.state == State::calling) {
      call.dialog.establish(response);
      call.state = State::up;
      acknowledge(call, cseq, call.offered);
      if (call.cancelled) end(call);  // the two crossed
    } else {
      call.dialog.refresh_target(response);
      acknowledge(call, cseq, call.offered);
    }
    return;
  }
  call.invite = {};
  if (call.state == State::calling) call.state = State::over;
}

void FreePhone::client_failed(stack::ClientTransactionId transaction, stack::ClientFailure) {
  for (Call& call : calls_) {
    if (transaction == call.update) call.update = {};
    if (transaction == call.bye) call.state = State::over;
    if (transaction != call.invite) continue;
    call.invite = {};
    if (call.state == State::calling) call.state = State::over;
    else if (call.state == State::up) end(call);  // RFC 3261 §12.2.1.2
  }
}

void FreePhone::stray_response(const Message& response, const stack::FlowId&) {
  if (Call* const call = find(response, true); call && response.status() / 100 == 2)
    if (const auto ack = call->acks.find(response.cseq()->number); ack != call->acks.end()) transactions_.send_stateless(server(), ack->second);
}

// What comes from the other side.

void FreePhone::request(const stack::IncomingRequest& request) {
  const Message& message = request.message;
  if (message.method() != Method::ack) ++saw_[fmt::format("<{}", message.method_text())];
  if (message.to()->tag.empty()) {
    if (message.method() == Method::invite) incoming(request);
    else if (message.method() != Method::ack) reply(request, 405);
    return;
  }
  Call* const found = find(message, false);
  if (message.method() == Method::ack) {
    if (!found || !found->accepted || message.cseq()->number != found->accepted_cseq) return;
    transactions_.acknowledged(std::exchange(found->accepted, {}));
    if (found->bye_waits) send_bye(*found);
    return;
  }
  if (!found || (found->state == State::over && message.method() != Method::bye)) return reply(request, 481);
  Call& call = *found;
  if (!call.dialog.take_cseq(message.cseq()->number)) return reply(request, 500);
  switch (message.method()) {
    case Method::bye:
      reply(request, 200);
      if (call.asked) respond(call, std::exchange(call.asked, {}), 487);
      call.state = State::over;
      return;
    case Method::prack: {
      const bool fits = call.unacknowledged != 0;
      call.unacknowledged = 0;
      return reply(request, fits ? 200 : 481);
    }
    case Method::invite:
      return asked_again(call, request);
    case Method::update:
      call.dialog.refresh_target(message);
      if (!message.body().empty() && (call.invite || call.update)) return reply(request, 491);
      if (!calm_ && dice_.chance(20)) return reply(request, dice_.pick({400, 405, 488, 491, 500, 503, 603}));
      return reply(request, 200, message.body().empty() ? std::string() : sdp("answer of " + name_));
    default:
      return reply(request, calm_ || dice_.chance(75) ? 200 : dice_.pick({302, 400, 405, 415, 480, 486, 500, 501, 503, 600}));
  }
}

void FreePhone::incoming(const stack::IncomingRequest& request) {
  if (calls_.size() >= 6) return reply(request, 486);
  const auto transaction = transactions_.begin(request);
  calls_.push_back({stack::Dialog::answering(request.message, fmt::format("{}r{}", name_, ++tags_)), State::ringing});
  Call& call = calls_.back();
  call.asked = transaction;
  call.reliably = request.message.lists(HeaderId::supported, "100rel") || request.message.lists(HeaderId::require, "100rel");
  const auto number = calls_.size() - 1;
  const Duration first = calm_ ? Duration(0) : dice_.within(std::chrono::milliseconds(800));
  if (dice_.chance(70)) network_.after(first, [this, number, transaction] { ring(number, transaction); });
  const Duration most = calm_ ? Duration(0) : dice_.pick<Duration>({std::chrono::milliseconds(50), std::chrono::seconds(3), std::chrono::seconds(40)});
  network_.after(first + dice_.within(most), [this, number, transaction] { decide(number, transaction); });
}

void FreePhone::ring(std::size_t number, stack::ServerTransactionId invite) {
  Call& call = calls_[number];
  if (dead_ || call.asked != invite || call.unacknowledged != 0) return;
  const int code = dice_.pick({100, 180, 180, 181, 183, 183, 199});
  const auto body = code == 183 ? sdp("early of " + name_) : std::string();
  if (code == 100 || !call.reliably || dice_.chance(40)) return respond(call, invite, code, body);
  call.unacknowledged = ++call.rseq;
  respond(call, invite, code, body, fmt::format("RSeq: {}\nRequire: 100rel\n", call.rseq));
}

void FreePhone::repeat(std::size_t number, stack::ServerTransactionId invite, std::uint32_t rseq, std::string bytes, Duration interval) {
  network_.after(interval, [this, number, invite, rseq, bytes = std::move(bytes), interval] {
    Call& call = calls_[number];
    if (dead_ || call.asked != invite || call.unacknowledged != rseq) return;
    if (interval > std::chrono::seconds(16)) {  // RFC 3262 §3
      respond(call, std::exchange(call.asked, {}), 504);
      call.state = State::over;
      return;
    }
    transactions_.respond(invite, 183, bytes);
    repeat(number, invite, rseq, bytes, 2 * interval);
  });
}

void FreePhone::decide(std::size_t number, stack::ServerTransactionId invite) {
  Call& call = calls_[number];
  if (dead_ || call.asked != invite) return;
  if (call.unacknowledged != 0) return network_.after(std::chrono::milliseconds(300), [this, number, invite] { decide(number, invite); });
  if (!calm_ && dice_.chance(3)) return;  // nobody ever answers
  const bool accepts = dice_.chance(call.state == State::ringing ? 65 : 70);
  call.asked = {};
  if (accepts) {
    const Message* const request = transactions_.request_of(invite);
    if (!request) return;
    call.accepted = invite;
    call.accepted_cseq = request->cseq()->number;
    const bool timer = request->lists(HeaderId::supported, "timer") && dice_.chance(50);
    const auto session = timer ? fmt::format("Require: timer\nSession-Expires: 90;refresher={}\n", dice_.pick<std::string_view>({"uac", "uas"})) : std::string();
    if (call.state == State::ringing) call.state = State::up;
    return respond(call, invite, 200, sdp("answer of " + name_), session);
  }
  if (call.state == State::ringing) {
    call.state = State::over;
    return respond(call, invite, dice_.pick({300, 302, 400, 401, 403, 404, 407, 408, 415, 420, 422, 480, 482, 486, 487, 488, 491, 500, 503, 504, 580, 600, 603, 606}));
  }
  respond(call, invite, calm_ ? 488 : dice_.pick({302, 403, 488, 491, 500, 503, 603}));
}

void FreePhone::asked_again(Call& call, const stack::IncomingRequest& request) {
  if (call.invite || call.update) return reply(request, 491);
  if (call.asked || call.accepted) return reply(request, 500);
  call.dialog.refresh_target(request.message);
  call.asked = transactions_.begin(request);
  network_.after(calm_ ? Duration(0) : dice_.within(std::chrono::milliseconds(600)),
                 [this, number = number_of(call), transaction = call.asked] { decide(number, transaction); });
}

void FreePhone::cancelled(stack::ServerTransactionId invite, const Message&) {
  ++saw_["<CANCEL"];
  for (Call& call : calls_) {
    if (call.asked != invite) continue;
    call.asked = {};
    respond(call, invite, 487);
    if (call.state == State::ringing) call.state = State::over;
  }
}

void FreePhone::server_failed(stack::ServerTransactionId invite) {
  for (Call& call : calls_) {
    if (call.accepted != invite) continue;
    call.accepted = {};
    if (call.state == State::up) end(call);  // RFC 3261 §13.3.1.4
    else if (call.bye_waits) send_bye(call);
  }
}

FreePhone::Call* FreePhone::find(const Message& message, bool from_us) {
  const auto& ours = from_us ? message.from() : message.to();
  for (Call& call : calls_)
    if (call.dialog.call_id() == message.call_id() && call.dialog.local_tag() == ours->tag) return &call;
  return nullptr;
}

std::size_t FreePhone::number_of(const Call& call) const {
  for (std::size_t number = 0; number < calls_.size(); ++number)
    if (&calls_[number] == &call) return number;
  return calls_.size();
}

std::size_t FreePhone::open() const {
  std::size_t count = 0;
  for (const Call& call : calls_) count += call.state != State::over;
  return count;
}

std::string FreePhone::open_calls() const {
  std::string text;
  for (const Call& call : calls_)
    if (call.state != State::over)
      text += fmt::format("{} {} state={} invite={} asked={} accepted={}; ", name_, call.dialog.call_id(), static_cast<int>(call.state), call.invite.value,
                          call.asked.value, call.accepted.value);
  return text;
}

}  // namespace jackfield::sip::call
