// Live transactions by id, by key and by flow. Ids carry a generation: one that has ended is never found again. Addresses of
// entries are stable; everything costs O(1), visiting a flow costs what lives on it. No I/O.
//
// Some stay for half a minute after their call (RFC 6026), among memory that comes and goes with each call. So they lie together, many
// to an allocation, with their keys: each by itself, they would break what lies between them into pieces that no later call fits in.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
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
    Slot& slot = at(index);
    slot.hash = hash;
    slot.key = key;
    slot.flow = flow;
    slot.value.emplace(std::forward<Args>(args)...);
    std::uint32_t& bucket = buckets_[hash & (buckets_.size() - 1)];
    slot.next = bucket;
    bucket = index;
    const auto [head, fresh] = flows_.try_emplace(flow, kNone);
    slot.flow_previous = kNone;
    slot.flow_next = head->second;
    if (!fresh) at(head->second).flow_previous = index;
    head->second = index;
    ++count_;
    return id_of(index);
  }

  Transaction* find(std::uint64_t id) {
    const auto index = static_cast<std::uint32_t>(id) - 1;
    if (id == 0 || index >= made_) return nullptr;
    Slot& slot = at(index);
    return slot.value && slot.generation == id >> 32 ? &*slot.value : nullptr;
  }
  const Transaction* find(std::uint64_t id) const { return const_cast<TransactionTable*>(this)->find(id); }

  /// 0: none.
  std::uint64_t find_id(std::uint64_t hash, std::string_view key) const {
    if (buckets_.empty()) return 0;
    for (std::uint32_t index = buckets_[hash & (buckets_.size() - 1)]; index != kNone; index = at(index).next) {
      if (at(index).hash == hash && at(index).key.view() == key) return id_of(index);
    }
    return 0;
  }

  /// A snapshot: any of them may end while it is walked.
  std::vector<std::uint64_t> on_flow(const FlowId& flow) const {
    std::vector<std::uint64_t> ids;
    const auto head = flows_.find(flow);
    if (head == flows_.end()) return ids;
    for (std::uint32_t index = head->second; index != kNone; index = at(index).flow_next) ids.push_back(id_of(index));
    return ids;
  }

  /// What the entry was added with; views are valid until it is removed.
  std::uint64_t hash_of(std::uint64_t id) const { return at(static_cast<std::uint32_t>(id) - 1).hash; }
  std::string_view key_of(std::uint64_t id) const { return at(static_cast<std::uint32_t>(id) - 1).key.view(); }

  void remove(std::uint64_t id) {
    if (!find(id)) return;
    const auto index = static_cast<std::uint32_t>(id) - 1;
    Slot& slot = at(index);
    std::uint32_t* link = &buckets_[slot.hash & (buckets_.size() - 1)];
    while (*link != index) link = &at(*link).next;
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
    for (std::uint32_t index = 0; index < made_; ++index)
      if (at(index).value) visit(*at(index).value);
  }
  void clear() {
    for (std::uint32_t index = 0; index < made_; ++index)
      if (at(index).value) remove(id_of(index));
  }
  std::size_t size() const { return count_; }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  static constexpr std::uint32_t kPerBlock = 128;
  /// Nearly all fit in their place: a branch, where it is from, a method.
  class Key {
   public:
    void operator=(std::string_view key) {
      size_ = key.size();
      if (size_ <= sizeof here_) std::memcpy(here_, key.data(), size_);
      else long_.assign(key);
    }
    std::string_view view() const { return size_ <= sizeof here_ ? std::string_view(here_, size_) : std::string_view(long_); }

   private:
    char here_[96];
    std::size_t size_ = 0;
    std::string long_;
  };
  struct Slot {
    std::uint32_t generation = 1;
    std::uint32_t next = kNone;  // in the bucket, or in the list of free slots
    std::uint32_t flow_previous = kNone, flow_next = kNone;
    std::uint64_t hash = 0;
    FlowId flow;
    Key key;
    std::optional<Transaction> value;
  };

  Slot& at(std::uint32_t index) { return blocks_[index / kPerBlock][index % kPerBlock]; }
  const Slot& at(std::uint32_t index) const { return blocks_[index / kPerBlock][index % kPerBlock]; }

  std::uint64_t id_of(std::uint32_t index) const {
    return static_cast<std::uint64_t>(at(index).generation) << 32 | (index + 1);
  }

  std::uint32_t take_slot() {
    if (free_ == kNone) {
      if (made_ % kPerBlock == 0) blocks_.push_back(std::make_unique<Slot[]>(kPerBlock));
      return made_++;
    }
    const std::uint32_t index = free_;
    free_ = at(index).next;
    return index;
  }

  void unlink_flow(const Slot& slot) {
    if (slot.flow_next != kNone) at(slot.flow_next).flow_previous = slot.flow_previous;
    if (slot.flow_previous != kNone) {
      at(slot.flow_previous).flow_next = slot.flow_next;
    } else if (slot.flow_next != kNone) {
      flows_.find(slot.flow)->second = slot.flow_next;
    } else {
      flows_.erase(slot.flow);
    }
  }

  void rehash(std::size_t buckets) {
    buckets_.assign(buckets, kNone);
    for (std::uint32_t index = 0; index < made_; ++index) {
      if (!at(index).value) continue;
      std::uint32_t& bucket = buckets_[at(index).hash & (buckets - 1)];
      at(index).next = bucket;
      bucket = index;
    }
  }

  std::vector<std::unique_ptr<Slot[]>> blocks_;
  std::uint32_t made_ = 0;  // slots that were ever in use
  std::vector<std::uint32_t> buckets_;
  std::unordered_map<FlowId, std::uint32_t, FlowHash> flows_;
  std::uint32_t free_ = kNone;
  std::size_t count_ = 0;
};

}  // namespace jackfield::sip::stack
