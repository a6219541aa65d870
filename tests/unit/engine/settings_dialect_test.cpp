// COMPAT §2, one rule a test.
#include "settings/ini_reader.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <map>

using namespace jackfield;
using namespace std::string_view_literals;
using namespace jackfield::settings;

namespace {

namespace fs = std::filesystem;

struct Files {
  fs::path dir;
  Files() {
    std::string pattern = (fs::temp_directory_path() / "jackfield-ini-XXXXXX").string();
    dir = mkdtemp(pattern.data());
  }
  ~Files() { fs::remove_all(dir); }
  void put(const std::string& name, const std::string& text) const {
    fs::create_directories((dir / name).parent_path());
    std::ofstream(dir / name, std::ios::binary) << text;
  }
  IniFile read(const std::string& name, const IniContext& context = {}) const { return read_ini(dir / name, context); }
};

IniContext with_parameters(std::map<std::string, std::string, std::less<>> parameters) {
  auto kept = std::make_shared<std::map<std::string, std::string, std::less<>>>(std::move(parameters));
  IniContext context;
  context.run_parameter = [kept](std::string_view name) -> std::optional<std::string_view> {
    const auto found = kept->find(name);
    if (found == kept->end()) return std::nullopt;
    return found->second;
  };
  return context;
}

/// `[section] key=value,key=value [section] …`
std::string shown(const IniFile& file) {
  std::string out;
  for (const auto& section : file.sections) {
    out += out.empty() ? "[" : " [";
    out += section.name + "]";
    for (const auto& entry : section.entries) out += " " + entry.key + "=" + entry.value;
  }
  return out;
}

std::string shown(std::string_view text, const IniContext& context = {}) { return shown(parse_ini(text, "test.conf", context)); }

}  // namespace

TEST_CASE("ini: a byte order mark is skipped") { CHECK(shown("\xEF\xBB\xBF[a]\nb=c\n") == "[a] b=c"); }

TEST_CASE("ini: CR, LF, CRLF and NUL end a line and count as one each") {
  const auto file = parse_ini("[a]\rb=1\r\nc=2\nd=3\0e=4"sv, "t", {});
  CHECK(shown(file) == "[a] b=1 c=2 d=3 e=4");
  CHECK(file.sections[0].entries[1].where.line == 3);
  CHECK(file.sections[0].entries[3].where.line == 5);
}

TEST_CASE("ini: blanks and tabs around keys, values and section names are trimmed") { CHECK(shown("  [ a b ] \n\t k\t =  v w \t\n") == "[a b] k=v w"); }

TEST_CASE("ini: a semicolon is a comment only as the first character of a line") {
  CHECK(shown("[a]\n; no\n  ;no=1\nroute=sip/x;formats=alaw ; data\n") == "[a] route=sip/x;formats=alaw ; data");
}

TEST_CASE("ini: hash, colon and leading blanks mean nothing special") { CHECK(shown("[a]\n#k=1\nx:y=2\n  z=3\n") == "[a] #k=1 x:y=2 z=3"); }

TEST_CASE("ini: the first equals sign ends the key, a key alone has an empty value, an empty key is ignored") {
  CHECK(shown("[a]\n^1=2=3\nalone\n=ignored\nempty=\n") == "[a] ^1=2=3 alone= empty=");
}

TEST_CASE("ini: a backslash at the end of a value joins the next line without a blank") {
  CHECK(shown("[a]\nk=one\\\n  two\\\nthree\nnext=1\n") == "[a] k=onetwothree next=1");
  CHECK(shown("[a]\nk=one\\ \nnext=1\n") == "[a] k=one\\ next=1");
  CHECK(shown("[a]\nk=one\\") == "[a] k=one");
  CHECK(shown("[a]\nk=one\\\n;two\n") == "[a] k=one;two");
}

TEST_CASE("ini: a continued entry is reported at its first line") {
  const auto file = parse_ini("[a]\nk=one\\\ntwo\nb=1\n", "t", {});
  CHECK(file.sections[0].entries[0].where.line == 2);
  CHECK(file.sections[0].entries[1].where.line == 4);
}

