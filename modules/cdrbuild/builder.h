// Follows the messages of calls and keeps a record for every leg; says call.cdr when one begins, changes and ends. Engine thread only.
#pragma once

#include "call_record.h"

#include <jackfield/bus.h>
#include <jackfield/engine.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace jackfield::cdrbuild {

class Builder {
 public:
  Builder(Engine& engine, CdrSettings settings);
  ~Builder();
  Builder(const Builder&) = delete;

  /// For records that begin from now on; those under way end as they began.
  void use(CdrSettings settings) { settings_ = std::make_shared<const CdrSettings>(std::move(settings)); }

  /// Any of the messages that make a record. Never takes one from its driver.
  Verdict call_event(CallEvent event, Message& message);
  /// Only operation `cdrbuild` or none: other updates are the drivers' business.
  Verdict call_update(Message& message);
  /// `cdrbuild/<chan>` closes a record that nothing else ends.
  Verdict call_drop(Message& message);
  Verdict chan_hangup(Message& message);
  /// Ends every record, and waits for those who write them.
  Verdict engine_halt(Message& message);
  Verdict engine_status(Message& message);

  std::size_t open_records() const { return records_.size(); }

 private:
  /// The map's nodes hold still, so that the view of the channel stays good.
  using Records = std::unordered_map<std::string, CallRecord>;

  std::int64_t time_of(const Message& message) const;
  std::int64_t now() const;
  void begin(CallEvent event, std::int64_t at, const Message& message);
  void update_peer(CallEvent event, std::int64_t at, const Message& message);
  void finalize(Records::iterator record, std::int64_t at);
  void say(const CallRecord& record, std::string_view operation, std::int64_t at);
  void watch_status(CallRecord& record);
  void status_due(std::uint64_t cdrid);
  void remember_hangup(std::string_view id, std::int64_t at);
  /// When the channel ended, within the guard time.
  const std::int64_t* ended(std::string_view id);
  void forget_old();
  void ignore(std::string_view id);
  Task<bool> finalize_all();

  Engine& engine_;
  Logger& log_;
  std::shared_ptr<const CdrSettings> settings_;
  std::string runid_;
  std::uint64_t next_cdrid_ = 1;
  Records records_;
  std::unordered_map<std::uint64_t, CallRecord*> with_status_;
  std::unordered_map<std::string, std::int64_t> ended_;
  std::deque<std::pair<std::int64_t, std::string>> ended_order_;
  std::unordered_set<std::string> ignored_;  ///< legs whose first message said that they have no record
  std::size_t ignored_limit_ = 64;
  TimerSinkId status_timers_;
};

}  // namespace jackfield::cdrbuild
