#include <jackfield/arena.h>

#include <algorithm>
#include <cstdint>
#include <new>

#if __has_include(<sanitizer/asan_interface.h>)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

namespace jackfield {

struct Arena::Chunk {
  Chunk* older;
  std::size_t room;  // bytes behind this header
  char* bytes() { return reinterpret_cast<char*>(this + 1); }
};

namespace {

// Holds a message's parameters (16 of them, 512 bytes) and what a REGISTER says in them; a call's SDP goes to a second chunk.
constexpr std::size_t kFirstChunk = 2048;
constexpr std::size_t kPooled = 256;

// Chunks of kFirstChunk bytes in all. While one lies here the address sanitizer treats its bytes as freed.
class Pool {
 public:
  ~Pool() {
    closed = true;
    while (count_ != 0) ::operator delete(unpoisoned(free_[--count_]));
  }
  void* take() { return count_ == 0 ? nullptr : unpoisoned(free_[--count_]); }
  bool give(void* chunk) {
    if (count_ == kPooled) return false;
    ASAN_POISON_MEMORY_REGION(chunk, kFirstChunk);
    free_[count_++] = chunk;
    return true;
  }
  // Outlives the pool: a message may be destroyed after the thread's pool was.
  static thread_local bool closed;

 private:
  static void* unpoisoned(void* chunk) {
    ASAN_UNPOISON_MEMORY_REGION(chunk, kFirstChunk);
    return chunk;
  }
  void* free_[kPooled];
  std::size_t count_ = 0;
};
thread_local bool Pool::closed = false;
thread_local Pool pool;

}  // namespace

Arena::~Arena() {
  while (chunks_ != nullptr) {
    Chunk* const chunk = std::exchange(chunks_, chunks_->older);
    const bool pooled = chunk->room == kFirstChunk - sizeof(Chunk) && !Pool::closed && pool.give(chunk);
    if (!pooled) ::operator delete(chunk);
  }
}

char* Arena::allocate_slowly(std::size_t bytes) {
  void* memory = nullptr;
  std::size_t size = kFirstChunk;
  if (chunks_ == nullptr && bytes <= kFirstChunk - sizeof(Chunk)) {
    if (!Pool::closed) memory = pool.take();
  } else {
    // Doubling keeps the number of chunks small for a message that grows; a large value gets a chunk of its own size.
    const std::size_t newest = chunks_ == nullptr ? kFirstChunk : chunks_->room;
    size = std::max(sizeof(Chunk) + bytes, std::min<std::size_t>(2 * newest, 64 * 1024));
  }
  if (memory == nullptr) memory = ::operator new(size);
  chunks_ = new (memory) Chunk{chunks_, size - sizeof(Chunk)};
  next_ = chunks_->bytes() + bytes;
  left_ = chunks_->room - bytes;
  return chunks_->bytes();
}

void* Arena::allocate_aligned(std::size_t bytes) {
  constexpr std::size_t kAlign = alignof(std::max_align_t);
  const std::size_t padding = (kAlign - reinterpret_cast<std::uintptr_t>(next_) % kAlign) % kAlign;
  if (bytes + padding > left_) return allocate_slowly(bytes);  // a chunk's first byte is aligned
  return allocate(bytes + padding) + padding;
}

}  // namespace jackfield
