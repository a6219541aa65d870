#include "lifecycle/dependencies.h"
#include "lifecycle/enable_edit.h"
#include "lifecycle/enabling.h"
#include "lifecycle/modules.h"
#include "support/test_engine.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <map>

using namespace jackfield;

namespace {

constexpr Key kKeys[] = {
    {.name = "value", .type = KeyType::text, .fallback = "first", .unit = "", .doc = "x"},
    {.name = "check", .type = KeyType::text, .fallback = "", .unit = "", .doc = "x"},
    {.name = "prepare", .type = KeyType::text, .fallback = "", .unit = "", .doc = "x"},
    {.name = "fixed", .type = KeyType::text, .fallback = "", .unit = "", .doc = "x", .reloadable = false},
};
constexpr Section kSections[] = {{.name = "general", .doc = "", .keys = kKeys}};
constexpr KeyTable kTables[] = {{.name = "a", .doc = "", .sections = kSections}, {.name = "b", .doc = "", .sections = kSections}, {.name = "c", .doc = "", .sections = kSections}};

/// What modules did, in order, and how many plans and modules live. Reset by each test's Stage.
struct Journal {
  std::vector<std::string> steps;
  int plans = 0, modules = 0;
  std::map<std::string, std::string> values;
  std::function<void()> during_drain = [] {};
};
Journal* journal = nullptr;

struct TestPlan : Plan {
  TestPlan() { ++journal->plans; }
  ~TestPlan() override { --journal->plans; }
  std::string value, prepare;
};

template <int Index>
class TestModule : public ModuleOf<TestPlan> {
 public:
  TestModule() { ++journal->modules; }
  ~TestModule() override {
    --journal->modules;
    note("gone");
  }
  CheckResult check(const Settings& settings) const override {
    if (settings.text("general", "check") == "throw") throw std::runtime_error("thrown");
    if (settings.text("general", "check") == "refuse") return {nullptr, {{Problem::Severity::error, settings.where("general", "check"), "refused"}}};
    auto plan = std::make_unique<TestPlan>();
    plan->value = settings.text("general", "value");
    plan->prepare = settings.text("general", "prepare");
    return {std::move(plan), {}};
  }
  tl::expected<void, Problem> prepare_plan(Engine&, TestPlan& plan) override {
    note("prepare");
    if (plan.prepare == "refuse") return tl::unexpected(Problem{Problem::Severity::error, {}, "port taken"});
    return {};
  }
  void apply_plan(Engine&, std::unique_ptr<TestPlan> plan) noexcept override {
    note("apply");
    journal->values[name()] = plan->value;
  }
  Task<> drain() override {
    note("drain");
    journal->during_drain();
    co_return;
  }
  void stop() override { note("stop"); }

 private:
  static std::string name() { return std::string(kTables[Index].name); }
  void note(const char* step) const { journal->steps.push_back(std::string(step) + " " + name()); }
};

template <int Index>
std::unique_ptr<Module> make() {
  return std::make_unique<TestModule<Index>>();
}

constexpr std::string_view kNeedsB[] = {"b"}, kNeedsC[] = {"c"}, kNeedsA[] = {"a"};
const ModuleDescriptor kA{.abi = JACKFIELD_ABI, .name = "a", .summary = "", .requires_modules = kNeedsB, .keys = &kTables[0], .create = make<0>};
const ModuleDescriptor kB{.abi = JACKFIELD_ABI, .name = "b", .summary = "", .requires_modules = kNeedsC, .keys = &kTables[1], .create = make<1>};
const ModuleDescriptor kC{.abi = JACKFIELD_ABI, .name = "c", .summary = "", .requires_modules = {}, .keys = &kTables[2], .create = make<2>};
const ModuleDescriptor kCircular{.abi = JACKFIELD_ABI, .name = "c", .summary = "", .requires_modules = kNeedsA, .keys = &kTables[2], .create = make<2>};

struct Stage {
  Journal record;
  TestEngine engine;
  std::map<std::string, std::string, std::less<>> files;  ///< text of NAME.conf
  std::unique_ptr<Modules> modules = std::make_unique<Modules>(engine);

  Stage() { journal = &record; }
  ~Stage() {
    modules.reset();
    CHECK(record.modules == 0);
    CHECK(record.plans == 0);
    journal = nullptr;
  }
  Modules::Read reader() {
    return [this](const KeyTable& table) {
      auto file = settings::parse_ini(files[std::string(table.name)], std::string(table.name) + ".conf", {});
      settings::Folder::Loaded loaded;
      loaded.problems = settings::check_sections(table, file.sections, {}, false);
      if (!settings::has_errors(loaded.problems)) loaded.settings.emplace(table, file.sections, std::string(table.name) + ".conf", false);
      return loaded;
    };
  }
  std::vector<std::string> take() { return std::exchange(record.steps, {}); }
};

using Steps = std::vector<std::string>;

}  // namespace

