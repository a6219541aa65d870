// Where the server's log goes: standard error, or the file of -l. spdlog formats and writes; nothing else of ours knows it.
// From any thread.
#pragma once

#include <jackfield/log.h>

#include <filesystem>
#include <memory>

namespace jackfield {

class ProgramLog final : public LogSink {
 public:
  /// Throws std::runtime_error that names the file when it cannot be opened. Empty: standard error.
  explicit ProgramLog(std::filesystem::path file = {});
  ~ProgramLog() override;

  /// Never waits for a reader: a line that a full pipe cannot take at once is dropped, and how many were is logged later.
  void write(const Logger& logger, LogLevel level, std::string_view text) override;
  /// Opens the file anew, after somebody moved it away. Keeps the old one when that fails.
  void reopen();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace jackfield
