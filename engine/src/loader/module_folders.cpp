#include "loader/module_folders.h"

#include "settings/tables.h"

#include <fmt/format.h>

#include <set>

namespace jackfield {

namespace fs = std::filesystem;

std::vector<std::string> ModuleFolders::names() const {
  std::set<std::string> names;
  for (const auto& folder : folders_) {
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
      if (it->path().extension() == ".so") names.insert(it->path().stem());
  }
  return {names.begin(), names.end()};
}

tl::expected<const ModuleDescriptor*, std::string> ModuleFolders::find(std::string_view name) {
  if (const auto known = open_.find(name); known != open_.end()) return &known->second.descriptor();
  // A name from a console must not walk out of the folders.
  const bool plain = !name.empty() && name.find('/') == std::string_view::npos && !name.starts_with('.');
  for (const auto& folder : folders_) {
    const auto path = folder / fmt::format("{}.so", name);
    std::error_code error;
    if (!plain || !fs::exists(path, error)) continue;
    auto plugin = Plugin::open(path);
    if (!plugin) return tl::unexpected(plugin.error());
    if (plugin->descriptor().name != name)
      return tl::unexpected(fmt::format("{} holds a module named `{}`: rename the file", path.string(), plugin->descriptor().name));
    return &open_.emplace(std::string(name), std::move(*plugin)).first->second.descriptor();
  }
  const auto all = names();
  const std::vector<std::string_view> candidates(all.begin(), all.end());
  const auto near = settings::nearest(name, candidates);
  std::string where;
  for (const auto& folder : folders_) where += (where.empty() ? "" : ", ") + folder.string();
  return tl::unexpected(fmt::format("there is no module `{}` in {}{}", name, where, near.empty() ? std::string() : fmt::format("; did you mean `{}`?", near)));
}

}  // namespace jackfield