TEST_CASE("modules: they start after what they need and stop in exact reverse") {
  Stage stage;
  CHECK(stage.modules->start({&kA, &kB, &kC}, stage.reader()).done);
  CHECK(stage.take() == Steps{"prepare c", "prepare b", "prepare a", "apply c", "apply b", "apply a"});
  CHECK(stage.modules->names() == std::vector<std::string>{"c", "b", "a"});
  stage.engine.spawn("drain", stage.modules->drain());
  stage.engine.advance(std::chrono::milliseconds(50));
  CHECK(stage.take() == Steps{"drain a", "drain b", "drain c"});
  stage.modules->stop();
  CHECK(stage.take() == Steps{"stop a", "stop b", "stop c"});
  stage.modules.reset();
  CHECK(stage.take() == Steps{"gone a", "gone b", "gone c"});
}

TEST_CASE("modules: start, stop, start works") {
  Stage stage;
  for (int i = 0; i < 2; ++i) {
    CHECK(stage.modules->start({&kC}, stage.reader()).done);
    CHECK(stage.modules->started("c"));
    stage.modules->stop();
    CHECK_FALSE(stage.modules->started("c"));
  }
}

TEST_CASE("modules: a circle is an error that names it, and so is a need that nobody meets") {
  auto order = start_order({&kA, &kB, &kCircular});
  REQUIRE_FALSE(order);
  CHECK(order.error() == "modules require each other in a circle: a needs b, b needs c, c needs a");
  order = start_order({&kA, &kC});
  REQUIRE_FALSE(order);
  CHECK(order.error().find("module `a` needs `b`") != std::string::npos);
  CHECK(start_order({&kB}, {"c"}));
}

TEST_CASE("modules: when one refuses at the start, nothing has started and everything is dropped") {
  for (const auto* line : {"check=refuse", "check=throw", "prepare=refuse", "nonsense"}) {
    Stage stage;
    stage.files["b"] = std::string("[general]\n") + line + "\n";
    const bool harmless = std::string_view(line) == "nonsense";
    const auto report = stage.modules->start({&kA, &kB, &kC}, stage.reader());
    CHECK(report.done == harmless);
    CHECK(report.problems.size() == 1);
    CHECK(stage.modules->names().size() == (harmless ? 3u : 0u));
    if (!harmless) CHECK(stage.record.values.empty());
  }
}

TEST_CASE("modules: a reload swaps everything or nothing, and a refused one does not poison the next") {
  Stage stage;
  REQUIRE(stage.modules->start({&kB, &kC}, stage.reader()).done);
  stage.files["b"] = "[general]\nvalue=second\n";
  for (const auto* bad : {"[general]\nvalue=second\ncheck=refuse\n", "[general]\nvalue=second\nprepare=refuse\n"}) {
    stage.files["c"] = bad;
    CHECK_FALSE(stage.modules->reload(stage.reader()).done);
    CHECK(stage.record.values == std::map<std::string, std::string>{{"b", "first"}, {"c", "first"}});
    CHECK(stage.record.plans == 0);
  }
  stage.files["c"] = "[general]\nvalue=second\n";
  CHECK(stage.modules->reload(stage.reader()).done);
  CHECK(stage.record.values == std::map<std::string, std::string>{{"b", "second"}, {"c", "second"}});
}

TEST_CASE("modules: one module can be reloaded alone; a key that only a start reads is pointed out") {
  Stage stage;
  REQUIRE(stage.modules->start({&kB, &kC}, stage.reader()).done);
  stage.files["b"] = stage.files["c"] = "[general]\nvalue=second\nfixed=other\n";
  const auto report = stage.modules->reload(stage.reader(), "c");
  CHECK(report.done);
  REQUIRE(report.problems.size() == 1);
  CHECK(report.problems[0].text.find("fixed") != std::string::npos);
  CHECK(stage.record.values == std::map<std::string, std::string>{{"b", "first"}, {"c", "second"}});
  CHECK_FALSE(stage.modules->reload(stage.reader(), "a").done);
}

TEST_CASE("modules: one that others need is not unloaded; unloading drains, then stops") {
  Stage stage;
  REQUIRE(stage.modules->start({&kB, &kC}, stage.reader()).done);
  stage.take();
  CHECK_FALSE(stage.engine.run(stage.modules->unload("c"))->done);
  CHECK(stage.take().empty());
  CHECK(stage.engine.run(stage.modules->unload("b"))->done);
  CHECK(stage.take() == Steps{"drain b", "stop b"});
  CHECK(stage.engine.run(stage.modules->unload("c"))->done);
  CHECK_FALSE(stage.engine.run(stage.modules->unload("c"))->done);
  CHECK(stage.modules->start({&kC}, stage.reader()).done);
}

