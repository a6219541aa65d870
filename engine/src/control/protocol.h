// How commands reach a running server: a line in; `ok BYTES` or `failed BYTES`, a line end and that many bytes out. Any number
// of commands a connection; it ends when the server does.
#pragma once

#include <jackfield/clock.h>

#include <filesystem>
#include <optional>
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

/// How long a server may be silent before a client gives up: longer than any command takes that goes well.
constexpr Duration kAnswerLimit = std::chrono::seconds(30);

/// Sends a line and waits for the answer, no longer than `limit` in silence; blocks, for commands in a process of their own. With
/// `end`, also until the server has gone, at most that long. The error says who did not answer, and what to do.
tl::expected<ControlAnswer, std::string> ask_server(const std::filesystem::path& state_dir, std::string_view line,
                                                    std::optional<Duration> end = {}, Duration limit = kAnswerLimit);

}  // namespace jackfield
