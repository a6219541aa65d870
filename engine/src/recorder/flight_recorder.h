// The recorder as the bus and the commands see it: dispatches that are being written down, and what was. A dispatch is written into a
// buffer of its own, which is used again, and goes into the ring of its kind when it is over. Engine thread only.
#pragma once

#include "recorder/record.h"
#include "recorder/ring.h"

#include <jackfield/clock.h>
#include <jackfield/message.h>
#include <jackfield/recorder.h>

#include <array>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

namespace jackfield {

/// Which messages are written down, and where.
Recorded recorded_kind(std::string_view message);
/// All of them.
std::span<const std::pair<std::string_view, Recorded>> recorded_messages();

class FlightRecorder final : public Recorder {
 public:
  class Recording;

  /// `clock` outlives it.
  explicit FlightRecorder(const Clock& clock);
  ~FlightRecorder() override;

  /// In bytes; 0: nothing of that kind is kept. A change forgets what was.
  void set_room(std::size_t calls, std::size_t registrations);

  bool records(Recorded kind) const override { return rings_[static_cast<std::size_t>(kind)].size() != 0; }
  std::uint16_t add_source(std::weak_ptr<const WireReader> reader) override;
  void wire(std::uint16_t source, const WireMessage& message) override;
  DispatchId current() const override;
  void note(DispatchId dispatch, std::string_view line) override;

  // For the bus.

  /// A dispatch that is being written down. Its end is written when it is destroyed, if not before.
  class Open {
   public:
    Open() = default;
    Open(FlightRecorder& recorder, Recording& recording) : recorder_(&recorder), recording_(&recording) {}
    Open(Open&& other) noexcept : recorder_(other.recorder_), recording_(std::exchange(other.recording_, nullptr)) {}
    Open& operator=(Open&&) = delete;
    ~Open() {
      if (recording_ != nullptr) recorder_->abandon(*recording_);
    }
    explicit operator bool() const { return recording_ != nullptr; }
    Recording* get() const { return recording_; }

   private:
    friend class FlightRecorder;
    FlightRecorder* recorder_ = nullptr;
    Recording* recording_ = nullptr;
  };

  /// `into` gets the record instead of the ring; it outlives the dispatch, and only asks handlers that change nothing then.
  Open begin(const Message& message, Recorded kind, DispatchRecord* into = nullptr);
  /// Only handlers that say so may be asked.
  static bool is_rehearsal(const Recording& recording);
  /// `label` outlives the recorder's memory of it: the bus keeps its labels for ever.
  void not_asked(Recording& recording, const char* label);
  /// The handler is about to run; until it answered() or waits(), current() is this dispatch.
  void asked(Recording& recording, const char* label, const Message& message);
  void answered(Recording& recording, const Message& message, recorder::Answer answer);
  void waits(Recording& recording, const Message& message);
  void resumed(Recording& recording, const Message& message, recorder::Answer answer);
  void end(Open& open);

  // For those who read. The views are valid until something is written down again.

  template <class Visit>
  void each(const Visit& visit) const {
    for (const auto& ring : rings_) ring.each(visit);
    for (const auto& record : under_way()) visit(record);
  }
  /// Null once the driver is gone.
  std::shared_ptr<const WireReader> reader(std::uint16_t source) const;

 private:
  static Recording& of(DispatchId dispatch);
  void abandon(Recording& recording);
  void finish(Recording& recording);
  void write_changes(Recording& recording, const Message& message);
  std::vector<std::string_view> under_way() const;
  std::int64_t now() const { return clock_.wall().time_since_epoch().count(); }

  const Clock& clock_;
  std::array<recorder::Ring, 3> rings_;  // by Recorded
  std::vector<std::unique_ptr<Recording>> recordings_;
  std::vector<std::uint32_t> free_;
  std::vector<std::weak_ptr<const WireReader>> sources_;
  Recording* current_ = nullptr;
  std::uint64_t sequence_ = 0;
};

}  // namespace jackfield