TEST_CASE("modules: one that is needed by the time it has drained stays") {
  Stage stage;
  REQUIRE(stage.modules->start({&kC}, stage.reader()).done);
  stage.record.during_drain = [&] { CHECK(stage.modules->start({&kB}, stage.reader()).done); };
  const auto report = stage.engine.run(stage.modules->unload("c"));
  stage.record.during_drain = [] {};
  CHECK_FALSE(report->done);
  CHECK(report->problems.front().text.find("`b` needs `c`") != std::string::npos);
  CHECK(stage.modules->names() == Steps{"c", "b"});
}

TEST_CASE("modules: one that cannot even be made is an error, and nothing has started") {
  Stage stage;
  const ModuleDescriptor broken{.abi = JACKFIELD_ABI, .name = "b", .summary = "", .requires_modules = kNeedsC, .keys = &kTables[1],
                                .create = []() -> std::unique_ptr<Module> { throw std::runtime_error("no luck"); }};
  CHECK_FALSE(Modules::check({&broken, &kC}, stage.reader()).done);
  const auto report = stage.modules->start({&broken, &kC}, stage.reader());
  CHECK_FALSE(report.done);
  CHECK(report.problems.front().text.find("no luck") != std::string::npos);
  CHECK(stage.modules->names().empty());
}

TEST_CASE("modules: checking opens nothing and finds every problem") {
  Stage stage;
  stage.files["a"] = "[general]\ncheck=refuse\n";
  stage.files["c"] = "[general]\ncheck=refuse\nprepare=refuse\n";
  const auto report = Modules::check({&kA, &kB, &kC}, stage.reader());
  CHECK_FALSE(report.done);
  CHECK(report.problems.size() == 2);
  CHECK(std::count_if(stage.record.steps.begin(), stage.record.steps.end(), [](const auto& step) { return !step.starts_with("gone"); }) == 0);
}

namespace {

constexpr Section kMainSections[] = {{.name = "modules", .doc = "", .keys = {}, .any_key = true}};
constexpr KeyTable kMain{.name = "jackfield", .doc = "", .sections = kMainSections};

std::string enabled(const std::string& text, bool yate, bool modload, Problems* problems = nullptr) {
  const Settings main(kMain, settings::parse_ini(text, "main.conf", {}).sections, "main.conf", yate);
  const auto result = enabled_modules(main, modload, {"callfork", "regfile", "sip"});
  std::string out;
  for (const auto& module : result.modules) out += module.name + " ";
  if (problems) *problems = result.problems;
  return out;
}

}  // namespace

TEST_CASE("modules: those are enabled that [modules] names, with or without Yate's suffix and names") {
  CHECK(enabled("[modules]\nsip=yes\nregfile.yate=on\ncallfork=no\n", false, false) == "sip regfile ");
  CHECK(enabled("[modules]\nysipchan.yate=yes\n", true, false) == "sip ");
  CHECK(enabled("[modules]\ncallfork=no\n", true, true) == "regfile sip ");
}

TEST_CASE("modules: one that is not there is an error of ours, and in Yate's file a warning that says what calls lose") {
  Problems problems;
  enabled("[modules]\nregfle=yes\n", false, false, &problems);
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].severity == Problem::Severity::error);
  CHECK(problems[0].text.find("did you mean `regfile`?") != std::string::npos);
  enabled("[modules]\ntonegen.yate=yes\n", true, true, &problems);
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].severity == Problem::Severity::warning);
  CHECK(problems[0].text.find("tone/…") != std::string::npos);
  CHECK(problems[0].where.line == 2);
}

TEST_CASE("modules: enabling one edits one line of the file and no other byte") {
  CHECK(with_module_enabled("; c\n[general]\nx=1\n[modules]\nsip=yes\n\n[debug]\n", "regfile") == "; c\n[general]\nx=1\n[modules]\nsip=yes\nregfile=yes\n\n[debug]\n");
  CHECK(with_module_enabled("[modules]\n;regfile=yes\nregfile.yate=no\nsip=yes", "regfile") == "[modules]\n;regfile=yes\nregfile=yes\nsip=yes");
  CHECK(with_module_enabled("", "sip") == "[modules]\nsip=yes\n");
  CHECK(with_module_enabled("[general]\nx=1", "sip") == "[general]\nx=1\n\n[modules]\nsip=yes\n");
}
