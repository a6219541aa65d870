// The little of telnet (RFC 854, RFC 1143's view of it) that a console needs: who echoes, and how large the screen is (RFC 1073). Pure:
// bytes in; plain bytes, and what is to be sent back, out.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace jackfield::rmanager {

class Telnet {
 public:
  /// What to send first: we will echo and need no go-ahead; the client may tell its size. Behind it backspaces and blanks, for those who
  /// are no telnet client and would see it.
  static std::string_view greeting();

  /// Appends what is not negotiation to `plain`. An interrupt (IP, BRK) is a ^C there.
  void take(std::string_view bytes, std::string& plain);
  /// To be sent; empty mostly.
  std::string take_reply() { return std::exchange(reply_, {}); }
  /// Whether the client has agreed that we echo; nothing as long as it has not said.
  std::optional<bool> echo() const { return echo_; }
  int width() const { return width_; }
  int height() const { return height_; }

 private:
  enum class State : unsigned char { plain, command, option, block, block_command };
  void negotiate(unsigned char verb, unsigned char option);
  void end_block();

  State state_ = State::plain;
  unsigned char verb_ = 0;
  std::string block_, reply_;
  std::optional<bool> echo_;
  int width_ = 0, height_ = 0;
  int refusals_ = 0;
};

}  // namespace jackfield::rmanager
