// Questions about what would happen (`dry_run` in the message) and queries: one that may write is not asked. Engine thread only.
#pragma once

#include "settings.h"

#include <jackfield/engine.h>
#include <jackfield/messages/parameters.h>

#include <fmt/format.h>

namespace jackfield::register_module {

/// True when this handler keeps out of it; whoever asked is told why.
inline bool keeps_out(Engine& engine, const Message& message, const HandlerSettings& handler) {
  if (handler.dry_run || !message.flag(messages::param::kDryRun)) return false;
  auto& recorder = engine.recorder();
  recorder.note(recorder.current(), fmt::format("its query was not asked, as it may write: dry_run=yes in [{}] of register.conf says that it does not", handler.section));
  return true;
}

}  // namespace jackfield::register_module
