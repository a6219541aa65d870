#include "line/proofs.h"

#include "sip/text.h"

namespace jackfield::sip::line {

namespace {

constexpr unsigned kMostChallenges = 4;  // of one round: server and proxy, and each nonce once stale

}  // namespace

void Proofs::begin_round() {
  server_.of_this_round = proxy_.of_this_round = false;
  learned_ = 0;
}

Proofs::Verdict Proofs::learn(const Message& response) {
  const bool by_server = response.status() == 401;
  std::optional<AuthHeader> best;
  for (const auto& challenge : response.digests(by_server ? HeaderId::www_authenticate : HeaderId::proxy_authenticate)) {
    const auto algorithm = stack::usable_challenge(challenge);
    if (algorithm && (!best || *algorithm == digest::Algorithm::sha256)) best = challenge;
  }
  if (!best) return Verdict::unusable;
  auto& kept = by_server ? server_ : proxy_;
  if (kept.of_this_round && !text::equal(best->stale, "true")) return Verdict::wrong;
  if (++learned_ > kMostChallenges) return Verdict::endless;
  kept = {.text = std::string(best->text), .used = 0, .of_this_round = true};
  return Verdict::answer;
}

void Proofs::write(Writer& writer, std::string_view method, std::string_view uri, const stack::Credentials& credentials, Random& random) {
  const auto add = [&](Kept& kept, HeaderId header) {
    const auto challenge = kept.text.empty() ? std::nullopt : std::optional(parse_auth(kept.text));
    if (!challenge || !*challenge) return;
    writer.header(header, stack::answer_challenge(**challenge, method, uri, credentials, std::to_string(random.next()), ++kept.used));
  };
  add(server_, HeaderId::authorization);
  add(proxy_, HeaderId::proxy_authorization);
}

}  // namespace jackfield::sip::line
