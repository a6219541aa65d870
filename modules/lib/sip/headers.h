// The typed values of headers. All views point into the header's text. One table (header_table.cpp) lists every header we know:
// name, compact form, single or list; everything else derives from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "sip/error.h"
#include "sip/uri.h"

namespace jackfield::sip {

enum class HeaderId : std::uint8_t {
  other, via, from, to, call_id, cseq, contact, max_forwards, route, record_route, expires, min_expires, content_length,
  content_type, content_disposition, content_encoding, authorization, proxy_authorization, www_authenticate, proxy_authenticate, authentication_info,
  allow, supported, require, proxy_require, unsupported, accept, user_agent, server, path, service_route,
  warning, reason, retry_after, event, subscription_state, refer_to, referred_by, replaces, rseq, rack, session_expires, min_se,
  p_asserted_identity, p_preferred_identity, remote_party_id, privacy, diversion, history_info, date, subject, timestamp, organization,
  alert_info, call_info, error_info, priority, in_reply_to, reply_to, mime_version, flow_timer, allow_events,
};

inline constexpr std::size_t kHeaderIds = static_cast<std::size_t>(HeaderId::allow_events) + 1;

struct HeaderInfo {
  HeaderId id;
  std::string_view name;     ///< as we write it
  char compact = 0;          ///< 0: none
  bool list = false;         ///< comma separated values may share a line
  bool once = false;         ///< a second line leaves open what was meant: the message is refused
};
const HeaderInfo& header_info(HeaderId id);
HeaderId header_id(std::string_view name);  ///< without case, compact forms too

enum class Method : std::uint8_t { other, invite, ack, bye, cancel, options, reg, prack, update, info, message, subscribe, notify, refer, publish };
Method method_from(std::string_view name);  ///< with case, RFC 3261 §7.1
std::string_view method_name(Method method);

/// `;name=value` lists. Values of quoted strings come without their quotes, escapes kept.
struct Parameters {
  std::string_view text;  ///< from the first `;` on
  /// The first of that name, without case; empty for a flag.
  std::optional<std::string_view> get(std::string_view name) const;
  bool has(std::string_view name) const { return get(name).has_value(); }
};

struct Via {
  std::string_view transport;  ///< "UDP"
  std::string_view host;       ///< IPv6 in brackets
  std::uint16_t port = 0;
  std::string_view branch, received;
  bool rport_asked = false;    ///< `rport` present, with or without value
  std::uint16_t rport = 0;
  const char* open_rport = nullptr;  ///< where the value of `rport` goes when that is all there is to fill in; null: there is more to do
  Parameters parameters;
  std::string_view text;
};

struct NameAddr {
  std::string_view display;    ///< without quotes, escapes kept
  Uri uri;
  Parameters parameters;
  std::string_view tag;        ///< empty: none
  std::string_view text;       ///< the whole value
};

struct Contact {
  bool star = false;
  NameAddr address;
  std::optional<std::uint32_t> expires;  ///< the parameter; too large is UINT32_MAX, malformed counts as 3600 (RFC 3261 §10.2.1.1)
  std::optional<unsigned> q;             ///< thousandths
};

struct CSeq {
  std::uint32_t number = 0;
  Method method = Method::other;
  std::string_view method_text;
};

/// Credentials and challenges: `scheme name=value, …`. Values come without quotes, escapes kept, as the digest is computed over
/// them. A parameter given twice is an error. Of a scheme other than Digest only the name is sure to be read.
struct AuthHeader {
  std::string_view scheme;
  std::string_view username, realm, nonce, uri, response, algorithm, cnonce, opaque, qop, nc, domain, stale;
  std::string_view text;
};

struct MediaType {
  std::string_view type, subtype;
  Parameters parameters;
  bool is(std::string_view type_, std::string_view subtype_) const;
};

tl::expected<Via, Error> parse_via(std::string_view text);
tl::expected<NameAddr, Error> parse_name_addr(std::string_view text);
tl::expected<Contact, Error> parse_contact(std::string_view text);
tl::expected<CSeq, Error> parse_cseq(std::string_view text);
tl::expected<AuthHeader, Error> parse_auth(std::string_view text);
tl::expected<MediaType, Error> parse_media_type(std::string_view text);
/// Decimal digits only; more than 2^32-1 is an error.
tl::expected<std::uint32_t, Error> parse_number(std::string_view text);
/// Splits at commas outside quotes and angle brackets; empty values are passed over. Appends to `out`. False when a quote or
/// bracket is not closed; what is before it has been appended.
bool split_list(std::string_view text, std::vector<std::string_view>& out);

}  // namespace jackfield::sip
