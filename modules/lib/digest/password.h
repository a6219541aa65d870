// Passwords made for people. No I/O: the random bytes are the caller's.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace jackfield::digest {

/// At least 96 bits in an alphabet without look-alikes, easy to type into a phone. `fill` gives random bytes.
std::string generate_password(const std::function<void(std::span<std::uint8_t>)>& fill);

}  // namespace jackfield::digest
