// The flight recorder: what happened to the last calls and registrations, in memory of a fixed size; the oldest leave first. The bus
// writes down each dispatch of theirs: who was asked, what he answered and changed, how long he made it wait. Drivers hand in the
// messages of their protocol. `jackfield explain` reads it. Owned by the engine; engine thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace jackfield {

/// Whose memory a record takes: many registrations must not drive out the calls.
enum class Recorded : std::uint8_t { nothing, call, registration };

/// What the bytes of one driver mean. Asked when somebody looks, so that recording costs a copy and no more.
class WireReader {
 public:
  virtual ~WireReader() = default;
  /// `UDP 192.0.2.7:5060`, of what the driver gave as `flow`.
  virtual std::string way(std::string_view flow) const = 0;
  /// The user whose registration it is about; empty: none.
  virtual std::string user(std::string_view bytes) const = 0;
  /// The message as people read it, in lines that end in LF. Secrets (digest responses, keys of media) are masked.
  virtual std::string text(std::string_view bytes) const = 0;
};

/// A message of a driver's protocol, as it came or went.
struct WireMessage {
  Recorded kind = Recorded::nothing;
  bool sent = false;
  std::string_view key;   ///< what its conversation has in common (a Call-ID); a part of `bytes`
  std::string_view flow;  ///< the way it took, in the driver's own form
  std::string_view bytes;
};

class Recorder {
 public:
  virtual ~Recorder() = default;
  /// Whether anything of that kind is kept.
  virtual bool records(Recorded kind) const = 0;

  // For drivers.
  /// Whose messages wire() takes from now on; they can be read as long as `reader` lives.
  virtual std::uint16_t add_source(std::weak_ptr<const WireReader> reader) = 0;
  virtual void wire(std::uint16_t source, const WireMessage& message) = 0;

  // For handlers that say more of themselves than their verdict: which rule, which query.
  using DispatchId = std::uint64_t;
  /// The dispatch whose handler runs now, also for what that handler notes after it has waited; 0: nobody writes it down.
  virtual DispatchId current() const = 0;
  /// One line about what the handler did: `regexroute.conf:12 [default] ^9=…`. Harmless once the dispatch is over.
  virtual void note(DispatchId dispatch, std::string_view line) = 0;
};

/// What happened in one dispatch: Bus::rehearse() gives one.
class DispatchRecord {
 public:
  /// As `jackfield explain` shows it, secrets masked, in lines that end in LF.
  std::string text() const;
  const std::string& bytes() const { return bytes_; }

 private:
  friend class FlightRecorder;
  std::string bytes_;  // as engine/src/recorder/record.h has it
};

}  // namespace jackfield
