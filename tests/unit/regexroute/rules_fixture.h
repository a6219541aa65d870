// The module on a test engine, and a call to route.
#pragma once

#include "support/module_host.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace jackfield {

struct Routed {
  bool handled;
  std::string target, context, error;
  Message message;
  std::string operator[](std::string_view parameter) const { return std::string(message.get(parameter)); }
};

class Rules {
 public:
  explicit Rules(std::string_view text) : host(text) {}

  Routed ask(std::string_view name, std::initializer_list<Parameter> parameters) {
    auto message = host.message(name, parameters);
    const bool handled = host.ask(message);
    std::string target(message.retvalue()), context(message.get("context")), error(message.get("error"));
    return {handled, std::move(target), std::move(context), std::move(error), std::move(message)};
  }
  Routed route(std::string_view called, std::initializer_list<Parameter> more = {}) {
    auto message = host.message("call.route", more);
    message.set("called", called);
    const bool handled = host.ask(message);
    std::string target(message.retvalue()), context(message.get("context")), error(message.get("error"));
    return {handled, std::move(target), std::move(context), std::move(error), std::move(message)};
  }
  std::string target(std::string_view called, std::initializer_list<Parameter> more = {}) { return route(called, more).target; }

  ModuleHost host;
};

/// The target of a call to `1` whose only rule is `.*=` and this.
inline std::string evaluated(std::string_view right, std::initializer_list<Parameter> parameters = {}) {
  Rules rules("[default]\n.*=" + std::string(right) + "\n");
  return rules.target("1", parameters);
}

}  // namespace jackfield
