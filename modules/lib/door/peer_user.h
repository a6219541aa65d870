// Whose process is at the other end of a TCP connection within this machine.
#pragma once

#include <sys/types.h>

#include <optional>

#include "net/address.h"

namespace jackfield::door {

/// Asks the kernel (sock_diag), without waiting. Nothing when the far end is not on this machine, is gone already, or the kernel does not tell.
std::optional<uid_t> user_of(const net::Address& far, const net::Address& near);

}  // namespace jackfield::door
