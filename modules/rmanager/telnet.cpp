#include "telnet.h"

namespace jackfield::rmanager {
namespace {

// RFC 854.
constexpr unsigned char kSe = 240, kBreak = 243, kInterrupt = 244, kSb = 250, kWill = 251, kWont = 252, kDo = 253, kDont = 254, kIac = 255;
// RFC 857, RFC 858, RFC 1073.
constexpr unsigned char kEcho = 1, kGoAhead = 3, kSize = 31;
constexpr std::size_t kLongestBlock = 64;
/// Who asks for more options than there are sends a flood.
constexpr int kMostRefusals = 100;

constexpr char kGreeting[] =
    "\xff\xfb\x01" "\xff\xfb\x03" "\xff\xfd\x1f"
    "\b\b\b\b\b\b\b\b\b" "         " "\b\b\b\b\b\b\b\b\b";

}  // namespace

std::string_view Telnet::greeting() { return {kGreeting, sizeof kGreeting - 1}; }

void Telnet::take(std::string_view bytes, std::string& plain) {
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    switch (state_) {
      case State::plain:
        if (byte == kIac) state_ = State::command;
        else plain.push_back(c);
        break;
      case State::command:
        state_ = State::plain;
        if (byte == kIac) plain.push_back(c);
        else if (byte == kInterrupt || byte == kBreak) plain.push_back('\x03');
        else if (byte == kSb) state_ = State::block, block_.clear();
        else if (byte >= kWill && byte <= kDont) state_ = State::option, verb_ = byte;
        break;
      case State::option:
        state_ = State::plain;
        negotiate(verb_, byte);
        break;
      case State::block:
        if (byte == kIac) state_ = State::block_command;
        else if (block_.size() < kLongestBlock) block_.push_back(c);
        break;
      case State::block_command:
        state_ = State::block;
        if (byte == kSe) {
          state_ = State::plain;
          end_block();
        } else if (byte == kIac && block_.size() < kLongestBlock) {
          block_.push_back(c);
        }
        break;
    }
  }
}

// What we offered is agreed to or not; what we did not offer is refused, once for each time it is asked (RFC 854: never answer a state
// one is in already, or the two would go on for ever).
void Telnet::negotiate(unsigned char verb, unsigned char option) {
  if (verb == kDo && option == kEcho) echo_ = true;
  else if (verb == kDont && option == kEcho) echo_ = false;
  else if (option == kGoAhead || (option == kSize && (verb == kWill || verb == kWont))) return;
  else if ((verb == kDo || verb == kWill) && refusals_++ < kMostRefusals) reply_.append({static_cast<char>(kIac), static_cast<char>(verb == kDo ? kWont : kDont), static_cast<char>(option)});
}

void Telnet::end_block() {
  const auto at = [this](std::size_t index) { return static_cast<int>(static_cast<unsigned char>(block_[index])); };
  if (block_.size() != 5 || at(0) != kSize) return;
  width_ = at(1) * 256 + at(2);
  height_ = at(3) * 256 + at(4);
}

}  // namespace jackfield::rmanager
