// Live transactions by id, by key and by flow. Ids carry a generation: one that has ended is never found again. Addresses of
// entries are stable; everything costs O(1), visiting a flow costs what lives on it. No I/O.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "stack/flow.h"

namespace jackfield::sip::stack {

template <class Transaction>
class TransactionTable {
 public:
  /// The arguments after `flow` make the transaction. Its id is never 0.
  template <class... Args>
  std::uint64_t add(std::uint64_t hash, std::string_view key, const FlowId& flow, Args&&... args) {
    if (count_ + 1 > buckets_.size()) rehash(buckets_.empty() ? 64 : buckets_.size() * 2);
    const std::uint32_t index = take_slot();
    Slot& slot = slots_[index];
    slot.hash = hash;
    slot.key.assign(key);
    slot.flow = flow;
    slot.value.emplace(std::forward<Args>(args)...);
    std::uint32_t& bucket = buckets_[hash & (buckets_.size() - 1)];
    slot.next = bucket;
    bucket = index;
    const auto [head, fresh] = flows_.try_emplace(flow, kNone);
    slot.flow_previous = kNone;
    slot.flow_next = head->second;
    if (!fresh) slots_[head->second].flow_previous = index;
    head->second = index;
    ++count_;
    return id_of(index);
  }

  Transaction* find(std::uint64_t id) {
    const auto index = static_cast<std::uint32_t>(id) - 1;
    if (id == 0 || index >= slots_.size()) return nullptr;
    Slot& slot = slots_[index];
    return slot.value && slot.generation == id >> 32 ? &*slot.value : nullptr;
  }
  const Transaction* find(std::uint64_t id) const { return const_cast<TransactionTable*>(this)->find(id); }

  /// 0: none.
  std::uint64_t find_id(std::uint64_t hash, std::string_view key) const {
    if (buckets_.empty()) return 0;
    for (std::uint32_t at = buckets_[hash & (buckets_.size() - 1)]; at != kNone; at = slots_[at].next) {
      if (slots_[at].hash == hash && slots_[at].key == key) return id_of(at);
    }
    return 0;
  }

  /// A snapshot: any of them may end while it is walked.
  std::vector<std::uint64_t> on_flow(const FlowId& flow) const {
    std::vector<std::uint64_t> ids;
    const auto head = flows_.find(flow);
    if (head == flows_.end()) return ids;
    for (std::uint32_t at = head->second; at != kNone; at = slots_[at].flow_next) ids.push_back(id_of(at));
    return ids;
  }

  /// What the entry was added with; views are valid until it is removed.
  std::uint64_t hash_of(std::uint64_t id) const { return slots_[static_cast<std::uint32_t>(id) - 1].hash; }
  std::string_view key_of(std::uint64_t id) const { return slots_[static_cast<std::uint32_t>(id) - 1].key; }

  void remove(std::uint64_t id) {
    if (!find(id)) return;
    const auto index = static_cast<std::uint32_t>(id) - 1;
    Slot& slot = slots_[index];
    std::uint32_t* link = &buckets_[slot.hash & (buckets_.size() - 1)];
    while (*link != index) link = &slots_[*link].next;
    *link = slot.next;
    unlink_flow(slot);
    slot.value.reset();
    ++slot.generation;
    slot.next = free_;
    free_ = index;
    --count_;
  }

  template <class Visit>
  void each(Visit visit) {
    for (Slot& slot : slots_)
      if (slot.value) visit(*slot.value);
  }
  void clear() {
    for (std::uint32_t index = 0; index < slots_.size(); ++index)
      if (slots_[index].value) remove(id_of(index));
  }
  std::size_t size() const { return count_; }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  struct Slot {
    std::uint32_t generation = 1;
    std::uint32_t next = kNone;  // in the bucket, or in the list of free slots
    std::uint32_t flow_previous = kNone, flow_next = kNone;
    std::uint64_t hash = 0;
    FlowId flow;
    std::string key;
    std::optional<Transaction> value;
  };

  std::uint64_t id_of(std::uint32_t index) const {
    return static_cast<std::uint64_t>(slots_[index].generation) << 32 | (index + 1);
  }

  std::uint32_t take_slot() {
    if (free_ == kNone) {
      slots_.emplace_back();
      return static_cast<std::uint32_t>(slots_.size() - 1);
    }
    const std::uint32_t index = free_;
    free_ = slots_[index].next;
    return index;
  }

  void unlink_flow(const Slot& slot) {
    if (slot.flow_next != kNone) slots_[slot.flow_next].flow_previous = slot.flow_previous;
    if (slot.flow_previous != kNone) {
      slots_[slot.flow_previous].flow_next = slot.flow_next;
    } else if (slot.flow_next != kNone) {
      flows_.find(slot.flow)->second = slot.flow_next;
    } else {
      flows_.erase(slot.flow);
    }
  }

  void rehash(std::size_t buckets) {
    buckets_.assign(buckets, kNone);
    for (std::uint32_t index = 0; index < slots_.size(); ++index) {
      if (!slots_[index].value) continue;
      std::uint32_t& bucket = buckets_[slots_[index].hash & (buckets - 1)];
      slots_[index].next = bucket;
      bucket = index;
    }
  }

  std::deque<Slot> slots_;
  std::vector<std::uint32_t> buckets_;
  std::unordered_map<FlowId, std::uint32_t, FlowHash> flows_;
  std::uint32_t free_ = kNone;
  std::size_t count_ = 0;
};

}  // namespace jackfield::sip::stack
