// One binding: fixed fields and one packed text in a single allocation. Made by whoever decides that it is to be, owned by the
// table once it is. Immutable but for its links and what an OPTIONS found out.
#pragma once

#include <jackfield/clock.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "stack/flow.h"

namespace jackfield::sip::registrar {

/// Names a binding in the table; stale ones are harmless. 0: none.
using BindingId = std::uint64_t;

/// What a binding says in words. Equal texts are kept once.
struct BindingText {
  std::string_view username;  ///< the AOR, as the store knows it
  std::string_view key;       ///< `binding` on the bus: the same for as long as the device (D9)
  std::string_view contact;   ///< the URI as the phone wrote it
  std::string_view data;      ///< the URI rewritten to where it is reached (D5); on the bus with `sip/` before it
  std::string_view call_id;
  std::string_view instance;  ///< +sip.instance without its quotes; empty: none
  std::string_view path;      ///< Path values, comma separated; empty: none

  std::size_t size() const {
    return username.size() + key.size() + contact.size() + data.size() + call_id.size() + instance.size() + path.size();
  }
};

/// What it says in numbers.
struct BindingFacts {
  stack::FlowId flow;            ///< empty: not by a flow of ours, but wherever `data` names
  MonoTime expires = MonoTime::max();
  MonoTime refreshed{};
  std::uint32_t cseq = 0;
  std::uint32_t reg_id = 0;      ///< 0: none
  std::uint16_t q = kNoQ;        ///< thousandths
  bool behind_nat = false;       ///< the contact names another place than the packets come from
  static constexpr std::uint16_t kNoQ = UINT16_MAX;
};

class Binding {
 public:
  struct Delete {
    void operator()(Binding* binding) const;
  };
  using Ptr = std::unique_ptr<Binding, Delete>;
  /// Longest packed text; what is longer is refused before it gets here.
  static constexpr std::size_t kMaxText = 8192;

  static Ptr make(const BindingText& text, const BindingFacts& facts);

  std::string_view username() const { return part(0); }
  std::string_view key() const { return part(1); }
  std::string_view contact() const { return part(2); }
  std::string_view data() const { return part(3); }
  std::string_view call_id() const { return part(4); }
  std::string_view instance() const { return part(5); }
  std::string_view path() const { return part(6); }
  const BindingFacts& facts() const { return facts_; }
  bool expired(MonoTime now) const { return facts_.expires <= now; }
  /// Whole seconds left, rounded up: a binding is never listed with 0.
  std::uint32_t remaining(MonoTime now) const;
  void set_expires(MonoTime expires) { facts_.expires = expires; }  ///< before it is in the table
  bool shared() const { return shared_; }  ///< its store keeps bindings of several servers (D8)
  void set_shared(bool shared) { shared_ = shared; }  ///< before it is in the table
  bool unavailable() const { return unavailable_; }                 ///< it did not answer the last OPTIONS
  void set_unavailable(bool unavailable) { unavailable_ = unavailable; }
  /// From the last OPTIONS to its answer; nothing: none was answered yet.
  std::optional<Duration> round_trip() const { return round_trip_ == kNone ? std::nullopt : std::optional(Duration(round_trip_)); }
  void set_round_trip(Duration took) { round_trip_ = static_cast<std::uint32_t>(took.count()); }

 private:
  friend class Table;
  static constexpr std::size_t kParts = 7;
  static constexpr std::uint32_t kNone = UINT32_MAX;
  struct Span {
    std::uint16_t at = 0, size = 0;
  };

  Binding() = default;
  std::string_view part(std::size_t i) const { return {reinterpret_cast<const char*>(this + 1) + parts_[i].at, parts_[i].size}; }

  BindingFacts facts_;
  std::uint32_t user_hash_ = 0, data_hash_ = 0;
  std::uint32_t next_of_user_ = kNone;
  std::uint32_t next_due_ = kNone, previous_due_ = kNone;
  std::array<Span, kParts> parts_;
  std::uint32_t round_trip_ = kNone;  // ms
  std::uint16_t due_place_ = 0;
  bool unavailable_ = false;
  bool shared_ = false;
};

}  // namespace jackfield::sip::registrar
