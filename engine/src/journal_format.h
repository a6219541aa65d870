// The journal's bytes, without I/O. All numbers are little-endian.
//
//   file    "jackfjnl"  base:u64  compacted:u64  crc:u32    the position of the file's first byte; how far a compaction wrote it
//   record  "JfR1"  length:u32  durable:u64  crc:u32  bytes  `durable`: how much of the file was synced when this was written
//
// Behind the last record there may be zeros: room made for the next ones.
//
// A checksum covers its header's other fields and the bytes. `durable` tells damage from a torn tail: a bad record may be cut
// off only when no sound one behind it says that it had been synced.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace jackfield::journal {

constexpr std::size_t kFileHeader = 28;
constexpr std::size_t kRecordHeader = 20;

struct FileHeader {
  std::uint64_t base = 0;
  std::uint64_t compacted = 0;
};

void append_header(std::string& out, const FileHeader& header);
std::optional<FileHeader> read_header(std::string_view file);

void append_record(std::string& out, std::string_view record, std::uint64_t durable);

struct Scan {
  std::uint64_t end = kFileHeader;  ///< behind the last sound record
  bool damaged = false;             ///< what follows `end` had been durable
};
/// Calls `replay` for each record in order. `file` begins with a sound header.
Scan scan(std::string_view file, const FileHeader& header, std::size_t max_record, const std::function<void(std::string_view)>& replay);

}  // namespace jackfield::journal
