// A file of routing rules: read as the module reads it.
#include <jackfield/settings.h>

#include <string>

#include "expect.h"
#include "rules.h"
#include "settings/ini_reader.h"

using namespace jackfield;
using fuzz::expect;

namespace {

void check(const regexroute::Block& block, int deep) {
  expect(deep <= 11, "blocks are ten deep");
  for (const auto& rule : block.rules) {
    expect(rule.where.line > 0, "a rule has its line");
    for (const auto& condition : rule.conditions) {
      expect(condition.pattern.has_value(), "a condition has its expression");
      pattern::Captures captures;
      condition.pattern->match("0049301234", captures);
      for (std::size_t group = 0; group < 11; ++group) expect(captures.group(group).size() <= 10, "a group lies in the subject");
    }
    if (rule.block) check(*rule.block, deep + 1);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  // The C library unrolls \{m,n\}: a few bytes of an operator's file may ask for gigabytes. That is his to know, not found here.
  if (text.find("\\{") != std::string_view::npos) return 0;
  const auto file = settings::parse_ini(std::string(text), "regexroute.conf", {});
  const regexroute::RuleOptions options{.default_rule = "^$^"};
  for (const auto& section : file.sections) {
    Problems problems;
    check(regexroute::read_rules(section, options, problems), 1);
    for (const auto& problem : problems) expect(problem.where.line > 0 && !problem.text.empty(), "a problem has its line and says what it is");
  }
  return 0;
}
