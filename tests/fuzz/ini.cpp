// A configuration file's text. Includes stay closed: max_depth is 0.
#include <string>

#include "expect.h"
#include "settings/ini_lines.h"
#include "settings/ini_reader.h"

using namespace jackfield::settings;
using jackfield::fuzz::expect;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text = jackfield::fuzz::text_of(data, size);
  int last = 0;
  for (const IniLine& line : ini_lines(text)) {
    expect(line.number > last, "lines come in order");
    last = line.number;
    expect(trim(line.key) == line.key && trim(line.value) == line.value, "keys and values are trimmed");
    expect(line.key.size() + line.value.size() <= text.size(), "nothing is added to a line");
  }

  IniContext context;
  context.run_parameter = [](std::string_view name) { return name == "a" ? std::optional<std::string_view>("${a}]\n[x") : std::nullopt; };
  context.module_loaded = [](std::string_view name) { return name == "sip"; };
  context.rules.max_depth = 0;
  const IniFile file = parse_ini(text, "/nonexistent/fuzz.conf", context);
  for (const auto& section : file.sections) {
    for (const auto& entry : section.entries) expect(entry.where.line >= 0, "an entry knows its line");
  }
  for (const auto& problem : file.problems) expect(!problem.text.empty(), "a problem is put into words");
  return 0;
}
