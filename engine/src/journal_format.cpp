#include "journal_format.h"

#include "crc32c.h"

namespace jackfield::journal {
namespace {

constexpr std::string_view kFileMagic = "jackfjnl";
constexpr std::string_view kRecordMagic = "JfR1";

template <class Number>
void append_number(std::string& out, Number number) {
  for (std::size_t byte = 0; byte < sizeof number; ++byte) out.push_back(static_cast<char>(number >> (8 * byte) & 0xff));
}

template <class Number>
Number read_number(std::string_view bytes) {
  Number number = 0;
  for (std::size_t byte = 0; byte < sizeof number; ++byte)
    number |= static_cast<Number>(static_cast<unsigned char>(bytes[byte])) << (8 * byte);
  return number;
}

struct Record {
  std::string_view bytes;
  std::uint64_t durable;
};

std::optional<Record> read_record(std::string_view rest, std::size_t max_record) {
  if (rest.size() < kRecordHeader || !rest.starts_with(kRecordMagic)) return {};
  const auto length = read_number<std::uint32_t>(rest.substr(4));
  if (length > max_record || length > rest.size() - kRecordHeader) return {};
  const std::string_view bytes = rest.substr(kRecordHeader, length);
  if (crc32c(bytes, crc32c(rest.substr(0, 16))) != read_number<std::uint32_t>(rest.substr(16))) return {};
  return Record{bytes, read_number<std::uint64_t>(rest.substr(8))};
}

}  // namespace

void append_header(std::string& out, const FileHeader& header) {
  const std::size_t start = out.size();
  out.append(kFileMagic);
  append_number(out, header.base);
  append_number(out, header.compacted);
  append_number(out, crc32c(std::string_view(out).substr(start)));
}

std::optional<FileHeader> read_header(std::string_view file) {
  if (file.size() < kFileHeader || !file.starts_with(kFileMagic)) return {};
  if (crc32c(file.substr(0, kFileHeader - 4)) != read_number<std::uint32_t>(file.substr(kFileHeader - 4))) return {};
  return FileHeader{read_number<std::uint64_t>(file.substr(8)), read_number<std::uint64_t>(file.substr(16))};
}

void append_record(std::string& out, std::string_view record, std::uint64_t durable) {
  const std::size_t start = out.size();
  out.append(kRecordMagic);
  append_number(out, static_cast<std::uint32_t>(record.size()));
  append_number(out, durable);
  append_number(out, crc32c(record, crc32c(std::string_view(out).substr(start))));
  out.append(record);
}

Scan scan(std::string_view file, const FileHeader& header, std::size_t max_record, const std::function<void(std::string_view)>& replay) {
  Scan result;
  while (result.end < file.size()) {
    const auto record = read_record(file.substr(result.end), max_record);
    if (!record) break;
    if (replay) replay(record->bytes);
    result.end += kRecordHeader + record->bytes.size();
  }
  result.damaged = result.end < header.compacted;
  // What stands behind a bad record is found by its first letters, wherever it begins.
  for (std::size_t next = file.find(kRecordMagic, result.end + 1); !result.damaged && next != std::string_view::npos;
       next = file.find(kRecordMagic, next + 1)) {
    const auto record = read_record(file.substr(next), max_record);
    result.damaged = record && record->durable > result.end;
  }
  return result;
}

}  // namespace jackfield::journal
