#include "settings/folder.h"
#include "settings/sample.h"
#include "settings/tables.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

using namespace jackfield;
using namespace jackfield::settings;
using namespace std::chrono_literals;

namespace {

constexpr Key kGeneral[] = {
    {.name = "port", .type = KeyType::integer, .fallback = "5060", .unit = "", .doc = "Where it listens.", .min = 1, .max = 65535},
    {.name = "enabled", .type = KeyType::boolean, .fallback = "yes", .unit = "", .doc = "Whether it does anything."},
    {.name = "interval", .type = KeyType::seconds, .fallback = "30", .unit = "s", .doc = "How often.", .min = 1000},
    {.name = "wait", .type = KeyType::milliseconds, .fallback = "500", .unit = "ms", .doc = "How long."},
    {.name = "kind", .type = KeyType::choice, .fallback = "udp", .unit = "", .doc = "Which.", .choices = "udp,tcp"},
    {.name = "names", .type = KeyType::list, .fallback = "a, b", .unit = "", .doc = "Several."},
    {.name = "path", .type = KeyType::text, .fallback = "", .unit = "", .doc = "Where.", .reloadable = false},
    {.name = "query", .type = KeyType::text, .fallback = "", .unit = "", .doc = "What.", .literal = true},
    {.name = "key", .type = KeyType::secret, .fallback = "", .unit = "", .doc = "Hidden."},
};
constexpr std::string_view kIgnored[] = {"oldkey"};
constexpr Section kSections[] = {
    {.name = "general", .doc = "All of it.", .keys = kGeneral, .ignored = kIgnored},
    {.name = "listener *", .doc = "One more.", .keys = kGeneral},
    {.name = "free", .doc = "", .keys = {}, .any_key = true, .sample = "x=1\n", .preset = "on=yes\n"},
};
constexpr std::string_view kIgnoredSections[] = {"oldsection"};
constexpr KeyTable kTable{.name = "thing", .doc = "A thing.", .sections = kSections, .yate_name = "ything", .ignored_sections = kIgnoredSections};

struct Conf {
  std::filesystem::path dir;
  Conf() {
    std::string pattern = (std::filesystem::temp_directory_path() / "jackfield-conf-XXXXXX").string();
    dir = mkdtemp(pattern.data());
  }
  ~Conf() { std::filesystem::remove_all(dir); }
  Folder::Loaded load(const std::string& text, const std::string& name = "thing.conf") const {
    std::ofstream(dir / name) << text;
    IniContext context;
    context.run_parameter = [](std::string_view parameter) -> std::optional<std::string_view> {
      if (parameter == "sharedpath") return "/share";
      return std::nullopt;
    };
    return Folder(dir, context).load(kTable);
  }
};

}  // namespace

TEST_CASE("settings: values come from the file, else from the table") {
  const auto loaded = Conf().load("[general]\nport=0x1F90\ninterval=1.5\nwait=2s\nnames=x , y,,z\nkey=${secret}\n");
  REQUIRE(loaded.settings);
  CHECK(loaded.problems.empty());
  const auto& settings = *loaded.settings;
  CHECK(settings.integer("general", "port") == 8080);
  CHECK(settings.boolean("general", "enabled"));
  CHECK(settings.duration("general", "interval") == 1500ms);
  CHECK(settings.duration("general", "wait") == 2s);
  CHECK(settings.list("general", "names") == std::vector<std::string>{"x", "y", "z"});
  CHECK(settings.text("general", "kind") == "udp");
  CHECK(settings.text("general", "key") == "${secret}");
  CHECK_FALSE(settings.from_yate());
}

TEST_CASE("settings: a key that is not in the table is the programmer's error") {
  const auto loaded = Conf().load("");
  CHECK_THROWS_AS((void)loaded.settings->text("general", "nothing"), std::logic_error);
}

TEST_CASE("settings: run parameters fill declared values, not literal ones, not secrets") {
  const auto loaded = Conf().load("[general]\npath=${sharedpath}/x${none$y}\nquery=a ${username}\n");
  CHECK(loaded.settings->text("general", "path") == "/share/xy");
  CHECK(loaded.settings->text("general", "query") == "a ${username}");
  REQUIRE(loaded.problems.size() == 1);
  CHECK(loaded.problems[0].text.find("none") != std::string::npos);
}

TEST_CASE("settings: an unknown key is a warning with file, line and the nearest known name") {
  const Conf conf;
  const auto loaded = conf.load("[general]\n\nprot=1\n");
  REQUIRE(loaded.settings);
  REQUIRE(loaded.problems.size() == 1);
  CHECK(to_text(loaded.problems[0]) == (conf.dir / "thing.conf").string() + ":3: warning: [general] has no key `prot`; did you mean `port`?");
}

TEST_CASE("settings: unknown sections are named, ignored keys and sections are not") {
  const auto loaded = Conf().load("[genral]\n[listener tls]\nport=1\n[general]\noldkey=1\n[oldsection]\nx=1\n[free]\nwhatever=1\n");
  REQUIRE(loaded.problems.size() == 1);
  CHECK(loaded.problems[0].text.find("did you mean `general`?") != std::string::npos);
}

