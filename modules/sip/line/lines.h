// Connections by name, for the rest of the sip module: which one a request came in by, how a call leaves by one, and what a call saw
// of its servers. user.login begins, changes and ends them. Owned by module.cpp; engine thread only. Names and numbers go out, never
// pointers that are kept: a connection may be gone in the next turn.
#pragma once

#include <jackfield/bus.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core.h"
#include "line/connections.h"

namespace jackfield::sip::line {

class Lines final : public Connections {
 public:
  /// Both outlive it.
  Lines(Core& core, stack::Resolver& resolver);
  ~Lines() override;
  Lines(const Lines&) = delete;

  /// Installs the handlers of user.login, upstream.register, engine.command, engine.help and engine.status.
  void start();
  /// Unregisters all, for good.
  void unregister_all();
  /// Done when the servers have answered that, or soon after.
  Task<> drained();
  void stop();

  const Line* find(std::string_view name) const override;
  const Line* entry(const stack::FlowId& flow, const Message& request) const override;
  const Line* upstream_at(const net::Address& source) const override;
  bool is_source(const net::Address& source) const override;
  std::optional<Exit> exit(std::string_view name) const override;
  void failed(std::string_view name, ServerIndex server, const stack::Hop* hop, Failure failure) override;
  void answered(std::string_view name, ServerIndex server, const stack::Hop& hop) override;

  // From the transaction layer: whether it was for a connection.
  bool response(stack::ClientTransactionId transaction, const Message& response, const stack::FlowId& flow);
  bool client_failed(stack::ClientTransactionId transaction, stack::ClientFailure failure);
  void flow_closed(const stack::FlowId& flow);

  std::size_t size() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace jackfield::sip::line
