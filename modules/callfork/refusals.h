// What the caller of a fork is told when nobody answered: the best of the refusals (RFC 3261 §16.7, D15). Pure.
#pragma once

#include <jackfield/channel.h>

#include <optional>

namespace jackfield::callfork {

class Refusals {
 public:
  void add(const DisconnectReason& reason);
  bool any() const { return best_.has_value(); }
  /// `noanswer` when there was none.
  DisconnectReason best() const;

  /// A 6xx speaks for the user, not for one phone: the whole call ends.
  static bool is_global(const DisconnectReason& reason);

 private:
  std::optional<DisconnectReason> best_;
  int rank_ = 0;
};

}  // namespace jackfield::callfork
