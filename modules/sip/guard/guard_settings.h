// [guard] of sip.conf: what strangers and floods may cost. Part of the sip module's key table.
#pragma once

#include <jackfield/settings.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "guard/flood_table.h"
#include "guard/words.h"
#include "net/address.h"

namespace jackfield::sip::guard {

struct GuardSettings {
  unsigned flood_rate = 200;  ///< messages a second of one source; 0: any number
  FloodTable::Limit flood = FloodTable::Limit::of(200, 2000);
  std::vector<net::Cidr> exempt;  ///< from floods, bans and limits for connections
  Words scanners;
  std::vector<std::string> emergency;
  unsigned ban_after = 10;  ///< wrong answers; 0: never
  std::chrono::seconds ban_window{600}, ban_time{600}, ban_max{86400};
  Duration delay{500}, delay_max{8000};  ///< of the answer to wrong credentials
  Duration overload{100};                ///< 0: never
  unsigned max_waiting = 10000;          ///< 0: any number
  std::chrono::seconds retry_after{10};

  bool is_exempt(const net::Address& source) const;
  bool is_emergency(std::string_view number) const;
};

inline constexpr Key kGuardKeys[] = {
    {"flood_rate", KeyType::integer, "200", "", "Messages a second that one address may send for long; what is beyond is dropped unread, but for users that are registered from there and themselves send no more. 0 is any number.", true, 0, 1000000},
    {"flood_burst", KeyType::integer, "2000", "", "Messages it may send at once, as when an office comes back after a power failure.", true, 1, 10000000},
    {"exempt", KeyType::list, "127.0.0.0/8, ::1", "", "Addresses and networks that are never limited, delayed or banned; trusted ones never are either."},
    {"scanners", KeyType::list, "friendly-scanner, sipvicious, sundayddr, sipcli, sip-scan, sipscan, iwar, smap, pplsip, vaxsipuseragent, stretchoid", "",
     "Requests from outside a dialog whose User-Agent has one of these words in it get no answer: whoever looks for servers finds none. Empty answers all."},
    {"emergency", KeyType::list, "", "", "Numbers that users reach whatever happens (112, 911): such a call passes bans, limits, overload and drain, and is logged."},
    {"ban_after", KeyType::integer, "10", "", "An address is banned after so many wrong answers to challenges within ban_window, and after ten times as many where users are registered from there; those stay so. A challenge alone never counts. 0 bans nobody.", true, 0, 100000},
    {"ban_window", KeyType::seconds, "600", "s", "How long wrong answers are remembered.", true, 1000, 86400000},
    {"ban_time", KeyType::seconds, "600", "s", "How long a first ban lasts; each further one within a day lasts twice as long.", true, 1000, 2592000000},
    {"ban_max", KeyType::seconds, "86400", "s", "How long a ban lasts at most.", true, 1000, 2592000000},
    {"delay", KeyType::milliseconds, "500", "ms", "How long the answer to an address's second wrong answer takes; with each further one twice as long. 0 delays none.", true, 0, 16000},
    {"delay_max", KeyType::milliseconds, "8000", "ms", "How long such an answer takes at most.", true, 0, 16000},
    {"overload", KeyType::milliseconds, "100", "ms", "When messages that arrive could not all be read for so long, new calls and registrations are refused with 503 whenever much lies unread; what is under way goes on. 0 refuses none.", true, 0, 60000},
    {"max_waiting", KeyType::integer, "10000", "", "Requests that may wait at the same time for stores, scripts and routes; new calls and registrations beyond are refused with 503. 0 is any number.", true, 0, 10000000},
    {"retry_after", KeyType::seconds, "10", "s", "What such a 503 says in Retry-After.", true, 1000, 3600000},
};

/// `networks(section, key)` reads a list of addresses and reports what is none.
template <class Networks>
GuardSettings read_guard(const Settings& settings, const Networks& networks) {
  const auto number = [&](std::string_view key) { return static_cast<unsigned>(settings.integer("guard", key)); };
  const auto time = [&](std::string_view key) { return settings.duration("guard", key); };
  const auto seconds = [&](std::string_view key) { return std::chrono::ceil<std::chrono::seconds>(time(key)); };
  return {.flood_rate = number("flood_rate"),
          .flood = number("flood_rate") == 0 ? FloodTable::Limit{} : FloodTable::Limit::of(number("flood_rate"), number("flood_burst")),
          .exempt = networks("guard", "exempt"),
          .scanners = Words(settings.list("guard", "scanners")),
          .emergency = settings.list("guard", "emergency"),
          .ban_after = number("ban_after"),
          .ban_window = seconds("ban_window"),
          .ban_time = seconds("ban_time"),
          .ban_max = seconds("ban_max"),
          .delay = time("delay"),
          .delay_max = time("delay_max"),
          .overload = time("overload"),
          .max_waiting = number("max_waiting"),
          .retry_after = seconds("retry_after")};
}

}  // namespace jackfield::sip::guard
