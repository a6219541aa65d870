// The challenges a far side gave us and the answers to them, kept from one request to the next so that a refresh is one packet and
// not three (RFC 3261 §22.2, RFC 7616 §3.4). Pure but for the client's nonces.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sip/message.h"
#include "sip/writer.h"
#include "stack/client_auth.h"

#include <jackfield/clock.h>

namespace jackfield::sip::line {

/// Authorization and Proxy-Authorization headers.
using ProofLines = std::vector<std::pair<HeaderId, std::string>>;
void write(Writer& writer, const ProofLines& lines);

class Proofs {
 public:
  /// What one request has learned: another one, and not one more attempt at it, begins with a new round.
  struct Round {
    bool server = false, proxy = false;  ///< they challenged it
    unsigned learned = 0;
  };
  /// Whether the challenge of a 401 or 407 is worth an answer. `stale` only where nothing but the nonce was wrong.
  enum class Verdict : std::uint8_t {
    answer,
    wrong,      ///< the answer to a challenge of this very round was refused
    unusable,   ///< nothing we could answer: another scheme or algorithm
    endless,    ///< it never has enough
  };
  /// `round` is of the request that was challenged.
  Verdict learn(const Message& response, const stack::Credentials& credentials, Round& round);
  /// Answers as far as challenges are known.
  ProofLines lines(std::string_view method, std::string_view uri, const stack::Credentials& credentials, Random& random);

  // Of somebody who has one request under way.
  void begin_round() { round_ = {}; }
  Verdict learn(const Message& response, const stack::Credentials& credentials) { return learn(response, credentials, round_); }
  void write(Writer& writer, std::string_view method, std::string_view uri, const stack::Credentials& credentials, Random& random) {
    line::write(writer, lines(method, uri, credentials, random));
  }
  void clear() { *this = Proofs(); }

 private:
  struct Kept {
    std::string text;  ///< of the challenge; empty: none
    std::uint32_t used = 0;
  };
  Kept server_, proxy_;
  Round round_;
};

}  // namespace jackfield::sip::line
