// share/doc/routing.md is tried as it stands: the rules of each task, and under them what becomes of calls.
#include "rules_fixture.h"

#include <algorithm>
#include <fstream>
#include <memory>
#include <vector>

#include <time.h>

using namespace jackfield;

namespace {

/// At blanks; "a b" is one word.
std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> out;
  while (true) {
    const auto first = text.find_first_not_of(' ');
    if (first == std::string_view::npos) return out;
    text.remove_prefix(first);
    const bool quoted = text.starts_with('"');
    const auto end = quoted ? text.find('"', 1) : text.find(' ');
    out.emplace_back(quoted ? text.substr(1, end - 1) : text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

/// name=value; a value may have more of =.
std::pair<std::string, std::string> pair_of(const std::string& word) {
  const auto equals = word.find('=');
  REQUIRE_MESSAGE(equals != std::string::npos, word);
  return {word.substr(0, equals), word.substr(equals + 1)};
}

/// `2026-11-20T12:00`, in the time zone of the test.
WallTime moment(const std::string& text) {
  std::tm time{};
  REQUIRE_MESSAGE(strptime(text.c_str(), "%Y-%m-%dT%H:%M", &time) != nullptr, text);
  time.tm_isdst = -1;
  return WallTime(std::chrono::seconds(std::mktime(&time)));
}

/// `registered 101 102`: these users are, until the next such line.
void register_users(ModuleHost& host, std::vector<std::string> users, Bus::Subscription& handler) {
  handler.reset();
  handler = host.engine().bus().install({.message = "user.registered"}, [users = std::move(users)](Message& message) {
    return std::ranges::find(users, message.get("username")) != users.end();
  });
}

void try_line(ModuleHost& host, const std::string& line) {
  CAPTURE(line);
  auto left = words(line);
  if (left.at(0) == "at") return host.engine().manual_clock().set_wall(moment(left.at(1)));
  const auto arrow = std::ranges::find(left, "->");
  REQUIRE(arrow != left.end());
  const std::vector<std::string> right(arrow + 1, left.end());
  left.erase(arrow, left.end());
  std::string name = "call.route";
  if (left.at(0).find('=') == std::string::npos) {
    name = left[0];
    left.erase(left.begin());
  }
  auto message = host.message(name, {});
  for (const auto& word : left) {
    const auto [parameter, value] = pair_of(word);
    message.set(parameter, value);
  }
  const bool handled = host.ask(message);
  const bool gives_context = name == "call.preroute";
  CHECK((message.retvalue().empty() ? "nothing" : std::string(message.retvalue())) == right.at(0));
  CHECK(handled == (gives_context || right.at(0) != "nothing"));
  for (std::size_t i = 1; i < right.size(); ++i) {
    const auto [parameter, value] = pair_of(right[i]);
    CAPTURE(parameter);
    CHECK(std::string(message.get(parameter)) == value);
  }
}

}  // namespace

TEST_CASE("BR-15: every task of the guide is solved by its rules") {
  std::ifstream guide(JACKFIELD_ROUTING_GUIDE);
  REQUIRE(guide);
  std::string line, title, rules;
  enum class In { text, rules, calls } in = In::text;
  std::unique_ptr<ModuleHost> host;
  Bus::Subscription registered;
  int tasks = 0, calls = 0;
  while (std::getline(guide, line)) {
    if (line.starts_with("## ")) title = line;
    else if (line == "```ini") in = In::rules, rules.clear();
    else if (line == "```calls") in = In::calls, host = std::make_unique<ModuleHost>(rules), ++tasks;
    else if (line == "```") in = In::text;
    else if (in == In::rules) rules += line + "\n";
    else if (in == In::calls) {
      CAPTURE(title);
      if (line.starts_with("registered")) register_users(*host, words(line), registered);
      else try_line(*host, line);
      ++calls;
    }
  }
  CHECK(tasks == 21);
  CHECK(calls > 50);
}
