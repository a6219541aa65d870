// The settings of the sip module: its key table, and what the table's values mean once they are read. A SipSettings is made by
// check(), never changed afterwards and replaced as a whole on reload; parts hold it through Core::settings.
#pragma once

#include <jackfield/settings.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "call/session_timer.h"
#include "digest/digest.h"
#include "guard/guard_settings.h"
#include "net/address.h"
#include "stack/transactions.h"
#include "stack/transport.h"

namespace jackfield::sip {

/// What a source may do without credentials (D2) and how it is challenged (D1): general, and per listener.
struct AccessSettings {
  std::vector<net::Cidr> trusted, deny;
  std::vector<digest::Algorithm> digest{digest::Algorithm::md5};  ///< as offered, in that order

  bool is_trusted(const net::Address& source) const;
  bool is_denied(const net::Address& source) const;
};

/// One socket to open. Several share a name: the two transports and the two address families of a section.
struct ListenerSettings {
  stack::ListenerOptions options;
  AccessSettings access;  ///< the general one's with the listener's own added
  bool optional = false;  ///< a family this machine may not have; its failure is a warning
};

enum class MaxContactsPolicy : std::uint8_t { replace_oldest, replace_unavailable, reject };
enum class Keepalive : std::uint8_t { none, crlf, options };

struct RegistrarSettings {
  bool enabled = true;
  std::chrono::seconds expires_min{60}, expires_def{600}, expires_max{3600};
  bool auth_required = true;
  std::chrono::milliseconds nat_refresh{12000};
  Keepalive keepalive = Keepalive::crlf;
  unsigned max_contacts = 0;  ///< 0: any number
  MaxContactsPolicy max_contacts_policy = MaxContactsPolicy::replace_oldest;
  bool yate_expires = false;
};

/// Whose session description reaches the caller before the answer when several phones ring (D14).
enum class EarlyMedia : std::uint8_t { first, each };

/// Keys of [call]. Times of 0: no limit.
struct CallSettings {
  std::chrono::milliseconds maxcall{180000}, maxpdd{0}, timeout{0};
  EarlyMedia early_media = EarlyMedia::first;
  bool auth_dialog = false;    ///< D4
  bool drop_on_close = false;  ///< D16
  call::SessionTimer::Terms session;
};

/// What a called leg's 3xx does: is followed for legs of users or all legs, is passed on to the caller, or is refused (D6).
enum class RedirectPolicy : std::uint8_t { users, anyone, pass, nobody };

/// Whose legs may transfer calls and take over others' (D6).
enum class TransferPolicy : std::uint8_t { users, anyone, nobody };

/// Who is asked where hosts are, and for how long.
struct DnsSettings {
  std::vector<net::Address> servers;  ///< none: those of /etc/resolv.conf
  std::chrono::milliseconds deadline{5000};
  friend bool operator==(const DnsSettings&, const DnsSettings&) = default;
};

struct SipSettings {
  std::string realm = "Yate";
  std::string useragent;
  std::vector<std::string> domains;  ///< lower case; empty: every host is ours (D12)
  AccessSettings access;
  TransferPolicy transfer = TransferPolicy::users;
  RedirectPolicy redirect = RedirectPolicy::users;
  bool trust_identity = true;  ///< of trusted sources (D6)
  bool generate = false;       ///< scripts may send requests
  bool messages = true;        ///< MESSAGE outside a dialog is routed
  bool auth_calls = true, check_to = true, check_from = true, check_uri = true;
  std::chrono::seconds nonce_lifetime{300};
  bool prack = false;  ///< RFC 3262 where the other side can, not only where it must
  unsigned max_forwards = 20;
  std::size_t udp_mtu = 1300;  ///< bytes (D17); 0: any size goes by UDP
  DnsSettings dns;
  unsigned max_channels = 0;  ///< 0: any number
  unsigned registrations_per_second = 50;  ///< of connections at other servers
  stack::TransactionOptions transactions;
  stack::TransportOptions transport;
  std::vector<ListenerSettings> listeners;
  RegistrarSettings registrar;
  CallSettings call;
  guard::GuardSettings guard;

  /// The access rules of the listener a request came in by; `name` is ListenerOptions::name.
  const AccessSettings& access_of(std::string_view listener) const;
  bool is_our_domain(std::string_view host) const;
};

/// The one table of keys; `jackfield settings sip` and conf.d/sip.conf are made from it.
extern const KeyTable kSipKeys;

/// Pure. With an error among `problems` the settings are not to be used.
std::shared_ptr<const SipSettings> read_settings(const Settings& settings, Problems& problems);

}  // namespace jackfield::sip
