#include "stack/completed.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace jackfield::sip::stack {

struct CompletedStore::Record {
  std::uint64_t hash, merge_hash;
  MonoTime until;
  FlowId destination;
  std::uint32_t key_size, response_size : 30;
  enum class State : std::uint32_t { kept, held, forgotten };
  State state : 2;

  char* text() { return reinterpret_cast<char*>(this + 1); }
  const char* text() const { return reinterpret_cast<const char*>(this + 1); }
  std::size_t size() const {
    return (sizeof(Record) + key_size + response_size + alignof(Record) - 1) / alignof(Record) * alignof(Record);
  }
};

namespace {

// Not malloc: its thresholds adapt until freed blocks of this size stay with the process.
void* map(std::size_t size) {
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  return memory;
}

}  // namespace

void CompletedStore::Unmap::operator()(void* memory) const { ::munmap(memory, size); }

// The system's memory is zeros: free slots.
CompletedStore::Slots::Slots(std::size_t size)
    : size_(size), slots_(size == 0 ? nullptr : static_cast<Slot*>(map(size * sizeof(Slot))), Unmap{size * sizeof(Slot)}) {}

CompletedStore::Block CompletedStore::take_block(std::size_t at_least) {
  if (at_least <= kBlock && !spares_.empty()) {
    Block block = std::move(spares_.back());
    spares_.pop_back();
    block.used = 0;
    return block;
  }
  const std::size_t size = std::max(kBlock, (at_least + 4095) / 4096 * 4096);
  return {std::unique_ptr<char, Unmap>(static_cast<char*>(map(size)), Unmap{size}), size};
}

CompletedStore::Record& CompletedStore::record_at(Position position) {
  const auto after = std::upper_bound(blocks_.begin(), blocks_.end(), position,
                                      [](Position p, const Block& block) { return p < block.first; });
  const Block& block = *std::prev(after);
  return *std::launder(reinterpret_cast<Record*>(block.memory.get() + (position - block.first)));
}

CompletedStore::Position CompletedStore::add(const Entry& entry, MonoTime until) {
  Record head{.hash = entry.hash, .merge_hash = entry.merge_hash, .until = until, .destination = entry.destination,
              .key_size = static_cast<std::uint32_t>(entry.key.size()), .response_size = static_cast<std::uint32_t>(entry.response.size()),
              .state = entry.held ? Record::State::held : Record::State::kept};
  const std::size_t size = head.size();
  if (size > max_bytes_ && !entry.held) return 0;
  if (blocks_.empty() || blocks_.back().size - blocks_.back().used < size) {
    while (may_drop_oldest() && block_bytes_ + slots_.size() * sizeof(Slot) + std::max(size, kBlock) > max_bytes_) drop_oldest();
    Block block = take_block(size);
    block.first = next_;
    if (count_ == 0) oldest_ = next_;
    block_bytes_ += block.size;
    blocks_.push_back(std::move(block));
  }
  Block& block = blocks_.back();
  auto* record = new (block.memory.get() + block.used) Record(head);
  // Not a copy of iterators, which here is one of byte after byte. Of one that is absorbed there is no answer, not even an address.
  std::memcpy(record->text(), entry.key.data(), entry.key.size());
  if (!entry.response.empty()) std::memcpy(record->text() + entry.key.size(), entry.response.data(), entry.response.size());
  const Position position = next_;
  index(entry.hash, position);
  if (entry.merge_hash != 0) index(entry.merge_hash, position);
  block.used += size;
  next_ = block.first + block.used;
  ++count_;
  return position;
}

bool CompletedStore::may_drop_oldest() { return count_ != 0 && record_at(oldest_).state != Record::State::held; }

void CompletedStore::drop_oldest() {
  const Record& record = record_at(oldest_);
  const std::size_t size = record.size();
  if (record.state != Record::State::forgotten) unindex(record, oldest_);
  --count_;
  oldest_ += size;
  Block& block = blocks_.front();
  if (oldest_ < block.first + block.used) return;
  block_bytes_ -= block.size;
  if (block.size == kBlock && spares_.size() < kSpares) spares_.push_back(std::move(block));
  blocks_.pop_front();
  oldest_ = blocks_.empty() ? next_ : blocks_.front().first;
}

