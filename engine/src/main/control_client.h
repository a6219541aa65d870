// The client's end of a console's connection to the control socket (control/protocol.h): answers to lines, and what is streamed between
// them. Blocks; for commands in a process of their own.
#pragma once

#include "control/protocol.h"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace jackfield {

class ControlClient {
 public:
  using Said = std::function<void(std::string_view text)>;

  /// `said` is told what the server streams. The error says who did not answer, and what to do.
  static tl::expected<ControlClient, std::string> connect(const std::filesystem::path& state_dir, Said said);
  ControlClient(ControlClient&& other) noexcept;
  ~ControlClient();

  /// Sends the line and waits for its answer, as long as it takes.
  tl::expected<ControlAnswer, std::string> ask(std::string_view line);
  tl::expected<void, std::string> introduce(int width, int height);
  std::vector<std::string> complete(std::string_view partline, std::string_view partword);

  /// To be polled for reading; when it is readable, tell() passes on what is streamed. False: the server has gone.
  int descriptor() const { return fd_; }
  bool tell();
  bool gone() const { return gone_; }

 private:
  ControlClient(int fd, Said said) : fd_(fd), said_(std::move(said)) {}
  /// Reads once; false at the end.
  bool receive(int flags);
  /// The first whole frame of what was received, taken out of it.
  struct Frame {
    std::string word, text;
  };
  std::optional<Frame> take();

  int fd_;
  Said said_;
  std::string in_;
  bool gone_ = false;
};

}  // namespace jackfield
