// What the parts of the module share. Coroutines hold it, so it outlives the module's stop; after that `stopped` is true and nothing
// else of it may be used. Engine thread only.
#pragma once

#include "aors.h"
#include "bindings/store.h"
#include "settings.h"

#include <jackfield/bus.h>
#include <jackfield/engine.h>
#include <jackfield/pending.h>

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace jackfield::upperreg {

struct Core : std::enable_shared_from_this<Core> {
  explicit Core(Engine& e)
      : engine(e),
        log(e.log("upperreg")),
        waiting(std::make_unique<Pendings>(e.timers())),
        sent(e.metrics().counter("jackfield_upperreg_registers_total", "REGISTER requests sent to other servers.")),
        refused(e.metrics().counter("jackfield_upperreg_refusals_total", "REGISTER requests that another server refused, challenges apart.")),
        unanswered(e.metrics().counter("jackfield_upperreg_unanswered_total", "REGISTER requests that no server answered.")),
        absorbed(e.metrics().counter("jackfield_upperreg_absorbed_total", "REGISTER requests of phones that the other server had not to be told of.")),
        resyncs(e.metrics().counter("jackfield_upperreg_resyncs_total", "Times that all contacts at a server were registered anew.")) {}

  Engine& engine;
  Logger& log;
  UpperregSettings settings;
  std::unique_ptr<Aors> aors;
  std::shared_ptr<bindings::Store> store;  ///< shared only so that what user.bindings lends notices its end
  bool stopped = false;

  /// When something has to be done for an AOR by itself.
  std::set<std::pair<WallTime, std::string>> agenda;
  std::unordered_map<std::string, WallTime> agenda_of;
  std::function<void()> agenda_changed;

  /// Who waits for an AOR that somebody else works on.
  std::unique_ptr<Pendings> waiting;
  std::unordered_map<std::string, std::deque<PendingId>> queues;
  std::unordered_set<std::string> told_of_uri;  ///< phones whose `uri=` was explained (D19)

  Counter &sent, &refused, &unanswered, &absorbed, &resyncs;

  WallTime now() const { return engine.clock().wall(); }
  double jitter() const { return static_cast<double>(engine.random().next() >> 11) * 0x1.0p-53; }
  /// Enters what comes next for this AOR, in place of what was planned.
  void plan(const Aor& aor);
  void plan(const std::string& name, std::optional<WallTime> at);
  /// The phones of an AOR: key of each binding and how much of it is left, with what is promised.
  std::map<std::string, std::chrono::seconds, std::less<>> phones(const Aor& aor) const;
  /// Ends bindings of ours on the bus: `key` empty: all of the user's.
  void end_bindings(const std::string& username, std::string_view key, std::string_view reason);
  /// Applies it, ends bindings where it says so, writes and plans.
  void apply(Aor& aor, AorEvent event, std::string_view reason, std::chrono::seconds seconds = {});
};

/// Whether a request came from where this binding's REGISTER came from: over its flow (D5, D20).
bool same_flow(const bindings::PackedBinding& binding, const Message& request);

/// Work on one AOR is done one after another (its CSeq rises): true when it is our turn, false when too many wait or the module stops.
Task<bool> enter(std::shared_ptr<Core> core, std::string name);
/// The next one's turn.
void leave(Core& core, const std::string& name);

}  // namespace jackfield::upperreg
