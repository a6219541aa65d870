// The modules of a running server and the five steps of each (module.h). Start and reload are check, prepare and apply over all
// of them; when one refuses, what was prepared is dropped in reverse and nothing has changed. Engine thread only.
#pragma once

#include <jackfield/module.h>

#include "settings/folder.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace jackfield {

/// Names the keys that only a start reads and whose value has changed.
void report_unchangeable(const KeyTable& keys, const Settings& before, const Settings& after, Problems& problems);

class Modules {
 public:
  using Read = std::function<settings::Folder::Loaded(const KeyTable&)>;
  explicit Modules(Engine& engine) : engine_(engine) {}
  /// Destroys in reverse; stop() comes first, and then whatever still ran on a module's behalf.
  ~Modules();
  Modules(const Modules&) = delete;

  struct Report {
    bool done = false;  ///< false: a problem is an error, and nothing has changed
    Problems problems;
  };
  /// The first step alone, for modules that are not running: opens nothing, needs no engine.
  static Report check(const std::vector<const ModuleDescriptor*>& modules, const Read& read);

  Report start(const std::vector<const ModuleDescriptor*>& modules, const Read& read);
  /// All that run, or the one of that name.
  Report reload(const Read& read, std::string_view only = {});
  /// Drains and stops one module; refused while another needs it. The object lives on until the end, for what it still waits for.
  Task<Report> unload(std::string name);

  /// All are asked at once, in reverse; ends when all have ended.
  Task<> drain();
  /// In exact reverse of start().
  void stop();

  bool started(std::string_view name) const;
  std::vector<const ModuleDescriptor*> list() const;  ///< in the order of their start
  std::vector<std::string> names() const;

 private:
  struct Running {
    const ModuleDescriptor* descriptor;
    std::unique_ptr<Module> module;
    Settings settings;
  };
  /// A module on its way through the three steps. The plan goes before the object it may refer to.
  struct Candidate {
    const ModuleDescriptor* descriptor;
    std::unique_ptr<Module> fresh;  ///< null: it runs already
    Module* module;
    std::optional<Settings> settings;
    std::unique_ptr<Plan> plan;
  };
  struct Candidates;
  static void check(Candidate& candidate, const Read& read, Problems& problems);
  bool prepare(std::vector<Candidate>& candidates, Problems& problems);
  void apply(Candidate& candidate);

  Engine& engine_;
  std::vector<Running> running_;
  std::vector<Running> retired_;
};

}  // namespace jackfield
