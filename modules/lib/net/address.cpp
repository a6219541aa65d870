#include "net/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace jackfield::net {
namespace {

/// Strict dotted quad: four decimal numbers without leading zeros (an octal reading elsewhere must not disagree with ours).
bool parse_v4(std::string_view text, std::uint8_t* out) {
  const char* at = text.data();
  const char* end = at + text.size();
  for (int i = 0; i < 4; ++i) {
    if (i > 0 && (at == end || *at++ != '.')) return false;
    unsigned value = 0;
    const char* first = at;
    while (at != end && *at >= '0' && *at <= '9' && at - first < 3) value = value * 10 + static_cast<unsigned>(*at++ - '0');
    if (at == first || value > 255 || (*first == '0' && at - first > 1)) return false;
    out[i] = static_cast<std::uint8_t>(value);
  }
  return at == end;
}

bool parse_v6(std::string_view text, std::uint8_t* out) {
  char terminated[INET6_ADDRSTRLEN];
  if (text.size() >= sizeof terminated || text.find('\0') != std::string_view::npos) return false;
  std::memcpy(terminated, text.data(), text.size());
  terminated[text.size()] = 0;
  return ::inet_pton(AF_INET6, terminated, out) == 1;
}

constexpr std::uint8_t kMappedPrefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

/// The interface a zone names, by its name or its number (RFC 4007 §11.2); 0: there is none.
std::uint32_t parse_scope(std::string_view zone) {
  std::uint32_t index = 0;
  const auto [end, error] = std::from_chars(zone.data(), zone.data() + zone.size(), index);
  if (error == std::errc{} && end == zone.data() + zone.size()) return index;
  char name[IF_NAMESIZE];
  if (zone.empty() || zone.size() >= sizeof name || zone.find('\0') != std::string_view::npos) return 0;
  std::memcpy(name, zone.data(), zone.size());
  name[zone.size()] = 0;
  return ::if_nametoindex(name);
}

bool has_prefix(const std::array<std::uint8_t, 16>& bytes, const std::array<std::uint8_t, 16>& prefix, unsigned bits) {
  const unsigned whole = bits / 8, rest = bits % 8;
  if (std::memcmp(bytes.data(), prefix.data(), whole) != 0) return false;
  if (rest == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff << (8 - rest));
  return (bytes[whole] & mask) == (prefix[whole] & mask);
}

}  // namespace

std::optional<Address> Address::parse(std::string_view host, std::uint16_t port) {
  Address result;
  result.port_ = port;
  if (parse_v4(host, result.bytes_.data())) {
    result.family_ = 4;
    return result;
  }
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  const std::size_t percent = host.find('%');
  std::array<std::uint8_t, 16> bytes{};
  if (!parse_v6(host.substr(0, percent), bytes.data())) return std::nullopt;
  result.bytes_ = {};
  if (std::memcmp(bytes.data(), kMappedPrefix, sizeof kMappedPrefix) == 0) {
    std::copy(bytes.begin() + 12, bytes.end(), result.bytes_.begin());
    result.family_ = 4;
  } else {
    result.bytes_ = bytes;
    result.family_ = 6;
  }
  if (percent == std::string_view::npos) return result;
  if (!result.is_link_local()) return std::nullopt;
  result.scope_ = parse_scope(host.substr(percent + 1));
  return result.scope_ != 0 ? std::optional(result) : std::nullopt;
}

std::optional<Address> Address::parse_with_port(std::string_view text, std::uint16_t default_port) {
  std::size_t colon = std::string_view::npos;
  if (!text.empty() && text.front() == '[') {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    if (close + 1 < text.size()) {
      if (text[close + 1] != ':') return std::nullopt;
      colon = close + 1;
    }
  } else if (colon = text.find(':'); colon != std::string_view::npos && text.find(':', colon + 1) != std::string_view::npos) {
    colon = std::string_view::npos;  // a bare IPv6 address
  }
  if (colon == std::string_view::npos) return parse(text, default_port);
  const auto port = parse_port(text.substr(colon + 1));
  if (!port) return std::nullopt;
  return parse(text.substr(0, colon), *port);
}

Address Address::from(const ::sockaddr& address) {
  Address result;
  if (address.sa_family == AF_INET) {
    ::sockaddr_in in;
    std::memcpy(&in, &address, sizeof in);
    std::memcpy(result.bytes_.data(), &in.sin_addr, 4);
    result.port_ = ntohs(in.sin_port);
    result.family_ = 4;
  } else if (address.sa_family == AF_INET6) {
    ::sockaddr_in6 in;
    std::memcpy(&in, &address, sizeof in);
    const auto* bytes = in.sin6_addr.s6_addr;
    if (std::memcmp(bytes, kMappedPrefix, sizeof kMappedPrefix) == 0) {
      std::memcpy(result.bytes_.data(), bytes + 12, 4);
      result.family_ = 4;
    } else {
      std::memcpy(result.bytes_.data(), bytes, 16);
      result.family_ = 6;
      if (result.is_link_local()) result.scope_ = in.sin6_scope_id;
    }
    result.port_ = ntohs(in.sin6_port);
  }
  return result;
}

unsigned Address::to(::sockaddr_storage& out) const {
  if (family_ == 6) {
    ::sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(port_);
    in.sin6_scope_id = scope_;
    std::memcpy(in.sin6_addr.s6_addr, bytes_.data(), 16);
    std::memcpy(&out, &in, sizeof in);
    return sizeof in;
  }
  if (family_ == 0) {
    out.ss_family = AF_UNSPEC;
    return 0;
  }
  ::sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(port_);
  std::memcpy(&in.sin_addr, bytes_.data(), 4);
  std::memcpy(&out, &in, sizeof in);
  return sizeof in;
}

