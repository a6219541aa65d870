// The challenges a far side gave us and the answers to them, kept from one request to the next so that a refresh is one packet and
// not three (RFC 3261 §22.2, RFC 7616 §3.4). Pure but for the client's nonces.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sip/message.h"
#include "sip/writer.h"
#include "stack/client_auth.h"

#include <jackfield/clock.h>

namespace jackfield::sip::line {

class Proofs {
 public:
  /// Whether the challenge of a 401 or 407 is worth an answer. `stale` only where nothing but the nonce was wrong.
  enum class Verdict : std::uint8_t {
    answer,
    wrong,      ///< the answer to a challenge of this very round was refused
    unusable,   ///< nothing we could answer: another scheme or algorithm
    endless,    ///< it never has enough
  };
  /// A new request, not one more attempt at the last.
  void begin_round();
  Verdict learn(const Message& response);
  /// Adds Authorization and Proxy-Authorization as far as challenges are known.
  void write(Writer& writer, std::string_view method, std::string_view uri, const stack::Credentials& credentials, Random& random);
  void clear() { *this = Proofs(); }

 private:
  struct Kept {
    std::string text;  ///< of the challenge; empty: none
    std::uint32_t used = 0;
    bool of_this_round = false;
  };
  Kept server_, proxy_;
  unsigned learned_ = 0;
};

}  // namespace jackfield::sip::line
