#include <fmt/format.h>

#include "call_load.h"
#include "sip_text.h"

namespace jackfield::bench {

namespace {
constexpr std::uint64_t kFirstRetransmission = 500000;
}

void CallLoad::send_answer(Call& call) {
  call.answered = true;
  call.answer_sent = now_us();
  call.answer_again = kFirstRetransmission;
  callee_.next(call.answer_to) = call.answer;
}

void CallLoad::callee_took(std::string_view message, const sockaddr_in& from) {
  if (status(message) != 0) return outcome_.count("stray");
  const std::string_view method = message.substr(0, message.find(' '));
  const std::string_view to = header(message, "To"), tag = parameter(to, "tag");
  if (method == "INVITE" && tag.empty()) {
    const std::string_view caller = header(message, "From");
    const auto user = caller.find("sip:c");
    const unsigned index = user == caller.npos ? kNobody : find(caller.substr(user + 5));
    return index == kNobody ? outcome_.count("stray") : invited(index, message, from);
  }
  const unsigned index = tag.starts_with('b') ? find(tag.substr(1)) : kNobody;
  if (method == "ACK") {
    if (index == kNobody) return outcome_.count("stray");
    Call& call = calls_[index];
    call.acknowledged = true;
    if (call.state == Call::State::established && hold_us_ == 0) send_bye(index);
    return;
  }
  callee_.next(from) = fmt::format("SIP/2.0 200 OK\r\n{}From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {}\r\nContent-Length: 0\r\n\r\n", header_lines(message, "Via"),
                                   header(message, "From"), to, header(message, "Call-ID"), header(message, "CSeq"));
  if (method != "BYE" || index == kNobody) return outcome_.count("stray");
  calls_[index].bye_seen = true;
  finish_if_complete(index);
}

void CallLoad::invited(unsigned index, std::string_view message, const sockaddr_in& from) {
  Call& call = calls_[index];
  if (call.invited) {
    outcome_.count("repeated requests");
    if (call.answered) callee_.next(from) = call.answer;
    return;
  }
  if (body(message).find("m=audio") == std::string_view::npos) return finish(index, "INVITE without SDP");
  call.invited = true;
  call.answer_to = from;
  call.answer_sent = now_us();
  const std::string common = fmt::format("{}{}From: {}\r\nTo: {};tag=b{}\r\nCall-ID: {}\r\nCSeq: {}\r\nContact: <sip:{}@{}:{}>\r\n", header_lines(message, "Via"),
                                         header_lines(message, "Record-Route"), header(message, "From"), header(message, "To"), name(index),
                                         header(message, "Call-ID"), header(message, "CSeq"), number_, host_, callee_port_);
  const std::string sdp = this->sdp(index, 40000);
  call.answer = fmt::format("SIP/2.0 200 OK\r\n{}Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{}", common, sdp.size(), sdp);
  callee_.next(from) = fmt::format("SIP/2.0 180 Ringing\r\n{}Content-Length: 0\r\n\r\n", common);
}

}  // namespace jackfield::bench
