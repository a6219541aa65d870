// Calls through a server, both ends.
//   --server=HOST --port=P --bind=HOST --caller-port=P --callee-port=P
//   --number=N              who is called; the server must send calls for it to the callee's port
//   --count=N --window=W    N calls, at most W at a time
//   --rate=R --seconds=S    R a second instead of as fast as the window allows; none begins after S seconds
//   --hold=MS               time between the ACK and the BYE
#include "call_load.h"

#include <fmt/format.h>

#include <cstdio>

namespace jackfield::bench {

namespace {
constexpr std::uint64_t kGiveUp = 10000000, kAnswerUnheard = 2000000, kMost = 4000000;
}

CallLoad::CallLoad(const Options& options)
    : server_(ipv4(options.text("server", "127.0.0.1"), static_cast<int>(options.number("port", 5070)))),
      host_(options.text("bind", "127.0.0.1")),
      number_(options.text("number", "900")),
      server_port_(static_cast<int>(options.number("port", 5070))),
      caller_port_(static_cast<int>(options.number("caller-port", 15061))),
      callee_port_(static_cast<int>(options.number("callee-port", 15062))),
      caller_(host_, caller_port_),
      callee_(host_, callee_port_),
      run_(static_cast<std::uint32_t>(now_us())),
      hold_us_(options.number("hold", 0) * 1000),
      count_(options.number("count", 5000)),
      pace_(count_, options.real("rate", 0), options.real("seconds", 120)),
      calls_(options.number("window", 50)) {
  for (unsigned i = 0; i < calls_.size(); ++i) free_.push_back(i);
}

int CallLoad::run() {
  std::uint64_t looked = now_us();
  while (!pace_.over(started_, now_us()) || free_.size() < calls_.size()) {
    start_some();
    caller_.flush();
    callee_.flush();
    int at_caller = caller_.receive(), at_callee = callee_.receive();
    if (at_caller == 0 && at_callee == 0) {
      wait_readable({&caller_, &callee_}, hold_us_ ? 1 : pace_.patience_ms());
      at_caller = caller_.receive();
      at_callee = callee_.receive();
    }
    for (int i = 0; i < at_caller; ++i) caller_took(caller_.datagram(i));
    for (int i = 0; i < at_callee; ++i) callee_took(callee_.datagram(i), callee_.sender(i));
    if (const auto now = now_us(); now - looked > (hold_us_ ? 5000 : 50000)) {
      looked = now;
      look_after(now);
    }
  }
  caller_.flush();
  callee_.flush();
  return outcome_.report();
}

void CallLoad::start_some() {
  const std::uint64_t now = now_us();
  for (const std::size_t allowed = pace_.allowed(now); started_ < allowed && !free_.empty(); ++started_) {
    const unsigned index = free_.back(), generation = calls_[index].generation + 1;
    free_.pop_back();
    calls_[index] = Call{.state = Call::State::inviting, .generation = generation, .began = now};
    send_invite(index);
  }
}

void CallLoad::look_after(std::uint64_t now) {
  for (unsigned i = 0; i < calls_.size(); ++i) {
    Call& call = calls_[i];
    if (call.state == Call::State::idle) continue;
    if (now - call.began > kGiveUp + hold_us_) {
      finish(i, "no answer");
      continue;
    }
    if (call.state == Call::State::established && call.acknowledged && now - call.established_at > hold_us_) send_bye(i);
    const bool waiting = call.request_again != 0 && call.state != Call::State::established;
    if (waiting && now - call.request_sent > call.request_again) {
      outcome_.count("retransmissions");
      call.request_again = std::min(call.request_again * 2, kMost);
      transmit_request(call);
    }
    if (call.invited && !call.answered && now - call.answer_sent > kAnswerUnheard) send_answer(call);
    if (call.answered && !call.acknowledged && now - call.answer_sent > call.answer_again) {
      outcome_.count("retransmissions");
      const auto again = std::min(call.answer_again * 2, kMost);
      send_answer(call);
      call.answer_again = again;
    }
  }
}

void CallLoad::finish(unsigned index, const std::string& why) {
  Call& call = calls_[index];
  if (why.empty()) outcome_.succeeded(call.began);
  else outcome_.failed(why);
  call.state = Call::State::idle;
  free_.push_back(index);
}

void CallLoad::finish_if_complete(unsigned index) {
  const Call& call = calls_[index];
  if (call.state == Call::State::closing && call.bye_answered && call.bye_seen) finish(index, call.ringing ? "" : "no 180");
}

unsigned CallLoad::find(std::string_view name) const {
  unsigned index, generation, run;
  if (std::sscanf(std::string(name).c_str(), "%u.%u.%x", &index, &generation, &run) != 3 || run != run_ || index >= calls_.size()) return kNobody;
  if (calls_[index].generation != generation || calls_[index].state == Call::State::idle) return kNobody;
  return index;
}

std::string CallLoad::name(unsigned index) const { return fmt::format("{}.{}.{:x}", index, calls_[index].generation, run_); }

std::string CallLoad::sdp(unsigned index, int first_port) const {
  return fmt::format(
      "v=0\r\no=bench {0} {0} IN IP4 {1}\r\ns=-\r\nc=IN IP4 {1}\r\nt=0 0\r\nm=audio {2} RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\n"
      "a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na=sendrecv\r\n",
      run_, host_, first_port + 2 * index);
}

}  // namespace jackfield::bench

int main(int count, char** words) { return jackfield::bench::CallLoad(jackfield::bench::Options(count, words)).run(); }
