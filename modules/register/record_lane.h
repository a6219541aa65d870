// Writes the entries of one handler of call.cdr to the database: those of one record one after another, those of different records side by
// side, each under a key of its own, so that a second try changes nothing. What finds the database away waits, and is tried again for ever;
// what the database refuses is set aside, holds up only its own record, and is tried again now and then, and after a reload. Where it is a value
// that it cannot hold (a caller may call himself anything), the record is written with question marks in it.
//
// A start goes in three steps: entries of earlier runs, then the initquery, then those of this run. So the initquery of a crashed run's open
// records never meets a record that is only late, nor one of this run. Engine thread only.
#pragma once

#include "database.h"
#include "record_entry.h"

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace jackfield::register_module {

class RecordLane : public std::enable_shared_from_this<RecordLane> {
 public:
  struct Host {
    std::function<void(const RecordEntry& entry)> written;  ///< this entry is in the database
    std::function<void()> changed;                          ///< failing() may have
    std::function<bool()> earlier_left;                     ///< entries of earlier runs are still to come by add_old()
  };

  RecordLane(LaneId id, std::string_view name, std::shared_ptr<Database> database, Host host);

  /// What was read from the configuration, at the start and on each reload. What was refused is tried again.
  void use(std::shared_ptr<const RegisterSettings> settings);
  /// Of an earlier run; before start(), or while earlier_left() was true.
  void add_old(RecordEntry entry);
  void start();
  void add(RecordEntry entry);
  /// Goes on with what add_old() gave, or with what comes when there is no more of that.
  void look() { pump(); }
  /// Nothing is written any more.
  void stop() { stopped_ = true; }

  const std::string& name() const { return name_; }
  std::size_t backlog() const { return backlog_; }
  /// Entries that the database refused.
  std::size_t refused() const { return refused_; }
  /// Those, and what waits behind them; all where nobody writes any.
  std::size_t held_up() const { return handler().enabled ? held_up_ : backlog_; }
  /// How long the oldest entry has waited.
  Duration waiting() const;
  /// The last try failed.
  bool failing() const { return failing_; }
  void each(const std::function<void(const RecordEntry&)>& visit) const;

 private:
  enum class Step : std::uint8_t { stopped, earlier_runs, init_query, running };
  struct Record {
    std::deque<RecordEntry> entries;
    MonoTime since{};       ///< when the first of them came
    bool refused = false;
  };
  using Records = std::unordered_map<std::string, Record>;

  const RecordSettings& handler_of(const RegisterSettings& settings) const { return id_ == LaneId::records ? settings.records : settings.lines; }
  const RecordSettings& handler() const { return handler_of(*settings_); }
  void enter(RecordEntry entry, std::deque<std::string>& ready);
  /// Begins as many writes as may be under way.
  void pump();
  void begin(const std::string& record);
  static Task<> write(std::shared_ptr<RecordLane> self, std::string record, std::shared_ptr<const RegisterSettings> settings);
  void answered(const std::string& record, const Answer& answer);
  static Task<> run_init_query(std::shared_ptr<RecordLane> self);
  static Task<> wait_and_retry(std::shared_ptr<RecordLane> self, Duration time);
  static Task<> wait_and_retry_refused(std::shared_ptr<RecordLane> self);
  void retry_later();
  void retry_refused();
  void lost(const Answer& answer);
  void good_again();

  const LaneId id_;
  const std::string name_;
  std::shared_ptr<Database> database_;
  Host host_;
  std::shared_ptr<const RegisterSettings> settings_;
  Records records_;
  std::deque<std::string> ready_;  ///< records whose first entry may be written
  std::deque<std::string> later_;  ///< of this run, while earlier ones are not done
  Step step_ = Step::stopped;
  std::size_t under_way_ = 0, backlog_ = 0, refused_ = 0, held_up_ = 0;
  bool away_ = false;              ///< one entry at a time, until it is through
  bool failing_ = false, retrying_ = false, refused_wait_ = false, pumping_ = false, stopped_ = false;
  MonoTime reported_{};
};

}  // namespace jackfield::register_module
