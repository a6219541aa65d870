// A flow names the way to one far end: a UDP source seen by one of our sockets, or one connection. Above the transport a flow is
// this id and nothing else. A UDP flow costs no table entry: the id says it all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "net/address.h"

namespace jackfield::sip::stack {

enum class TransportKind : std::uint8_t { udp, tcp };
/// "UDP", as in Via; "udp" as in `transport=` by transport_parameter().
std::string_view transport_name(TransportKind kind);
std::string_view transport_parameter(TransportKind kind);
constexpr bool is_reliable(TransportKind kind) { return kind != TransportKind::udp; }

struct FlowId {
  net::Address remote;           ///< empty: no flow
  std::uint32_t connection = 0;  ///< of connections; never used twice in a run
  std::uint16_t listener = 0;    ///< index of the socket it came in by or leaves by
  TransportKind kind = TransportKind::udp;

  explicit operator bool() const { return !remote.empty(); }
  friend bool operator==(const FlowId&, const FlowId&) = default;
};

struct FlowHash {
  std::size_t operator()(const FlowId& flow) const noexcept;
};

}  // namespace jackfield::sip::stack
