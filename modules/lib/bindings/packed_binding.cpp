#include "bindings/packed_binding.h"

#include <jackfield/detail/parameter_tag.h>
#include <jackfield/messages/parameters.h>
#include <jackfield/settings.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace jackfield::bindings {
namespace param = messages::param;
namespace {

/// The parameters that are kept. Their places are written to disk as codes (1 is the first): only ever add at the end.
constexpr auto kKept = std::to_array<std::string_view>({
    param::kDriver,       param::kRouteParams, param::kConnectionId, param::kConnectionReliable, param::kOconnectionId,
    param::kListener,     param::kIpHost,      param::kIpPort,       param::kIpTransport,        param::kSipContact,
    param::kSipCallid,    param::kSipCseq,     param::kSipInstance,  param::kRegId,              param::kSipPath,
    param::kQ,            param::kRegNatAddr,
});

constexpr std::uint8_t kSameAsKey = 0x80;
static_assert(kKept.size() < kSameAsKey);

/// The codes by the tags of the names: each parameter of each registration is looked up.
constexpr auto kCodes = [] {
  std::array<std::uint8_t, 256> codes{};
  for (std::size_t i = 0; i < kKept.size(); ++i) {
    auto& code = codes[detail::parameter_tag(kKept[i])];
    if (code != 0) throw "two kept names share a tag";  // does not compile
    code = static_cast<std::uint8_t>(i + 1);
  }
  return codes;
}();

/// 0: none of them.
std::uint8_t code_of(std::string_view name) {
  const auto code = kCodes[detail::parameter_tag(name)];
  return code != 0 && kKept[code - 1] == name ? code : 0;
}

/// take_number for what nearly all numbers are: one byte.
std::optional<std::uint64_t> take_small(std::string_view& bytes) {
  if (bytes.empty() || static_cast<std::uint8_t>(bytes.front()) >= 0x80) return take_number(bytes);
  const auto number = static_cast<std::uint8_t>(bytes.front());
  bytes.remove_prefix(1);
  return number;
}

/// The code of a name that is kept, worked out by the compiler.
consteval std::uint8_t place_of(std::string_view name) {
  for (std::size_t i = 0; i < kKept.size(); ++i)
    if (kKept[i] == name) return static_cast<std::uint8_t>(i + 1);
  throw "not kept";
}
constexpr auto kId = place_of(param::kConnectionId), kReliable = place_of(param::kConnectionReliable);

std::optional<std::string_view> take_text(std::string_view& bytes) {
  const auto size = take_small(bytes);
  if (!size || *size > bytes.size()) return std::nullopt;
  const auto text = bytes.substr(0, *size);
  bytes.remove_prefix(*size);
  return text;
}

/// False when the bytes end too early.
bool skip_parameter(std::string_view& bytes) {
  const auto first = static_cast<std::uint8_t>(bytes.front());
  bytes.remove_prefix(1);
  if ((first & ~kSameAsKey) == 0 && !take_text(bytes)) return false;
  return (first & kSameAsKey) != 0 || take_text(bytes).has_value();
}

}  // namespace

void append_number(std::string& out, std::uint64_t number) {
  for (; number >= 0x80; number >>= 7) out.push_back(static_cast<char>(number | 0x80));
  out.push_back(static_cast<char>(number));
}

std::optional<std::uint64_t> take_number(std::string_view& bytes) {
  std::uint64_t number = 0;
  for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<std::uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    number |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return number;
  }
  return std::nullopt;
}

std::optional<PackedBinding::Parameter> PackedBinding::take_parameter(std::string_view& bytes) const {
  const auto first = static_cast<std::uint8_t>(bytes.front());
  const auto code = static_cast<std::uint8_t>(first & ~kSameAsKey);
  bytes.remove_prefix(1);
  Parameter parameter;
  if (code == 0) {
    const auto name = take_text(bytes);
    if (!name) return std::nullopt;
    parameter.name = *name;
  } else if (code <= kKept.size()) {
    parameter.name = kKept[code - 1];
  } else {
    return std::nullopt;
  }
  if (first & kSameAsKey) {
    parameter.value = key_;
    return parameter;
  }
  const auto value = take_text(bytes);
  if (!value) return std::nullopt;
  parameter.value = *value;
  return parameter;
}

bool PackedBinding::take_head(std::string_view& bytes) {
  bytes_ = bytes;
  for (auto* text : {&username_, &key_, &data_}) {
    const auto taken = take_text(bytes);
    if (!taken) return false;
    *text = *taken;
  }
  parameters_ = bytes;
  return !username_.empty() && !data_.empty();
}

