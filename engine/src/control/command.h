// One command of a running server, and what it is given. The table of all is in commands.cpp; what they do is in server_commands.cpp,
// call_commands.cpp, question_commands.cpp and watch_commands.cpp.
#pragma once

#include <jackfield/message.h>
#include <jackfield/task.h>

#include "control/protocol.h"

#include <string>
#include <string_view>
#include <vector>

namespace jackfield {

class Server;

struct CommandCall {
  Server& server;
  std::vector<std::string> words;  ///< the command's own name first
  bool machine = false;            ///< a program reads the answer: `%%=…`
  Message asked;                   ///< only its cmd_ parameters, which the messages sent for it carry on

  std::string word(std::size_t index) const { return index < words.size() ? words[index] : std::string(); }
  /// The words from `index` on, a blank between.
  std::string rest(std::size_t index) const;
  Message make(std::string_view name) const;
};

struct Command {
  std::string_view verb;
  std::string_view usage;  ///< what follows the verb
  std::string_view doc;    ///< one sentence, without its full stop
  bool changes;            ///< asks may_change() first
  Task<ControlAnswer> (*run)(CommandCall call);
  /// What may stand behind these words; the first is the verb.
  std::vector<std::string> (*complete)(Server& server, const std::vector<std::string>& before) = nullptr;
};

/// `program` where a program reads, `text` where a person does.
ControlAnswer either(const CommandCall& call, bool ok, std::string program, std::string text);
ControlAnswer usage_of(std::string_view verb);

// server_commands.cpp
Task<ControlAnswer> run_status(CommandCall call);
Task<ControlAnswer> run_uptime(CommandCall call);
Task<ControlAnswer> run_date(CommandCall call);
Task<ControlAnswer> run_version(CommandCall call);
Task<ControlAnswer> run_help(CommandCall call);
Task<ControlAnswer> run_reload(CommandCall call);
Task<ControlAnswer> run_restart(CommandCall call);
Task<ControlAnswer> run_stop(CommandCall call);
Task<ControlAnswer> run_drain(CommandCall call);
Task<ControlAnswer> run_module(CommandCall call);
Task<ControlAnswer> run_runparam(CommandCall call);
Task<ControlAnswer> run_meminfo(CommandCall call);
Task<ControlAnswer> run_cfgmerge(CommandCall call);

// call_commands.cpp
Task<ControlAnswer> run_drop(CommandCall call);
Task<ControlAnswer> run_call(CommandCall call);
Task<ControlAnswer> run_control(CommandCall call);

// question_commands.cpp
Task<ControlAnswer> run_explain(CommandCall call);
Task<ControlAnswer> run_route(CommandCall call);

// watch_commands.cpp
Task<ControlAnswer> run_debug(CommandCall call);
Task<ControlAnswer> run_events(CommandCall call);
Task<ControlAnswer> run_logview(CommandCall call);
Task<ControlAnswer> run_dispatcher(CommandCall call);
Task<ControlAnswer> run_trace_msg_time(CommandCall call);
/// The bus's handlers, one a line, of the message and with the tracking name given (`name=call.route trackname=sip`); both may be absent.
std::string handler_list(Server& server, const std::vector<std::string>& filters);

}  // namespace jackfield
