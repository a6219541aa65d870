// The one table of headers and the one of methods. Look-up by name is a perfect hash over the table that the compiler finds.
#include <array>
#include <cstring>

#include "sip/headers.h"
#include "sip/text.h"

namespace jackfield::sip {
namespace {

constexpr bool kList = true, kOnce = true;

// In the order of HeaderId. RFC 3261 §20 and the RFC named where a header comes from elsewhere.
constexpr std::array<HeaderInfo, kHeaderIds> kHeaders{{
    {HeaderId::other, ""},
    {HeaderId::via, "Via", 'v', kList},
    {HeaderId::from, "From", 'f', !kList, kOnce},
    {HeaderId::to, "To", 't', !kList, kOnce},
    {HeaderId::call_id, "Call-ID", 'i', !kList, kOnce},
    {HeaderId::cseq, "CSeq", 0, !kList, kOnce},
    {HeaderId::contact, "Contact", 'm', kList},
    {HeaderId::max_forwards, "Max-Forwards", 0, !kList, kOnce},
    {HeaderId::route, "Route", 0, kList},
    {HeaderId::record_route, "Record-Route", 0, kList},
    {HeaderId::expires, "Expires", 0, !kList, kOnce},
    {HeaderId::min_expires, "Min-Expires", 0, !kList, kOnce},
    {HeaderId::content_length, "Content-Length", 'l', !kList, kOnce},
    {HeaderId::content_type, "Content-Type", 'c', !kList, kOnce},
    {HeaderId::content_disposition, "Content-Disposition", 0, !kList, kOnce},
    {HeaderId::content_encoding, "Content-Encoding", 'e', kList},
    {HeaderId::authorization, "Authorization"},              // its own commas: never split
    {HeaderId::proxy_authorization, "Proxy-Authorization"},
    {HeaderId::www_authenticate, "WWW-Authenticate"},
    {HeaderId::proxy_authenticate, "Proxy-Authenticate"},
    {HeaderId::authentication_info, "Authentication-Info"},
    {HeaderId::allow, "Allow", 0, kList},
    {HeaderId::supported, "Supported", 'k', kList},
    {HeaderId::require, "Require", 0, kList},
    {HeaderId::proxy_require, "Proxy-Require", 0, kList},
    {HeaderId::unsupported, "Unsupported", 0, kList},
    {HeaderId::accept, "Accept", 0, kList},
    {HeaderId::user_agent, "User-Agent"},
    {HeaderId::server, "Server"},
    {HeaderId::path, "Path", 0, kList},                      // RFC 3327
    {HeaderId::service_route, "Service-Route", 0, kList},    // RFC 3608
    {HeaderId::warning, "Warning", 0, kList},
    {HeaderId::reason, "Reason", 0, kList},                  // RFC 3326
    {HeaderId::retry_after, "Retry-After"},
    {HeaderId::event, "Event", 'o', !kList, kOnce},          // RFC 6665
    {HeaderId::subscription_state, "Subscription-State", 0, !kList, kOnce},
    {HeaderId::refer_to, "Refer-To", 'r', !kList, kOnce},    // RFC 3515
    {HeaderId::referred_by, "Referred-By", 'b', !kList, kOnce},  // RFC 3892
    {HeaderId::replaces, "Replaces", 0, !kList, kOnce},      // RFC 3891
    {HeaderId::rseq, "RSeq", 0, !kList, kOnce},              // RFC 3262
    {HeaderId::rack, "RAck", 0, !kList, kOnce},
    {HeaderId::session_expires, "Session-Expires", 'x', !kList, kOnce},  // RFC 4028
    {HeaderId::min_se, "Min-SE", 0, !kList, kOnce},
    {HeaderId::p_asserted_identity, "P-Asserted-Identity", 0, kList},    // RFC 3325
    {HeaderId::p_preferred_identity, "P-Preferred-Identity", 0, kList},
    {HeaderId::remote_party_id, "Remote-Party-ID", 0, kList},
    {HeaderId::privacy, "Privacy"},                          // RFC 3323: separated by semicolons
    {HeaderId::diversion, "Diversion", 0, kList},            // RFC 5806
    {HeaderId::history_info, "History-Info", 0, kList},      // RFC 7044
    {HeaderId::date, "Date"},
    {HeaderId::subject, "Subject", 's'},
    {HeaderId::timestamp, "Timestamp"},
    {HeaderId::organization, "Organization"},
    {HeaderId::alert_info, "Alert-Info", 0, kList},
    {HeaderId::call_info, "Call-Info", 0, kList},
    {HeaderId::error_info, "Error-Info", 0, kList},
    {HeaderId::priority, "Priority"},
    {HeaderId::in_reply_to, "In-Reply-To", 0, kList},
    {HeaderId::reply_to, "Reply-To"},
    {HeaderId::mime_version, "MIME-Version"},
    {HeaderId::flow_timer, "Flow-Timer"},                    // RFC 5626
    {HeaderId::allow_events, "Allow-Events", 'u', kList},    // RFC 6665
}};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kHeaders.size(); ++i) {
    if (static_cast<std::size_t>(kHeaders[i].id) != i || (i > 0 && kHeaders[i].name.size() < 2)) return false;
  }
  return true;
}
static_assert(in_order(), "the table follows HeaderId");

