// regexroute.conf: priorities, variables, extra handlers, and everything else as rules.
#pragma once

#include "rules.h"
#include "walk.h"

#include <jackfield/settings.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace jackfield::regexroute {

extern const KeyTable kKeys;

/// A handler of [extra].
struct ExtraHandler {
  std::string message;
  int priority = 100;
  std::string parameter;  ///< its value is the match string; empty: the message's name
  std::string context;
  std::string filter_name;
  std::string filter_value;                    ///< exactly this …
  std::optional<pattern::Pattern> filter;      ///< … or this expression, where it begins with ^

  bool same_place(const ExtraHandler& other) const {
    return message == other.message && priority == other.priority && parameter == other.parameter && context == other.context &&
           filter_name == other.filter_name && filter_value == other.filter_value;
  }
};

struct RegexRouteSettings {
  int preroute_priority = 100, route_priority = 100, status_priority = 110;  ///< 0: no handler
  bool preroute_all = false;
  bool track = true;
  std::shared_ptr<const RuleSet> rules;
  std::vector<std::pair<std::string, std::string>> once, init;
  std::vector<ExtraHandler> extra;
};

/// Nothing when a problem is an error.
std::optional<RegexRouteSettings> read_settings(const Settings& settings, Problems& problems);

}  // namespace jackfield::regexroute
