// `jackfield console`: the commands of the running server, one after another. At a terminal with history, completion and colour; from a
// pipe line by line.
#include "main/commands.h"

#include "main/control_client.h"
#include "main/terminal.h"

#include <jackfield/message_text.h>

#include <fmt/format.h>

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <iostream>

namespace jackfield {

namespace fs = std::filesystem;

namespace {

constexpr int kPatience = 1000;  // ms
constexpr std::string_view kErrorColor = "\x1b[31m", kStreamColor = "\x1b[36m", kPlain = "\x1b[0m";

/// NO_COLOR is what people set who want none (no-color.org).
bool wants_color() { return isatty(STDOUT_FILENO) && std::getenv("NO_COLOR") == nullptr; }

fs::path history_file() {
  const char* const home = std::getenv("HOME");
  return home == nullptr || *home == '\0' ? fs::path() : fs::path(home) / ".jackfield_history";
}

std::string_view first_word(std::string_view line) {
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  return line.substr(0, line.find_first_of(" \t"));
}

bool leaves(std::string_view line) { return first_word(line) == "quit" || first_word(line) == "exit"; }

void put(std::FILE* to, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), to);
  std::fflush(to);
}

int gone(const std::string& why) {
  std::cerr << why << '\n';
  return kNoServer;
}

int at_a_terminal(ControlClient& client, Terminal& terminal, bool color) {
  while (const auto line = terminal.read()) {
    if (first_word(*line).empty()) continue;
    if (masked_command(*line) == *line) terminal.remember(*line);
    if (leaves(*line)) return kDone;
    const auto answer = client.ask(*line);
    if (!answer) return gone(answer.error());
    if (answer->ok || !color) terminal.print(answer->text);
    else terminal.print(fmt::format("{}{}{}", kErrorColor, answer->text, kPlain));
  }
  terminal.print("\n");
  return client.gone() ? gone("the server has gone") : static_cast<int>(kDone);
}

/// Answers go to standard output, refusals to standard error; the exit code is 1 when one of the commands was refused. While the input
/// says nothing, what is streamed is printed as it comes.
int from_a_pipe(ControlClient& client) {
  int code = kDone;
  std::string in;
  const auto execute = [&](std::string_view line) -> tl::expected<bool, std::string> {
    if (first_word(line).empty()) return true;
    if (leaves(line)) return false;
    const auto answer = client.ask(line);
    if (!answer) return tl::unexpected(answer.error());
    put(answer->ok ? stdout : stderr, answer->text);
    if (!answer->ok) code = kFailed;
    return true;
  };
  for (bool open = true; open || !in.empty();) {
    if (const auto end = in.find('\n'); end != std::string::npos || !open) {
      const auto line = in.substr(0, end);
      in.erase(0, end == std::string::npos ? in.size() : end + 1);
      const auto more = execute(line);
      if (!more) return gone(more.error());
      if (!*more) break;
      continue;
    }
    // Once the server has gone (it was told to stop, say), only the end of the input is waited for, and not for long.
    const bool over = client.gone();
    pollfd descriptors[] = {{STDIN_FILENO, POLLIN, 0}, {over ? -1 : client.descriptor(), POLLIN, 0}};
    const int ready = poll(descriptors, 2, over ? kPatience : -1);
    if (ready < 0 && errno != EINTR) return kFailed;
    if (over && ready == 0) return gone("the server has gone");
    if (descriptors[1].revents != 0 && !client.tell()) continue;
    if (descriptors[0].revents == 0) continue;
    std::array<char, 4096> part;
    const auto got = read(STDIN_FILENO, part.data(), part.size());
    if (got > 0) in.append(part.data(), static_cast<std::size_t>(got));
    else if (got == 0 || errno != EINTR) open = false;
  }
  return code;
}

}  // namespace

int run_console(const Options& options) {
  // A server runs on however broken its files have become meanwhile.
  Configuration configuration(options.places, {});
  (void)configuration.load();
  const bool color = wants_color();
  std::function<void(std::string_view)> show = [](std::string_view text) { put(stdout, text); };
  auto connected = ControlClient::connect(configuration.state_dir(), [&show](std::string_view text) { show(text); });
  if (!connected) return gone(connected.error());
  ControlClient& client = *connected;
  if (!isatty(STDIN_FILENO)) {
    if (const auto introduced = client.introduce(0, 0); !introduced) return gone(introduced.error());
    return from_a_pipe(client);
  }
  Terminal terminal({.prompt = "jackfield> ",
                     .color = color,
                     .history = history_file(),
                     .complete = [&client](std::string_view before, std::string_view word) { return client.complete(before, word); },
                     .watched = client.descriptor(),
                     .readable = [&client] { return client.tell(); }});
  show = [&](std::string_view text) { terminal.print(color ? fmt::format("{}{}{}", kStreamColor, text, kPlain) : std::string(text)); };
  if (const auto introduced = client.introduce(terminal.width(), terminal.height()); !introduced) return gone(introduced.error());
  terminal.print("The commands of the server: `help` lists them, Tab completes them, `quit` or ^D leaves.\n");
  return at_a_terminal(client, terminal, color);
}

}  // namespace jackfield
