// Asks a connection's servers with OPTIONS whether they are there: now and then where the settings say so, the main one while another
// is in use (EL-8), and one that a call found failing (D18). One question at a time. Owned by Connection; engine thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "line/services.h"

namespace jackfield::sip::line {

class Reachability {
 public:
  enum class Purpose : std::uint8_t { regular, homing };
  class Owner {
   public:
    virtual ~Owner() = default;
    /// Any answer but 408 and 503 is one; `code` of the answer, 0 where there was none.
    virtual void asked(Purpose purpose, ServerIndex server, bool alive, int code, const std::string& reason) = 0;
  };

  Reachability(Context& context, Owner& owner) : context_(context), owner_(owner) {}
  ~Reachability() { give_up(); }

  /// Nothing happens while another question is open; whether home is back is asked once that is answered.
  void ask(Purpose purpose, ServerIndex server);
  void give_up();
  bool busy() const { return question_.has_value(); }
  /// Opens the way for what comes in (EL-15), over the flow in use.
  void keep_alive();

  void response(const Message& response);
  void client_failed();
  void over();

 private:
  struct Question {
    Purpose purpose;
    ServerIndex server;
    stack::ResolveId lookup = 0;
    stack::ClientTransactionId transaction = {};
    stack::FlowId flow = {};
  };

  void looked_up(const stack::Resolved& resolved);
  void finish(bool alive, int code, const std::string& reason);
  std::string write(std::string_view method, ServerIndex server, const stack::FlowId& flow, const std::string& branch);

  Context& context_;
  Owner& owner_;
  std::optional<Question> question_;
  std::optional<ServerIndex> home_waits_;
  std::uint32_t cseq_ = 0;
};

}  // namespace jackfield::sip::line
