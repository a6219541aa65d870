// What the parts of the sip module share: the stack, the settings in force and the table of bindings' flows. Made by module.cpp,
// which outlives the parts. Each part answers for one kind of request.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "settings.h"
#include "sip/message.h"
#include "stack/resolver.h"
#include "stack/transactions.h"
#include "stack/transport.h"

#include <jackfield/engine.h>

namespace jackfield::sip {

namespace guard {
class Guard;
}
namespace line {
class Connections;
}

/// Who sent a request, as D2 decided.
struct Sender {
  enum class Kind : std::uint8_t { user, trusted, line, anonymous } kind = Kind::anonymous;
  std::string username;  ///< user: the authenticated one, or the one a rule named
  std::string line;      ///< line: the connection's name
  /// What user.auth answered beyond the password: parameters that travel on to call.preroute / user.register.
  std::vector<std::pair<std::string, std::string>> parameters;
};

struct Core {
  Engine& engine;
  Logger& log;
  stack::Transport& transport;
  stack::Transactions& transactions;
  std::shared_ptr<const SipSettings> settings;  ///< replaced as a whole on reload
  std::vector<ListenerSettings> listeners = {};  ///< by stack::FlowId::listener
  guard::Guard* guard = nullptr;                 ///< none: nobody is delayed, banned or shed
  stack::Resolver* resolver = nullptr;           ///< none: only numeric hosts are reached
  line::Connections* connections = nullptr;      ///< none: requests are of users and strangers only

  /// Where a request came in.
  const ListenerSettings& listener(const stack::FlowId& flow) const { return listeners.at(flow.listener); }
};

/// D1 to D3: decides who sent a request outside a dialog; answers it by itself when it may not go on (401, 403, …).
/// Implemented in admission/.
class Admission {
 public:
  virtual ~Admission() = default;
  enum class Purpose : std::uint8_t { registration, call, other };
  /// `done` is called at most once, at once or in a later turn; not at all when the request was answered here. When
  /// it is called later the request was begin()ed: `transaction` is set. `message` and `flow` outlive the call of `done`.
  using Done = std::function<void(const Sender&, const stack::IncomingRequest&, stack::ServerTransactionId transaction)>;
  /// `begun`: the request waited for somebody else already.
  virtual void admit(const stack::IncomingRequest& request, Purpose purpose, Done done, stack::ServerTransactionId begun = {}) = 0;
  /// Answers 401 with a challenge: the request was admitted without a user and its route said `error=noauth` (D2).
  virtual void challenge(const Message& request, const stack::FlowId& flow, stack::ServerTransactionId transaction) = 0;
};

/// Names a phone across its connections: a call outlives the one it was made over (D16).
struct Device {
  std::string username, key;  ///< `key` as Binding has it
};

/// Where a user's binding is reached: answered by registrar/ for the call side.
struct BindingTarget {
  stack::FlowId flow;
  std::string request_uri;         ///< the contact as the phone wrote it
  std::vector<std::string> route;  ///< Path, first hop first
  std::optional<Device> device = {};  ///< on connections only
  std::string username = {};          ///< whose phone it is
};

class BindingTable {
 public:
  virtual ~BindingTable() = default;
  /// Finds the flow of what user.register gave the store as `data` (`sip/` already removed). Nothing: not one of our bindings.
  virtual std::optional<BindingTarget> find(std::string_view data) const = 0;
  /// The phone of this user that is registered over this connection.
  virtual std::optional<Device> device_on(std::string_view username, const stack::FlowId& connection) const = 0;
  /// The connection it is reached by now; the user's only one where its binding has another key than it had.
  virtual std::optional<stack::FlowId> connection_of(const Device& device) const = 0;
};

}  // namespace jackfield::sip
