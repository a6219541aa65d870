// `jackfield route` and `jackfield explain`.
#include "main/commands.h"

#include "questions/offline.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iostream>

namespace jackfield {
namespace {

/// What goes wrong is said beside the answer.
struct ErrorLog final : LogSink {
  void write(const Logger& logger, LogLevel, std::string_view text) override { std::cerr << fmt::format("{}: {}\n", logger.name(), text); }
};

int route_without_server(const Options& options, const std::vector<std::string>& words) {
  auto question = questions::parse_route_question(words, std::chrono::time_point_cast<WallTime::duration>(std::chrono::system_clock::now()));
  if (!question) {
    std::cerr << fmt::format("{}; usage: jackfield route [--offline] {}\n", question.error(), questions::kRouteUsage);
    return kUsage;
  }
  const auto configuration = load_configuration(options, true);
  if (!configuration) return kConfiguration;
  ErrorLog log;
  const auto answer = questions::route_offline(*configuration, std::move(*question), log);
  if (!answer) {
    for (const auto& problem : answer.error()) std::cerr << settings::to_text(problem) << '\n';
    return kConfiguration;
  }
  std::cout << *answer;
  return kDone;
}

/// Line ends would make two lines of one for the control socket.
bool is_one_line(const std::vector<std::string>& words) {
  return std::ranges::none_of(words, [](const std::string& word) { return word.find_first_of("\r\n") != std::string::npos; });
}

int ask(const Options& options, std::string_view verb, const std::vector<std::string>& words) {
  if (!is_one_line(words)) {
    std::cerr << "a word with a line end in it cannot be asked about\n";
    return kUsage;
  }
  std::string line(verb);
  for (const auto& word : words) line += " " + questions::quoted_word(word);
  return ask_running(options, line);
}

}  // namespace

int ask_route(const Options& options, const std::vector<std::string>& words, bool offline) {
  return offline ? route_without_server(options, words) : ask(options, "route", words);
}

int explain(const Options& options, const std::string& what, bool all) {
  std::vector<std::string> words{what};
  if (all) words.emplace_back("--all");
  return ask(options, "explain", words);
}

}  // namespace jackfield
