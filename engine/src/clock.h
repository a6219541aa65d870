// The server's clocks and randomness: read from the kernel, once a turn of the loop.
#pragma once

#include <jackfield/clock.h>

#include <array>
#include <optional>

namespace jackfield {

/// A clock that stands still within a turn of the loop.
class TurnClock : public Clock {
 public:
  /// The next reading is a fresh one.
  virtual void begin_turn() = 0;
  /// When the turn's time was first asked for; nothing when nobody asked yet.
  virtual std::optional<MonoTime> turn_began() const = 0;
};

/// Reads the kernel's clocks when first asked in a turn: the loop sleeps at a turn's start, so reading earlier would be stale.
class SystemClock final : public TurnClock {
 public:
  MonoTime now() const override;
  WallTime wall() const override;
  void begin_turn() override { mono_.reset(), wall_.reset(); }
  std::optional<MonoTime> turn_began() const override { return mono_; }

 private:
  mutable std::optional<MonoTime> mono_;
  mutable std::optional<WallTime> wall_;
};

/// getrandom(2), a block at a time; bytes given out are wiped.
class SystemRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> bytes) override;

 private:
  std::array<std::uint8_t, 256> block_;
  std::size_t left_ = 0;
};

}  // namespace jackfield
