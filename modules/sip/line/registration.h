// One registration at another server: RFC 3261 §10.2 from our side, with digest, redirection, intervals that are too brief, servers
// that fail, and no state it cannot leave: something is always under way, waited for, or decidedly wanted so. One REGISTER at a
// time; one Call-ID and rising numbers for life. Owned by Connection; engine thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "line/proofs.h"
#include "line/services.h"

namespace jackfield::sip::line {

class Registration {
 public:
  enum class State : std::uint8_t {
    unregistered,   ///< and nothing wanted
    waiting,        ///< for its turn
    registering,
    registered,     ///< or being refreshed
    failed,         ///< until the next attempt
    unregistering,
  };
  /// The owner hears of changes, at once.
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void registration_changed() = 0;
    /// The probe found the main server, and registered there (EL-9).
    virtual void came_home() = 0;
  };

  Registration(Context& context, Owner& owner);
  ~Registration();

  /// Registers, or refreshes at once, as soon as it is its turn.
  void begin();
  /// As begin(), at the active server: a request under way elsewhere is given up (EL-5).
  void begin_anew();
  /// Unregisters where there may be a binding; registration_changed() tells when that is done.
  void withdraw();
  /// Tries the main server, beside the binding there is (EL-9).
  void probe();
  /// The settings in the context are new; what is registered may stay. Other credentials want another challenge.
  void settings_changed(bool other_credentials);

  void turn();
  void due();
  void attempt_over();
  void response(const Message& response, const stack::FlowId& flow);
  void client_failed(stack::ClientFailure failure);
  void flow_closed();

  State state() const { return state_; }
  bool registered() const { return state_ == State::registered; }
  /// Of the last answer or failure; 0 and empty where there is nothing to complain of.
  int code() const { return code_; }
  const std::string& reason() const { return reason_; }
  std::chrono::seconds granted() const { return granted_; }
  std::optional<MonoTime> next_attempt() const { return next_; }
  /// Where the binding is, or was last.
  const std::optional<stack::Hop>& hop() const { return hop_; }
  /// What the registrar wants requests to it to go through (RFC 3608).
  const std::vector<std::string>& service_route() const { return service_route_; }
  ServerIndex server() const { return server_; }
  bool busy() const { return attempt_.has_value(); }

 private:
  static constexpr std::chrono::seconds kMostInterval{86400};  ///< whatever the far side says

  enum class Purpose : std::uint8_t { refresh, probe, removal };
  /// What is under way: a lookup, or a request.
  struct Attempt {
    Purpose purpose;
    ServerIndex server = 0;
    stack::ResolveId lookup = 0;
    stack::ClientTransactionId transaction = {};
    stack::Hop hop = {};
    stack::FlowId flow = {};
    std::string contact = {};  ///< URI
    unsigned redirections = 0;
    bool raised = false;       ///< after a 423
  };
  struct Redirection {
    stack::Destination destination;
    std::string uri;
  };

  void attempt(Purpose purpose);
  void look_up();
  void looked_up(const stack::Resolved& resolved);
  void send();
  std::string write(const std::string& branch);
  void give_up();
  // What came of it.
  void succeeded(const Message& response, const stack::FlowId& flow);
  void challenged(const Message& response);
  void too_brief(const Message& response);
  bool redirected(const Message& response);
  void server_failed(int code, std::string reason, std::chrono::seconds retry_after);
  void refused(int code, std::string reason, std::chrono::seconds retry_after);
  void removed();

  std::chrono::seconds granted_by(const Message& response) const;
  void note_seen_address(const Message& response, const stack::FlowId& flow);
  void note_stale_contacts(const Message& response);
  void wait(Duration delay);
  void become(State state, int code = 0, std::string reason = {});

  Context& context_;
  Owner& owner_;
  State state_ = State::unregistered;
  std::optional<Attempt> attempt_;
  bool again_ = false;       ///< once what is under way is over
  int code_ = 0;
  std::string reason_;
  std::optional<MonoTime> next_;

  // For life.
  std::string call_id_, tag_;
  std::uint32_t cseq_ = 0;
  Proofs proofs_;

  // Of the binding.
  std::chrono::seconds asked_;  ///< the interval, or what a 423 raised it to
  std::chrono::seconds granted_{0};
  ServerIndex server_ = 0;
  std::optional<stack::Hop> hop_;
  std::string contact_;                    ///< URI; empty: there is no binding that we know of
  MonoTime bound_until_{};                 ///< there may be one up to then
  std::vector<std::string> old_contacts_;  ///< to be taken back with the next request
  std::vector<std::string> service_route_;
  std::optional<Redirection> redirection_;
  bool one_contact_ = false;               ///< the registrar refused a request that took old ones back
  bool moved_ = false, cleaned_ = false;   ///< our address changed, stale contacts were found, since the last regular refresh
};

std::string_view state_name(Registration::State state);

}  // namespace jackfield::sip::line
