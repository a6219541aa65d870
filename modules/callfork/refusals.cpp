#include "refusals.h"

#include <jackfield/messages/parameters.h>

#include <charconv>

namespace jackfield::callfork {

namespace {

namespace param = messages::param;

/// The SIP code a far end gave; 0: the refusal arose here.
int code_of(const DisconnectReason& reason) {
  for (const auto& [name, value] : reason.parameters) {
    int code = 0;
    if (name == std::string_view(param::kCauseSip)) std::from_chars(value.data(), value.data() + value.size(), code);
    if (code != 0) return code;
  }
  return 0;
}

/// Lower is better. A user's own word (busy, not acceptable, declined) tells the caller more than a phone that was not there; then
/// redirections and challenges, which the caller cannot follow, server failures, and last what never reached a far end.
int rank(const DisconnectReason& reason) {
  const int code = code_of(reason);
  if (code >= 600) return 0;
  if (code == 0) return reason.reason == "busy" || reason.reason == "rejected" ? 1 : 5;
  if (code >= 500) return 4;
  if (code < 400 || code == 401 || code == 407) return 3;
  const bool absent = code == 404 || code == 408 || code == 480 || code == 481 || code == 487;
  return absent ? 2 : 1;
}

}  // namespace

bool Refusals::is_global(const DisconnectReason& reason) { return code_of(reason) >= 600; }

void Refusals::add(const DisconnectReason& reason) {
  const int rank = callfork::rank(reason);
  if (best_ && rank >= rank_) return;
  best_ = reason;
  rank_ = rank;
}

DisconnectReason Refusals::best() const { return best_.value_or(DisconnectReason{"noanswer"}); }

}  // namespace jackfield::callfork
