// The file under a journal: opened, locked, replayed, written and replaced. Used by one thread at a time.
#pragma once

#include "journal_format.h"

#include <jackfield/journal.h>

namespace jackfield::journal {

/// What went wrong, for people; empty when nothing did.
using ErrorText = std::string;

class File {
 public:
  explicit File(Journal::Options options) : options_(std::move(options)) {}
  ~File();
  File(const File&) = delete;

  ErrorText open(const Journal::Replay& replay);
  /// Takes a record for the next write().
  void add(std::string_view record) { append_record(unwritten_, record, durable_); }
  /// Writes what was added; what could not be written is kept for the next time.
  ErrorText write();
  /// After an error the kernel may have forgotten what was written, so that every later write fails until replace() worked.
  ErrorText sync();
  /// Puts a file of these records in this one's place; what was added and not written is theirs to hold. `position` is the
  /// journal's after everything added so far, and stays it. On an error the old file goes on.
  ErrorText replace(const std::vector<std::string_view>& records, std::uint64_t position);

  std::uint64_t end() const { return end_; }
  std::uint64_t position() const { return base_ + end_ + unwritten_.size(); }
  const std::string& cut_tail() const { return cut_tail_; }

 private:
  ErrorText begin();
  ErrorText load(const Journal::Replay& replay);
  ErrorText failed(std::string_view what, const std::filesystem::path& path, int error) const;
  ErrorText sync_folder() const;
  void make_room();

  const Journal::Options options_;
  int fd_ = -1;
  std::uint64_t base_ = 0;     // position of the file's first byte; wraps after a compaction, and the sum is right again
  std::uint64_t end_ = 0;      // bytes written
  std::uint64_t durable_ = 0;  // bytes synced
  std::uint64_t room_ = 0;     // length of the file: what is behind end_ is zeros
  bool roomy_ = true;          // false: there was no space for zeros; none are tried until the file is replaced
  std::string unwritten_;
  ErrorText broken_;
  std::string cut_tail_;
};

}  // namespace jackfield::journal
