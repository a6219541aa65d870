// What a REGISTER of a phone asks for, read from user.upstream. Pure.
#pragma once

#include <jackfield/message.h>

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace jackfield::upperreg {

struct Wish {
  struct Binding {
    std::string key;
    std::chrono::seconds expires;  ///< 0: it leaves
  };
  std::vector<Binding> bindings;
  bool all_leave = false;  ///< Contact: *

  static Wish of(const Message& user_upstream);
  bool only_asks() const { return bindings.empty() && !all_leave; }
  bool only_leaves() const;
  using Phones = std::map<std::string, std::chrono::seconds, std::less<>>;
  /// The phones that are left when it is granted, none for longer than `most`.
  Phones left(Phones before, std::chrono::seconds most) const;
};

std::chrono::seconds longest(const Wish::Phones& phones);

}  // namespace jackfield::upperreg