std::optional<PackedBinding> PackedBinding::parse(std::string_view bytes) {
  PackedBinding packed;
  if (!packed.take_head(bytes)) return std::nullopt;
  while (!bytes.empty()) {
    if (!packed.take_parameter(bytes)) return std::nullopt;
  }
  return packed;
}

PackedBinding PackedBinding::of_checked(std::string_view bytes) {
  PackedBinding packed;
  packed.take_head(bytes);
  return packed;
}

std::optional<std::string_view> PackedBinding::parameter(std::string_view name) const {
  const auto wanted = code_of(name);
  for (auto rest = parameters_; !rest.empty();) {
    const auto first = static_cast<std::uint8_t>(rest.front());
    const auto code = first & ~kSameAsKey;
    if (code == wanted) {
      const auto parameter = take_parameter(rest);
      if (!parameter) break;
      if (code != 0 || parameter->name == name) return parameter->value;
      continue;
    }
    if (!skip_parameter(rest)) break;
  }
  return std::nullopt;
}

PackedBinding::Connection PackedBinding::connection() const {
  if (connection_) return *connection_;
  Connection connection;
  for (auto rest = parameters_; !rest.empty();) {
    const auto first = static_cast<std::uint8_t>(rest.front());
    const auto code = first & ~kSameAsKey;
    if (code == kId || code == kReliable) {
      const auto parameter = take_parameter(rest);
      if (!parameter) break;
      if (code == kId) connection.id = parameter->value;
      else connection.reliable = parse_boolean(parameter->value).value_or(false);
    } else if (!skip_parameter(rest)) {
      break;
    }
  }
  return connection;
}

bool PackedBinding::lists(std::string_view names, std::string_view name) {
  while (!names.empty()) {
    const auto comma = std::min(names.find(','), names.size());
    auto one = names.substr(0, comma);
    while (!one.empty() && one.front() == ' ') one.remove_prefix(1);
    while (!one.empty() && one.back() == ' ') one.remove_suffix(1);
    if (one == name) return true;
    names.remove_prefix(std::min(comma + 1, names.size()));
  }
  return false;
}

void BindingPacker::begin(std::string_view username, std::string_view key, std::string_view data) {
  size_ = id_at_ = id_size_ = 0;
  reliable_ = false;
  put_text(username);
  key_size_ = key.size();
  key_at_ = put_text(key);
  put_text(data);
}

void BindingPacker::add(std::string_view name, std::string_view value) { add(code_of(name), name, value); }

void BindingPacker::add(std::uint8_t code, std::string_view name, std::string_view value) {
  // Most phones are known by their contact.
  const bool same = key_size_ != 0 && value == at(key_at_, key_size_);
  *room(1) = static_cast<char>(same ? code | kSameAsKey : code);
  if (code == 0) put_text(name);
  const std::size_t value_at = same ? key_at_ : put_text(value);
  // Of several of that name the last counts, as it does for whoever reads them.
  if (code == kId) id_at_ = value_at, id_size_ = value.size();
  if (code == kReliable) reliable_ = parse_boolean(value).value_or(false);
}

char* BindingPacker::room(std::size_t bytes) {
  if (size_ + bytes > bytes_.size()) bytes_.resize(std::max(size_ + bytes, 2 * bytes_.size()));
  return bytes_.data() + std::exchange(size_, size_ + bytes);
}

std::size_t BindingPacker::put_text(std::string_view text) {
  auto length = text.size();
  for (; length >= 0x80; length >>= 7) *room(1) = static_cast<char>(length | 0x80);
  char* const to = room(1 + text.size());
  *to = static_cast<char>(length);
  if (!text.empty()) std::memcpy(to + 1, text.data(), text.size());
  return size_ - text.size();
}

PackedBinding BindingPacker::packed() const {
  auto packed = PackedBinding::of_checked(at(0, size_));
  packed.connection_ = {.id = at(id_at_, id_size_), .reliable = reliable_};
  return packed;
}

PackedBinding BindingPacker::pack(const Message& user_register) {
  begin(user_register.get(param::kUsername), user_register.get(param::kBinding), user_register.get(param::kData));
  const auto routed = user_register.get(param::kRouteParams);
  for (const auto& [name, value] : user_register.parameters()) {
    if (const auto code = code_of(name); code != 0 || PackedBinding::lists(routed, name)) add(code, name, value);
  }
  return packed();
}

}  // namespace jackfield::bindings
