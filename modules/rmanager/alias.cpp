#include "alias.h"

#include <algorithm>
#include <sstream>

#include "text/trimmed.h"

namespace jackfield::rmanager {
namespace {

constexpr std::string_view kNext = "$()";
constexpr std::size_t kMostCommands = 16;

std::string filled(std::string_view command, const std::vector<std::string>& words, std::string_view all) {
  std::string out;
  for (std::size_t i = 0; i < command.size(); ++i) {
    if (command[i] != '\\' || i + 1 == command.size() || command[i + 1] < '0' || command[i + 1] > '9') {
      out += command[i];
      continue;
    }
    const auto index = static_cast<std::size_t>(command[++i] - '0');
    if (index == 0) out += all;
    else if (index < words.size()) out += words[index];
  }
  return out;
}

}  // namespace

std::vector<std::string> expand(std::string_view line, const std::vector<std::pair<std::string, std::string>>& aliases) {
  std::istringstream in{std::string(line)};
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(std::move(word));
  const auto found = words.empty() ? aliases.end() : std::ranges::find(aliases, words.front(), &std::pair<std::string, std::string>::first);
  if (found == aliases.end()) return {std::string(line)};
  const auto all = trimmed(trimmed(line).substr(words.front().size()));
  std::vector<std::string> commands;
  std::string_view left = found->second;
  for (bool more = true; more && commands.size() < kMostCommands;) {
    const auto end = left.find(kNext);
    more = end != std::string_view::npos;
    if (const auto command = trimmed(left.substr(0, end)); !command.empty()) commands.push_back(filled(command, words, all));
    if (more) left.remove_prefix(end + kNext.size());
  }
  return commands;
}

}  // namespace jackfield::rmanager
