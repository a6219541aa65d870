// What the guard counts by: a source (stack/source_key.h) or one flow, as 64 bits. Hashes are keyed with a secret of this run, so that
// nobody outside can choose sources that meet in our tables.
#pragma once

#include <cstdint>
#include <cstring>

#include "stack/flow.h"
#include "stack/keyed_hash.h"
#include "stack/source_key.h"

namespace jackfield::sip::guard {

using stack::source_key;
using stack::SourceKey;

/// One flow: host, port and transport.
inline SourceKey flow_key(const stack::FlowId& flow, const stack::HashKey& secret) {
  struct {
    std::uint8_t bytes[16];
    std::uint16_t port;
    std::uint8_t kind, family;
    std::uint32_t none;
  } text{};
  std::memcpy(text.bytes, flow.remote.bytes().data(), sizeof text.bytes);
  text.port = flow.remote.port();
  text.kind = static_cast<std::uint8_t>(flow.kind);
  text.family = flow.remote.is_v6() ? 6 : 4;
  return stack::keyed_hash(secret, {reinterpret_cast<const char*>(&text), sizeof text}) | 1;
}

/// Spreads a key over a table: one multiplication.
inline std::uint64_t spread(SourceKey key, const stack::HashKey& secret) {
  const unsigned __int128 product = static_cast<unsigned __int128>(key ^ secret.k0) * (secret.k1 | 1);
  return static_cast<std::uint64_t>(product >> 64) ^ static_cast<std::uint64_t>(product);
}

}  // namespace jackfield::sip::guard
