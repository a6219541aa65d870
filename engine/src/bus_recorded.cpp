// Dispatches that are written down, and rehearsals, which are nothing else.
#include "bus_dispatch.h"

namespace jackfield {

template Bus::Impl::Waiting Bus::Impl::ask<true>(Message& message, Progress& progress, const Interested* interested);

Verdict Bus::Impl::dispatch_recorded(Message& message, const Interested& interested, FlightRecorder::Open record) {
  Progress progress{detail::kBeforeAll, next_id};
  progress.recording = record.get();
  const bool rehearsal = FlightRecorder::is_rehearsal(*record.get());
  Waiting waiting = ask<true>(message, progress, &interested);
  if (waiting.entry != nullptr) {
    auto self = shared_from_this();
    return ask_on(self, &message, progress, std::move(waiting.task), Pin(self, waiting.entry), flight(), std::move(record));
  }
  host.recorder->end(record);
  if (waiting.open) return Verdict(std::move(waiting.open));
  if (!watcher_of_id.empty() && !rehearsal) tell(message, progress.handled);
  return progress.handled;
}

Task<bool> Bus::Impl::rehearse(std::shared_ptr<Impl> impl, Message* message, DispatchRecord* record) {
  static const Interested kNobody{};
  message->set_flag(messages::param::kDryRun, true);
  const Interested* const interested = impl->by_name.find(message->name());
  std::optional<Verdict> verdict;
  {
    const Busy busy(*impl);
    const detail::Count count(impl->in_flight);
    verdict.emplace(impl->dispatch_recorded(*message, interested != nullptr ? *interested : kNobody,
                                            impl->host.recorder->begin(*message, Recorded::call, record)));
  }
  if (verdict->immediate()) co_return verdict->handled();
  auto task = std::move(*verdict).task();
  const bool handled = co_await std::move(task);
  co_return handled;
}

}  // namespace jackfield
