// Server transactions that only wait for retransmissions (RFC 3261 §17.2.2, timer J; of INVITEs those that were acknowledged, §17.2.1
// timer I and RFC 6026 timer L): the key and the answer's bytes, if it would be repeated, nothing else.
// All wait equally long, so they lie one behind the other in blocks of the system's memory; what is over or beyond the cap leaves
// from the old end, and a block that is empty goes back to the system. Owned by Transactions; pure save for that memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "stack/flow.h"

#include <jackfield/clock.h>

namespace jackfield::sip::stack {

class CompletedStore {
 public:
  /// At least one block is used, however small the cap.
  explicit CompletedStore(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  struct Entry {
    std::uint64_t hash;          ///< of the key
    std::uint64_t merge_hash;    ///< of what a merged request shares (§8.2.2.2); 0: none
    std::string_view key;
    FlowId destination;          ///< where the answer went
    std::string_view response;   ///< empty: what comes again is absorbed
  };
  /// Keeps a copy until `until`, which never goes back from call to call.
  void add(const Entry& entry, MonoTime until);
  /// Views are valid until the next add() or expire().
  const Entry* find(std::uint64_t hash, std::string_view key);
  /// True when a transaction with this merge hash is kept.
  bool merges(std::uint64_t merge_hash) const;
  void expire(MonoTime now);
  std::optional<MonoTime> next_expiry();
  void clear();

  std::size_t size() const { return count_; }
  /// Of the system's memory: blocks, and the index.
  std::size_t bytes() const;

 private:
  static constexpr std::size_t kBlock = 256 * 1024;
  static constexpr std::size_t kSpares = 4;
  struct Unmap {
    std::size_t size;
    void operator()(char* memory) const;
  };
  struct Block {
    std::unique_ptr<char, Unmap> memory;
    std::size_t size, used = 0;
    std::uint64_t first = 0;  // position of its first byte
  };
  struct Record;  // what lies in a block, before key and response
  // The index: open addressing with linear probing; `position` counts bytes since the beginning of time. 0: free.
  struct Slot {
    std::uint64_t hash = 0;
    std::uint64_t position = 0;
  };

  Block take_block(std::size_t at_least);
  void drop_oldest();
  Record& record_at(std::uint64_t position);
  void index(std::uint64_t hash, std::uint64_t position);
  void unindex(std::uint64_t hash, std::uint64_t position);
  void resize_index(std::size_t slots);

  std::size_t max_bytes_;
  std::deque<Block> blocks_;
  std::vector<Block> spares_;
  std::uint64_t oldest_ = 1, next_ = 1;  // positions
  std::size_t block_bytes_ = 0, count_ = 0, indexed_ = 0;
  std::vector<Slot> slots_;
  Entry found_{};
};

}  // namespace jackfield::sip::stack
