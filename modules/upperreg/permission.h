// Whether a REGISTER is another server's, and whose credentials go there: what the rule before us, the user and the configuration say.
// Pure but for the lookup that the caller makes.
#pragma once

#include "aor.h"

#include <jackfield/message.h>

#include <optional>
#include <string>
#include <string_view>

namespace jackfield::upperreg {

/// Where a REGISTER belongs, by its domain alone (D21).
struct Destination {
  enum class What : std::uint8_t { here, upper, thru, foreign } what;
  std::string domain;  ///< lower case
};
Destination destination(const UpperregSettings& settings, const Message& user_upstream);

/// What becomes of it.
struct Decision {
  enum class What : std::uint8_t { here, refuse, carry } what = What::here;
  Kind kind = Kind::relayed;
  StoredCredentials credentials = {};
  std::string user = {};  ///< at A, where it is another than the phone's
};
/// `said` is what the user's user.auth answer said; null: nobody knows him.
Decision decide(const UpperregSettings& settings, const Destination& destination, const Message& user_upstream, const Message* said);

/// The credentials of a user for A, where they are kept.
std::optional<StoredCredentials> stored_credentials(Mode mode, std::string_view domain, const Message& said, std::string_view user);

}  // namespace jackfield::upperreg
