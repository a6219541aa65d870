// The commented sample of a module's file, made from its key table: `jackfield settings NAME`, and the shipped conf.d.
#pragma once

#include <jackfield/settings.h>

#include <string>
#include <string_view>

namespace jackfield::settings {

std::string sample(const KeyTable& table);

/// `text` in lines of at most `width` columns, each opened by `prefix`; line ends in `text` are kept.
std::string wrapped(std::string_view text, std::string_view prefix, std::size_t width = 80);

}  // namespace jackfield::settings
