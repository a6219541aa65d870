// The dialogs that provisional responses to one INVITE of ours have made, one for each phone behind it (RFC 3261 §12.1), and how far
// each has come with its reliable ones (RFC 3262 §4). Owned by an outgoing leg until it is answered.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "stack/dialog.h"

namespace jackfield::sip::call {

struct EarlyDialog {
  stack::Dialog dialog;
  std::uint32_t rseq = 0;   ///< of the last reliable response; 0: none came
  bool complete = false;    ///< offer and answer have passed reliably: further ones may follow (RFC 6337 §2.2)
  std::string description = {};  ///< the far end's, as it sent it first

  /// A reliable response: false when it is a repetition or came before one that is missing.
  bool in_order(std::uint32_t number) {
    if (number == 0 || (rseq != 0 && number != rseq + 1)) return false;
    rseq = number;
    return true;
  }
};

class EarlyDialogs {
 public:
  /// The one a response belongs to, made from `base` (the dialog as the INVITE left it) when it is new. Null: it names none, or there
  /// are too many.
  EarlyDialog* take(const stack::Dialog& base, const Message& response) {
    const auto tag = response.to()->tag;
    if (tag.empty()) return nullptr;
    if (auto* known = find(tag)) {
      known->dialog.refresh_target(response);
      return known;
    }
    if (all_.size() >= kMost) return nullptr;
    all_.push_back({base});
    all_.back().dialog.establish(response);
    return &all_.back();
  }
  EarlyDialog* find(std::string_view remote_tag) {
    for (auto& one : all_)
      if (one.dialog.remote_tag() == remote_tag) return &one;
    return nullptr;
  }
  /// The first in which offers may be made.
  EarlyDialog* complete() {
    for (auto& one : all_)
      if (one.complete) return &one;
    return nullptr;
  }
  void clear() { all_ = {}; }

 private:
  static constexpr std::size_t kMost = 64;
  std::vector<EarlyDialog> all_;
};

}  // namespace jackfield::sip::call
