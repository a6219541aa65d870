// Plays both ends of many calls through a server: the caller on one socket, the callee on another. A call is INVITE, 180, 200, ACK,
// BYE, 200; it is complete when both ends saw everything. The callee answers once the caller has seen the 180, so that each
// call is the same work. Fits back-to-back agents (a dialog of its own on each side) and record-routing proxies: an INVITE is
// recognised by the user in From, whatever follows by the callee's tag.
#pragma once

#include "options.h"
#include "outcome.h"
#include "udp.h"

#include <string>
#include <string_view>
#include <vector>

namespace jackfield::bench {

struct Call {
  enum class State : std::uint8_t { idle, inviting, established, closing } state = State::idle;
  unsigned generation = 0;
  std::uint64_t began = 0, established_at = 0;

  // The caller's end.
  std::string request;  ///< INVITE or BYE, sent again until it is answered
  std::uint64_t request_sent = 0, request_again = 0;
  std::string remote_tag, target, routes, ack;
  bool ringing = false, bye_answered = false;

  // The callee's end.
  bool invited = false, answered = false, acknowledged = false, bye_seen = false;
  std::string answer;  ///< the 200, sent again until the ACK
  sockaddr_in answer_to{};
  std::uint64_t answer_sent = 0, answer_again = 0;
};

class CallLoad {
 public:
  explicit CallLoad(const Options& options);
  int run();

 private:
  // call_load.cpp
  void start_some();
  void look_after(std::uint64_t now);
  void finish(unsigned index, const std::string& why);
  void finish_if_complete(unsigned index);
  /// The call a text like `12.7.1f3a` (slot, generation, run) names, while it lasts; else kNobody.
  unsigned find(std::string_view name) const;
  static constexpr unsigned kNobody = ~0U;
  std::string name(unsigned index) const;
  std::string sdp(unsigned index, int first_port) const;

  // call_load_caller.cpp
  void send_invite(unsigned index);
  void send_bye(unsigned index);
  void caller_took(std::string_view message);
  void answered(unsigned index, std::string_view message);
  /// Anything but a 2xx to the INVITE.
  void refused(unsigned index, int code, std::string_view tag);
  void transmit_request(Call& call);
  std::string request_line_and_ids(unsigned index, std::string_view method, std::string_view uri, std::string_view branch, int cseq) const;

  // call_load_callee.cpp
  void callee_took(std::string_view message, const sockaddr_in& from);
  void invited(unsigned index, std::string_view message, const sockaddr_in& from);
  void send_answer(Call& call);

  const sockaddr_in server_;
  const std::string host_, number_;
  const int server_port_, caller_port_, callee_port_;
  Udp caller_, callee_;
  const std::uint32_t run_;
  const std::uint64_t hold_us_;
  const std::size_t count_;
  Pace pace_;
  std::vector<Call> calls_;
  std::vector<unsigned> free_;
  std::size_t started_ = 0;
  Outcome outcome_;
};

}  // namespace jackfield::bench
