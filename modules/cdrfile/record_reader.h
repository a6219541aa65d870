// Reads back what LineFormat wrote in its default format, record by record.
#pragma once

#include <cstddef>
#include <istream>
#include <string>
#include <vector>

namespace jackfield::cdrfile {

class RecordReader {
 public:
  /// `separator`: a tab, or a comma (CSV, RFC 4180).
  RecordReader(std::istream& in, char separator, std::size_t columns) : in_(*in.rdbuf()), separator_(separator), columns_(columns) {}

  /// False at the end. A last line without its end is being written now and is none yet.
  bool next(std::vector<std::string>& cells);
  /// Lines that have another number of columns, or are longer than a record can be.
  std::size_t strange() const { return strange_; }

  static constexpr std::size_t kLongest = 64 * 1024;

 private:
  bool read(std::vector<std::string>& cells);

  std::streambuf& in_;
  const char separator_;
  const std::size_t columns_;
  std::size_t strange_ = 0;
};

}  // namespace jackfield::cdrfile
