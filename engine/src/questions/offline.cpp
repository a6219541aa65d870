#include "questions/offline.h"

#include "clock.h"
#include "core.h"
#include "lifecycle/configuration.h"
#include "lifecycle/modules.h"
#include "questions/route.h"

#include <fmt/format.h>

#include <algorithm>

namespace jackfield::questions {
namespace {

constexpr Duration kFlush{1000};
/// Nothing can be made below it: a module that forgets that there is no server fails instead of touching one's state.
constexpr const char* kNowhere = "/dev/null/offline";

Task<> ask(Core& core, RouteQuestion question, std::string& answer) {
  auto rehearsing = rehearse_route(core, std::move(question));
  answer = co_await std::move(rehearsing);
  core.stop();
}

}  // namespace

tl::expected<std::string, Problems> route_offline(const Configuration& configuration, RouteQuestion question, LogSink& log) {
  Problems problems;
  auto asked = configuration.descriptors(problems);
  if (settings::has_errors(problems)) return tl::unexpected(std::move(problems));
  std::vector<std::string_view> left_out;
  std::erase_if(asked, [&](const ModuleDescriptor* module) {
    if (!module->offline) left_out.emplace_back(module->name);
    return !module->offline;
  });

  SystemClock clock;
  SystemRandom random;
  clock.begin_turn();
  Core core({.clock = clock, .random = random, .log = log, .state_dir = kNowhere, .run_parameters = configuration.run_parameters(), .offline = true});
  core.set_log_level(LogLevel::warning);
  core.set_module_loaded([&](std::string_view name) {
    return std::ranges::any_of(configuration.enabled(), [&](const auto& module) { return module.name == name; });
  });
  Modules modules(core);
  auto started = modules.start(asked, [&](const KeyTable& table) { return configuration.read(table); });
  if (!started.done) return tl::unexpected(std::move(started.problems));
  std::string answer;
  core.spawn("route", ask(core, std::move(question), answer));
  core.run();
  modules.stop();
  core.finish(kFlush);
  if (!left_out.empty()) answer += fmt::format("without a server these modules were not asked: {}\n", fmt::join(left_out, ", "));
  return answer;
}

}  // namespace jackfield::questions
