// The functions of rules, by name: `$(length,abc)`. What they take is text, what they give is text; a number that is none counts as 0.
#pragma once

#include "variables.h"

#include <jackfield/engine.h>
#include <jackfield/message.h>

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace jackfield::regexroute {

struct FunctionContext {
  const Message& message;
  Variables& variables;
  Engine& engine;
  int depth = 0;  ///< of messages that rules dispatch for messages that rules dispatched
  std::map<std::string, bool, std::less<>> registered = {};  ///< users that were asked for, and whether they are
};

/// An argument, and the variable it was read from where it is written `$name`: some functions write the next value back.
struct Argument {
  std::string value;
  std::string_view variable;  ///< empty: none
};

struct Function {
  std::string_view name;
  std::size_t least, most;  ///< arguments
  std::string (*run)(std::span<const Argument> arguments, FunctionContext& context);
  std::string_view usage;   ///< `$(length,TEXT)`
  /// It needs the answer to a question about its argument, which may take its time: it stands in conditions only.
  bool asks = false;
};

inline constexpr std::size_t kAnyNumber = static_cast<std::size_t>(-1);

/// Null when there is none of that name: then `$(name)` is a variable.
const Function* find_function(std::string_view name);
std::span<const Function> all_functions();

}  // namespace jackfield::regexroute
