// One call.cdr that one handler is to write, and its bytes in the journal. Pure.
//
//   entry    "E" number:varint lane:byte key operation (name value)…     texts are length:varint and bytes
//   applied  "A" number:varint
#pragma once

#include "rows.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace jackfield::register_module {

/// The handlers of call.cdr. Their numbers are in journals.
enum class LaneId : std::uint8_t { records = 0, lines = 1 };
inline constexpr std::size_t kLanes = 2;

struct RecordEntry {
  std::uint64_t number = 0;  ///< never given twice by one journal
  LaneId lane = LaneId::records;
  std::string record;        ///< runid/cdrid: entries of one record are written one after another
  std::string operation;
  Parameters parameters;     ///< of the call.cdr
  std::size_t bytes = 0;     ///< what it takes in the journal

  std::string encode() const;
  /// The record that says it is written.
  static std::string encode_applied(std::uint64_t number);
};

/// What a journal's record says; nothing when it makes no sense.
struct JournalRecord {
  std::optional<RecordEntry> entry;
  std::uint64_t applied = 0;  ///< when there is no entry
};
std::optional<JournalRecord> decode_journal(std::string_view bytes);

}  // namespace jackfield::register_module
