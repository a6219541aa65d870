// What stands between strangers and the server: floods and bans before a message is parsed, scanners and overload after, and what follows
// from wrong credentials (D7). Decides; door.h stands in the way of the transport and admission/ asks. Engine thread.
#pragma once

#include <jackfield/engine.h>

#include <array>
#include <memory>
#include <string_view>

#include "core.h"
#include "guard/bans.h"
#include "guard/failures.h"
#include "guard/flood_table.h"
#include "guard/last_failures.h"
#include "guard/overload.h"
#include "guard/proven_flows.h"

namespace jackfield::sip::guard {

class Guard {
 public:
  explicit Guard(Engine& engine);
  /// Before anything arrives. `core` lives as long as something may.
  void attach(const Core& core) { core_ = &core; }
  /// Takes up the bans of earlier runs.
  void open();

  // Before parsing.
  /// Whether a message is looked at: not from a banned source nor beyond what its source may send. Registered flows of that source
  /// are spared, and so are their calls to emergency numbers.
  bool admits(const stack::FlowId& flow, std::string_view bytes);
  stack::TransportEvents::Admit admits_connection(std::uint16_t listener, const net::Address& source);
  void read(std::uint16_t listener, bool emptied);
  void closed(const stack::FlowId& flow);

  // After parsing, of requests outside a dialog.
  /// A scanner's: no answer at all.
  bool ignores(const Message& request);
  /// New work beyond what can be done now: 503.
  bool sheds(const stack::IncomingRequest& request);
  bool is_emergency(const Message& request) const;

  // Credentials.
  struct Consequence {
    bool banned = false;
    Duration delay{0};  ///< of the answer
  };
  /// A wrong response to a nonce that was given to that very flow.
  Consequence wrong(const stack::FlowId& flow, std::string_view username, std::string_view why);
  /// Right credentials came over that flow, or a binding that was kept over a restart is reached by it.
  void proved(const stack::FlowId& flow);

  // For people.
  bool is_spared(const net::Address& source) const;  ///< trusted on some listener, or exempt
  Bans& bans() { return bans_; }
  const Bans& bans() const { return bans_; }
  LastFailures& last_failures() { return last_failures_; }
  const LastFailures& last_failures() const { return last_failures_; }

 private:
  const GuardSettings& settings() const { return core_->settings->guard; }
  MonoTime now() const { return engine_.clock().now(); }
  ProvenFlows::Minutes minutes() const;
  Failures::Seconds seconds() const;
  bool is_proven(const stack::FlowId& flow) const;
  bool is_spared(std::uint16_t listener, const net::Address& source) const;
  bool admits_flood(const stack::FlowId& flow, std::string_view bytes);
  void tell_flood(const stack::FlowId& flow, SourceKey source);

  Engine& engine_;
  Logger& log_;
  const Core* core_ = nullptr;
  stack::HashKey secret_;
  FloodTable flood_;
  Bans bans_;
  Failures failures_;
  ProvenFlows proven_;
  Overload overload_;
  LastFailures last_failures_;
  std::array<SourceKey, 256> told_floods_{};
  ProvenFlows::Minutes told_minute_ = 0;
  bool told_overload_ = false;
  Counter& dropped_flood_;
  Counter& dropped_banned_;
  Counter& ignored_;
  Counter& shed_;
  Counter& banned_;
  std::shared_ptr<void> bans_gauge_, share_gauge_;
};

}  // namespace jackfield::sip::guard
