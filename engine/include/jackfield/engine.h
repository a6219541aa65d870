// What a module is given: the bus, timers, channels, clocks and the loop they run on. One engine thread runs it all; only
// post() and log may be called from another.
#pragma once

#include <jackfield/bus.h>
#include <jackfield/channel.h>
#include <jackfield/clock.h>
#include <jackfield/log.h>
#include <jackfield/metrics.h>
#include <jackfield/pending.h>
#include <jackfield/recorder.h>
#include <jackfield/task.h>
#include <jackfield/timers.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace boost::asio {
class io_context;
}

namespace jackfield {

class Engine {
 public:
  virtual ~Engine() = default;

  virtual Bus& bus() = 0;
  virtual TimerWheel& timers() = 0;
  virtual ChannelTable& channels() = 0;
  virtual const Clock& clock() const = 0;
  virtual Random& random() = 0;
  virtual Metrics& metrics() = 0;
  /// What is kept of the last calls and registrations.
  virtual Recorder& recorder() = 0;
  /// The engine thread's loop, for a module's own sockets.
  virtual boost::asio::io_context& io() = 0;
  /// The logger of that name; made on first use.
  virtual Logger& log(std::string_view module) = 0;
  /// Tells `watcher`, in a later turn, of every line that is logged until the token goes: `2026-01-31T12:00:00.000 info    sip: event=…`. When
  /// lines come faster than the loop turns, some are left out, and a line says so.
  [[nodiscard]] virtual std::shared_ptr<void> watch_log(std::function<void(LogLevel level, std::string_view line)> watcher) = 0;

  /// Starts a detached task: counted, named in the log when it throws, awaited at the end.
  virtual void spawn(std::string_view name, Task<> task) = 0;
  /// Runs `work` in a later turn of the engine thread. From any thread.
  virtual void post(std::function<void()> work) = 0;

  /// `${name}` of COMPAT §1 (version, nodename, …), and `config.SECTION[.KEY]`, what jackfield.conf says but for secrets: good for this turn.
  virtual std::optional<std::string_view> run_parameter(std::string_view name) const = 0;
  virtual const std::filesystem::path& state_dir() const = 0;
  /// True from the first request to stop or drain on: new work is refused.
  virtual bool draining() const = 0;
  /// No server: a module that says so in its descriptor is asked questions only (`jackfield route --offline`). It opens no port and neither
  /// reads nor writes what a server keeps.
  virtual bool offline() const { return false; }
  /// True when a module of that name is started.
  virtual bool module_loaded(std::string_view name) const = 0;
};

}  // namespace jackfield
