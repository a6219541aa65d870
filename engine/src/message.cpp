#include <jackfield/message.h>
#include <jackfield/settings.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>

namespace jackfield {
namespace {

constexpr std::uint32_t kFirstParameters = 16;

// Most names differ in length or in the last letter: calling memcmp for each would cost more than the rest of find().
bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && (a.empty() || (a.back() == b.back() && std::memcmp(a.data(), b.data(), a.size()) == 0));
}

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

const Parameter* Message::find(std::string_view name) const {
  for (const Parameter& parameter : parameters())
    if (same_name(parameter.name, name)) return &parameter;
  return nullptr;
}

Parameter* Message::mutable_find(std::string_view name) {
  return const_cast<Parameter*>(find(name));
}

std::string_view Message::get(std::string_view name, std::string_view fallback) const {
  const Parameter* const parameter = find(name);
  return parameter != nullptr ? parameter->value : fallback;
}

bool Message::flag(std::string_view name, bool fallback) const {
  const Parameter* const parameter = find(name);
  return parameter != nullptr ? parse_boolean(parameter->value).value_or(fallback) : fallback;
}

long long Message::number(std::string_view name, long long fallback) const {
  const Parameter* const parameter = find(name);
  if (parameter == nullptr) return fallback;
  long long value = 0;
  const char* const end = parameter->value.data() + parameter->value.size();
  const auto result = std::from_chars(parameter->value.data(), end, value);
  return result.ec == std::errc() && result.ptr == end ? value : fallback;
}

Message& Message::set(std::string_view name, std::string_view value) {
  if (Parameter* const parameter = mutable_find(name)) parameter->value = arena_.copy(value);
  else append(name, value);
  return *this;
}

Message& Message::set(std::string_view name, long long value) { return set(name, Decimal(value).text()); }
Message& Message::add(std::string_view name, long long value) { return add(name, Decimal(value).text()); }

void Message::append(std::string_view name, std::string_view value) {
  if (count_ == capacity_) {
    const std::uint32_t larger = capacity_ == 0 ? kFirstParameters : 2 * capacity_;
    auto* const grown = static_cast<Parameter*>(arena_.allocate_aligned(larger * sizeof(Parameter)));
    std::uninitialized_copy_n(parameters_, count_, grown);
    parameters_ = grown;  // the old array stays in the arena: a view of it, as parameters() gave out, is still valid
    capacity_ = larger;
  }
  std::construct_at(parameters_ + count_, Parameter{arena_.copy(name), arena_.copy(value)});
  ++count_;
}

bool Message::erase(std::string_view name) {
  Parameter* const parameter = mutable_find(name);
  if (parameter == nullptr) return false;
  std::copy(parameter + 1, parameters_ + count_, parameter);
  --count_;
  return true;
}

void Message::merge_missing(const Message& other) {
  for (const Parameter& parameter : other.parameters())
    if (!has(parameter.name)) append(parameter.name, parameter.value);
}

}  // namespace jackfield
