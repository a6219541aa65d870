// How commands reach a running server: a line in; `ok BYTES` or `failed BYTES`, a line end and that many bytes out. Any number
// of commands a connection; it ends when the server does. Between answers may come `said BYTES` and as many bytes: what the connection
// asked to be streamed (`output on`, `machine on`). Two lines are no commands: what a console says first, and what it asks for Tab.
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

/// `%%console WIDTH HEIGHT`: somebody sits there, who may be silent for long.
constexpr std::string_view kConsoleRequest = "%%console ";
/// `%%complete PARTLINE<Tab>PARTWORD`; the answer has the candidates, a tab between.
constexpr std::string_view kCompleteRequest = "%%complete ";

std::string framed(const ControlAnswer& answer);
std::string framed_stream(std::string_view text);
inline std::filesystem::path control_socket(const std::filesystem::path& state_dir) { return state_dir / "control"; }

/// How long a server may be silent before a client gives up: longer than any command takes that goes well.
constexpr Duration kAnswerLimit = std::chrono::seconds(30);

/// Sends a line and waits for the answer, no longer than `limit` in silence; blocks, for commands in a process of their own. With
/// `end`, also until the server has gone, at most that long. The error says who did not answer, and what to do.
tl::expected<ControlAnswer, std::string> ask_server(const std::filesystem::path& state_dir, std::string_view line,
                                                    std::optional<Duration> end = {}, Duration limit = kAnswerLimit);

}  // namespace jackfield
