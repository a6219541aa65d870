// What was built, and of which commit.
#pragma once

#include <string>

namespace jackfield {

/// Jackfield's version: CMake's project(VERSION).
const char* version();
/// The commit it was built from; `unknown` in every program but `jackfield`: only that is linked anew when nothing but the commit is new.
const char* commit();
/// Both, for people.
std::string version_text();

}  // namespace jackfield
