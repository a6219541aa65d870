// Stands between the transport and the transactions: what the guard does not admit goes no further. Engine thread.
#pragma once

#include <string_view>

#include "guard/guard.h"
#include "stack/transport.h"

namespace jackfield::sip::guard {

class Door final : public stack::TransportEvents {
 public:
  /// Both outlive it.
  Door(Guard& guard, stack::TransportEvents& inside) : guard_(guard), inside_(inside) {}
  void attach(stack::Transport& transport) { transport_ = &transport; }

  void message(const stack::FlowId& flow, std::string_view bytes) override {
    if (guard_.admits(flow, bytes)) inside_.message(flow, bytes);
    else turn_away(flow);
  }
  void unframed(const stack::FlowId& flow, std::string_view seen, int status, std::string_view reason) override {
    if (guard_.admits(flow, seen)) inside_.unframed(flow, seen, status, reason);
  }
  void opened(const stack::FlowId& flow) override { inside_.opened(flow); }
  void closed(const stack::FlowId& flow, std::string_view reason) override {
    guard_.closed(flow);
    inside_.closed(flow, reason);
  }
  Admit admits(std::uint16_t listener, const net::Address& remote) override { return guard_.admits_connection(listener, remote); }
  void read(std::uint16_t listener, bool emptied) override { guard_.read(listener, emptied); }

 private:
  /// On a connection nothing may be left out: it ends.
  void turn_away(const stack::FlowId& flow) {
    if (stack::is_reliable(flow.kind)) transport_->close(flow);
  }

  Guard& guard_;
  stack::TransportEvents& inside_;
  stack::Transport* transport_ = nullptr;
};

}  // namespace jackfield::sip::guard
