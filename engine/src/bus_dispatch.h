// What a dispatch consists of: handlers asked one after another, in one of two ways. The usual one writes nothing down and has none of the
// code for it; bus_recorded.cpp has the other, of which the compiler knows nothing where it makes the first. Engine thread only.
#pragma once

#include "bus_impl.h"

#include <jackfield/messages/parameters.h>

#include <exception>
#include <utility>

namespace jackfield {

namespace detail {

inline std::string_view what_was_thrown() {
  try {
    throw;
  } catch (const std::exception& error) {
    // Valid until the exception is destroyed at the end of the caller's catch block.
    return error.what();
  } catch (...) {
    return "something that is not an exception";
  }
}

template <class Call>
bool passes(const Entry<Call>& entry, const Message& message) {
  const Parameter* const parameter = message.find(entry.options.filter_name);
  return parameter != nullptr && parameter->value == entry.options.filter_value;
}

/// One higher while it lives.
struct Count {
  std::size_t& n;
  explicit Count(std::size_t& counter) : n(counter) { ++n; }
  ~Count() { --n; }
};

}  // namespace detail

class Bus::Impl::Busy {
 public:
  explicit Busy(Impl& impl) : impl_(impl), outer_(impl.running.load(std::memory_order_relaxed)) { ++impl.depth; }
  ~Busy() {
    if (--impl_.depth != 0) impl_.running.store(outer_, std::memory_order_relaxed);
    else if (impl_.to_sweep) impl_.sweep();
  }

 private:
  Impl& impl_;
  const char* const outer_;
};

class Bus::Impl::Pin {
 public:
  Pin(std::shared_ptr<Impl> impl, HandlerEntry* entry) : impl_(std::move(impl)), entry_(entry) { ++entry_->pins; }
  Pin(Pin&& other) noexcept : impl_(std::move(other.impl_)), entry_(std::exchange(other.entry_, nullptr)) {}
  ~Pin() { release(); }
  void move_to(HandlerEntry* entry) {
    ++entry->pins;
    release();
    entry_ = entry;
  }
  const char* label() const { return entry_->label; }

 private:
  void release() {
    if (entry_ == nullptr || --entry_->pins != 0 || !entry_->withdrawn) return;
    impl_->to_sweep = true;
    if (impl_->depth == 0) impl_->sweep();
  }
  std::shared_ptr<Impl> impl_;
  HandlerEntry* entry_;
};

template <bool kRecorded>
Bus::Impl::Waiting Bus::Impl::ask(Message& message, Progress& progress, const Interested* interested) {
  using recorder::Answer;
  bool renamed;
  do {
    renamed = false;
    const std::string_view name = message.name();
    if (interested == nullptr) return {};
    HandlerList::Walk walk(interested->handlers, progress.last);
    while (HandlerEntry* const entry = renamed ? nullptr : walk.next()) {
      progress.last = entry->place;
      if (entry->place.id >= progress.limit || (entry->filtered && !detail::passes(*entry, message))) continue;
      if constexpr (kRecorded) {
        if (!entry->options.dry_run && FlightRecorder::is_rehearsal(*progress.recording)) {
          host.recorder->not_asked(*progress.recording, entry->label);
          continue;
        }
      }
      if (entry->tracked) message.extend(messages::param::kHandlers, entry->tracking);
      running.store(entry->label, std::memory_order_relaxed);
      if constexpr (kRecorded) host.recorder->asked(*progress.recording, entry->label, message);
      try {
        Verdict verdict = entry->call(message);
        if (verdict.provisional()) {
          auto open = std::move(verdict).open();
          open->message = &message;
          if (!progress.waited && may_stay_open(message)) {
            open->flight = flight();
            if constexpr (kRecorded) host.recorder->answered(*progress.recording, message, Answer::provisional);
            return {.open = std::move(open)};
          }
          verdict = Verdict(std::move(open));
        }
        if (!verdict.immediate()) {
          if constexpr (kRecorded) host.recorder->waits(*progress.recording, message);
          return {.entry = entry, .task = std::move(verdict).task()};
        }
        if constexpr (kRecorded) host.recorder->answered(*progress.recording, message, verdict.handled() ? Answer::handled : Answer::passed);
        if (verdict.handled()) {
          progress.handled = true;
          if (!message.broadcast()) return {};
        }
      } catch (...) {
        if constexpr (kRecorded) host.recorder->answered(*progress.recording, message, Answer::threw);
        host.failed(entry->label, detail::what_was_thrown());
      }
      // A new name lies elsewhere in the arena. It has its own list; the place in the order stays.
      renamed = message.name().data() != name.data();
    }
    if (renamed) interested = by_name.find(message.name());
  } while (renamed);
  return {};
}

extern template Bus::Impl::Waiting Bus::Impl::ask<true>(Message& message, Progress& progress, const Interested* interested);

}  // namespace jackfield
