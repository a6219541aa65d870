#include "tap.h"

#include <fmt/format.h>

#include <cstring>
#include <type_traits>

#include "sip/message.h"
#include "wire_text.h"

namespace jackfield::sip {
namespace {

class Reader final : public WireReader {
 public:
  std::string way(std::string_view bytes) const override {
    stack::FlowId flow;
    static_assert(std::is_trivially_copyable_v<stack::FlowId>);
    if (bytes.size() != sizeof flow) return {};
    std::memcpy(&flow, bytes.data(), sizeof flow);
    return fmt::format("{} {}", stack::transport_name(flow.kind), flow.remote.text());
  }
  std::string user(std::string_view bytes) const override {
    Message message;
    if (!message.parse(bytes) || !message.to()) return {};
    return unescape(message.to()->uri.user);
  }
  std::string text(std::string_view bytes) const override { return shown_message(bytes); }
};

}  // namespace

Tap::Tap(Recorder& recorder, stack::TransportEvents& inside)
    : recorder_(recorder), inside_(inside), reader_(std::make_shared<Reader>()), source_(recorder.add_source(reader_)) {}

void Tap::note(const stack::FlowId& flow, std::string_view bytes, bool sent) {
  if (!recorder_.records(Recorded::call) && !recorder_.records(Recorded::registration)) return;
  const auto [kind, call_id] = peek(bytes);
  if (!recorder_.records(kind)) return;
  recorder_.wire(source_, {.kind = kind, .sent = sent, .key = call_id.empty() ? bytes.substr(0, 0) : call_id,
                           .flow = {reinterpret_cast<const char*>(&flow), sizeof flow}, .bytes = bytes});
}

}  // namespace jackfield::sip
