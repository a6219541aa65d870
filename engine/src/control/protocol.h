// How commands reach a running server: a line in; `ok BYTES` or `failed BYTES`, a line end and that many bytes out. Any number
// of commands a connection; it ends when the server does.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace jackfield {

struct ControlAnswer {
  bool ok = true;
  std::string text;
};

constexpr std::size_t kMaxControlLine = 16 * 1024;

std::string framed(const ControlAnswer& answer);
inline std::filesystem::path control_socket(const std::filesystem::path& state_dir) { return state_dir / "control"; }

/// Sends a line and waits for the answer; blocks, for commands in a process of their own. With `wait_for_end`, also until the
/// server has gone. The error says that no server answers there and how to start one.
tl::expected<ControlAnswer, std::string> ask_server(const std::filesystem::path& state_dir, std::string_view line, bool wait_for_end = false);

}  // namespace jackfield
