// Replaces a file as a whole: whoever reads it sees the old or the new one, also after a crash.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace jackfield::conf {

/// The error names the file, what failed and what to do.
tl::expected<std::string, std::string> read_file(const std::filesystem::path& path);
/// Owner and mode of an existing file are kept; a new one gets `new_mode`. A symbolic link stays one.
tl::expected<void, std::string> replace_file(const std::filesystem::path& path, std::string_view text, unsigned new_mode);

}  // namespace jackfield::conf
