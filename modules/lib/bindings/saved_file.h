// The file of registrations in Yate's format: a section per user, its first binding as Yate writes one, further ones in keys
// that Yate ignores. Pure: text in, bindings out, and back.
#pragma once

#include "bindings/binding_table.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace jackfield::bindings {

/// The first line of a file that we wrote: how far the journal had come, and a checksum of everything after that line.
struct SavedMark {
  std::uint64_t position = 0;
  std::uint64_t checksum = 0;
};
/// Nothing: somebody else wrote the file, or changed it since.
std::optional<SavedMark> saved_mark(std::string_view text);
/// FNV-1a; finds changes, proves nothing.
std::uint64_t checksum_of(std::string_view text);

/// Users whose name cannot stand in a section's header are left out; the journal has them.
std::string write_saved(const BindingTable& bindings, std::uint64_t position);
/// `expires_ms` as in Binding. Returns the number of sections that were no binding (no data).
std::size_t read_saved(std::string_view text, const std::function<void(PackedBinding, std::int64_t expires_ms)>& visit);

}  // namespace jackfield::bindings
