#include "stack/client_auth.h"

#include <fmt/format.h>

#include "sip/text.h"

namespace jackfield::sip::stack {

namespace {

bool offers_auth(std::string_view qop) {
  while (!qop.empty()) {
    const auto comma = qop.find(',');
    if (text::equal(text::trim(qop.substr(0, comma)), "auth")) return true;
    qop.remove_prefix(comma == std::string_view::npos ? qop.size() : comma + 1);
  }
  return false;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

std::optional<digest::Algorithm> usable_challenge(const AuthHeader& challenge) {
  if (!text::equal(challenge.scheme, "Digest") || challenge.nonce.empty()) return std::nullopt;
  if (!challenge.qop.empty() && !offers_auth(challenge.qop)) return std::nullopt;
  return digest::algorithm_from(challenge.algorithm);
}

std::string answer_challenge(const AuthHeader& challenge, std::string_view method, std::string_view uri, const Credentials& credentials, std::string_view cnonce,
                             std::uint32_t count) {
  const digest::Hasher hasher;
  const auto algorithm = digest::algorithm_from(challenge.algorithm).value_or(digest::Algorithm::md5);
  const bool qop = !challenge.qop.empty();  // else as RFC 2069 had it
  digest::Answer answer{.method = method, .uri = uri, .nonce = challenge.nonce, .nc = {}, .cnonce = {}, .qop = {}};
  const auto nc = fmt::format("{:08x}", count);
  if (qop) answer.nc = nc, answer.cnonce = cnonce, answer.qop = "auth";
  const auto ha1 = hasher.ha1(algorithm, credentials.username, challenge.realm, credentials.password);
  const auto response = hasher.response(algorithm, ha1, answer);

  std::string out = "Digest username=\"" + escaped(credentials.username) + "\", realm=\"";
  // What came in quotes goes back as it came.
  out.append(challenge.realm).append("\", nonce=\"").append(challenge.nonce).append("\", uri=\"").append(uri);
  out.append("\", response=\"").append(response.view()).append("\"");
  if (!challenge.algorithm.empty()) out.append(", algorithm=").append(digest::algorithm_name(algorithm));
  if (qop) out.append(", cnonce=\"").append(cnonce).append("\", qop=auth, nc=").append(answer.nc);
  if (!challenge.opaque.empty()) out.append(", opaque=\"").append(challenge.opaque).append("\"");
  return out;
}

}  // namespace jackfield::sip::stack
