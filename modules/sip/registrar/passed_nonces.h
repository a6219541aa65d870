// Which nonces of other servers were passed on to which sources: who answers one has shown that he is where he says, as with a nonce of
// our own (D7, D21). A fixed number of slots; what is forgotten costs a count or a proof. Owned by Registrar; engine thread.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>
#include <vector>

#include "net/address.h"

namespace jackfield::sip::registrar {

class PassedNonces {
 public:
  explicit PassedNonces(std::size_t slots = 4096) : slots_(slots) {}

  void note(const net::Address& source, std::string_view nonce) { slots_[place(source, nonce)] = hash(source, nonce); }
  bool knows(const net::Address& source, std::string_view nonce) const { return slots_[place(source, nonce)] == hash(source, nonce); }

 private:
  static std::size_t hash(const net::Address& source, std::string_view nonce) {
    const auto mixed = net::AddressHash{}(source) * 31 + std::hash<std::string_view>{}(nonce);
    return mixed == 0 ? 1 : mixed;
  }
  std::size_t place(const net::Address& source, std::string_view nonce) const { return hash(source, nonce) % slots_.size(); }
  std::vector<std::size_t> slots_;  ///< 0: free
};

}  // namespace jackfield::sip::registrar
