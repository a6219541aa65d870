#include "line/proofs.h"

#include "sip/text.h"

namespace jackfield::sip::line {

namespace {

constexpr unsigned kMostChallenges = 4;  // of one round: server and proxy, and each nonce once stale

}  // namespace

void write(Writer& writer, const ProofLines& lines) {
  for (const auto& [header, value] : lines) writer.header(header, value);
}

Proofs::Verdict Proofs::learn(const Message& response, const stack::Credentials& credentials, Round& round) {
  const bool by_server = response.status() == 401;
  std::optional<AuthHeader> best;
  for (const auto& challenge : response.digests(by_server ? HeaderId::www_authenticate : HeaderId::proxy_authenticate)) {
    const auto algorithm = stack::usable_challenge(challenge, credentials);
    if (algorithm && (!best || *algorithm == digest::Algorithm::sha256)) best = challenge;
  }
  if (!best) return Verdict::unusable;
  bool& challenged = by_server ? round.server : round.proxy;
  if (challenged && !text::equal(best->stale, "true")) return Verdict::wrong;
  if (++round.learned > kMostChallenges) return Verdict::endless;
  challenged = true;
  (by_server ? server_ : proxy_) = {.text = std::string(best->text), .used = 0};
  return Verdict::answer;
}

ProofLines Proofs::lines(std::string_view method, std::string_view uri, const stack::Credentials& credentials, Random& random) {
  ProofLines lines;
  const auto add = [&](Kept& kept, HeaderId header) {
    const auto challenge = kept.text.empty() ? std::nullopt : std::optional(parse_auth(kept.text));
    if (!challenge || !*challenge) return;
    lines.emplace_back(header, stack::answer_challenge(**challenge, method, uri, credentials, std::to_string(random.next()), ++kept.used));
  };
  add(server_, HeaderId::authorization);
  add(proxy_, HeaderId::proxy_authorization);
  return lines;
}

}  // namespace jackfield::sip::line
