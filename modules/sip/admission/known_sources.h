// Remembers, in a fixed number of slots, which addresses have proved to be users and which were already named in the log, so that
// the first refused call of a trunk nobody configured is explained once and phones are not mentioned. Forgetting only costs a line.
#pragma once

#include <cstddef>
#include <vector>

#include "net/address.h"

namespace jackfield::sip::admission {

class KnownSources {
 public:
  explicit KnownSources(std::size_t slots = 4096) : slots_(slots) {}

  /// Credentials from there were right; refusals before them are everyday.
  void note_user(const net::Address& source) { slot(source) = source.with_port(0); }
  /// True the first time, for a source that is not known.
  bool first_refusal(const net::Address& source) {
    auto& held = slot(source);
    if (held.same_host(source)) return false;
    held = source.with_port(0);
    return true;
  }

 private:
  net::Address& slot(const net::Address& source) { return slots_[net::AddressHash{}(source.with_port(0)) % slots_.size()]; }
  std::vector<net::Address> slots_;
};

}  // namespace jackfield::sip::admission
