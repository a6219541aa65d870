// What an alias stands for (rmanager.conf, `alias:NAME=…`). Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace jackfield::rmanager {

/// The commands `line` stands for: itself, or what the alias of its first word says, with \1 to \9 (the words behind it) and \0 (all of them)
/// put in, in one pass, and parted at `$()`. What comes out is not looked up again.
std::vector<std::string> expand(std::string_view line, const std::vector<std::pair<std::string, std::string>>& aliases);

}  // namespace jackfield::rmanager
