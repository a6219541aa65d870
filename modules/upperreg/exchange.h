// One REGISTER to A for one AOR, over the connection that leads there: makes upstream.register of what is known, and reads its answer.
// The caller has entered the AOR (core.h).
#pragma once

#include "core.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace jackfield::upperreg {

struct Question {
  Kind kind = Kind::stored;  ///< whose credentials go with it
  std::chrono::seconds expires{0};
  bool with_contact = true;  ///< false: only asks what is registered
  std::string authorization, proxy_authorization;  ///< the phone's own
  std::string request_uri = {};                    ///< Thru: the phone's own
  std::string antiloop = {};                       ///< the hops that the phone's request has left
};

struct Answer {
  int code = 0;  ///< 0: nobody answered
  std::string reason, error;
  std::chrono::seconds granted{0};
  std::vector<std::string> contacts;  ///< all that A lists
  std::vector<std::pair<std::string, std::string>> headers;  ///< challenges, Retry-After and the like, as they are spelt
  std::string server;
  WallTime asked{};

  bool agreed() const { return code >= 200 && code < 300; }
  bool challenges() const { return code == 401 || code == 407; }
  /// Not even the machine was heard.
  bool unheard() const { return code == 0 || code == 408; }
  /// Nothing is decided: it may agree later (RFC 3261 §21.5).
  bool silent() const { return code == 0 || code == 408 || (code >= 500 && code < 600); }
};

/// A 423 is met with what A wants, once. Nothing when the module stopped or the AOR is gone meanwhile.
Task<std::optional<Answer>> ask_server(std::shared_ptr<Core> core, std::string name, Question question);

}  // namespace jackfield::upperreg
