#include "alias.h"

#include <doctest/doctest.h>

using jackfield::rmanager::expand;
using List = std::vector<std::string>;

TEST_CASE("alias: words are put in, and $() parts commands") {
  const std::vector<std::pair<std::string, std::string>> aliases = {
      {"kick", "drop \\1 kicked $() status sip"}, {"say", "echo \\2-\\1-\\0-\\9"}, {"kicks", "kick \\1"}, {"none", " $() "}};
  CHECK(expand("kick sip/1", aliases) == List{"drop sip/1 kicked", "status sip"});
  CHECK(expand("  say a  b c ", aliases) == List{"echo b-a-a  b c-"});
  CHECK(expand("uptime now", aliases) == List{"uptime now"});
  CHECK(expand("none", aliases).empty());
}

TEST_CASE("alias: what was put in is never looked up again") {
  const std::vector<std::pair<std::string, std::string>> aliases = {{"a", "a \\1"}, {"say", "echo \\1 \\2"}};
  CHECK(expand("a a", aliases) == List{"a a"});
  CHECK(expand("say \\2 $()", aliases) == List{"echo \\2 $()"});
}
