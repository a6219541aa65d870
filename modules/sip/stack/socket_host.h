// What the transport is to its sockets: who is told, and when the turn ends that what was queued leaves. Engine thread.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "stack/transport.h"

#include <jackfield/timers.h>

namespace jackfield::sip::stack {

class SocketHost {
 public:
  virtual ~SocketHost() = default;
  virtual TransportEvents& events() = 0;
  /// Something was queued, by that connection or (0) by a UDP socket: its flush() is called before the loop waits again.
  virtual void queued(std::uint32_t connection = 0) = 0;
  /// Around what a socket hands up in one turn; what is queued meanwhile leaves together when the last one ends.
  virtual void enter() = 0;
  virtual void leave() = 0;
  /// The connection is over: it is dropped, and closed() handed up in a turn of its own.
  virtual void ended(const FlowId& flow, std::string reason) = 0;
  /// The connection's check_age() is called after `delay`, instead of when it was wanted before.
  virtual void watch(const FlowId& flow, Duration delay, TimerKind kind) = 0;
  /// A place to read into, used up before the next socket reads.
  virtual std::span<char> read_buffer() = 0;
};

class TurnScope {
 public:
  explicit TurnScope(SocketHost& host) : host_(host) { host_.enter(); }
  ~TurnScope() { host_.leave(); }
  TurnScope(const TurnScope&) = delete;

 private:
  SocketHost& host_;
};

}  // namespace jackfield::sip::stack
