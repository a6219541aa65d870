// upperreg.conf: the key table and what it says. Pure.
#pragma once

#include <jackfield/settings.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace jackfield::upperreg {

extern const KeyTable kKeys;
inline constexpr std::string_view kGeneral = "general", kUpper = "upper", kThru = "thru";

enum class Mode : std::uint8_t { upper, thru };
std::string_view mode_name(Mode mode);
/// Whose credentials A is shown: the phone's own, which pass untouched, or those that are kept here.
enum class Kind : std::uint8_t { relayed, stored };
std::string_view kind_name(Kind kind);

/// What [upper] and [thru] have in common.
struct ModeSettings {
  bool enabled = false;
  bool permitted = true;       ///< of users that say nothing
  bool reject = false;         ///< who may not is refused, not registered here alone
  Kind credentials = Kind::relayed;  ///< of users for whom none are kept
  bool unchallenged = false;   ///< a server that asks phones for nothing is believed
  std::chrono::seconds interval{3600};  ///< asked of A with stored credentials
  std::vector<std::pair<std::string, std::string>> login;  ///< parameters of the connection's user.login; thru's lacks its server

  bool operator==(const ModeSettings&) const = default;
};

struct UpperregSettings {
  ModeSettings upper, thru;
  std::string domain;                ///< A's in Upper: of From, To and Request-URI
  std::vector<std::string> hosts;    ///< A's names in Upper: a phone that names one of them means A
  std::vector<std::string> thru_domains;  ///< lower case; `*.suffix` is kept as `.suffix`
  std::chrono::seconds relay_expires{120};
  Duration probe_interval{10000}, retry_interval{5000};
  std::size_t registrations_per_second = 500, max_aors = 100000, max_domains = 100, max_waiting = 256;
  std::string file;
  bool sync = true;
  int upstream_priority = 50, auth_priority = 60, register_priority = 60, entry_priority = 30, route_priority = 110, execute_priority = 70;

  const ModeSettings& of(Mode mode) const { return mode == Mode::upper ? upper : thru; }
  bool serves(std::string_view domain) const;  ///< D21; lower case
  bool is_upper_host(std::string_view host) const;
};

/// Problems have the line of the key they are about.
UpperregSettings read_settings(const Settings& settings, Problems& problems);

/// ASCII letters in lower case, without a final dot: how hosts are compared.
std::string lower_host(std::string_view host);

}  // namespace jackfield::upperreg
