#include "registrar/table.h"

#include <algorithm>

namespace jackfield::sip::registrar {

Table::Table() : ring_(kRing, Binding::kNone) {}
Table::~Table() = default;

std::uint32_t Table::hash_of(std::string_view text) {
  const std::uint64_t hash = std::hash<std::string_view>{}(text);
  return static_cast<std::uint32_t>(hash ^ hash >> 32);
}

std::int64_t Table::second_of(MonoTime time) { return std::chrono::ceil<std::chrono::seconds>(time.time_since_epoch()).count(); }

Binding* Table::find(BindingId id) const {
  const auto slot = static_cast<std::uint32_t>(id);
  if (slot >= slots_.size() || slots_[slot].generation != id >> 32) return nullptr;
  return slots_[slot].binding.get();
}

BindingId Table::find(User user, std::string_view key) const {
  for (auto slot = user.first_; slot != Binding::kNone; slot = slots_[slot].binding->next_of_user_)
    if (slots_[slot].binding->key() == key) return id_of(slot);
  return 0;
}

const Binding* Table::find_data(std::string_view data) const {
  const auto slot = by_data_.find(hash_of(data), [&](std::uint32_t each) { return slots_[each].binding->data() == data; });
  return slot == SlotIndex::kEmpty ? nullptr : slots_[slot].binding.get();
}

std::uint32_t Table::head(std::string_view username, std::uint32_t hash) const {
  return by_user_.find(hash, [&](std::uint32_t slot) { return slots_[slot].binding->username() == username; });
}

std::size_t Table::count_of(User user) const {
  std::size_t count = 0;
  each_of(user, [&](BindingId, const Binding&) { ++count; });
  return count;
}

Table::Put Table::put(Binding::Ptr binding) {
  binding->user_hash_ = hash_of(binding->username());
  const auto data_hash = [&](std::uint32_t each) { return slots_[each].binding->data_hash_; };
  if (const auto existing = find(User(head(binding->username(), binding->user_hash_)), binding->key())) {
    // The chain of the user keeps its order: a refreshed binding stays where it was.
    const auto slot = static_cast<std::uint32_t>(existing);
    const Binding& before = *slots_[slot].binding;
    const bool elsewhere = before.data() != binding->data();
    const bool moved = connection_of(before) != connection_of(*binding);
    if (elsewhere) by_data_.erase(slot, data_hash);
    unlink_due(slot);
    if (moved) unlink_connection(slot);
    binding->data_hash_ = elsewhere ? hash_of(binding->data()) : before.data_hash_;
    binding->next_of_user_ = before.next_of_user_;
    std::swap(slots_[slot].binding, binding);
    if (elsewhere) by_data_.insert(slot, data_hash);
    link_due(slot);
    if (moved) link_connection(slot);
    return {id_of(slot), std::move(binding)};
  }
  binding->data_hash_ = hash_of(binding->data());
  binding->next_of_user_ = Binding::kNone;  // it may have been here before
  const auto slot = allocate();
  slots_[slot].binding = std::move(binding);
  link_user(slot);
  by_data_.insert(slot, data_hash);
  link_due(slot);
  link_connection(slot);
  ++size_;
  return {id_of(slot), nullptr};
}

Binding::Ptr Table::take(BindingId id) {
  if (!find(id)) return nullptr;
  const auto slot = static_cast<std::uint32_t>(id);
  unlink_due(slot);
  unlink_connection(slot);
  by_data_.erase(slot, [&](std::uint32_t each) { return slots_[each].binding->data_hash_; });
  unlink_user(slot);
  ++slots_[slot].generation;
  free_.push_back(slot);
  --size_;
  return std::move(slots_[slot].binding);
}

std::uint32_t Table::allocate() {
  if (!free_.empty()) {
    const auto slot = free_.back();
    free_.pop_back();
    return slot;
  }
  slots_.emplace_back();
  return static_cast<std::uint32_t>(slots_.size() - 1);
}

void Table::link_user(std::uint32_t slot) {
  Binding& binding = *slots_[slot].binding;
  auto last = head(binding.username(), binding.user_hash_);
  if (last == Binding::kNone) {
    by_user_.insert(slot, [&](std::uint32_t each) { return slots_[each].binding->user_hash_; });
    return;
  }
  while (slots_[last].binding->next_of_user_ != Binding::kNone) last = slots_[last].binding->next_of_user_;
  slots_[last].binding->next_of_user_ = slot;
}

void Table::unlink_user(std::uint32_t slot) {
  const auto user_hash = [&](std::uint32_t each) { return slots_[each].binding->user_hash_; };
  Binding& binding = *slots_[slot].binding;
  const auto first = head(binding.username(), binding.user_hash_);
  if (first == slot) {
    if (binding.next_of_user_ == Binding::kNone) by_user_.erase(slot, user_hash);
    else by_user_.replace(slot, binding.next_of_user_, user_hash);
    return;
  }
  auto before = first;
  while (slots_[before].binding->next_of_user_ != slot) before = slots_[before].binding->next_of_user_;
  slots_[before].binding->next_of_user_ = binding.next_of_user_;
}

std::uint32_t Table::connection_of(const Binding& binding) {
  const auto& flow = binding.facts().flow;
  return flow && stack::is_reliable(flow.kind) ? flow.connection : 0;
}

void Table::link_connection(std::uint32_t slot) {
  if (const auto connection = connection_of(*slots_[slot].binding)) by_connection_[connection].push_back(slot);
}

void Table::unlink_connection(std::uint32_t slot) {
  const auto held = by_connection_.find(connection_of(*slots_[slot].binding));
  if (held == by_connection_.end()) return;
  // From the back: an edge's connection with thousands of bindings that closes gives them up in that order.
  auto& slots = held->second;
  const auto found = std::find(slots.rbegin(), slots.rend(), slot);
  std::swap(*found, slots.back());
  slots.pop_back();
  if (slots.empty()) by_connection_.erase(held);
}

void Table::link_due(std::uint32_t slot) {
  Binding& binding = *slots_[slot].binding;
  if (binding.facts_.expires == MonoTime::max()) return;
  // Never behind the hand: what is due already is met at its next step.
  binding.due_place_ = static_cast<std::uint16_t>(std::max(second_of(binding.facts_.expires), swept_ + 1) % kRing);
  auto& first = ring_[binding.due_place_];
  binding.previous_due_ = Binding::kNone;
  binding.next_due_ = first;
  if (first != Binding::kNone) slots_[first].binding->previous_due_ = slot;
  first = slot;
}

void Table::unlink_due(std::uint32_t slot) {
  Binding& binding = *slots_[slot].binding;
  if (binding.facts_.expires == MonoTime::max()) return;
  if (binding.next_due_ != Binding::kNone) slots_[binding.next_due_].binding->previous_due_ = binding.previous_due_;
  if (binding.previous_due_ != Binding::kNone) slots_[binding.previous_due_].binding->next_due_ = binding.next_due_;
  else ring_[binding.due_place_] = binding.next_due_;
}

std::vector<BindingId> Table::due(MonoTime now) {
  std::vector<BindingId> out;
  const auto second = std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count();
  for (auto step = std::max({swept_ + 1, second - kRing + 1, std::int64_t{0}}); step <= second; ++step)  // never more than once around
    for (auto slot = ring_[static_cast<std::size_t>(step % kRing)]; slot != Binding::kNone; slot = slots_[slot].binding->next_due_)
      if (slots_[slot].binding->expired(now)) out.push_back(id_of(slot));
  swept_ = std::max(swept_, second);
  // Whoever is still there next time is late and must be met again.
  for (const auto id : out) {
    const auto slot = static_cast<std::uint32_t>(id);
    unlink_due(slot);
    link_due(slot);
  }
  return out;
}

std::vector<BindingId> Table::on_connection(std::uint32_t connection) const {
  std::vector<BindingId> out;
  const auto held = by_connection_.find(connection);
  if (held == by_connection_.end()) return out;
  for (const auto slot : held->second) out.push_back(id_of(slot));
  return out;
}

}  // namespace jackfield::sip::registrar
