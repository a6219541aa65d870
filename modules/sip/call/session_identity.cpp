#include "call/session_identity.h"

#include <functional>

#include "sdp/sdp.h"

namespace jackfield::sip::call {

namespace {

/// The first line that begins with `o=`, with its line break.
struct Cut {
  std::string_view before, after;
};
Cut cut_origin(std::string_view sdp) {
  std::size_t at = 0;
  while (at < sdp.size()) {
    const auto newline = sdp.find('\n', at);
    const auto end = newline == std::string_view::npos ? sdp.size() : newline + 1;
    if (sdp.substr(at).starts_with("o=")) return {sdp.substr(0, at), sdp.substr(end)};
    at = end;
  }
  return {sdp, {}};
}

std::size_t hash_without_origin(std::string_view sdp) {
  const auto [before, after] = cut_origin(sdp);
  const std::hash<std::string_view> hash;
  return hash(before) * 31 + hash(after);
}

}  // namespace

std::string SessionIdentity::apply(std::string_view sdp) {
  const auto hash = hash_without_origin(sdp);
  if (version_ == 0 || hash != last_) ++version_;
  last_ = hash;
  sdp::Session session;
  if (!session.parse(sdp)) return std::string(sdp);
  return session.with_origin(std::to_string(id_), version_);
}

bool SessionIdentity::was_last(std::string_view sdp) const { return version_ != 0 && hash_without_origin(sdp) == last_; }

}  // namespace jackfield::sip::call
