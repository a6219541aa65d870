// The record of one leg: what happened when, and the parameters that were seen. Knows no bus. A value of the builder's table.
#pragma once

#include "settings.h"

#include <jackfield/message.h>
#include <jackfield/timers.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace jackfield::cdrbuild {

enum class CallEvent : std::uint8_t { startup, route, execute, progress, ringing, answered, update, hangup };

class CallRecord {
 public:
  /// Begins at `now` (microseconds since 1970) with the leg's first message.
  CallRecord(std::shared_ptr<const CdrSettings> settings, std::uint64_t cdrid, std::int64_t now, const Message& first);

  std::uint64_t cdrid() const { return cdrid_; }
  const std::string& chan() const { return chan_; }
  bool answered() const { return answer_ != 0; }
  const CdrSettings& settings() const { return *settings_; }

  /// A message about this leg.
  void update(CallEvent event, std::int64_t now, const Message& message);
  /// The other leg rings or answered: this one, which calls, does so too.
  void update_from_peer(CallEvent event, std::int64_t now, const Message& message);
  /// Takes the reason only.
  void close(std::int64_t now, std::string_view reason);

  /// The call.cdr of this moment.
  Message message(std::string_view operation, std::string_view runid, std::int64_t now) const;
  /// `status|caller|called|billid|duration` for the status line.
  std::string summary(std::int64_t now) const;

  TimerHandle status_timer;

 private:
  void note(CallEvent event, std::int64_t now, const Message& message);
  void note_status(CallEvent event, std::string_view status);
  void collect(const Message& message);
  std::string_view collected(std::string_view name) const;

  std::shared_ptr<const CdrSettings> settings_;
  std::uint64_t cdrid_;
  std::string chan_, direction_, status_;
  std::int64_t start_, ringing_ = 0, answer_ = 0, hangup_ = 0;
  bool write_;
  std::vector<std::string> values_;  ///< one for each of settings_->collected
};

}  // namespace jackfield::cdrbuild
