// How messages and parameters are declared: once, with one sentence, a unit and who sends them. A declaration converts to
// its name, so code writes `Message(kUserAuth)` and `message.set(param::kUsername, user)`; `jackfield help` and
// share/doc/messages.md print the rest. A constant's name is the parameter's in camel case: `ip_host` is `param::kIpHost`.
#pragma once

#include <jackfield/detail/parameter_tag.h>

#include <span>
#include <string>
#include <string_view>

namespace jackfield::messages {

/// Always a constant: messages refer to its text instead of copying it.
struct ParameterName {
  std::string_view name;
  std::string_view unit;  ///< "s", "ms", "ip:port"; empty where it has none
  std::string_view doc;
  std::uint8_t tag = detail::parameter_tag(name);  ///< worked out by the compiler; never given
  constexpr operator std::string_view() const { return name; }  // NOLINT: that is what it is for
};

enum class Way : unsigned char { in, out, both };  ///< set by the sender, by handlers, or by either

struct ParameterUse {
  const ParameterName* parameter;
  Way way = Way::in;
};

struct MessageName {
  std::string_view name;
  std::string_view doc;      ///< what it asks or tells
  std::string_view sent_by;  ///< who sends it
  std::string_view result;   ///< what true and the return value mean
  std::span<const ParameterUse> parameters;
  bool broadcast = false;
  constexpr operator std::string_view() const { return name; }  // NOLINT
  operator std::string() const { return std::string(name); }    // NOLINT
};

/// All declared messages, in alphabetical order.
std::span<const MessageName* const> all();
/// Null when it is not declared.
const MessageName* find(std::string_view name);

}  // namespace jackfield::messages
