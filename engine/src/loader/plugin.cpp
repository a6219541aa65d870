#include "loader/plugin.h"

#include <boost/dll/shared_library.hpp>
#include <fmt/format.h>

#include <string_view>

namespace jackfield {

tl::expected<Plugin, std::string> Plugin::open(const std::filesystem::path& path) {
  auto library = std::make_shared<boost::dll::shared_library>();
  std::error_code error;
  library->load(path, error, boost::dll::load_mode::rtld_now);
  // The loader's own words name the missing symbol or file; Boost's error code does not.
  if (error) {
    const char* detail = dlerror();
    return tl::unexpected(fmt::format("{} cannot be loaded: {}", path.string(), detail ? detail : error.message()));
  }
  if (!library->has("jackfield_module"))
    return tl::unexpected(fmt::format("{} is no Jackfield module: it exports no `jackfield_module`", path.string()));
  const auto& descriptor = library->get<const ModuleDescriptor>("jackfield_module");
  if (!descriptor.abi || std::string_view(descriptor.abi) != JACKFIELD_ABI)
    return tl::unexpected(fmt::format("{} was built for another engine and is refused: build it again against this one's headers ({} there, {} here)",
                                      path.string(), descriptor.abi ? descriptor.abi : "no stamp", JACKFIELD_ABI));
  return Plugin(path, std::move(library), &descriptor);
}

}  // namespace jackfield
