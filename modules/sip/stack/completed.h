// Server transactions that only wait for retransmissions (RFC 3261 §17.2.2, timer J; of INVITEs those that were acknowledged, §17.2.1
// timer I and RFC 6026 timer L): the key and the answer's bytes, if it would be repeated, nothing else.
// All wait equally long, so they lie one behind the other in blocks of the system's memory; what is over or beyond the cap leaves
// from the old end, and a block that is empty goes back to the system. An answer that may not leave yet is held here: what comes again is
// absorbed until it is let go. Owned by Transactions; pure save for that memory.
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
    bool held = false;           ///< as if it were empty; it stays, beyond `until` and the cap too, until let_go() or forget()
  };
  /// Where an entry lies; 0: nowhere.
  using Position = std::uint64_t;
  /// Keeps a copy until `until`, which never goes back from call to call.
  Position add(const Entry& entry, MonoTime until);
  /// Views are valid until the next add() or expire().
  const Entry* find(std::uint64_t hash, std::string_view key);
  /// The held entry there, which then is one like all others. Null: there is none.
  const Entry* let_go(Position held);
  /// The same, but it is found no more.
  const Entry* forget(Position held);
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
    std::size_t size = 0;
    void operator()(void* memory) const;
  };
  struct Block {
    std::unique_ptr<char, Unmap> memory;
    std::size_t size, used = 0;
    Position first = 0;  // of its first byte
  };
  struct Record;  // what lies in a block, before key and response
  // The index: open addressing with linear probing; `position` counts bytes since the beginning of time. 0: free.
  struct Slot {
    std::uint64_t hash = 0;
    Position position = 0;
  };
  class Slots {
   public:
    explicit Slots(std::size_t size = 0);
    Slot& operator[](std::size_t i) { return slots_.get()[i]; }
    const Slot& operator[](std::size_t i) const { return slots_.get()[i]; }
    Slot* begin() { return slots_.get(); }
    Slot* end() { return slots_.get() + size_; }
    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }

   private:
    std::size_t size_;
    std::unique_ptr<Slot, Unmap> slots_;
  };

  Block take_block(std::size_t at_least);
  bool may_drop_oldest();
  void drop_oldest();
  Record& record_at(Position position);
  Record* held_at(Position position);
  const Entry* show(const Record& record);
  void index(std::uint64_t hash, Position position);
  void unindex(std::uint64_t hash, Position position);
  void unindex(const Record& record, Position position);
  void resize_index(std::size_t slots);

  std::size_t max_bytes_;
  std::deque<Block> blocks_;
  std::vector<Block> spares_;
  Position oldest_ = 1, next_ = 1;
  std::size_t block_bytes_ = 0, count_ = 0, indexed_ = 0;
  Slots slots_;
  Entry found_{};
};

}  // namespace jackfield::sip::stack
