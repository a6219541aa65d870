// Which known name somebody may have meant who wrote another one. Pure.
#pragma once

#include <span>
#include <string_view>

namespace jackfield::accfile {

/// The candidate that is one slip away from `name` (two in long names), or nothing: a letter more, less, other or swapped with the next.
/// Nothing, too, where `name` is itself a candidate.
std::string_view meant_by(std::string_view name, std::span<const std::string_view> candidates);

}  // namespace jackfield::accfile
