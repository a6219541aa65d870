// Hands the SIP messages of calls and registrations to the flight recorder, as they came and as they leave: it stands between the
// transport and the transactions. OPTIONS, which only look whether somebody is there, are not kept. Engine thread only.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "stack/transport.h"

#include <jackfield/recorder.h>

namespace jackfield::sip {

class Tap final : public stack::TransportEvents, public stack::Transport {
 public:
  /// All outlive it.
  Tap(Recorder& recorder, stack::TransportEvents& inside);
  void attach(stack::Transport& outside) { outside_ = &outside; }

  void message(const stack::FlowId& flow, std::string_view bytes) override {
    note(flow, bytes, false);
    inside_.message(flow, bytes);
  }
  void unframed(const stack::FlowId& flow, std::string_view seen, int status, std::string_view reason) override { inside_.unframed(flow, seen, status, reason); }
  void opened(const stack::FlowId& flow) override { inside_.opened(flow); }
  void closed(const stack::FlowId& flow, std::string_view reason) override { inside_.closed(flow, reason); }

  bool send(const stack::FlowId& flow, std::string_view bytes) override {
    note(flow, bytes, true);
    return outside_->send(flow, bytes);
  }
  tl::expected<std::uint16_t, std::string> open(const stack::ListenerOptions& listener) override { return outside_->open(listener); }
  void close(std::uint16_t listener) override { outside_->close(listener); }
  std::vector<std::pair<std::uint16_t, stack::ListenerOptions>> listeners() const override { return outside_->listeners(); }
  std::optional<stack::FlowId> flow_to(stack::TransportKind kind, const net::Address& remote, std::optional<std::uint16_t> prefer) override {
    return outside_->flow_to(kind, remote, prefer);
  }
  void hold(const stack::FlowId& flow) override { outside_->hold(flow); }
  void release(const stack::FlowId& flow) override { outside_->release(flow); }
  bool alive(const stack::FlowId& flow) const override { return outside_->alive(flow); }
  bool connecting(const stack::FlowId& flow) const override { return outside_->connecting(flow); }
  void close(const stack::FlowId& flow) override { outside_->close(flow); }
  Reach reach(const stack::FlowId& flow) const override { return outside_->reach(flow); }
  bool is_ours(std::string_view host, std::uint16_t port) const override { return outside_->is_ours(host, port); }
  void flush() override { outside_->flush(); }

 private:
  void note(const stack::FlowId& flow, std::string_view bytes, bool sent);

  Recorder& recorder_;
  stack::TransportEvents& inside_;
  stack::Transport* outside_ = nullptr;
  std::shared_ptr<const WireReader> reader_;
  std::uint16_t source_;
};

}  // namespace jackfield::sip