TEST_CASE("ini: repeated keys are kept in order and repeated sections merge") {
  CHECK(shown("[a]\nk=1\n[b]\nx=1\n[a]\nk=2\n") == "[a] k=1 k=2 [b] x=1");
}

TEST_CASE("ini: text after a section's bracket is ignored and run parameters fill its name") {
  CHECK(shown("[line ${nodename}] rest\nk=${nodename}\n", with_parameters({{"nodename", "n1"}})) == "[line n1] k=${nodename}");
}

TEST_CASE("ini: keys, values and section names may be longer than any line of inih, and hold any byte") {
  const std::string long_key(700, 'k'), long_value = std::string(5000, 'v') + " ; : # [ ] % \x01 \xff end", long_name(300, 's');
  CHECK(shown("[" + long_name + "]\n" + long_key + "=" + long_value + "\n") == "[" + long_name + "] " + long_key + "=" + long_value);
}

TEST_CASE("ini: what stands before any section and brackets without end are reported with their line") {
  const auto file = parse_ini("lost=1\n[a]\n[broken\nk=1\n", "t.conf", {});
  CHECK(shown(file) == "[a] k=1");
  REQUIRE(file.problems.size() == 2);
  CHECK(file.problems[0].where.line == 1);
  CHECK(file.problems[1].where.line == 3);
  IniContext quiet;
  quiet.rules.warnings = false;
  CHECK(parse_ini("lost=1\n[broken\n", "t.conf", quiet).problems.empty());
}

TEST_CASE("ini: an included file goes on in the current section and ends where the file ends") {
  const Files files;
  files.put("main.conf", "[a]\nk=1\n[$include more.conf]\nl=2\n");
  files.put("more.conf", "m=1\n[b]\nn=1\n");
  const auto file = files.read("main.conf");
  CHECK(shown(file) == "[a] k=1 m=1 l=2 [b] n=1");
  CHECK(file.sections[0].entries[1].where.file == (files.dir / "more.conf").string());
  CHECK(file.sections[0].entries[1].where.line == 1);
}

TEST_CASE("ini: a folder's files are included in byte order except hidden ones and left-overs") {
  const Files files;
  files.put("main.conf", "[a]\n[$include d]\n");
  for (const auto* name : {"d/b.conf", "d/B.conf", "d/a", "d/.x", "d/x~", "d/x.bak", "d/x.tmp"}) files.put(name, std::string(name + 2) + "\n");
  CHECK(shown(files.read("main.conf")) == "[a] B.conf= a= b.conf=");
}

TEST_CASE("ini: a missing include is a warning, silent or an error as its word says") {
  const Files files;
  files.put("main.conf", "[a]\n[$include x]\n[$includesilent y]\n[$require z]\n");
  const auto file = files.read("main.conf");
  REQUIRE(file.problems.size() == 2);
  CHECK(file.problems[0].severity == Problem::Severity::warning);
  CHECK(file.problems[0].where.line == 2);
  CHECK(file.problems[1].severity == Problem::Severity::error);
  IniContext loud;
  loud.rules.disable_include_silent = true;
  CHECK(files.read("main.conf", loud).problems.size() == 3);
}

TEST_CASE("ini: a file that includes itself is refused, or ends at max_depth") {
  const Files files;
  files.put("main.conf", "[a]\nk=1\n[$include main.conf]\n");
  auto file = files.read("main.conf");
  CHECK(shown(file) == "[a] k=1");
  REQUIRE(file.problems.size() == 1);
  CHECK(file.problems[0].severity == Problem::Severity::error);
  IniContext deep;
  deep.rules.check_recursive_include = false;
  deep.rules.max_depth = 3;
  file = files.read("main.conf", deep);
  CHECK(shown(file) == "[a] k=1 k=1 k=1 k=1");
  CHECK(file.problems.size() == 1);
}

TEST_CASE("ini: an include whose name turns out empty is reported, or reads its own folder") {
  const Files files;
  files.put("main.conf", "[a]\n[$include ${nothing}]\n");
  CHECK(files.read("main.conf").problems.size() == 1);
}

