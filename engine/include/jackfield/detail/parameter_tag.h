// A byte that tells most parameter names apart, so that looking for one compares bytes, sixteen at a time, and then one name.
#pragma once

#include <cstdint>
#include <string_view>

namespace jackfield::detail {

constexpr std::uint8_t parameter_tag(std::string_view name) {
  if (name.empty()) return 0;
  const auto letter = [name](std::size_t at) { return static_cast<unsigned char>(name[at]); };
  return static_cast<std::uint8_t>(name.size() * 37u + letter(0) * 11u + letter(name.size() / 2) * 5u + letter(name.size() - 1));
}

}  // namespace jackfield::detail
