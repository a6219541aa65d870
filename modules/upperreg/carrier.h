// user.upstream: the REGISTER of a phone, carried to the server it belongs to. A's answer is the verdict (D20): a binding is agreed to here
// only where A has the contact, or was just told of it. Engine thread only.
#pragma once

#include "core.h"
#include "exchange.h"
#include "lines.h"
#include "permission.h"

#include <functional>

namespace jackfield::upperreg {

class Carrier {
 public:
  /// `heard` is told of every answer, and of every one that did not come.
  using Heard = std::function<void(const std::string& line, const Answer& answer)>;
  Carrier(std::shared_ptr<Core> core, Lines& lines, Heard heard) : core_(std::move(core)), lines_(lines), heard_(std::move(heard)) {}

  Verdict user_upstream(Message& message);
  /// unknown: whoever has users could not be asked, or none of them knows him, which one that is away does not either.
  enum class Kept : std::uint8_t { here, nowhere, unknown };
  /// The credentials that are kept for this AOR, asked of whoever has users. What is known of them stays where nobody could say.
  static Task<Kept> recall_credentials(std::shared_ptr<Core> core, std::string name);

 private:
  static Task<bool> carry(std::shared_ptr<Core> core, Carrier* self, Message& message, Destination where);
  /// Nothing: nobody could say who he is.
  static Task<std::optional<Decision>> decision_on(std::shared_ptr<Core> core, Message& message, Destination where, std::string name);
  /// With the AOR entered; what comes of it is in the message.
  static Task<> ask_and_judge(std::shared_ptr<Core> core, Carrier* self, Message& message, std::string name, Decision decision);
  static Task<> wait_until_saved(std::shared_ptr<Core> core, Message& message, std::string name);

  std::shared_ptr<Core> core_;
  Lines& lines_;
  Heard heard_;
};

}  // namespace jackfield::upperreg
