#include "locals.h"

#include "wire.h"

#include <jackfield/settings.h>

namespace jackfield::extmodule {
namespace {

LocalResult text(std::string& own, std::string_view value) {
  if (!value.empty()) own = value;
  return {own};
}

LocalResult boolean(bool& own, std::string_view value) {
  const auto wanted = parse_boolean(value);
  if (wanted) own = *wanted;
  return {std::string(wire_boolean(own)), value.empty() || wanted};
}

template <class Number>
LocalResult number(Number& own, std::string_view value, std::int64_t least, std::int64_t most) {
  const auto wanted = parse_integer(value);
  const bool fits = wanted && *wanted >= least && *wanted <= most;
  if (fits) own = static_cast<Number>(*wanted);
  return {std::to_string(own), value.empty() || fits};
}

}  // namespace

LocalResult set_local(Locals& locals, std::string_view name, std::string_view value, bool of_call, const Engine& engine) {
  if (!value.empty() && ((name == "disconnected" && !of_call) || (name == "restart" && of_call))) return {std::string(wire_boolean(false)), false};
  if (name == "debugname" && !value.empty() && !locals.debugname.empty()) return {locals.debugname, false};  // once
  if (name == "id") return text(locals.id, value);
  if (name == "reason") return text(locals.reason, value);
  if (name == "trackparam") return text(locals.trackparam, value);
  if (name == "debugname") return text(locals.debugname, value);
  if (name == "disconnected") return boolean(locals.disconnected, value);
  if (name == "timebomb") return boolean(locals.timebomb, value);
  if (name == "restart") return boolean(locals.restart, value);
  if (name == "reenter") return boolean(locals.reenter, value);
  if (name == "selfwatch") return boolean(locals.selfwatch, value);
  if (name == "setdata") return boolean(locals.setdata, value);
  if (name == "settime") return boolean(locals.settime, value);
  if (name == "dry_run") return boolean(locals.dry_run, value);
  if (name == "debuglevel") return number(locals.debuglevel, value, 0, 10);
  if (name == "maxqueue") return number(locals.maxqueue, value, 0, 100000);
  if (name == "bufsize") return number(locals.bufsize, value, 2048, 65536);
  if (name == "timeout") {
    auto milliseconds = locals.timeout.count();
    const auto result = number(milliseconds, value, 1, 3600000);
    locals.timeout = Duration(milliseconds);
    return result;
  }
  if (!value.empty()) return {std::string(value), false};  // the rest is read only
  if (name == "runid" || name.starts_with("engine.")) {
    const auto read = engine.run_parameter(name == "runid" ? name : name.substr(7));
    return {std::string(read.value_or("")), read.has_value()};
  }
  if (name.starts_with("config.")) {
    const auto read = engine.run_parameter(name);
    return {std::string(read.value_or("")), read.has_value()};
  }
  if (name.starts_with("loaded.")) return {std::string(wire_boolean(engine.module_loaded(name.substr(7))))};
  return {{}, false};
}

}  // namespace jackfield::extmodule
