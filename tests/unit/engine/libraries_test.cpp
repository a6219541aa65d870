#include "lifecycle/libraries.h"

#include "lifecycle/engine_settings.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <dlfcn.h>

using namespace jackfield;

TEST_CASE("[preload] loads what it names with yes, and says what cannot be loaded") {
  const auto library = fmt::format("{}/answering.so", JACKFIELD_TEST_PLUGINS);
  const auto load = [](std::vector<Entry> entries) {
    return load_libraries(Settings(kEngineKeys, {{.name = "preload", .where = {}, .entries = std::move(entries)}}, "yate.conf", true), "preload");
  };
  CHECK(load({{library, "no", {}}, {"/nowhere/lib.so", "no", {}}}).empty());
  CHECK(load({{library, "yes", {}}}).empty());
  CHECK(::dlsym(RTLD_DEFAULT, "jackfield_module") != nullptr);

  const auto problems = load({{"/nowhere/lib.so", "yes", {"yate.conf", 3}}, {library, "perhaps", {"yate.conf", 4}}});
  REQUIRE(problems.size() == 2);
  CHECK(problems[0].severity == Problem::Severity::warning);
  CHECK(problems[0].where.line == 3);
  CHECK(problems[0].text.find("/nowhere/lib.so") != std::string::npos);
  CHECK(problems[1].text == fmt::format("[preload] {}: `perhaps` is not yes or no", library));
}
