#include "call_world.h"

namespace jackfield::sip::call {

FarEnd::FarEnd(CallWorld& world, std::string address, std::uint32_t connection)
    : flow{stack::address(address), connection, 0, connection ? stack::TransportKind::tcp : stack::TransportKind::udp}, via_host(std::move(address)), world_(world) {
  call_id = "call-" + via_host;
  local_tag = "tag-" + via_host;
  world_.ends[flow.remote.text()] = this;
}

void FarEnd::send(const std::string& bytes) {
  static_cast<stack::TransportEvents&>(world_.transactions).message(flow, bytes);
  world_.settle();
}

std::string FarEnd::expect(std::string_view start) {
  const bool wants_trying = start.starts_with("SIP/2.0 100");
  while (!wants_trying && !inbox.empty() && inbox.front().starts_with("SIP/2.0 100")) inbox.pop_front();
  INFO(flow.remote.text(), " expects ", start);
  REQUIRE(!inbox.empty());
  auto message = inbox.front();
  inbox.pop_front();
  REQUIRE(stack::first_line(message).substr(0, start.size()) == start);
  return message;
}

void FarEnd::expect_nothing() {
  while (!inbox.empty() && inbox.front().starts_with("SIP/2.0 100")) inbox.pop_front();
  CHECK(inbox.empty());
  if (!inbox.empty()) MESSAGE(flow.remote.text() << " got " << inbox.front());
}

std::string FarEnd::write(const std::string& method, const std::string& uri, unsigned number, const std::string& branch, const std::string& description,
                          const std::string& extra) const {
  std::string out = fmt::format(
      "{0} {1} SIP/2.0\r\nVia: SIP/2.0/{2} {3};branch={4};rport\r\nFrom: {5};tag={6}\r\nTo: {7}{8}\r\nCall-ID: {9}\r\nCSeq: {10} {0}\r\n", method, uri,
      stack::transport_name(flow.kind), via_host, branch, local, local_tag, remote, remote_tag.empty() ? "" : ";tag=" + remote_tag, call_id, number);
  if (extra.find("Max-Forwards") == std::string::npos) out += "Max-Forwards: 70\r\n";
  if (method == "INVITE") out += fmt::format("Contact: <sip:{}@{}>\r\n", name, via_host);
  out += extra;
  if (!description.empty()) out += "Content-Type: " + content_type + "\r\n";
  return out + fmt::format("Content-Length: {}\r\n\r\n{}", description.size(), description);
}

void FarEnd::invite(const std::string& description, const std::string& extra, const std::string& uri) {
  local = fmt::format("\"Ann \\\"A\\\"\" <sip:{}@192.0.2.1>", name);
  remote = "<" + uri + ">";
  target = uri;
  remote_tag.clear();
  last_invite = write("INVITE", uri, cseq, fmt::format("z9hG4bK{}-{}", call_id, ++branch_), description, extra);
  send(last_invite);
}

void FarEnd::cancel(const std::string& extra) {
  const auto via = header(last_invite, "Via");
  send(fmt::format("CANCEL {} SIP/2.0\r\nVia: {}\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {} CANCEL\r\nMax-Forwards: 70\r\n{}Content-Length: 0\r\n\r\n", target,
                   via, header(last_invite, "From"), header(last_invite, "To"), call_id, cseq, extra));
}

void FarEnd::ack(const std::string& description) {
  send(write("ACK", target, cseq, fmt::format("z9hG4bKack{}-{}", local_tag, ++branch_), description, {}));
}

std::string FarEnd::request(const std::string& method, const std::string& description, const std::string& extra) {
  auto text = write(method, target, ++cseq, fmt::format("z9hG4bK{}-{}-{}", method, local_tag, ++branch_), description, extra);
  if (method == "INVITE") last_invite = text;
  send(text);
  return text;
}

void FarEnd::answer(const std::string& request, int code, const std::string& description, const std::string& tag, const std::string& extra) {
  Message message;
  REQUIRE(message.parse(request));
  std::string out;
  auto writer = start_response(out, message, code, {}, tag.empty() ? local_tag : tag, flow.remote.host(), flow.remote.port());
  if (code > 100 && code < 300 && message.method() == Method::invite) {
    writer.copy_all(message, HeaderId::record_route);
    writer.header(HeaderId::contact, fmt::format("<sip:{}@{}>", name, via_host));
  }
  for (std::string_view rest = extra; !rest.empty();) {
    const auto end = rest.find("\r\n");
    const auto line = rest.substr(0, end);
    writer.header(line.substr(0, line.find(':')), line.substr(line.find(':') + 2));
    rest.remove_prefix(end + 2);
  }
  if (description.empty()) writer.end();
  else writer.body("application/sdp", description);
  send(out);
}

std::string FarEnd::take_invite() {
  auto request = expect("INVITE");
  last_invite = request;
  call_id = header(request, "Call-ID");
  remote_tag = tag_of(request, "From");
  const auto from = header(request, "From");
  remote = from.substr(0, from.find(";tag="));
  local = header(request, "To");
  const auto contact = header(request, "Contact");
  target = contact.substr(1, contact.find('>') - 1);
  return request;
}

void FarEnd::take_answer(const std::string& response) {
  remote_tag = tag_of(response, "To");
  const auto contact = header(response, "Contact");
  target = contact.substr(1, contact.find('>') - 1);
}

CallWorld::CallWorld(std::optional<std::uint64_t> seed) : engine(seed ? TestEngine(*seed) : TestEngine()), core{engine, engine.log("sip"), network, transactions, settings, {}} {
  for (const auto kind : {stack::TransportKind::udp, stack::TransportKind::tcp})
    core.listeners.push_back({.options = {.name = "general", .kind = kind, .bind = stack::address("192.0.2.1:5060")}});
  transactions.attach(network, *this);
  network.on_send = [this](const stack::FlowId& flow, std::string_view bytes) {
    network.log.push_back(flow.remote.text() + " " + stack::first_line(bytes));
    if (const auto end = ends.find(flow.remote.text()); end != ends.end()) end->second->inbox.emplace_back(bytes);
  };
  calls.emplace(core, door, bindings);
  calls->start();
  handle(messages::kCallRoute, [this](BusMessage& message) { return route(message); }, 100);
  handlers_.push_back(engine.bus().watch("", [this](const BusMessage& message, bool handled) {
    Seen one{std::string(message.name()), {}, handled};
    for (const auto& [name, value] : message.parameters()) one.parameters.emplace(name, value);
    seen.push_back(std::move(one));
  }));
}

CallWorld::~CallWorld() {
  handlers_.clear();
  calls.reset();
  engine.run_until_idle();
  transactions.stop();
}

void CallWorld::check_all_gone() {
  engine.advance(300s);
  CHECK(calls->legs() == 0);
  CHECK(calls->dialogs() == 0);
  CHECK(calls->transactions() == 0);
  CHECK(transactions.live() == 0);
  CHECK(engine.channels().size() == 0);
  for (const auto& [address, holds] : network.holds) {
    INFO(address);
    CHECK(holds == 0);
  }
}

std::string CallWorld::ring(FarEnd& caller, FarEnd& callee, const std::string& offer) {
  caller.invite(offer);
  auto invite = callee.take_invite();
  callee.answer(invite, 180);
  caller.expect("SIP/2.0 180");
  return invite;
}

void CallWorld::connect(FarEnd& caller, FarEnd& callee, const std::string& offer, const std::string& answer) {
  const auto invite = ring(caller, callee, offer);
  callee.answer(invite, 200, answer);
  callee.expect("ACK");
  caller.take_answer(caller.expect("SIP/2.0 200"));
  caller.ack();
}

}  // namespace jackfield::sip::call
