#include "stack/flow.h"

namespace jackfield::sip::stack {

std::string_view transport_name(TransportKind kind) {
  switch (kind) {
    case TransportKind::udp: return "UDP";
    case TransportKind::tcp: return "TCP";
  }
  return {};
}

std::string_view transport_parameter(TransportKind kind) {
  switch (kind) {
    case TransportKind::udp: return "udp";
    case TransportKind::tcp: return "tcp";
  }
  return {};
}

std::size_t FlowHash::operator()(const FlowId& flow) const noexcept {
  const std::uint64_t rest = static_cast<std::uint64_t>(flow.connection) << 32 | static_cast<std::uint64_t>(flow.listener) << 8 |
                             static_cast<std::uint64_t>(flow.kind);
  return net::AddressHash{}(flow.remote) ^ rest * 0x9e3779b97f4a7c15ULL;
}

}  // namespace jackfield::sip::stack