void CompletedStore::expire(MonoTime now) {
  while (may_drop_oldest() && record_at(oldest_).until <= now) drop_oldest();
  if (count_ == 0) spares_.clear();
  if (slots_.size() > 4096 && indexed_ * 8 < slots_.size()) resize_index(slots_.size() / 4);
}

std::optional<MonoTime> CompletedStore::next_expiry() {
  if (count_ == 0) return {};
  return record_at(oldest_).until;
}

void CompletedStore::clear() {
  blocks_.clear();
  spares_.clear();
  slots_ = Slots();
  count_ = indexed_ = block_bytes_ = 0;
  oldest_ = next_ += kBlock;
}

const CompletedStore::Entry* CompletedStore::find(std::uint64_t hash, std::string_view key) {
  if (slots_.empty()) return nullptr;
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = hash & mask; slots_[at].position != 0; at = (at + 1) & mask) {
    if (slots_[at].hash != hash) continue;
    Record& record = record_at(slots_[at].position);
    if (record.hash != hash || std::string_view(record.text(), record.key_size) != key) continue;
    return show(record);
  }
  return nullptr;
}

const CompletedStore::Entry* CompletedStore::show(const Record& record) {
  found_ = {.hash = record.hash, .merge_hash = record.merge_hash, .key = {record.text(), record.key_size}, .destination = record.destination,
            .response = {record.text() + record.key_size, record.response_size}, .held = record.state == Record::State::held};
  return &found_;
}

CompletedStore::Record* CompletedStore::held_at(Position position) {
  if (position < oldest_ || position >= next_) return nullptr;  // from before clear()
  Record& record = record_at(position);
  return record.state == Record::State::held ? &record : nullptr;
}

const CompletedStore::Entry* CompletedStore::let_go(Position held) {
  Record* const record = held_at(held);
  if (!record) return nullptr;
  record->state = Record::State::kept;
  return show(*record);
}

const CompletedStore::Entry* CompletedStore::forget(Position held) {
  Record* const record = held_at(held);
  if (!record) return nullptr;
  unindex(*record, held);
  record->state = Record::State::forgotten;
  return show(*record);
}

bool CompletedStore::merges(std::uint64_t merge_hash) const {
  if (slots_.empty()) return false;
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = merge_hash & mask; slots_[at].position != 0; at = (at + 1) & mask) {
    if (slots_[at].hash == merge_hash) return true;  // 64 bits under our key: taken as equal
  }
  return false;
}

void CompletedStore::index(std::uint64_t hash, Position position) {
  if ((indexed_ + 1) * 4 > slots_.size() * 3) resize_index(std::max<std::size_t>(1024, slots_.size() * 2));
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  while (slots_[at].position != 0) at = (at + 1) & mask;
  slots_[at] = {hash, position};
  ++indexed_;
}

// Closes the gap by moving back what was pushed past it, so that no tombstones gather.
void CompletedStore::unindex(std::uint64_t hash, Position position) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t gap = hash & mask;
  while (slots_[gap].position != position || slots_[gap].hash != hash) gap = (gap + 1) & mask;
  for (std::size_t at = (gap + 1) & mask; slots_[at].position != 0; at = (at + 1) & mask) {
    const std::size_t home = slots_[at].hash & mask;
    if (((at - home) & mask) < ((at - gap) & mask)) continue;  // its home lies behind the gap
    slots_[gap] = slots_[at];
    gap = at;
  }
  slots_[gap] = {};
  --indexed_;
}

void CompletedStore::unindex(const Record& record, Position position) {
  unindex(record.hash, position);
  if (record.merge_hash != 0) unindex(record.merge_hash, position);
}

void CompletedStore::resize_index(std::size_t slots) {
  auto old = std::exchange(slots_, Slots(slots));
  const std::size_t mask = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.position == 0) continue;
    std::size_t at = slot.hash & mask;
    while (slots_[at].position != 0) at = (at + 1) & mask;
    slots_[at] = slot;
  }
}

std::size_t CompletedStore::bytes() const {
  return block_bytes_ + spares_.size() * kBlock + slots_.size() * sizeof(Slot);
}

}  // namespace jackfield::sip::stack
