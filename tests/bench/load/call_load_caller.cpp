#include <fmt/format.h>

#include "call_load.h"
#include "sip_text.h"

namespace jackfield::bench {

namespace {

constexpr std::uint64_t kFirstRetransmission = 500000;

std::string_view uri_in(std::string_view contact) {
  const auto open = contact.find('<');
  return open == contact.npos ? contact : contact.substr(open + 1, contact.find('>') - open - 1);
}

/// The route set of the caller: the Record-Routes in reverse order (RFC 3261 §12.1.2).
std::string routes(std::string_view message) {
  std::string lines;
  std::size_t end = 0;
  for (std::string_view value; !(value = header(message, "Record-Route", &end)).empty();) lines = fmt::format("Route: {}\r\n{}", value, lines);
  return lines;
}

}  // namespace

void CallLoad::transmit_request(Call& call) {
  call.request_sent = now_us();
  caller_.next(server_) = call.request;
}

std::string CallLoad::request_line_and_ids(unsigned index, std::string_view method, std::string_view uri, std::string_view branch, int cseq) const {
  const Call& call = calls_[index];
  const std::string id = name(index);
  return fmt::format(
      "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{port};rport;branch=z9hG4bK{branch}{id}\r\n{routes}Max-Forwards: 70\r\n"
      "From: <sip:c{id}@bench.local>;tag=a{id}\r\nTo: <sip:{number}@bench.local>{tag}\r\nCall-ID: c{id}@{host}\r\nCSeq: {cseq} {method}\r\n",
      fmt::arg("method", method), fmt::arg("uri", uri), fmt::arg("host", host_), fmt::arg("port", caller_port_), fmt::arg("branch", branch),
      fmt::arg("id", id), fmt::arg("routes", call.routes), fmt::arg("number", number_),
      fmt::arg("tag", call.remote_tag.empty() ? "" : ";tag=" + call.remote_tag), fmt::arg("cseq", cseq));
}

void CallLoad::send_invite(unsigned index) {
  Call& call = calls_[index];
  const std::string body = sdp(index, 30000);
  call.request = request_line_and_ids(index, "INVITE", fmt::format("sip:{}@{}:{}", number_, host_, server_port_), "i", 1);
  call.request += fmt::format(
      "Contact: <sip:c{}@{}:{}>\r\nAllow: INVITE, ACK, BYE, CANCEL\r\nUser-Agent: bench\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{}",
      name(index), host_, caller_port_, body.size(), body);
  call.request_again = kFirstRetransmission;
  transmit_request(call);
}

void CallLoad::send_bye(unsigned index) {
  Call& call = calls_[index];
  call.request = request_line_and_ids(index, "BYE", call.target, "b", 2) + "Content-Length: 0\r\n\r\n";
  call.state = Call::State::closing;
  call.request_again = kFirstRetransmission;
  transmit_request(call);
}

void CallLoad::caller_took(std::string_view message) {
  const int code = status(message);
  const std::string_view branch = parameter(header(message, "Via"), "branch");
  const unsigned index = branch.size() > 8 ? find(branch.substr(8)) : kNobody;
  if (code == 0 || index == kNobody) return outcome_.count("stray");
  Call& call = calls_[index];
  const bool to_invite = branch[7] == 'i';
  if (code < 200) {
    call.request_again = 0;
    if (code == 180 && !call.ringing) {
      call.ringing = true;
      if (call.invited && !call.answered) send_answer(call);
    }
  } else if (to_invite && code == 200) {
    answered(index, message);
  } else if (to_invite) {
    if (call.state == Call::State::inviting) refused(index, code, parameter(header(message, "To"), "tag"));
  } else if (call.state == Call::State::closing && !call.bye_answered) {
    if (code != 200) return finish(index, "BYE " + std::to_string(code));
    call.bye_answered = true;
    call.request_again = 0;
    finish_if_complete(index);
  }
}

void CallLoad::refused(unsigned index, int code, std::string_view tag) {
  calls_[index].remote_tag = tag;
  caller_.next(server_) = request_line_and_ids(index, "ACK", fmt::format("sip:{}@{}:{}", number_, host_, server_port_), "i", 1) + "Content-Length: 0\r\n\r\n";
  finish(index, std::to_string(code));
}

void CallLoad::answered(unsigned index, std::string_view message) {
  Call& call = calls_[index];
  if (call.state == Call::State::inviting) {
    if (body(message).find("m=audio") == std::string_view::npos) return finish(index, "200 without SDP");
    call.remote_tag = parameter(header(message, "To"), "tag");
    call.target = uri_in(header(message, "Contact"));
    call.routes = routes(message);
    call.ack = request_line_and_ids(index, "ACK", call.target, "a", 1) + "Content-Length: 0\r\n\r\n";
    call.state = Call::State::established;
    call.established_at = now_us();
    call.request_again = 0;
  }
  caller_.next(server_) = call.ack;
  if (call.acknowledged && call.state == Call::State::established && hold_us_ == 0) send_bye(index);
}

}  // namespace jackfield::bench
