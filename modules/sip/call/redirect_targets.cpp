#include "call/redirect_targets.h"

#include <algorithm>

namespace jackfield::sip::call {

namespace {

constexpr unsigned kWholly = 1000;         // q of a contact that names none (RFC 3261 §20.10)
constexpr std::size_t kLongestUri = 1024;  // nobody's is longer, and it is kept

bool is_callable(const Contact& contact) {
  const Uri& uri = contact.address.uri;
  return !contact.star && (uri.is_sip() || uri.scheme == Uri::Scheme::tel) && !uri.user.empty() && uri.text.size() <= kLongestUri;
}

std::string_view without_headers(const Uri& uri) { return uri.text.substr(0, uri.text.find('?')); }

template <class Take>
void each_contact(const Message& redirection, Take take) {
  for (const std::string_view value : redirection.list(HeaderId::contact))
    if (const auto contact = parse_contact(value); contact && is_callable(*contact)) take(*contact);
}

}  // namespace

void RedirectTargets::visited(std::string_view uri) {
  if (const auto parsed = Uri::parse(uri)) seen_.push_back(canonical(*parsed));
}

void RedirectTargets::add(const Message& redirection) {
  each_contact(redirection, [this](const Contact& contact) {
    if (taken_ == kMost) return;
    const Uri& uri = contact.address.uri;
    auto form = canonical(uri);
    if (std::ranges::find(seen_, form) != seen_.end()) return;
    seen_.push_back(std::move(form));
    ++taken_;
    waiting_.push_back({{std::string(without_headers(uri)), unescape(uri.user), std::string(uri.host)}, contact.q.value_or(kWholly)});
  });
  std::ranges::stable_sort(waiting_, std::ranges::greater(), &Waiting::q);
}

std::optional<RedirectTarget> RedirectTargets::next() {
  if (waiting_.empty()) return std::nullopt;
  auto target = std::move(waiting_.front().target);
  waiting_.erase(waiting_.begin());
  return target;
}

std::string passed_contacts(const Message& redirection) {
  std::string value;
  std::size_t count = 0;
  each_contact(redirection, [&](const Contact& contact) {
    if (count++ >= RedirectTargets::kMost) return;
    if (!value.empty()) value += ", ";
    value.append("<").append(without_headers(contact.address.uri)).append(">");
    if (contact.q && *contact.q < kWholly) {
      auto thousandths = std::to_string(*contact.q);
      thousandths.insert(0, 3 - thousandths.size(), '0');
      value.append(";q=0.").append(thousandths);
    }
  });
  return value;
}

}  // namespace jackfield::sip::call
