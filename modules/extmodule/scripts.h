// The scripts this server runs itself: started, watched, started again with growing pauses when they fail, ended with the module.
// Engine thread only.
#pragma once

#include "process.h"
#include "session.h"
#include "settings.h"

#include <jackfield/engine.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace jackfield::extmodule {

/// Where the script of that name lies.
std::filesystem::path script_path(const Engine& engine, const ScriptSettings& settings, const std::string& name);

class Scripts {
 public:
  Scripts(Engine& engine, ScriptSettings settings);
  ~Scripts();

  void use(ScriptSettings settings) { settings_ = std::move(settings); }

  /// The error says why not: it runs already, or its file does not start.
  tl::expected<void, std::string> start(const std::string& name, const std::string& argument);
  /// False when there is none of that name.
  bool stop(std::string_view name);
  /// Asks all of them to end; running() tells when they have.
  void stop_all();
  bool running() const;
  /// With the argument it was started with; or as start().
  tl::expected<void, std::string> restart(const std::string& name, const std::string& argument);
  /// A program that has nothing to do with us.
  tl::expected<void, std::string> execute(const std::string& name, const std::string& argument);

  void each_session(const std::function<void(const Session& session)>& visit) const;
  std::size_t size() const { return scripts_.size(); }
  /// A line for each, for people.
  std::string list() const;

 private:
  struct Script {
    std::string argument;
    std::unique_ptr<Process> process;
    std::shared_ptr<Session> session;
    MonoTime started = {};
    Duration pause = {};   ///< before the next start; grows while it fails at once
    std::uint64_t timer_id = 0;  ///< the next start, or the end of its patience who was asked to end
    int restarts = 0;
    enum class Wish { as_configured, again, gone } wish = Wish::as_configured;  ///< what somebody asked for
    std::string how = {};        ///< it ended
    bool well = false;
    bool asked_again = false;    ///< the script wants to be started again
  };

  tl::expected<void, std::string> launch(const std::string& name, Script& script);
  void session_ended(const std::string& name, const Session& session, std::string_view why);
  void process_ended(const std::string& name, const std::string& how, bool well);
  /// Neither the process nor its lines are there any more.
  void finish(const std::string& name, Script& script);
  void start_timer(const std::string& name, Script& script, Duration delay);
  void timer(const std::string& name, Script& script);
  void start_later(const std::string& name, Script& script);

  Engine& engine_;
  Logger& log_;
  ScriptSettings settings_;
  std::map<std::string, Script, std::less<>> scripts_;
  std::map<std::uint64_t, std::unique_ptr<Process>> executed_;
  std::map<std::uint64_t, std::string> due_;  ///< by timer id
  std::uint64_t next_id_ = 1;
  TimerSinkId sink_;
};

}  // namespace jackfield::extmodule
