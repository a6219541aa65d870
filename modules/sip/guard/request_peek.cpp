#include "guard/request_peek.h"

namespace jackfield::sip::guard {

std::string_view invited_number(std::string_view bytes) {
  constexpr std::string_view kInvite = "INVITE ";
  if (!bytes.starts_with(kInvite)) return {};
  bytes.remove_prefix(kInvite.size());
  bytes = bytes.substr(0, bytes.find_first_of("\r\n "));
  const auto colon = bytes.find(':');
  if (colon == std::string_view::npos) return {};
  const bool has_user = bytes.find('@') != std::string_view::npos;
  if (!has_user && !bytes.starts_with("tel:")) return {};
  bytes.remove_prefix(colon + 1);
  return bytes.substr(0, bytes.find_first_of("@:;"));
}

bool answers_challenge(const Message& request) {
  for (const auto& line : request.headers())
    if ((line.id == HeaderId::authorization || line.id == HeaderId::proxy_authorization) && line.value.find("nc=00000001") != std::string_view::npos) return true;
  return false;
}

}  // namespace jackfield::sip::guard
