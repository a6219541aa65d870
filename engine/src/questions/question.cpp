#include "questions/question.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <utility>

namespace jackfield::questions {
namespace {

/// `2026-01-31T18:30`, `18:30`, with or without seconds; in the machine's time zone.
std::optional<WallTime> parse_time(std::string_view text, WallTime now) {
  std::time_t seconds = std::chrono::system_clock::to_time_t(std::chrono::time_point_cast<std::chrono::system_clock::duration>(now));
  std::tm time{};
  if (!localtime_r(&seconds, &time)) return std::nullopt;
  time.tm_sec = 0;
  const std::string copy(text);
  const auto matches = [&](const char* format) {
    std::tm read = time;
    const char* const end = strptime(copy.c_str(), format, &read);
    if (end == nullptr || *end != '\0') return false;
    time = read;
    return true;
  };
  if (!matches("%Y-%m-%dT%H:%M:%S") && !matches("%Y-%m-%dT%H:%M") && !matches("%Y-%m-%d %H:%M") && !matches("%H:%M:%S") && !matches("%H:%M")) return std::nullopt;
  time.tm_isdst = -1;
  seconds = std::mktime(&time);
  if (seconds == -1) return std::nullopt;
  return WallTime(std::chrono::seconds(seconds));
}

}  // namespace

tl::expected<std::vector<std::string>, std::string> parse_words(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  bool within = false, quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (!quoted && (c == ' ' || c == '\t')) {
      if (std::exchange(within, false)) words.push_back(std::exchange(word, {}));
      continue;
    }
    within = true;
    if (c == '"') quoted = !quoted;
    else if (c == '\\' && i + 1 < line.size()) word += line[++i];
    else word += c;
  }
  if (quoted) return tl::unexpected(std::string("a \" has no end"));
  if (within) words.push_back(std::move(word));
  return words;
}

std::string quoted_word(std::string_view word) {
  if (!word.empty() && word.find_first_of(" \t\"\\") == std::string_view::npos) return std::string(word);
  std::string out = "\"";
  for (const char c : word) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

tl::expected<RouteQuestion, std::string> parse_route_question(const std::vector<std::string>& words, WallTime now) {
  RouteQuestion question;
  std::string time;
  const std::array<std::string*, kRouteOptions.size()> values = {&question.caller, &question.address, &time};
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    const auto equals = word.find('=');
    if (word.starts_with("--")) {
      const auto option = std::ranges::find(kRouteOptions, word.substr(0, equals));
      if (option == kRouteOptions.end()) return tl::unexpected(fmt::format("`{}` is no option; there are --caller, --address and --time", word));
      auto& value = *values[static_cast<std::size_t>(option - kRouteOptions.begin())];
      if (equals != std::string_view::npos) value = word.substr(equals + 1);
      else if (++i < words.size()) value = words[i];
      else return tl::unexpected(fmt::format("{} needs a value", word));
    } else if (equals != std::string_view::npos && equals != 0) {
      question.parameters.emplace_back(word.substr(0, equals), word.substr(equals + 1));
    } else if (question.called.empty()) {
      question.called = word;
    } else {
      return tl::unexpected(fmt::format("`{}` is one number too many; parameters are written NAME=VALUE", word));
    }
  }
  if (question.called.empty()) return tl::unexpected(std::string("which number is called?"));
  if (!time.empty()) {
    question.time = parse_time(time, now);
    if (!question.time) return tl::unexpected(fmt::format("`{}` is no time; write 2026-01-31T18:30 or 18:30", time));
  }
  return question;
}

}  // namespace jackfield::questions
