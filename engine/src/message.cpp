#include <jackfield/message.h>
#include <jackfield/settings.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace jackfield {
namespace {

// As many as a registration has; a multiple of the tags that are compared at once.
constexpr std::uint32_t kFirstParameters = 32;

class Decimal {
 public:
  explicit Decimal(long long value) : end_(std::to_chars(digits_, digits_ + sizeof digits_, value).ptr) {}
  std::string_view text() const { return {digits_, static_cast<std::size_t>(end_ - digits_)}; }

 private:
  char digits_[24];
  const char* end_;
};

}  // namespace

Message::Message(std::string_view name, WallTime created) : name_(arena_.copy(name)), created_(created) {}

const Parameter* Message::find(std::string_view name, std::uint8_t tag) const {
#if defined(__SSE2__)
  const __m128i wanted = _mm_set1_epi8(static_cast<char>(tag));
  for (std::uint32_t from = 0; from < count_; from += 16) {
    const __m128i tags = _mm_loadu_si128(reinterpret_cast<const __m128i*>(tags_ + from));
    for (int found = _mm_movemask_epi8(_mm_cmpeq_epi8(tags, wanted)); found != 0; found &= found - 1) {
      const std::uint32_t at = from + static_cast<std::uint32_t>(__builtin_ctz(static_cast<unsigned>(found)));
      if (at >= count_) return nullptr;  // a tag that nobody has taken away
      if (parameters_[at].name == name) return parameters_ + at;
    }
  }
#else
  for (std::uint32_t at = 0; at < count_; ++at)
    if (tags_[at] == tag && parameters_[at].name == name) return parameters_ + at;
#endif
  return nullptr;
}

bool Message::flag(ParameterKey name, bool fallback) const {
  const Parameter* const parameter = find(name);
  return parameter != nullptr ? parse_boolean(parameter->value).value_or(fallback) : fallback;
}

long long Message::number(ParameterKey name, long long fallback) const {
  const Parameter* const parameter = find(name);
  if (parameter == nullptr) return fallback;
  long long value = 0;
  const char* const end = parameter->value.data() + parameter->value.size();
  const auto result = std::from_chars(parameter->value.data(), end, value);
  return result.ec == std::errc() && result.ptr == end ? value : fallback;
}

Message& Message::set(ParameterKey name, std::string_view value) {
  const std::string_view kept = arena_.copy(value);
  if (Parameter* const parameter = mutable_find(name)) parameter->value = kept;
  else append(name, kept);
  return *this;
}

Message& Message::set(ParameterKey name, long long value) { return set(name, Decimal(value).text()); }
Message& Message::add(ParameterKey name, long long value) { return add(name, Decimal(value).text()); }

Message& Message::extend(ParameterKey name, std::string_view more) {
  Parameter* const parameter = mutable_find(name);
  if (parameter == nullptr || parameter->value.empty()) return set(name, more);
  const std::string_view before = parameter->value;
  char* const text = arena_.allocate(before.size() + 1 + more.size());
  std::memcpy(text, before.data(), before.size());
  text[before.size()] = ',';
  std::memcpy(text + before.size() + 1, more.data(), more.size());
  parameter->value = {text, before.size() + 1 + more.size()};
  return *this;
}

void Message::grow() {
  const std::uint32_t larger = capacity_ == 0 ? kFirstParameters : 2 * capacity_;
  auto* const grown = static_cast<Parameter*>(arena_.allocate_aligned(larger * (sizeof(Parameter) + 1)));
  auto* const tags = reinterpret_cast<std::uint8_t*>(grown + larger);
  std::copy_n(parameters_, count_, grown);
  std::copy_n(tags_, count_, tags);
  std::fill(tags + count_, tags + larger, 0);
  parameters_ = grown;  // the old array stays in the arena: a view of it, as parameters() gave out, is still valid
  tags_ = tags;
  capacity_ = larger;
}

bool Message::erase(ParameterKey name) {
  Parameter* const parameter = mutable_find(name);
  if (parameter == nullptr) return false;
  std::uint8_t* const tag = tags_ + (parameter - parameters_);
  std::copy(parameter + 1, parameters_ + count_, parameter);
  std::copy(tag + 1, tags_ + count_, tag);
  --count_;
  return true;
}

void Message::merge_missing(const Message& other) {
  for (const Parameter& parameter : other.parameters())
    if (!has(parameter.name)) add(parameter.name, parameter.value);
}

}  // namespace jackfield
