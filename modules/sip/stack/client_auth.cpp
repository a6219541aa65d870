#include "stack/client_auth.h"

#include <fmt/format.h>

#include "sip/text.h"

namespace jackfield::sip::stack {

namespace {

template <class Each>
void each_qop(std::string_view qop, Each each) {
  while (!qop.empty()) {
    const auto comma = qop.find(',');
    each(text::trim(qop.substr(0, comma)));
    qop.remove_prefix(comma == std::string_view::npos ? qop.size() : comma + 1);
  }
}

bool offers_auth(std::string_view qop) {
  bool offers = false;
  each_qop(qop, [&](std::string_view option) { offers = offers || text::equal(option, "auth"); });
  return offers;
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

std::optional<digest::Algorithm> usable_challenge(const AuthHeader& challenge, const Credentials& credentials) {
  const auto algorithm = usable_challenge(challenge);
  return algorithm && credentials.serve(challenge.realm, *algorithm) ? algorithm : std::nullopt;
}

std::string answer_challenge(const AuthHeader& challenge, std::string_view method, std::string_view uri, const Credentials& credentials, std::string_view cnonce,
                             std::uint32_t count) {
  const digest::Hasher hasher;
  const auto algorithm = digest::algorithm_from(challenge.algorithm).value_or(digest::Algorithm::md5);
  const bool qop = !challenge.qop.empty();  // else as RFC 2069 had it
  digest::Answer answer{.method = method, .uri = uri, .nonce = challenge.nonce, .nc = {}, .cnonce = {}, .qop = {}};
  const auto nc = fmt::format("{:08x}", count);
  if (qop) answer.nc = nc, answer.cnonce = cnonce, answer.qop = "auth";
  const std::string ha1 = !credentials.password.empty()                ? hasher.ha1(algorithm, credentials.username, challenge.realm, credentials.password).str()
                          : algorithm == digest::Algorithm::md5 ? credentials.ha1_md5
                                                                       : credentials.ha1_sha256;
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

std::string without_auth_int(std::string_view challenge) {
  std::string out(challenge);
  const auto parsed = parse_auth(challenge);
  if (!parsed || parsed->qop.empty()) return out;
  std::string kept;
  bool struck = false;
  each_qop(parsed->qop, [&](std::string_view option) {
    if (text::equal(option, "auth-int")) struck = true;
    else kept.append(kept.empty() ? "" : ",").append(option);
  });
  if (struck && !kept.empty()) out.replace(static_cast<std::size_t>(parsed->qop.data() - challenge.data()), parsed->qop.size(), kept);
  return out;
}

}  // namespace jackfield::sip::stack
