#include "record_entry.h"

namespace jackfield::register_module {
namespace {

constexpr char kEntry = 'E', kApplied = 'A';

void put_number(std::string& out, std::uint64_t number) {
  for (; number >= 0x80; number >>= 7) out.push_back(static_cast<char>(number | 0x80));
  out.push_back(static_cast<char>(number));
}

void put_text(std::string& out, std::string_view text) {
  put_number(out, text.size());
  out.append(text);
}

class Bytes {
 public:
  explicit Bytes(std::string_view rest) : rest_(rest) {}
  bool empty() const { return rest_.empty(); }
  std::optional<std::uint8_t> byte() {
    if (rest_.empty()) return std::nullopt;
    const auto out = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return out;
  }
  std::optional<std::uint64_t> number() {
    std::uint64_t out = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto next = byte();
      if (!next) return std::nullopt;
      out |= static_cast<std::uint64_t>(*next & 0x7f) << shift;
      if (*next < 0x80) return out;
    }
    return std::nullopt;
  }
  std::optional<std::string> text() {
    const auto size = number();
    if (!size || *size > rest_.size()) return std::nullopt;
    std::string out(rest_.substr(0, *size));
    rest_.remove_prefix(*size);
    return out;
  }

 private:
  std::string_view rest_;
};

std::optional<RecordEntry> decode_entry(std::uint64_t number, Bytes& bytes) {
  const auto lane = bytes.byte();
  auto record = bytes.text();
  auto operation = bytes.text();
  if (!lane || *lane >= kLanes || !record || !operation) return std::nullopt;
  RecordEntry entry{.number = number, .lane = static_cast<LaneId>(*lane), .record = std::move(*record), .operation = std::move(*operation), .parameters = {}};
  while (!bytes.empty()) {
    auto name = bytes.text();
    auto value = bytes.text();
    if (!name || !value) return std::nullopt;
    entry.parameters.emplace_back(std::move(*name), std::move(*value));
  }
  return entry;
}

}  // namespace

std::string RecordEntry::encode() const {
  std::string out(1, kEntry);
  put_number(out, number);
  out.push_back(static_cast<char>(lane));
  put_text(out, record);
  put_text(out, operation);
  for (const auto& [name, value] : parameters) {
    put_text(out, name);
    put_text(out, value);
  }
  return out;
}

std::string RecordEntry::encode_applied(std::uint64_t number) {
  std::string out(1, kApplied);
  put_number(out, number);
  return out;
}

std::optional<JournalRecord> decode_journal(std::string_view text) {
  Bytes bytes(text);
  const auto kind = bytes.byte();
  const auto number = bytes.number();
  if (!kind || !number) return std::nullopt;
  if (*kind == kApplied && bytes.empty()) return JournalRecord{.entry = {}, .applied = *number};
  if (*kind != kEntry) return std::nullopt;
  auto entry = decode_entry(*number, bytes);
  if (!entry) return std::nullopt;
  return JournalRecord{.entry = std::move(entry)};
}

}  // namespace jackfield::register_module
