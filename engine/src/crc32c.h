// CRC-32C (Castagnoli; reversed polynomial 0x82F63B78), as iSCSI uses it (RFC 3720 §12.1).
#pragma once

#include <cstdint>
#include <string_view>

namespace jackfield {

/// Of `bytes` after what `before` is the checksum of. With the processor's instruction for it where there is one.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0);
/// The same without that instruction.
std::uint32_t crc32c_by_tables(std::string_view bytes, std::uint32_t before = 0);

}  // namespace jackfield
