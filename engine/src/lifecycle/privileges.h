// What a server may do to its machine: from root to a user of its own, and whether the limits it was started with fit its work. Engine
// thread, after everything that needs root is open.
#pragma once

#include <jackfield/log.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace jackfield {

/// Becomes `user` (USER or USER:GROUP) with that user's groups, no capability and no way to get one back, in all threads. What lies in
/// `state_dir`, and `log_file`, is given to the user first. Without root it is an error, unless that user runs the server already.
tl::expected<void, std::string> drop_privileges(std::string_view user, const std::filesystem::path& state_dir, const std::filesystem::path& log_file);

/// One line when root runs the server and no user was named.
void warn_about_root(Logger& log);

/// Core files and open files: what the limits are, and what to do where they are small.
void report_limits(Logger& log);

}  // namespace jackfield
