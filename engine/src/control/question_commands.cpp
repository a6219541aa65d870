// Commands that ask why: what would become of a call, and what became of one.
#include "control/commands.h"

#include "lifecycle/server.h"
#include "questions/explain.h"
#include "questions/route.h"

#include <fmt/format.h>

namespace jackfield {

Task<ControlAnswer> run_route(CommandCall call) {
  auto& core = call.server.core();
  const auto words = questions::parse_words(call.rest(1));
  auto question = words ? questions::parse_route_question(*words, core.clock().wall()) : tl::unexpected(words.error());
  if (!question) co_return ControlAnswer{false, fmt::format("{}; usage: route {}\n", question.error(), questions::kRouteUsage)};
  auto rehearsing = questions::rehearse_route(core, std::move(*question));
  auto text = co_await std::move(rehearsing);
  co_return ControlAnswer{true, std::move(text)};
}

Task<ControlAnswer> run_explain(CommandCall call) {
  auto words = questions::parse_words(call.rest(1));
  const bool all = words && std::erase(*words, "--all") != 0;
  if (!words || words->size() != 1) co_return usage_of("explain");
  auto explanation = questions::explain(call.server.core().recorder(), words->front(), all);
  co_return ControlAnswer{explanation.found, std::move(explanation.text)};
}

}  // namespace jackfield
