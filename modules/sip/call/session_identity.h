// Who the session of one dialog is towards one far end: one session id for the dialog's life, and a version that rises by one when
// the body changes (RFC 3264 §8, D14). Everything else of a description passes byte for byte. Owned by a leg.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace jackfield::sip::call {

class SessionIdentity {
 public:
  /// `seed` is random; the session id is made from it.
  explicit SessionIdentity(std::uint64_t seed) : id_(seed >> 2) {}

  /// The description with this identity in its o= line. What has no readable o= passes unchanged.
  std::string apply(std::string_view sdp);
  /// True when `sdp` is, but for its o=, what apply() was given last.
  bool was_last(std::string_view sdp) const;
  bool used() const { return version_ != 0; }

 private:
  std::uint64_t id_;
  std::uint64_t version_ = 0;  ///< 0: nothing was sent yet
  std::size_t last_ = 0;       ///< hash of the last body without its o= line
};

}  // namespace jackfield::sip::call
