// How many descriptors the process may have: each TCP connection, listener and file takes one.
#pragma once

#include <cstdint>
#include <string>

namespace jackfield {

/// Raises the soft limit to the hard one, which the operator set; the limit of core files stays as it is. Answers what he should be
/// told, empty when there is room enough.
std::string raise_descriptor_limit();

}  // namespace jackfield
