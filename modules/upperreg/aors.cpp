#include "aors.h"

#include "bindings/packed_binding.h"
#include "digest/digest.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace jackfield::upperreg {
namespace {

// Records: a letter, then texts, each with its length in front.
constexpr char kSecret = 'S', kAor = 'A', kGone = 'G';
constexpr std::size_t kSecretBytes = 32, kTokenDigits = 32, kTagDigits = 16;
constexpr std::chrono::seconds kIdle{60};       // a nonce that was passed on is answered within that
constexpr std::int64_t kCseqEpoch = 1577836800; // 2020: seconds since then fit into 31 bits until 2088
constexpr std::uint64_t kCompactAfter = 1u << 20;

void append(std::string& out, std::string_view text) {
  bindings::append_number(out, text.size());
  out.append(text);
}

std::optional<std::string_view> take(std::string_view& bytes) {
  const auto size = bindings::take_number(bytes);
  if (!size || *size > bytes.size()) return std::nullopt;
  const auto text = bytes.substr(0, *size);
  bytes.remove_prefix(*size);
  return text;
}

}  // namespace

std::string_view user_here(const Aor::Identity& id) { return std::string_view(id.name).substr(0, id.mode == Mode::thru ? id.name.rfind('@') : std::string::npos); }

tl::expected<std::unique_ptr<Aors>, std::string> Aors::open(Engine& engine, const std::filesystem::path& path, bool sync) {
  std::unique_ptr<Aors> aors(new Aors(engine));
  if (!path.empty()) {
    auto journal = Journal::open(engine.io(), {.path = path, .sync = sync}, [&](std::string_view record) { aors->replay(record); });
    if (!journal) return tl::unexpected(journal.error().text);
    aors->journal_ = std::move(*journal);
    auto& log = engine.log("upperreg");
    if (!aors->journal_->cut_tail().empty()) log.warning("event=journal_cut reason={}", log_value(aors->journal_->cut_tail()));
    if (aors->unreadable_ != 0) log.error("event=journal_unreadable records={} file={}", aors->unreadable_, log_value(path.string()));
  }
  if (aors->secret_.empty()) {
    std::array<std::uint8_t, kSecretBytes> bytes;
    engine.random().fill(bytes);
    aors->secret_ = digest::to_hex(bytes);
    if (aors->journal_) {
      std::string record(1, kSecret);
      append(record, aors->secret_);
      aors->journal_->append(record);
    }
  }
  return aors;
}

std::string Aors::derive(std::string_view what, std::string_view name) const {
  return digest::Hasher().hash(digest::Algorithm::sha256, fmt::format("{}:{}:{}", secret_, what, name)).str();
}

Aor& Aors::enter(Aor::Identity identity) {
  auto made = std::make_unique<Aor>(std::move(identity));
  auto& aor = *made;
  tokens_[aor.id.token] = &aor;
  if (aor.id.mode == Mode::thru) {
    users_.emplace(aor.id.user, &aor);
    if (const auto here = user_here(aor.id); here != aor.id.user) users_.emplace(here, &aor);
  }
  all_[aor.id.name] = std::move(made);
  return aor;
}

Aor* Aors::find(std::string_view name) const {
  const auto found = all_.find(std::string(name));
  return found == all_.end() ? nullptr : found->second.get();
}

Aor* Aors::of_token(std::string_view token) const {
  if (token.size() != kTokenDigits) return nullptr;
  const auto found = tokens_.find(std::string(token));
  return found == tokens_.end() ? nullptr : found->second;
}

Aor* Aors::get(const Aor::Identity& partial, std::size_t most) {
  const auto now = engine_.clock().wall();
  if (auto* aor = find(partial.name)) {
    aor->used = now;
    // What A is asked for follows the phone and the configuration while A knows of nothing.
    if (!aor->at_a() && !aor->busy && (aor->id.user != partial.user || aor->id.domain != partial.domain || aor->id.line != partial.line || aor->id.mode != partial.mode)) forget(partial.name);
    else return aor;
  }
  if (all_.size() >= most) sweep(now + kIdle);
  if (all_.size() >= most) return nullptr;
  auto identity = partial;
  identity.token = derive("token", identity.name).substr(0, kTokenDigits);
  identity.call_id = derive("call-id", identity.name).substr(0, kTokenDigits);
  identity.from_tag = derive("tag", identity.name).substr(0, kTagDigits);
  auto& aor = enter(std::move(identity));
  aor.used = now;
  return &aor;
}

std::uint32_t Aors::next_cseq(Aor& aor) {
  if (aor.cseq == 0) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(engine_.clock().wall().time_since_epoch()).count() - kCseqEpoch;
    aor.cseq = static_cast<std::uint32_t>(std::clamp<std::int64_t>(seconds, 1, 1ll << 30));
  }
  return ++aor.cseq;
}

