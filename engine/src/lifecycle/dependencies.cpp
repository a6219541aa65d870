#include "lifecycle/dependencies.h"

#include <fmt/format.h>

#include <algorithm>

namespace jackfield {

namespace {

class Sorter {
 public:
  Sorter(const std::vector<const ModuleDescriptor*>& modules, const std::vector<std::string>& running) : modules_(modules), running_(running) {}

  tl::expected<std::vector<const ModuleDescriptor*>, std::string> run() {
    for (const auto* module : modules_)
      if (!visit(*module)) return tl::unexpected(error_);
    return std::move(order_);
  }

 private:
  bool visit(const ModuleDescriptor& module) {
    if (std::find(order_.begin(), order_.end(), &module) != order_.end()) return true;
    if (const auto again = std::find(path_.begin(), path_.end(), &module); again != path_.end()) {
      path_.push_back(&module);
      error_ = "modules require each other in a circle:";
      for (auto at = path_.begin() + (again - path_.begin()); at + 1 != path_.end(); ++at)
        error_ += fmt::format("{} {} needs {}", at == path_.begin() + (again - path_.begin()) ? "" : ",", (*at)->name, (*(at + 1))->name);
      return false;
    }
    path_.push_back(&module);
    for (const auto needed : module.requires_modules) {
      if (std::find(running_.begin(), running_.end(), needed) != running_.end()) continue;
      const auto found = std::find_if(modules_.begin(), modules_.end(), [&](const auto* other) { return other->name == needed; });
      if (found == modules_.end()) {
        error_ = fmt::format("module `{}` needs `{}`, which is not enabled: `jackfield module enable {}`", module.name, needed, needed);
        return false;
      }
      if (!visit(**found)) return false;
    }
    path_.pop_back();
    order_.push_back(&module);
    return true;
  }

  const std::vector<const ModuleDescriptor*>& modules_;
  const std::vector<std::string>& running_;
  std::vector<const ModuleDescriptor*> order_, path_;
  std::string error_;
};

}  // namespace

tl::expected<std::vector<const ModuleDescriptor*>, std::string> start_order(const std::vector<const ModuleDescriptor*>& modules,
                                                                            const std::vector<std::string>& running) {
  return Sorter(modules, running).run();
}

}  // namespace jackfield
