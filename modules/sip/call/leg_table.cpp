#include "call/leg_table.h"

#include <algorithm>

#include "call/leg.h"

namespace jackfield::sip::call {

LegTable::LegTable() = default;
LegTable::~LegTable() { clear(); }

LegTable::Scope::~Scope() {
  if (--table_.depth_ != 0 || table_.finished_.empty()) return;
  // A destructor may not finish another leg, so one pass is enough.
  const auto finished = std::move(table_.finished_);
  table_.finished_.clear();
  for (const LegNumber number : finished) table_.legs_.erase(number);
  if (!table_.legs_.empty() || !table_.empty_) return;
  const auto empty = std::exchange(table_.empty_, {});
  empty();
}

Leg& LegTable::add(std::unique_ptr<Leg> leg) {
  Leg& added = *leg;
  legs_.emplace(added.number(), std::move(leg));
  return added;
}

Leg* LegTable::find(LegNumber number) const {
  const auto found = legs_.find(number);
  return found == legs_.end() ? nullptr : found->second.get();
}

void LegTable::finish(LegNumber number) { finished_.push_back(number); }

void LegTable::index(const stack::DialogKeyView& dialog, LegNumber leg) {
  dialogs_.insert_or_assign(stack::DialogKey{std::string(dialog.call_id), std::string(dialog.local_tag)}, leg);
}

void LegTable::unindex(const stack::DialogKeyView& dialog) {
  if (const auto found = dialogs_.find(dialog); found != dialogs_.end()) dialogs_.erase(found);
}

Leg* LegTable::find(const stack::DialogKeyView& dialog) const {
  const auto found = dialogs_.find(dialog);
  return found == dialogs_.end() ? nullptr : find(found->second);
}

void LegTable::own(stack::ClientTransactionId transaction, LegNumber leg) { clients_[transaction.value] = leg; }
void LegTable::own(stack::ServerTransactionId transaction, LegNumber leg) { servers_[transaction.value] = leg; }

Leg* LegTable::owner(stack::ClientTransactionId transaction) const {
  const auto found = clients_.find(transaction.value);
  return found == clients_.end() ? nullptr : find(found->second);
}

Leg* LegTable::owner(stack::ServerTransactionId transaction) const {
  const auto found = servers_.find(transaction.value);
  return found == servers_.end() ? nullptr : find(found->second);
}

std::vector<LegNumber> LegTable::numbers() const {
  std::vector<LegNumber> out;
  out.reserve(legs_.size());
  for (const auto& [number, leg] : legs_) out.push_back(number);
  std::sort(out.begin(), out.end());
  return out;
}

void LegTable::clear() {
  legs_.clear();
  dialogs_.clear();
  clients_.clear();
  servers_.clear();
  finished_.clear();
}

}  // namespace jackfield::sip::call