void Aors::forget(const std::string& name) {
  const auto found = all_.find(name);
  if (found == all_.end()) return;
  tokens_.erase(found->second->id.token);
  drop_user(found->second->id.user, found->second.get());
  drop_user(user_here(found->second->id), found->second.get());
  all_.erase(found);
}

void Aors::drop_user(std::string_view user, const Aor* aor) {
  const auto [begin, end] = users_.equal_range(std::string(user));
  for (auto one = begin; one != end; ++one) {
    if (one->second != aor) continue;
    users_.erase(one);
    return;
  }
}

void Aors::sweep(WallTime now) {
  std::vector<std::string> idle;
  for (const auto& [name, aor] : all_)
    if (!aor->at_a() && !aor->busy && aor->used + kIdle <= now) idle.push_back(name);
  for (const auto& name : idle) forget(name);
}

void Aors::each(const std::function<void(Aor&)>& visit) const {
  for (const auto& [name, aor] : all_) visit(*aor);
}

void Aors::of_user(std::string_view user, const std::function<void(Aor&)>& visit) const {
  const auto [begin, end] = users_.equal_range(std::string(user));
  for (auto one = begin; one != end; ++one) visit(*one->second);
}

std::string Aors::record_of(const Aor& aor) const {
  std::string out(1, aor.at_a() ? kAor : kGone);
  append(out, aor.id.name);
  if (!aor.at_a()) return out;
  for (const auto* text : {&aor.id.user, &aor.id.domain, &aor.id.request_uri, &aor.id.line, &aor.server}) append(out, *text);
  const auto until = std::chrono::duration_cast<std::chrono::seconds>(aor.granted_until().time_since_epoch()).count();
  for (const std::uint64_t number : {std::uint64_t(aor.id.mode), std::uint64_t(aor.kind), std::uint64_t(aor.state()), std::uint64_t(aor.granted().count()),
                                     static_cast<std::uint64_t>(until), std::uint64_t(aor.cseq), std::uint64_t(aor.min_expires.count())})
    bindings::append_number(out, number);
  return out;
}

void Aors::replay(std::string_view record) {
  const auto bad = [this] { ++unreadable_; };
  if (record.empty()) return bad();
  const char what = record.front();
  record.remove_prefix(1);
  const auto name = take(record);
  if (!name) return bad();
  if (what == kSecret) {
    secret_ = *name;
    return;
  }
  if (what == kGone) return forget(std::string(*name));
  if (what != kAor || secret_.empty()) return bad();
  std::array<std::string, 5> texts;
  for (auto& text : texts) {
    const auto taken = take(record);
    if (!taken) return bad();
    text = *taken;
  }
  std::array<std::uint64_t, 7> numbers{};
  for (auto& number : numbers) {
    const auto taken = bindings::take_number(record);
    if (!taken) return bad();
    number = *taken;
  }
  if (numbers[0] > 1 || numbers[1] > 1 || numbers[2] > static_cast<std::uint64_t>(AorState::leaving)) return bad();
  forget(std::string(*name));
  const Aor::Identity partial{.token = {}, .call_id = {}, .from_tag = {}, .name = std::string(*name), .user = texts[0], .domain = texts[1], .request_uri = texts[2], .line = texts[3],
                              .mode = static_cast<Mode>(numbers[0])};
  auto* aor = get(partial, SIZE_MAX);
  aor->server = texts[4];
  aor->kind = static_cast<Kind>(numbers[1]);
  aor->restore(static_cast<AorState>(numbers[2]), std::chrono::seconds(numbers[3]), WallTime(std::chrono::seconds(numbers[4])));
  // The clock is ahead of all that was used and perhaps not written.
  next_cseq(*aor);
  aor->cseq = std::max(aor->cseq, static_cast<std::uint32_t>(numbers[5] + 1));
  aor->min_expires = std::chrono::seconds(numbers[6]);
}

void Aors::save(const Aor& aor) {
  if (!journal_) return;
  const auto record = record_of(aor);
  journal_->append(record);
  appended_ += record.size();
  compact_when_due();
}

void Aors::compact_when_due() {
  if (appended_ < kCompactAfter || appended_ < journal_->file_bytes() / 2) return;
  appended_ = 0;
  journal_->compact(
      [this](const std::function<void(std::string_view)>& add) {
        std::string secret(1, kSecret);
        append(secret, secret_);
        add(secret);
        for (const auto& [name, aor] : all_)
          if (aor->at_a()) add(record_of(*aor));
      },
      [log = &engine_.log("upperreg")](const std::string& error) {
        if (!error.empty()) log->error("event=not_compacted reason={}", log_value(error));
      });
}

std::optional<Durability> Aors::durable() { return journal_ ? std::optional(journal_->durability()) : std::nullopt; }

}  // namespace jackfield::upperreg
