// register.conf as the module uses it. Read and checked once, then constant: a reload makes another. What is under way keeps the one
// it began with.
#pragma once

#include "pattern/pattern.h"
#include "query.h"

#include <jackfield/settings.h>

#include <cstdint>
#include <optional>
#include <string>

namespace jackfield::register_module {

extern const KeyTable kKeys;

/// What a message gets when the database gives no answer.
enum class OnFail : std::uint8_t {
  refuse,  ///< `-` and error=failure, unless another handler knows better
  pass,    ///< as if this module were not there
  cached,  ///< the last good answer to the same question, else refused; a contact that the database has already is confirmed for as long
};

/// One section: who is asked what, and when.
struct HandlerSettings {
  std::string section;  ///< its name, for the log
  bool enabled = false;
  int priority = 50;
  std::string account;  ///< `${name}` stands for a parameter of the message
  Query query;
  Query init;  ///< once at the start
  Duration deadline{0};
  OnFail on_fail = OnFail::refuse;
  Duration cache_stale{0};  ///< with cached: how old an answer may be
  std::string result;       ///< the column that is the answer
  bool dry_run = false;     ///< the query only reads: it is asked also what would become of a call
};

struct RegisterHandlerSettings : HandlerSettings {
  std::optional<std::int64_t> max_contacts;  ///< what sip is told that the query keeps (D8); nothing: one
  bool shared = false;                       ///< other servers keep bindings in the same table
};

struct BindingsSettings : HandlerSettings {
  Query all;  ///< of all users, after a start
};

struct RouteSettings : HandlerSettings {
  bool fork = false;          ///< each row rings; else further rows are tried one after another
  bool offline_auto = false;
  std::string over_limit;     ///< `${over_limit}`
};

/// A handler of call.cdr.
struct RecordSettings : HandlerSettings {
  Query initialize, update, status, finalize, combined;
  bool critical = false;

  /// Null: nothing is written for it.
  const Query* query_for(std::string_view operation) const;
};

struct RegisterSettings {
  HandlerSettings auth, unregister, timer, preroute;
  RegisterHandlerSettings registration;
  BindingsSettings bindings;
  RouteSettings route;
  RecordSettings records, lines;
  HandlerSettings accounts;  ///< query: the timerquery
  Query accounts_status;
  std::size_t records_in_memory = 0;  ///< of those that wait
  struct Fallback {
    bool disconnected = false, answered = false, hungup = false;
    int priority = 50;
    std::optional<pattern::Pattern> stop;  ///< reasons after which nothing further is tried
  } fallback;
  Duration sweep{0};
  bool allow_empty_password = false;
  std::size_t cache_max = 0;  ///< answers kept for `cached`
  std::string realm;
  std::string default_account;
};

/// Problems hold what is wrong and what does not do what somebody might think.
RegisterSettings read_settings(const Settings& settings, Problems& problems);

}  // namespace jackfield::register_module
