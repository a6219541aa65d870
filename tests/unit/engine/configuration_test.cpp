// The engine's own file: what it says, and what is said about it.
#include "lifecycle/configuration.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

using namespace jackfield;

namespace {

namespace fs = std::filesystem;

struct Folder {
  fs::path dir;
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "jackfield-conf-XXXXXX").string();
    dir = mkdtemp(pattern.data());
  }
  ~Folder() { fs::remove_all(dir); }
  void put(const std::string& name, std::string_view text) const { std::ofstream(dir / name, std::ios::trunc) << text; }
  Places places() const {
    Places places;
    places.config_dir = dir;
    places.module_dirs = {dir / "modules"};
    places.default_state_dir = "/var/lib/default";
    return places;
  }
};

bool says(const Problems& problems, Problem::Severity severity, int line, std::string_view text) {
  return std::any_of(problems.begin(), problems.end(), [&](const Problem& problem) {
    return problem.severity == severity && problem.where.line == line && problem.text.find(text) != std::string::npos;
  });
}

}  // namespace

TEST_CASE("configuration: the state directory is -w's, else the file's, else the default; a relative one is below the file's folder") {
  const Folder folder;
  Places places = folder.places();
  const auto state_dir = [&] {
    Configuration configuration(places, {});
    (void)configuration.load();
    return configuration.state_dir();
  };
  CHECK(state_dir() == "/var/lib/default");
  folder.put("jackfield.conf", "[general]\nstatedir=/var/lib/mine-${configname}\n");
  CHECK(state_dir() == "/var/lib/mine-jackfield");
  folder.put("jackfield.conf", "[general]\nstatedir=state\n");
  CHECK(state_dir() == folder.dir / "state");
  places.state_dir = "here";
  CHECK(state_dir() == fs::current_path() / "here");
}

TEST_CASE("configuration: a file with errors still says where its server is found") {
  const Folder folder;
  folder.put("jackfield.conf", "[general]\nloglevel=loud\nstatedir=/var/lib/mine\n[$require gone]\n");
  Configuration configuration(folder.places(), {});
  CHECK(settings::has_errors(configuration.load()));
  CHECK(configuration.state_dir() == "/var/lib/mine");
}

TEST_CASE("configuration: a folder without the engine's file is pointed out") {
  const Folder folder;
  Configuration configuration(folder.places(), {});
  CHECK(says(configuration.load(), Problem::Severity::warning, 0, "there is neither jackfield.conf nor yate.conf"));
}

TEST_CASE("configuration: keys of Yate's that do nothing here are named, each with why") {
  const Folder folder;
  folder.put("yate.conf", "[general]\nmaxmsgrate=100\nmaxevents=10\nmaxqueued=50\nmaxmsgage=20\n[telephony]\nmaxroute=5\ntimeout=60000\n");
  Configuration configuration(folder.places(), {});
  const auto problems = configuration.load();
  CHECK(says(problems, Problem::Severity::warning, 2, "maxmsgrate does nothing here"));
  CHECK(says(problems, Problem::Severity::warning, 7, "maxroute does nothing here"));
  CHECK(problems.size() == 2);
  CHECK(configuration.run_parameters().at("telephony.timeout") == "60000");
  CHECK(configuration.run_parameters().at("general.maxqueued") == "50");
  CHECK(configuration.run_parameters().at("general.maxmsgage") == "20");
}
