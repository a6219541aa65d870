// One REGISTER that is carried: what upstream.register asks for, which servers it was tried at, and what its answer says on the bus. No I/O.
#pragma once

#include <jackfield/message.h>

#include <cstdint>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "line/carried.h"
#include "line/proofs.h"

namespace jackfield::sip::line {

/// One machine of one server; no hop: the server is to be looked up first.
struct Carried::Place {
  ServerIndex server;
  std::optional<stack::Hop> hop;
};

struct Carried::Order {
  LineNumber line;
  std::string user, domain;  ///< of the AOR; no domain: the server's
  std::string uri;           ///< Request-URI; empty: the server's domain
  std::string token;         ///< user of our Contact; empty: it only asks
  std::string call_id, tag;
  std::uint32_t cseq;        ///< the last one used
  std::uint32_t expires;
  unsigned hops;             ///< it may still go
  std::vector<std::string> authorization, proxy_authorization;  ///< as the phone wrote them
  stack::Credentials credentials;
  Proofs proofs = {};

  std::vector<ServerIndex> looked_up = {};
  std::vector<Place> tried = {};
  std::string trouble = {};      ///< with the last that gave no answer
  std::string contact = {};      ///< URI of the last request
  net::Address answered_by = {};

  /// Whether it is told by our own credentials: what others wrote may be such that no server answers it.
  bool by_us() const { return credentials.can_answer(); }
  /// The error is one sentence that names the parameter.
  static tl::expected<Order, std::string> read(const jackfield::Message& message, LineNumber line);
  /// Where to go next: from the server in use on, each machine of each server once (D18). Nothing: all were tried.
  std::optional<Place> next(const Context& context) const;
  /// What a server granted to our contact: 0 where it is not among those it lists.
  std::uint32_t granted_by(const Message& response) const;
  void tell(jackfield::Message& message, const Message& response) const;
};

}  // namespace jackfield::sip::line
