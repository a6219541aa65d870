// The server: a core, the enabled modules, the control socket, and the life of all of them from start to stop.
// COMPAT §1: load modules → engine.init → engine.start → engine.timer each second → engine.stop → engine.halt.
#pragma once

#include "clock.h"
#include "control/control_server.h"
#include "control/state_lock.h"
#include "core.h"
#include "lifecycle/configuration.h"
#include "lifecycle/modules.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace jackfield {

class ProgramLog;

class Server {
 public:
  struct Parts {
    std::unique_ptr<Configuration> configuration;  ///< loaded, without errors
    ProgramLog& log;
    TurnClock& clock;
    Random& random;
    int verbosity = 0;  ///< -v more, -q less
    /// systemd's words (`READY=1`, …); also how a daemon's parent learns that the start worked.
    std::function<void(std::string_view state)> notify = [](std::string_view) {};
    bool handle_signals = true;
    Problems problems = {};  ///< warnings of reading the configuration, to be logged
  };
  /// Throws std::runtime_error when the state directory or the control socket cannot be had.
  explicit Server(Parts parts);
  ~Server();
  Server(const Server&) = delete;

  /// Starts, serves and stops. False when it could not start; the reasons are in the log and in problems().
  bool run();
  const Problems& problems() const { return problems_; }

  // For commands, on the engine thread.
  Core& core() { return core_; }
  const Configuration& configuration() const { return *configuration_; }
  const Modules& modules() const { return modules_; }
  bool ready() const { return ready_ && !core_.draining(); }
  Duration uptime() const { return core_.clock().now() - started_; }
  /// Everything, or one module's file. `done` is false when something refused, and then nothing has changed.
  Modules::Report reload(std::string_view only = {});
  Modules::Report load_module(std::string_view name);
  Task<Modules::Report> unload_module(std::string name);
  /// Ends the server as drain_timeout says, hurried without waiting for calls. May be asked again; the first code counts.
  void request_stop(int code = 0, bool hurried = false);
  /// What the program ends with after a good run: what was asked for.
  int exit_code() const { return exit_code_; }
  /// Asks whoever supervises the program to start it again (sysexits' EX_TEMPFAIL; systemd's Restart=on-failure).
  static constexpr int kRestartCode = 75;
  bool stopping() const { return stopping_; }
  /// The watcher of the command `trace_msg_time`.
  Bus::Subscription& message_times() { return message_times_; }
  /// Refuses new work, or takes it again, without stopping. False: the server stops, and that is not taken back.
  bool set_draining(bool draining);

 private:
  Task<> live();
  Task<> end();
  Task<> broadcast(std::string_view name);
  Task<> pause(Duration time);
  /// Waits until `done` or for `limit`.
  Task<> await(std::function<bool()> done, Duration limit);
  void start_tick();
  void tick();
  /// What a reload may change.
  void apply_settings();
  void log_problems(const Problems& problems);
  Modules::Read reader() const;
  Message make(std::string_view name);
  void install_signals();
  void wait_for_stop();
  void wait_for_reload();
  bool become_user();
  static Task<> drain_modules(Modules& modules, std::shared_ptr<bool> done);

  std::unique_ptr<Configuration> configuration_;
  ProgramLog& program_log_;
  int verbosity_;
  std::function<void(std::string_view)> notify_;
  bool handle_signals_;
  StateLock lock_;
  // What refers to the core is destroyed before it; the libraries, in the configuration, after it.
  Core core_;
  Logger& log_;
  MonoTime started_;
  Pendings pendings_;
  Modules modules_;
  std::vector<Bus::Subscription> handlers_;
  Bus::Subscription message_times_;
  std::unique_ptr<ControlServer> control_;
  struct Signals;
  std::unique_ptr<Signals> signals_;
  std::optional<TimerSinkId> tick_sink_;
  Problems problems_;
  PendingId stop_wait_ = 0;
  int exit_code_ = 0;
  bool ready_ = false, stopping_ = false, failed_ = false;
  bool hurried_ = false;  ///< a second signal: calls are not waited for
};

/// Installs the engine's own answers: engine.status (`engine`), engine.debug, engine.help, engine.command (control/commands.h).
std::vector<Bus::Subscription> install_engine_handlers(Server& server);

}  // namespace jackfield
