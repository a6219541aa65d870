// What people ask a running server about the sip channel: `ban …`, `registration …`. Engine thread.
#pragma once

#include <jackfield/bus.h>

#include <string>
#include <vector>

#include "core.h"
#include "guard/guard.h"
#include "registrar/by_hand.h"
#include "registrar/registrar.h"

namespace jackfield::sip {

class Console {
 public:
  /// All of them outlive it.
  Console(Core& core, guard::Guard& guard, registrar::Registrar& registrar);

 private:
  using Words = std::vector<std::string>;
  struct Answer {
    bool done;
    std::string text;
    bool changed = false;  ///< it is told once the change will outlive the process
  };

  Verdict command(jackfield::Message& message);
  Verdict help(jackfield::Message& message);
  Verdict registration(const Words& words, jackfield::Message& message);
  Answer ban(const Words& words);
  std::string ban_list() const;
  Answer ban_add(const Words& words);
  static Task<bool> tell_when_kept(Task<tl::expected<void, JournalError>> kept, jackfield::Message& message);

  Core& core_;
  guard::Guard& guard_;
  registrar::Registrar& registrar_;
  registrar::ByHand by_hand_;
  std::vector<Bus::Subscription> handlers_;
};

}  // namespace jackfield::sip
