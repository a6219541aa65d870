// One connection: its settings, its servers, the registration where it has one, and what follows from one for the other: parking and
// homing (EL-5 to EL-11), what calls saw (D18), who is told. Owned by Lines; engine thread.
#pragma once

#include <jackfield/metrics.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "line/lines.h"
#include "line/reachability.h"
#include "line/registration.h"
#include "line/services.h"

namespace jackfield::sip::line {

/// What people are shown of a connection (SP-8).
struct Description {
  std::string name, type, state, reason;
  std::chrono::seconds since{0};
  std::string server, address, local;    ///< in use: by name, by number, and how it sees us
  std::optional<Duration> next;          ///< to the next REGISTER or OPTIONS
  std::chrono::seconds granted{0};
  bool online = false;
};

class Connection final : public Line, private Registration::Owner, private Reachability::Owner {
 public:
  Connection(Services& services, LineNumber number, ConnectionSettings settings);
  ~Connection() override;

  const ConnectionSettings& settings() const override { return context_.settings; }
  bool online() const override;

  void begin();
  /// Settings for the same name, other ones or the same.
  void login(ConnectionSettings settings);
  /// Unregisters and then ends.
  void leave();
  /// By command: unregisters and stays so, or registers now.
  void unregister();
  void reregister();
  bool leaving() const { return leaving_; }
  bool busy() const { return registration_.busy() || registration_.state() == Registration::State::unregistering; }

  void turn() { registration_.turn(); }
  void fired(Timer timer);
  void response(Slot slot, const Message& response, const stack::FlowId& flow);
  void client_failed(Slot slot, stack::ClientFailure failure);
  void flow_closed(const stack::FlowId& flow);
  void looked_up(const stack::Destination& destination, const stack::Resolved& resolved);

  std::optional<Exit> exit() const;
  void call_failed(ServerIndex server, const stack::Hop* hop, Failure failure);
  void call_answered(ServerIndex server, const stack::Hop& hop);
  // Of a REGISTER that was carried for somebody else. What one with credentials of ours says of a server counts like one of our own (D18);
  // what a stranger may have written has it asked only.
  void carried_failed(ServerIndex server, const stack::Hop* hop, const std::string& reason, bool by_us);
  void carried_answered(ServerIndex server, const stack::Hop& hop, const stack::FlowId& flow);

  Description describe() const;
  const Context& context() const { return context_; }
  Context& context() { return context_; }
  Registration& registration() { return registration_; }
  Reachability& reachability() { return reachability_; }

 private:
  void registration_changed() override;
  void came_home() override;
  void asked(Reachability::Purpose purpose, ServerIndex server, bool alive, int code, const std::string& reason) override;

  bool usable() const { return context_.settings.enabled && !stopped_; }
  void change(ConnectionSettings settings);
  void start();
  void pause();
  /// Names of servers that are not in use, too: who calls from them belongs here (D18).
  void look_up_servers();
  void start_homing();
  void start_keepalive();
  void go_home();
  /// False for what is known to be out of use already.
  bool in_use(ServerIndex server, const stack::Hop* hop) const;
  void leave_server(ServerIndex server, std::string_view reason);
  void look_again(ServerIndex server);
  void set_online(bool online, int code, const std::string& reason);
  std::string state() const;

  Context context_;
  Registration registration_{context_, *this};
  Reachability reachability_{context_, *this};
  bool stopped_ = false;   ///< by command
  bool leaving_ = false;
  std::optional<ConnectionSettings> successor_;  ///< once what is registered has been taken back
  bool online_ = false;    ///< as it was told
  std::optional<ServerIndex> told_server_;  ///< of an upstream connection: whoever registers by it follows it
  bool reachable_ = true;  ///< of a trunk
  std::string trouble_;    ///< of a trunk: why not
  MonoTime since_, checked_{};
  std::shared_ptr<void> gauge_;
};

}  // namespace jackfield::sip::line