TEST_CASE("settings: a bad value is an error that says what is allowed") {
  for (const auto& [line, allowed] : {std::pair{"port=70000", "a whole number from 1 to 65535"}, std::pair{"port=12a", "a whole number from 1 to 65535"},
                                      std::pair{"enabled=Yes", "yes or no"}, std::pair{"kind=sctp", "one of udp, tcp"},
                                      std::pair{"interval=500ms", "at least 1 s"}, std::pair{"wait=long", "a time such as"}}) {
    const auto loaded = Conf().load(std::string("[general]\n") + line + "\n");
    CHECK_FALSE(loaded.settings);
    REQUIRE(loaded.problems.size() == 1);
    CAPTURE(loaded.problems[0].text);
    CHECK(loaded.problems[0].text.find(allowed) != std::string::npos);
    CHECK(loaded.problems[0].where.line == 2);
  }
}

TEST_CASE("settings: an empty number means the default") {
  const auto loaded = Conf().load("[general]\nport=\ninterval=\n");
  REQUIRE(loaded.settings);
  CHECK(loaded.settings->integer("general", "port") == 5060);
  CHECK(loaded.settings->duration("general", "interval") == 30s);
}

TEST_CASE("settings: Yate's file is read where there is none of ours; what it has wrong counts as the default, as it did there") {
  const Conf conf;
  auto loaded = conf.load("[general]\nport=99999\nunheard=1\n[unheard]\nx=1\n", "ything.conf");
  REQUIRE(loaded.settings);
  CHECK(loaded.settings->from_yate());
  CHECK(loaded.settings->integer("general", "port") == 5060);
  CHECK(loaded.problems.size() == 2);
  loaded = conf.load("[general]\nport=7\n");
  CHECK_FALSE(loaded.settings->from_yate());
  CHECK(loaded.settings->integer("general", "port") == 7);
}

TEST_CASE("settings: the nearest name allows for slips, not for guesses") {
  const std::vector<std::string_view> names = {"autocreate", "register", "route"};
  CHECK(nearest("autocraete", names) == "autocreate");
  CHECK(nearest("regster", names) == "register");
  CHECK(nearest("banana", names).empty());
}

TEST_CASE("settings: the sample shows every key with its default, and nothing in it is in force but presets") {
  const auto text = sample(kTable);
  for (const auto& key : kGeneral) {
    CHECK(text.find(std::string(";") + std::string(key.name) + "=" + (key.type == KeyType::secret ? "" : std::string(key.fallback)) + "\n") != std::string::npos);
    CHECK(text.find(std::string(key.doc)) != std::string::npos);
  }
  CHECK(text.find(";[listener NAME]") != std::string::npos);
  CHECK(text.find("read at start only") != std::string::npos);
  const auto file = parse_ini(text, "sample", {});
  CHECK(file.problems.empty());
  std::size_t entries = 0;
  for (const auto& section : file.sections) entries += section.entries.size();
  CHECK(entries == 1);
}

TEST_CASE("settings: durations, integers and booleans are read as COMPAT says and nothing else") {
  CHECK(parse_duration("500ms", 1s) == 500ms);
  CHECK(parse_duration("2h", 1s) == 2h);
  CHECK(parse_duration("1.25 s", 1s) == 1250ms);
  CHECK(parse_duration("7", 1ms) == 7ms);
  for (const auto* bad : {"", "-1", "1x", ".5", "1.", "99999999999999999999", "1 2"}) CHECK_FALSE(parse_duration(bad, 1s));
  CHECK(parse_integer("0640") == 0640);
  CHECK(parse_integer("-0x10") == -16);
  CHECK(parse_integer("0") == 0);
  for (const auto* bad : {"", "-", "08", "--1", "+1", "1 ", "9223372036854775808"}) CHECK_FALSE(parse_integer(bad));
  for (const auto* yes : {"true", "yes", "on", "enable", "t"}) CHECK(parse_boolean(yes) == true);
  for (const auto* no : {"false", "no", "off", "disable", "f"}) CHECK(parse_boolean(no) == false);
  for (const auto* bad : {"True", "1", "0", "", "y"}) CHECK_FALSE(parse_boolean(bad));
}

TEST_CASE("settings: substitution is one pass and never looks at what it put in") {
  const auto lookup = [](std::string_view name) -> std::optional<std::string_view> {
    if (name == "a") return "${b}";
    return std::nullopt;
  };
  CHECK(substitute("x${a}y${c$d}z${e}${open", lookup) == "x${b}ydz${open");
}

TEST_CASE("YT-19: config.SECTION.KEY is what the file says, and no secret of it") {
  const auto loaded = Conf().load("[general]\nport=5070\nkey=hidden\n[listener a.b]\nport=1\n[free]\ndb_password=x\nmy_secret=y\nnote=z\n");
  REQUIRE(loaded.settings);
  const auto asked = [&](std::string_view name) { return written(kTable, *loaded.settings, name); };
  CHECK(asked("general.port") == "5070");
  CHECK(asked("general") == "");
  CHECK(asked("free.note") == "z");
  for (const char* nothing : {"general.key", "general.enabled", "general.", "nothing", "nothing.port", "", ".", "free.db_password", "free.my_secret"}) {
    CAPTURE(nothing);
    CHECK_FALSE(asked(nothing));
  }
}
