// REGISTERs that are carried for users of another server (Upper and Thru, D19): each upstream.register sends one, for one AOR, by a
// connection of the type upstream. Many are under way at once; each tries that connection's servers by itself (D18), and what it sees
// of them the connection learns. Knows no phone, and nothing of an AOR once it has answered. Owned by Lines; engine thread.
#pragma once

#include <jackfield/bus.h>
#include <jackfield/pending.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "line/services.h"
#include "line/table.h"

namespace jackfield::sip::line {

class Carried {
 public:
  /// Both outlive it.
  Carried(Services& services, const Table& table) : services_(services), table_(table) {}
  Carried(const Carried&) = delete;

  /// Installs the handler of upstream.register.
  void start();
  /// Whoever waits is told that nothing came of it.
  void stop();

  // From the transaction layer: whether it was for one of these.
  bool response(stack::ClientTransactionId transaction, const Message& response, const stack::FlowId& flow);
  bool client_failed(stack::ClientTransactionId transaction, stack::ClientFailure failure);
  /// The connection is gone.
  void ended(LineNumber number);

  bool busy() const { return under_way_ != 0; }

 private:
  struct Order;
  struct Place;
  /// A final response, and how we got it.
  struct Reply {
    std::shared_ptr<const Message> response;
    stack::FlowId flow;
  };
  struct Asked {
    PendingId reply;
    LineNumber line;
  };
  /// Our Contacts at one connection's servers once had another address.
  struct Moved {
    bool bound = false;    ///< a contact was taken there
    std::string old_host;  ///< `host:port`; empty: none
    MonoTime until{};      ///< then all that had it have lapsed
  };

  Verdict order(jackfield::Message& message);
  /// `alive` expires with the services, and everything here with them.
  static Task<bool> carry(Carried* carried, std::weak_ptr<Services> alive, jackfield::Message& message, std::unique_ptr<Order> order);
  /// The answer of the server at one place, once no challenge is left that we can answer; null: none, and the order says why.
  static Task<std::shared_ptr<const Message>> ask(Carried* carried, std::weak_ptr<Services> alive, Order& order, Place place);
  std::string write(Order& order, const Context& context, const Place& place, const stack::FlowId& flow, const std::string& branch);
  void note_seen_address(Order& order, Context& context, const Reply& reply);

  Services& services_;
  const Table& table_;
  Pendings replies_{services_.core.engine.timers()};
  std::unordered_map<std::uint64_t, Asked> asked_;  ///< by client transaction
  std::unordered_map<LineNumber, Moved> moved_;
  std::size_t under_way_ = 0;
  Bus::Subscription handler_;
};

}  // namespace jackfield::sip::line
