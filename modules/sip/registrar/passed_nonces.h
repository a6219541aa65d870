// Which nonces of other servers were passed on to which sources: who answers one has shown that he is where he says, as with a nonce of
// our own (D7, D21). A fixed number of slots; what is forgotten costs a count or a proof. Owned by Registrar; engine thread.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>
#include <vector>

#include <jackfield/clock.h>

#include "net/address.h"

namespace jackfield::sip::registrar {

class PassedNonces {
 public:
  explicit PassedNonces(std::size_t slots = 4096) : slots_(slots) {}

  void note(const net::Address& source, std::string_view nonce, MonoTime now) { slot(source, nonce) = {hash(source, nonce), now}; }
  enum class Known { no, old, fresh };
  /// An old one may have been refused for its age alone.
  Known find(const net::Address& source, std::string_view nonce, MonoTime now) const {
    const auto& held = const_cast<PassedNonces*>(this)->slot(source, nonce);
    if (held.hash != hash(source, nonce)) return Known::no;
    return now - held.since <= kFresh ? Known::fresh : Known::old;
  }

 private:
  static constexpr Duration kFresh{20000};
  struct Slot {
    std::size_t hash = 0;
    MonoTime since{};
  };
  static std::size_t hash(const net::Address& source, std::string_view nonce) {
    const auto mixed = net::AddressHash{}(source) * 31 + std::hash<std::string_view>{}(nonce);
    return mixed == 0 ? 1 : mixed;
  }
  Slot& slot(const net::Address& source, std::string_view nonce) { return slots_[hash(source, nonce) % slots_.size()]; }
  std::vector<Slot> slots_;
};

}  // namespace jackfield::sip::registrar