bool Address::is_loopback() const {
  if (family_ == 4) return bytes_[0] == 127;
  static constexpr std::array<std::uint8_t, 16> kLoopback{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  return family_ == 6 && bytes_ == kLoopback;
}

bool Address::is_unspecified() const {
  return family_ != 0 && std::all_of(bytes_.begin(), bytes_.end(), [](std::uint8_t byte) { return byte == 0; });
}

bool Address::is_private() const {
  if (family_ == 6) return (bytes_[0] & 0xfe) == 0xfc || (bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80);
  if (family_ == 0) return false;
  const unsigned a = bytes_[0], b = bytes_[1];
  return a == 10 || (a == 172 && (b & 0xf0) == 16) || (a == 192 && b == 168) || (a == 100 && (b & 0xc0) == 64) || (a == 169 && b == 254);
}

namespace {

void append_number(std::string& out, unsigned value) {
  char digits[10];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, end);
}

char* write_octet(char* at, unsigned value) {
  if (value >= 100) *at++ = static_cast<char>('0' + value / 100);
  if (value >= 10) *at++ = static_cast<char>('0' + value / 10 % 10);
  *at++ = static_cast<char>('0' + value % 10);
  return at;
}

}  // namespace

AddressText::AddressText(const Address& address) {
  if (address.empty()) return;
  char* const begin = text_.data();
  char* at = begin;
  if (address.is_v6()) {
    bracket_ = 1;
    *at++ = '[';
    ::inet_ntop(AF_INET6, address.bytes().data(), at, INET6_ADDRSTRLEN);
    at += std::strlen(at);
    *at++ = ']';
  } else {
    at = write_octet(at, address.bytes()[0]);
    for (std::size_t i = 1; i < 4; ++i) {
      *at++ = '.';
      at = write_octet(at, address.bytes()[i]);
    }
  }
  host_end_ = static_cast<std::uint8_t>(at - begin);
  *at++ = ':';
  at = std::to_chars(at, begin + text_.size(), address.port()).ptr;
  size_ = static_cast<std::uint8_t>(at - begin);
}

std::string Address::host() const { return std::string(AddressText(*this).host()); }
std::string Address::uri_host() const { return std::string(AddressText(*this).uri_host()); }

std::string Address::text() const {
  const AddressText plain(*this);
  std::string out(plain.text());
  if (scope_ == 0) return out;
  char name[IF_NAMESIZE];
  std::string zone = "%";
  if (::if_indextoname(scope_, name)) zone += name;
  else append_number(zone, scope_);  // the interface is gone
  return out.insert(plain.uri_host().size() - 1, zone);
}

std::size_t AddressHash::operator()(const Address& address) const noexcept {
  std::uint64_t low, high;
  std::memcpy(&low, address.bytes().data(), 8);
  std::memcpy(&high, address.bytes().data() + 8, 8);
  // Two rounds of a 64-bit finalizer: neighbours and ports of one host spread over the whole range.
  std::uint64_t hash = low ^ (high * 0x9e3779b97f4a7c15u) ^ (std::uint64_t{address.port()} << 40);
  for (int round = 0; round < 2; ++round) {
    hash = (hash ^ (hash >> 32)) * 0xd6e8feb86659fd93u;
  }
  return static_cast<std::size_t>(hash ^ (hash >> 32));
}

std::optional<Cidr> Cidr::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string_view host = text.substr(0, slash);
  auto address = Address::parse(host);
  if (!address) return std::nullopt;
  Cidr result;
  // `::ffff:192.0.2.0/120` counts 128 bits although the address is kept as IPv4.
  const bool mapped = !address->is_v6() && host.find(':') != std::string_view::npos;
  const unsigned bits = address->is_v6() || mapped ? 128 : 32;
  result.prefix_ = bits;
  if (slash != std::string_view::npos) {
    const auto prefix = parse_port(text.substr(slash + 1));
    if (!prefix || *prefix > bits) return std::nullopt;
    result.prefix_ = *prefix;
  }
  if (mapped) {
    if (result.prefix_ < 96) return std::nullopt;
    result.prefix_ -= 96;
  }
  // Bits of the host part are forgiven and cleared, so that text() shows the range that counts.
  ::sockaddr_storage storage;
  address->to(storage);
  auto* bytes = address->is_v6() ? reinterpret_cast<std::uint8_t*>(&reinterpret_cast<::sockaddr_in6&>(storage).sin6_addr)
                                 : reinterpret_cast<std::uint8_t*>(&reinterpret_cast<::sockaddr_in&>(storage).sin_addr);
  for (unsigned bit = result.prefix_; bit < (address->is_v6() ? 128u : 32u); ++bit) {
    bytes[bit / 8] &= static_cast<std::uint8_t>(~(0x80u >> (bit % 8)));
  }
  result.network_ = Address::from(reinterpret_cast<const ::sockaddr&>(storage));
  return result;
}

bool Cidr::contains(const Address& address) const {
  return !address.empty() && !network_.empty() && address.is_v6() == network_.is_v6() &&
         has_prefix(address.bytes(), network_.bytes(), prefix_);
}

std::string Cidr::text() const {
  std::string out = network_.host();
  out += '/';
  append_number(out, prefix_);
  return out;
}

}  // namespace jackfield::net
