#include "registrar/binding.h"

#include <cstring>
#include <new>

namespace jackfield::sip::registrar {

void Binding::Delete::operator()(Binding* binding) const {
  binding->~Binding();
  ::operator delete(binding);
}

Binding::Ptr Binding::make(const BindingText& text, const BindingFacts& facts) {
  const std::array<std::string_view, kParts> parts{text.username, text.key, text.contact, text.data, text.call_id, text.instance, text.path};
  std::array<Span, kParts> spans;
  std::array<bool, kParts> shared{};
  std::size_t size = 0;
  for (std::size_t i = 0; i < kParts; ++i) {
    // key, contact and data are often the same URI.
    for (std::size_t j = 1; j < i && !shared[i]; ++j)
      if (!parts[i].empty() && parts[i] == parts[j]) spans[i] = spans[j], shared[i] = true;
    if (shared[i]) continue;
    spans[i] = {static_cast<std::uint16_t>(size), static_cast<std::uint16_t>(parts[i].size())};
    size += parts[i].size();
  }
  Ptr binding(new (::operator new(sizeof(Binding) + size)) Binding);
  binding->facts_ = facts;
  binding->parts_ = spans;
  auto* bytes = reinterpret_cast<char*>(binding.get() + 1);
  for (std::size_t i = 0; i < kParts; ++i)
    if (!shared[i] && !parts[i].empty()) std::memcpy(bytes + spans[i].at, parts[i].data(), parts[i].size());
  return binding;
}

std::uint32_t Binding::remaining(MonoTime now) const {
  if (facts_.expires == MonoTime::max()) return 3600;
  const auto left = std::chrono::ceil<std::chrono::seconds>(facts_.expires - now).count();
  return left > 0 ? static_cast<std::uint32_t>(left) : 0;
}

}  // namespace jackfield::sip::registrar