TEST_CASE("ini: sections are spliced in place, from anywhere in the file, however deep") {
  CHECK(shown("[a]\nk=1\n[$includesection b]\nl=2\n[b]\nm=1\n[$includesection c]\n[c]\nn=1\n") == "[a] k=1 m=1 n=1 l=2 [b] m=1 n=1 [c] n=1");
}

TEST_CASE("ini: a spliced section that is missing or contains itself is reported") {
  auto file = parse_ini("[a]\n[$includesection x]\n[$includesectionsilent y]\n[$requiresection z]\n", "t", {});
  REQUIRE(file.problems.size() == 2);
  CHECK(file.problems[1].severity == Problem::Severity::error);
  file = parse_ini("[a]\nk=1\n[$includesection b]\n[b]\n[$includesection a]\n", "t", {});
  CHECK(shown(file) == "[a] k=1 [b] k=1");
  CHECK_FALSE(file.problems.empty());
}

TEST_CASE("ini: sections that splice each other twice stay bounded") {
  std::string text;
  for (int i = 0; i < 40; ++i) text += "[s" + std::to_string(i) + "]\nk=1\n[$includesection s" + std::to_string(i + 1) + "]\n[$includesection s" + std::to_string(i + 1) + "]\n";
  text += "[s40]\nk=1\n";
  const auto file = parse_ini(text, "t", {});
  CHECK_FALSE(file.problems.empty());
}

TEST_CASE("ini: lines count or not as $enabled says, until the next one") {
  const auto lines = [](const std::string& condition) {
    auto context = with_parameters({{"full", "x"}, {"bool", "yes"}});
    context.module_loaded = [](std::string_view name) { return name == "sip"; };
    return shown("[a]\n[$enabled " + condition + "]\nk=1\n[b]\n[$enabled else]\nl=1\n", context);
  };
  const std::string on = "[a] k=1 [b]", off = "[a] l=1";
  CHECK(lines("yes") == on);
  CHECK(lines("off") == off);
  CHECK(lines("anything") == on);
  CHECK(lines("$bool anything") == off);
  CHECK(lines("$not no") == on);
  CHECK(lines("$loaded sip") == on);
  CHECK(lines("$loaded regfile") == off);
  CHECK(lines("$unloaded sip") == off);
  CHECK(lines("$not $loaded regfile") == on);
  CHECK(lines("$filled ${full}") == on);
  CHECK(lines("$filled ${missing}") == off);
  CHECK(lines("$empty ${missing}") == on);
  CHECK(lines("${bool}") == on);
}

TEST_CASE("ini: elseif counts only when what stands before did not, and toggle turns around") {
  CHECK(shown("[a]\n[$enabled no]\nk=1\n[$enabled elseif yes]\nl=1\n[$enabled toggle]\nm=1\n") == "[a] l=1");
  CHECK(shown("[a]\n[$enabled yes]\nk=1\n[$enabled elseif yes]\nl=1\n") == "[a] k=1");
}

TEST_CASE("ini: a condition ends with its file") {
  const Files files;
  files.put("main.conf", "[a]\n[$include off.conf]\nk=1\n");
  files.put("off.conf", "[$enabled no]\nl=1\n");
  CHECK(shown(files.read("main.conf")) == "[a] k=1");
}

TEST_CASE("ini: a file that is not there is no problem, one that cannot be read is an error") {
  const Files files;
  CHECK_FALSE(files.read("none.conf").found);
  CHECK(files.read("none.conf").problems.empty());
  fs::create_directory(files.dir / "folder.conf");
  CHECK(files.read("folder.conf").problems.size() == 1);
}

TEST_CASE("ini: files of data have no directives") {
  const auto sections = parse_sections("[101]\ndata=sip/${x}\n[$include x]\ny=1\n", "f");
  REQUIRE(sections.size() == 2);
  CHECK(sections[0].find("data")->value == "sip/${x}");
  CHECK(sections[1].name == "$include x");
}