constexpr unsigned fold(char c) { return static_cast<unsigned char>(c) | 0x20u; }

constexpr std::size_t kSlots = 512;
/// First, middle and last letter and the length tell all names apart; `seed` is chosen so that no two share a slot.
constexpr std::size_t slot(std::string_view name, std::uint32_t seed) {
  const std::uint32_t key = fold(name.front()) | fold(name[name.size() / 2]) << 8 | fold(name.back()) << 16 |
                            static_cast<std::uint32_t>(name.size()) << 24;
  return (key * seed) >> 23;
}

struct Lookup {
  std::uint32_t seed = 0;
  std::array<std::uint8_t, kSlots> by_name{};
  std::array<HeaderId, 26> by_letter{};
};

constexpr Lookup make_lookup() {
  Lookup lookup;
  std::array<std::uint32_t, kSlots> taken{};
  for (std::uint32_t trial = 1; trial < 4000 && lookup.seed == 0; ++trial) {
    const std::uint32_t seed = trial * 0x9e3779b1u | 1u;
    bool fits = true;
    for (std::size_t i = 1; i < kHeaders.size() && fits; ++i) {
      const std::size_t at = slot(kHeaders[i].name, seed);
      fits = taken[at] != trial;
      taken[at] = trial;
    }
    if (fits) lookup.seed = seed;
  }
  if (lookup.seed == 0) return lookup;
  for (std::size_t i = 1; i < kHeaders.size(); ++i) {
    lookup.by_name[slot(kHeaders[i].name, lookup.seed)] = static_cast<std::uint8_t>(i);
    if (kHeaders[i].compact != 0) lookup.by_letter[static_cast<std::size_t>(kHeaders[i].compact - 'a')] = kHeaders[i].id;
  }
  return lookup;
}
constexpr Lookup kLookup = make_lookup();
static_assert(kLookup.seed != 0, "two names cannot be told apart by their first, middle and last letter and length");

constexpr std::string_view kMethods[] = {"",    "INVITE", "ACK",  "BYE",     "CANCEL",    "OPTIONS", "REGISTER", "PRACK",
                                         "UPDATE", "INFO", "MESSAGE", "SUBSCRIBE", "NOTIFY",  "REFER",    "PUBLISH"};
static_assert(std::size(kMethods) == static_cast<std::size_t>(Method::publish) + 1);

}  // namespace

const HeaderInfo& header_info(HeaderId id) { return kHeaders[static_cast<std::size_t>(id)]; }

HeaderId header_id(std::string_view name) {
  if (name.size() < 2) {
    if (name.empty() || !text::is(name.front(), text::kAlpha)) return HeaderId::other;
    return kLookup.by_letter[fold(name.front()) - 'a'];
  }
  const HeaderInfo& candidate = kHeaders[kLookup.by_name[slot(name, kLookup.seed)]];
  if (candidate.name.size() != name.size()) return HeaderId::other;
  // Most peers write names as the RFC does.
  if (std::memcmp(candidate.name.data(), name.data(), name.size()) == 0 || text::equal(candidate.name, name)) return candidate.id;
  return HeaderId::other;
}

Method method_from(std::string_view name) {
  for (std::size_t i = 1; i < std::size(kMethods); ++i) {
    if (kMethods[i] == name) return static_cast<Method>(i);
  }
  return Method::other;
}

std::string_view method_name(Method method) { return kMethods[static_cast<std::size_t>(method)]; }

}  // namespace jackfield::sip
