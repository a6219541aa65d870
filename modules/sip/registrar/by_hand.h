// Bindings that a person makes and ends, `registration add AOR CONTACT`, for phones that do not register themselves. Stores are told of them
// as of a phone's, and they never expire. Engine thread.
#pragma once

#include <jackfield/bus.h>

#include <string>
#include <string_view>

#include "core.h"
#include "registrar/registrar.h"

namespace jackfield::sip::registrar {

class ByHand {
 public:
  /// Both outlive it.
  ByHand(Core& core, Registrar& registrar) : core_(core), registrar_(registrar) {}

  /// The return value of `command` says what became of it; true: it was done.
  Verdict add(jackfield::Message& command, std::string_view aor, std::string_view contact);
  /// Without `contact` all of the user's bindings, those of his phones too.
  Verdict remove(jackfield::Message& command, std::string_view aor, std::string_view contact);

 private:
  std::string_view username_of(std::string_view aor) const;
  Task<bool> added(jackfield::Message& command, jackfield::Message asked);
  Task<bool> removed(jackfield::Message& command, jackfield::Message asked, std::size_t count);

  Core& core_;
  Registrar& registrar_;
};

}  // namespace jackfield::sip::registrar
