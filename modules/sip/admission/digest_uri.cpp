#include "admission/digest_uri.h"

#include "sip/text.h"
#include "sip/uri.h"

namespace jackfield::sip::admission {

namespace {

bool same_host(const Uri& left, const Uri& right, const IsOurs& is_ours) {
  if (left.host.empty() || right.host.empty()) return true;  // a number (tel:) names none
  return text::equal(left.host, right.host) || (is_ours(left.host, left.port) && is_ours(right.host, right.port));
}

bool same_user(const Uri& left, const Uri& right) {
  if (left.user.empty() || right.user.empty() || left.user == right.user) return true;
  return unescape(left.user) == unescape(right.user);
}

}  // namespace

bool is_for_request(std::string_view digest_uri, const Message& request, const IsOurs& is_ours) {
  if (digest_uri == request.request_uri_text()) return true;
  const auto given = Uri::parse(digest_uri);
  const auto& wanted = request.request_uri();
  if (!given || !wanted || given->scheme == Uri::Scheme::other) return false;
  return same_user(*given, *wanted) && same_host(*given, *wanted, is_ours);
}

}  // namespace jackfield::sip::admission
