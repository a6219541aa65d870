#include "loader/module_folders.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

using namespace jackfield;

namespace {

/// Where the plugins of tests/support/plugins are built.
const std::filesystem::path kPlugins = JACKFIELD_TEST_PLUGINS;

}  // namespace

TEST_CASE("loader: a module that fits is opened once and keeps its descriptor") {
  ModuleFolders folders({"/nonexistent", kPlugins});
  const auto found = folders.find("answering");
  REQUIRE_MESSAGE(found, (found ? "" : found.error()));
  CHECK(std::string_view((*found)->name) == "answering");
  CHECK(*folders.find("answering") == *found);
}

TEST_CASE("loader: a module built against another engine is refused, and told to build again") {
  ModuleFolders folders({kPlugins});
  const auto found = folders.find("stale");
  REQUIRE_FALSE(found);
  CHECK(found.error().find("build it again") != std::string::npos);
  CHECK(found.error().find("headers-of-last-year") != std::string::npos);
}

TEST_CASE("loader: a library that lacks a symbol is refused at once, and the symbol is named") {
  ModuleFolders folders({kPlugins});
  const auto found = folders.find("unresolved");
  REQUIRE_FALSE(found);
  CHECK(found.error().find("jackfield_nobody_defines_this") != std::string::npos);
}

TEST_CASE("loader: a library without a module, a renamed one and a broken one are refused by name") {
  ModuleFolders folders({kPlugins});
  const auto plain = folders.find("plain");
  REQUIRE_FALSE(plain);
  CHECK(plain.error().find("exports no `jackfield_module`") != std::string::npos);
  const auto dir = std::filesystem::temp_directory_path() / ("jackfield-loader-" + std::to_string(getpid()));
  std::filesystem::create_directory(dir);
  std::filesystem::copy_file(kPlugins / "answering.so", dir / "other.so");
  std::ofstream(dir / "text.so") << "no library";
  ModuleFolders copies({dir});
  CHECK(copies.find("other").error().find("rename the file") != std::string::npos);
  CHECK(copies.find("text").error().find("text.so") != std::string::npos);
  std::filesystem::remove_all(dir);
}

TEST_CASE("loader: an unknown name is answered with the nearest, and no name leaves the folders") {
  ModuleFolders folders({kPlugins});
  CHECK(folders.find("answerng").error().find("did you mean `answering`?") != std::string::npos);
  CHECK_FALSE(folders.find("../" + kPlugins.filename().string() + "/answering"));
  CHECK_FALSE(folders.find(""));
  const auto names = folders.names();
  CHECK(std::is_sorted(names.begin(), names.end()));
  CHECK(std::find(names.begin(), names.end(), "answering") != names.end());
}
