// A call between two phones, Ann's and Bob's: what most tests of calls begin with.
#pragma once

#include "call_world.h"

namespace jackfield::sip::call {

struct TwoPhones : CallWorld {
  FarEnd ann{*this, "198.51.100.1:5060"};
  FarEnd bob{*this, "198.51.100.2:5060"};
  TwoPhones() { bob.name = "102"; }

  /// Refuses Bob's INVITE and gives what Ann gets.
  std::string refuse(int code, const std::string& extra = {}) {
    ann.invite(sdp("offer"));
    bob.answer(bob.take_invite(), code, {}, {}, extra);
    bob.expect("ACK");
    auto answer = ann.expect("SIP/2.0");
    return answer;
  }
  /// Ann ends the call, and nothing of it is left.
  void hang_up() {
    ann.request("BYE");
    ann.expect("SIP/2.0 200");
    bob.answer(bob.expect("BYE"), 200);
    ann.expect_nothing();
    bob.expect_nothing();
    check_all_gone();
  }
};

}  // namespace jackfield::sip::call
