// What a script sets for itself with `%%>setlocal:name:value`, and what it may read that way (COMPAT §9). Pure but for what it reads.
#pragma once

#include <jackfield/engine.h>

#include <optional>
#include <string>
#include <string_view>

namespace jackfield::extmodule {

struct Locals {
  std::string id, reason, trackparam, debugname;
  bool disconnected = false;
  Duration timeout = std::chrono::milliseconds(10000);
  bool timebomb = false;
  std::size_t maxqueue = 1000;  ///< 0: any number
  std::size_t bufsize = 8192;
  bool restart = false;
  bool reenter = false;
  bool selfwatch = false;
  bool setdata = true;
  bool settime = false;
  bool dry_run = false;  ///< it changes nothing when the message says dry_run=true, and may be asked what would happen
  int debuglevel = 0;  ///< lines above it are left out; 0: none is

  // Not the script's to change.
  int priority = 100;              ///< of handlers that it installs without one
  int breaker = 5;                 ///< late answers in a row after which it is spared
  Duration breaker_pause = std::chrono::seconds(10);
  std::string on_fail;             ///< the route of calls it should have routed and did not
};

struct LocalResult {
  std::string value;
  bool known = true;
};

/// An empty value asks only. Unknown names, and values that are none for that name, are not known. `of_call`: the script plays one call;
/// what is a channel's only such a script sets, what is a global script's no such.
LocalResult set_local(Locals& locals, std::string_view name, std::string_view value, bool of_call, const Engine& engine);

}  // namespace jackfield::extmodule
