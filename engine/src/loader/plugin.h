// One shared library with a module in it. Boost.DLL maps it; nothing else of ours knows that.
#pragma once

#include <jackfield/module.h>

#include <filesystem>
#include <memory>
#include <string>
#include <tl/expected.hpp>

namespace jackfield {

class Plugin {
 public:
  /// Maps the library with every symbol resolved now, and refuses it when it exports no module or was built against another
  /// engine. The error names the file and says what to do.
  static tl::expected<Plugin, std::string> open(const std::filesystem::path& path);

  const ModuleDescriptor& descriptor() const { return *descriptor_; }
  const std::filesystem::path& path() const { return path_; }
  /// Keeps the library mapped: it must outlive every io_context.
  const std::shared_ptr<void>& library() const { return library_; }

 private:
  Plugin(std::filesystem::path path, std::shared_ptr<void> library, const ModuleDescriptor* descriptor)
      : path_(std::move(path)), library_(std::move(library)), descriptor_(descriptor) {}

  std::filesystem::path path_;
  std::shared_ptr<void> library_;
  const ModuleDescriptor* descriptor_;
};

}  // namespace jackfield
