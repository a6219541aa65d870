// How records lie in memory, and how they are read again. A record is a head and then fields one behind the other, nothing aligned.
//
//   wire      sent, key (offset and length within the bytes), flow, bytes
//   dispatch  the time it ended, message name, parameters; then steps, each a letter and its fields
#pragma once

#include <jackfield/clock.h>
#include <jackfield/recorder.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace jackfield::recorder {

constexpr std::size_t kLongestName = 255;
constexpr std::size_t kLongestValue = 1024;    // of what is kept; how long it was is kept, too
constexpr std::size_t kLongestWire = 16 * 1024;
constexpr std::size_t kLongestDispatch = 64 * 1024;

struct Head {
  enum class Type : std::uint8_t { wire, dispatch } type;
  Recorded kind;
  std::uint16_t source = 0;     ///< of a wire message
  std::uint64_t sequence = 0;   ///< in the order in which things began
  std::int64_t time = 0;        ///< wall clock, microseconds
};

/// What a handler made of the message.
enum class Answer : std::uint8_t {
  passed,
  handled,
  provisional,  ///< handled, once something is kept
  threw,
  not_asked,    ///< only somebody asked what would happen, and it has not said that it changes nothing then
  left,         ///< nobody waits for it any more
};

/// A step of a dispatch. The views are into the record.
struct Step {
  enum class Kind : char {
    asked = 'A',     ///< `label`
    waits = 'W',     ///< from `time` on
    resumed = 'R',   ///< at `time`
    note = 'N',      ///< `value`
    set = 'S',       ///< `name` is `value` now
    erased = 'E',    ///< `name`
    renamed = 'M',   ///< `value`
    returns = 'V',   ///< `value` is the return value now
    answered = 'X',  ///< `answer`
    cut = 'C',       ///< what came after it was too much
  } kind;
  const char* label = nullptr;  ///< `call.route:100 regexroute`
  std::int64_t time = 0;
  Answer answer = Answer::passed;
  std::string_view name = {}, value = {};
  std::size_t length = 0;  ///< of the whole value
};

struct ReadParameter {
  std::string_view name, value;
  std::size_t length = 0;
};

struct ReadDispatch {
  Head head;
  std::optional<std::int64_t> ended;  ///< none: it goes on
  std::string_view name;
  std::vector<ReadParameter> parameters;  ///< as it began
  std::vector<Step> steps;
  std::string_view before(std::string_view parameter) const;
};

struct ReadWire {
  Head head;
  bool sent = false;
  std::string_view key = {}, flow = {}, bytes = {};
  std::size_t length = 0;
};

Head read_head(std::string_view record);
/// `record` is whole and of that type: it came from here.
ReadDispatch read_dispatch(std::string_view record);
ReadWire read_wire(std::string_view record);

/// Bytes that grow and are used again: once warm, nothing is allocated.
class Writer {
 public:
  void clear() { size_ = 0; }
  std::size_t size() const { return size_; }
  std::string_view view() const { return {bytes_.get(), size_}; }
  char* at(std::size_t offset) { return bytes_.get() + offset; }

  template <class T>
  void put(const T& value) {
    std::memcpy(room(sizeof value), &value, sizeof value);
  }
  /// Cut off where it is too long.
  void put_name(std::string_view name) {
    const auto size = static_cast<std::uint8_t>(name.size() < kLongestName ? name.size() : kLongestName);
    char* const to = room(1 + size);
    to[0] = static_cast<char>(size);
    copy(to + 1, name.data(), size);
  }
  /// The same, but its whole length stays known.
  void put_value(std::string_view value) { write_value(room(kLengthSize + kept_of(value)), value); }
  /// A name and a value: most of a record is made of them.
  void put_parameter(std::string_view name, std::string_view value) {
    const std::size_t size = name.size() < kLongestName ? name.size() : kLongestName;
    char* const to = room(1 + size + kLengthSize + kept_of(value));
    to[0] = static_cast<char>(size);
    copy(to + 1, name.data(), size);
    write_value(to + 1 + size, value);
  }

 private:
  static constexpr std::size_t kLengthSize = sizeof(std::uint32_t);
  static std::size_t kept_of(std::string_view value) { return value.size() < kLongestValue ? value.size() : kLongestValue; }
  static void write_value(char* to, std::string_view value) {
    const auto length = static_cast<std::uint32_t>(value.size());
    std::memcpy(to, &length, sizeof length);
    copy(to + sizeof length, value.data(), kept_of(value));
  }
  /// Most names and values are short: two moves that overlap cost less than finding out how to copy them.
  static void copy(char* to, const char* from, std::size_t size) {
    const auto ends = [&]<class Word>(Word) {
      Word first, last;
      std::memcpy(&first, from, sizeof first);
      std::memcpy(&last, from + size - sizeof last, sizeof last);
      std::memcpy(to, &first, sizeof first);
      std::memcpy(to + size - sizeof last, &last, sizeof last);
    };
    if (size > 32) std::memcpy(to, from, size);
    else if (size >= 16) ends(std::array<std::uint64_t, 2>{});
    else if (size >= 8) ends(std::uint64_t{});
    else if (size >= 4) ends(std::uint32_t{});
    else
      for (std::size_t i = 0; i < size; ++i) to[i] = from[i];
  }
  char* room(std::size_t bytes) {
    if (size_ + bytes > capacity_) grow(bytes);
    size_ += bytes;
    return bytes_.get() + size_ - bytes;
  }
  void grow(std::size_t bytes);

  std::unique_ptr<char[]> bytes_;
  std::size_t size_ = 0, capacity_ = 0;
};

/// Where the time a dispatch ended stands in its record.
constexpr std::size_t kEndedAt = sizeof(Head);
constexpr std::int64_t kGoesOn = INT64_MIN;

}  // namespace jackfield::recorder
