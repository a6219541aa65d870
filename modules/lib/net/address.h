// An IP address with a port, and address ranges. No I/O, but for the names of interfaces, which the system knows.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

struct sockaddr;
struct sockaddr_storage;

namespace jackfield::net {

/// IPv4 or IPv6 and a port; an IPv4-mapped IPv6 address is the IPv4 address. A link-local IPv6 address has a scope, the interface it
/// belongs to (RFC 4007): what is sent there leaves by that one. Scopes are never sent (RFC 4007 §11.2). Trivially copyable, hashable.
class Address {
 public:
  Address() = default;
  /// `192.0.2.1`, `2001:db8::1`, `[2001:db8::1]`, `fe80::1%eth0`
  static std::optional<Address> parse(std::string_view host, std::uint16_t port = 0);
  static std::optional<Address> parse_with_port(std::string_view text, std::uint16_t default_port = 0);  ///< `h`, `h:p`, `[h]:p`
  static Address from(const ::sockaddr& address);
  /// Fills `out`, returns its length.
  unsigned to(::sockaddr_storage& out) const;

  bool empty() const { return family_ == 0; }
  bool is_v6() const { return family_ == 6; }
  std::uint16_t port() const { return port_; }
  void set_port(std::uint16_t port) { port_ = port; }
  Address with_port(std::uint16_t port) const { Address copy = *this; copy.port_ = port; return copy; }
  /// Scopes differ only where both have one: what a far end writes has none.
  bool same_host(const Address& other) const {
    return family_ == other.family_ && bytes_ == other.bytes_ && (scope_ == other.scope_ || scope_ == 0 || other.scope_ == 0);
  }
  bool is_link_local() const { return family_ == 6 && bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80; }
  std::uint32_t scope() const { return scope_; }  ///< index of the interface; 0: none
  Address without_scope() const { Address copy = *this; copy.scope_ = 0; return copy; }
  bool is_loopback() const;
  bool is_unspecified() const;
  /// RFC 1918, RFC 6598, link-local, unique local.
  bool is_private() const;
  const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }  ///< IPv4 in the first four

  /// `192.0.2.1`, `2001:db8::1`; without a scope, as it may be sent
  std::string host() const;
  /// As it stands in a URI or Via: IPv6 in brackets.
  std::string uri_host() const;
  /// `192.0.2.1:5060`, `[2001:db8::1]:5060`, `[fe80::1%eth0]:5060`: for people, and for parse_with_port
  std::string text() const;

  friend bool operator==(const Address&, const Address&) = default;
  friend auto operator<=>(const Address&, const Address&) = default;

 private:
  std::array<std::uint8_t, 16> bytes_{};
  std::uint32_t scope_ = 0;
  std::uint16_t port_ = 0;
  std::uint8_t family_ = 0;  // 0, 4, 6
};

/// What an address looks like, put together once and without allocating: messages name its parts one by one.
class AddressText {
 public:
  explicit AddressText(const Address& address);
  std::string_view text() const { return {text_.data(), size_}; }                           ///< as Address::text(), never with a scope
  std::string_view uri_host() const { return {text_.data(), host_end_}; }                   ///< IPv6 in brackets
  std::string_view host() const { return uri_host().substr(bracket_, host_end_ - 2 * bracket_); }
  std::string_view port() const { return size_ == 0 ? std::string_view() : text().substr(host_end_ + 1u); }

 private:
  std::array<char, 56> text_;  // of IPv6 45 characters, brackets, colon and five digits
  std::uint8_t size_ = 0, host_end_ = 0, bracket_ = 0;
};

struct AddressHash {
  std::size_t operator()(const Address& address) const noexcept;
};

/// `192.0.2.0/24`, `2001:db8::/32`, a bare address (one host).
class Cidr {
 public:
  static std::optional<Cidr> parse(std::string_view text);
  bool contains(const Address& address) const;
  std::string text() const;

 private:
  Address network_;
  unsigned prefix_ = 0;
};

}  // namespace jackfield::net
