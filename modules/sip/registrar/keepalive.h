// Keeps the way to phones behind NAT open: each of their bindings gets a few bytes every nat_refresh seconds, spread over the
// seconds of that interval; with keepalive=options also learns who no longer answers.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "core.h"
#include "registrar/table.h"

namespace jackfield::sip::registrar {

class Keepalive {
 public:
  Keepalive(Core& core, Table& table) : core_(core), table_(table) {}

  /// Once a second.
  void tick(std::int64_t second);
  /// An OPTIONS of ours was answered, however: its binding is alive. False: it was not ours.
  bool answered(stack::ClientTransactionId transaction);
  bool failed(stack::ClientTransactionId transaction);

 private:
  void send_options(BindingId id, const Binding& binding);

  Core& core_;
  Table& table_;
  struct Asked {
    BindingId binding;
    MonoTime at;
  };
  std::unordered_map<std::uint64_t, Asked> asked_;  // by transaction
  std::uint32_t cseq_ = 0;
};

}  // namespace jackfield::sip::registrar
