#include "refresher.h"

#include "carrier.h"
#include "exchange.h"

#include <jackfield/messages/user.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

namespace jackfield::upperreg {
namespace param = messages::param;
namespace {

constexpr std::uint64_t kAgenda = 1, kProbe = 2;
constexpr Duration kStep{20};          // when the pace holds us back
constexpr double kBurstSeconds = 0.1;  // of the pace, at once
constexpr std::size_t kLeastUnderWay = 64;
constexpr Duration kSweep{60000};
constexpr std::string_view kMoved = "another of its servers answers";

bool can_be_asked_for(const Aor& aor) { return aor.kind == Kind::stored && aor.state() == AorState::registered && !aor.busy; }

/// AORs take turns by name.
struct Turn {
  std::string after;  ///< whose turn it was
  const Aor* first = nullptr;
  const Aor* next = nullptr;

  void take(const Aor& aor) {
    if (!first || aor.id.name < first->id.name) first = &aor;
    if (aor.id.name > after && (!next || aor.id.name < next->id.name)) next = &aor;
  }
  const Aor* chosen() const { return next ? next : first; }
};

}  // namespace

Refresher::Refresher(std::shared_ptr<Core> core, Lines& lines)
    : core_(std::move(core)), lines_(lines), timers_(core_->engine.timers().add_sink([this](std::uint64_t what) {
        if (what == kProbe) return probe_all();
        next_ = {};
        run_due();
      })) {
  core_->agenda_changed = [this] { arm(); };
}

Refresher::~Refresher() {
  core_->agenda_changed = nullptr;
  core_->engine.timers().remove_sink(timers_);
}

void Refresher::begin() {
  auto& timers = core_->engine.timers();
  timers.stop(probe_);
  probe_ = timers.start(timers_, kProbe, probe_wait());
  std::vector<Aor*> all;
  core_->aors->each([&](Aor& aor) { all.push_back(&aor); });
  for (auto* aor : all) {
    if (aor->at_a() && core_->phones(*aor).empty()) core_->apply(*aor, AorEvent::emptied, "no phone is left");
    else core_->plan(*aor);
  }
}

Duration Refresher::probe_wait() const { return core_->settings.probe_interval > Duration::zero() ? core_->settings.probe_interval : kSweep; }

void Refresher::arm() {
  auto& timers = core_->engine.timers();
  if (next_) timers.stop(next_);
  next_ = {};
  if (core_->agenda.empty()) return;
  const auto wait = std::chrono::ceil<Duration>(core_->agenda.begin()->first - core_->now());
  const bool held = tokens_ < 1 || under_way_ >= std::max(kLeastUnderWay, core_->settings.registrations_per_second);
  next_ = timers.start(timers_, kAgenda, std::max(wait, held ? kStep : Duration(0)));
}

void Refresher::run_due() {
  const auto now = core_->now();
  const auto rate = static_cast<double>(core_->settings.registrations_per_second);
  const auto burst = std::max(1.0, rate * kBurstSeconds);
  const auto passed = filled_ == WallTime{} ? kBurstSeconds : std::chrono::duration<double>(now - filled_).count();
  tokens_ = std::clamp(tokens_ + std::max(0.0, passed) * rate, 0.0, burst);
  filled_ = now;
  const auto most = std::max(kLeastUnderWay, core_->settings.registrations_per_second);
  while (!core_->agenda.empty() && core_->agenda.begin()->first <= now && tokens_ >= 1 && under_way_ < most) {
    const auto name = core_->agenda.begin()->second;
    core_->plan(name, std::nullopt);
    start(name);
  }
  arm();
}

void Refresher::start(const std::string& name) {
  auto* aor = core_->aors->find(name);
  if (!aor) return;
  if (!aor->tells(core_->now())) {
    if (aor->at_a() && core_->now() >= aor->granted_until()) core_->apply(*aor, AorEvent::lapsed, "the server there was not heard, and its time for this contact is over");
    return;
  }
  tokens_ -= 1;
  ++under_way_;
  core_->engine.spawn("upperreg.refresh", work(core_, this, name));
}

Task<> Refresher::work(std::shared_ptr<Core> core, Refresher* self, std::string name) {
  struct Leave {  // whatever way it ends
    Core& core;
    Refresher& self;
    ~Leave() {
      if (core.stopped) return;
      --self.under_way_;
      self.arm();
    }
  } at_end{*core, *self};

  if (!co_await enter(core, name) || core->stopped) co_return;
  auto* aor = core->aors->find(name);
  const auto line = aor->id.line;
  bool ready = aor->at_a() && aor->kind == Kind::stored;
  if (ready) {
    ready = co_await Lines::ready(core, &self->lines_, line);
    if (core->stopped) co_return;
  }
  if (ready) {  // what a user's password there is may have changed since
    const auto kept = co_await Carrier::recall_credentials(core, name);
    if (core->stopped) co_return;
    aor = core->aors->find(name);
    ready = kept == Carrier::Kept::here;
    // Where nobody could be asked, what A granted holds, and it is tried again.
    if (aor && kept == Carrier::Kept::nowhere) core->apply(*aor, AorEvent::refused, "no credentials are kept for this user any more");
  }
  aor = core->aors->find(name);
  if (!ready || !aor || !aor->at_a()) {
    if (aor && aor->at_a()) core->apply(*aor, AorEvent::silent, {});
    leave(*core, name);
    co_return;
  }
  // A phone may have come, or the last one gone, while we waited; or what was promised never came.
  if (core->phones(*aor).empty()) core->apply(*aor, AorEvent::emptied, "the last phone is gone");
  if (aor->state() == AorState::leaving && !core->phones(*aor).empty()) core->apply(*aor, AorEvent::granted, {}, aor->remaining(core->now()));
  const bool leaves = aor->state() == AorState::leaving;
  Question question{.kind = Kind::stored, .expires = leaves ? std::chrono::seconds(0) : core->settings.of(aor->id.mode).interval, .with_contact = true, .authorization = {}, .proxy_authorization = {}};
  const auto answer = co_await ask_server(core, name, std::move(question));
  if (core->stopped) co_return;
  aor = core->aors->find(name);
  if (!answer || !aor) {
    leave(*core, name);
    co_return;
  }
  if (answer->silent()) core->apply(*aor, AorEvent::silent, {});
  else if (!answer->agreed()) {
    core->log.warning("event=refused aor={} line={} code={} reason={}", log_value(name), log_value(line), answer->code, log_value(answer->reason));
    core->apply(*aor, AorEvent::refused, "the server there refused it");
  } else if (leaves) {
    core->apply(*aor, AorEvent::ended, {});
  } else if (answer->granted.count() == 0) {
    core->log.warning("event=not-listed aor={} line={} reason=\"the server there agreed, but does not list our contact\"", log_value(name), log_value(line));
    core->apply(*aor, AorEvent::silent, {});
  } else {
    aor->server = answer->server;
    core->apply(*aor, AorEvent::granted, {}, answer->granted);
  }
  leave(*core, name);
  self->heard(line, *answer);
}

void Refresher::heard(const std::string& line, const Answer& answer) {
  if (answer.unheard()) return lines_.missed(line, answer.asked);
  if (answer.silent()) return (void)lines_.heard(line, answer.server);  // of this user it knows nothing now; others are not the worse for it
  switch (lines_.heard(line, answer.server)) {
    case Lines::News::none: return;
    case Lines::News::moved: resync(line, kMoved); return;
    case Lines::News::back: break;
  }
  // Those that it has not heard need not wait for their next attempt; whether it has forgotten others a probe finds out.
  std::vector<Aor*> waiting;
  core_->aors->each([&](Aor& aor) {
    if (aor.id.line == line && aor.state() == AorState::doubtful) waiting.push_back(&aor);
  });
  for (auto* aor : waiting) resync_one(*aor);
}

std::size_t Refresher::resync(std::string_view line, std::string_view why) {
  std::vector<Aor*> all;
  core_->aors->each([&](Aor& aor) {
    if (line.empty() || aor.id.line == line) all.push_back(&aor);
  });
  const auto* known = line.empty() ? nullptr : &lines_.all();
  std::size_t count = 0;
  for (auto* aor : all) {
    // Those that the new server has granted already are where they belong.
    if (known && aor->state() == AorState::registered && why == kMoved) {
      const auto at = known->find(line);
      if (at != known->end() && !aor->server.empty() && aor->server == at->second.server) continue;
    }
    if (resync_one(*aor)) ++count;
  }
  if (count == 0) return 0;
  core_->resyncs.add();
  core_->log.info("event=resync line={} count={} reason={}", log_value(line), count, log_value(why));
  return count;
}

bool Refresher::resync_one(Aor& aor) {
  if (aor.kind != Kind::stored || (aor.state() != AorState::registered && aor.state() != AorState::doubtful)) return false;
  core_->apply(aor, AorEvent::forgotten, {});
  return true;
}

void Refresher::phones_changed(const std::string& name) {
  auto* aor = core_->aors->find(name);
  if (!aor || !aor->at_a() || aor->busy || !core_->phones(*aor).empty()) return;
  core_->apply(*aor, AorEvent::emptied, "the last phone is gone");
}

void Refresher::user_notify(const Message& message) {
  const auto found = lines_.all().find(message.get(param::kAccount));
  if (found == lines_.all().end()) return;
  auto& line = found->second;
  line.online = message.flag(param::kRegistered);
  line.lists = true;  // this one may
  // The first only says that it is there: what a crash left is kept by A, and a probe finds out.
  if (!std::exchange(line.told, true) || !line.online) return;
  resync(found->first, "the server is back, or another of its servers is in use");
}

void Refresher::probe_all() {
  probe_ = core_->engine.timers().start(timers_, kProbe, probe_wait());
  core_->aors->sweep(core_->now());
  lines_.release_idle();
  if (core_->settings.probe_interval <= Duration::zero()) return;
  // One pass over all AORs, however many connections there are.
  std::map<std::string, Turn, std::less<>> turns;
  for (const auto& [name, line] : lines_.all())
    if (line.lists) turns.emplace(name, Turn{.after = line.probed});
  core_->aors->each([&](const Aor& aor) {
    if (!can_be_asked_for(aor)) return;
    if (const auto turn = turns.find(aor.id.line); turn != turns.end()) turn->second.take(aor);
  });
  std::vector<std::pair<std::string, std::string>> asked;
  for (const auto& [name, turn] : turns)
    if (const auto* aor = turn.chosen()) asked.emplace_back(name, lines_.all().find(name)->second.probed = aor->id.name);
  for (const auto& [line, name] : asked) core_->engine.spawn("upperreg.probe", probe(core_, this, line, name));
}

const Aor* Refresher::next_to_probe(const std::string& line, const std::string& after) const {
  Turn turn{.after = after};
  core_->aors->each([&](const Aor& aor) {
    if (aor.id.line == line && can_be_asked_for(aor)) turn.take(aor);
  });
  return turn.chosen();
}

Task<std::optional<bool>> Refresher::listed(std::shared_ptr<Core> core, Refresher* self, std::string line, std::string name) {
  if (!co_await enter(core, name) || core->stopped) co_return std::nullopt;
  const auto kept = co_await Carrier::recall_credentials(core, name);
  if (core->stopped) co_return std::nullopt;
  std::optional<Answer> answer;
  if (kept == Carrier::Kept::here) {
    Question question{.kind = Kind::stored, .expires = {}, .with_contact = false, .authorization = {}, .proxy_authorization = {}};
    answer = co_await ask_server(core, name, std::move(question));
    if (core->stopped) co_return std::nullopt;
  }
  leave(*core, name);
  if (answer) self->heard(line, *answer);
  const auto* aor = core->aors->find(name);
  if (!answer || !answer->agreed() || !aor || aor->state() != AorState::registered) co_return std::nullopt;
  co_return std::ranges::any_of(answer->contacts, [&](const std::string& contact) { return contact.find(aor->id.token) != std::string::npos; });
}

// A contact that is missing is registered anew, alone. Only where that helps, and another one is missing, too, has A lost its memory.
Task<> Refresher::probe(std::shared_ptr<Core> core, Refresher* self, std::string line, std::string name) {
  const auto there = co_await listed(core, self, line, name);
  if (core->stopped || there.value_or(true)) co_return;
  core->log.warning("event=forgotten aor={} line={} reason=\"the server there has not our contact any more\"", log_value(name), log_value(line));
  ++self->under_way_;
  co_await work(core, self, name);
  if (core->stopped) co_return;
  const auto again = co_await listed(core, self, line, name);
  if (core->stopped || !again) co_return;
  if (!*again) {
    if (const auto found = self->lines_.all().find(line); found != self->lines_.all().end()) found->second.lists = false;
    core->log.warning("event=no-list line={} hint=\"the server there does not tell what is registered, so that it cannot be seen whether it forgets: after a loss, upperreg resync\"", log_value(line));
    co_return;
  }
  const auto* other = self->next_to_probe(line, name);
  if (!other || other->id.name == name) co_return;
  const std::string next = other->id.name;
  const auto second = co_await listed(core, self, line, next);
  if (!core->stopped && !second.value_or(true)) self->resync(line, "the server there lost its memory");
}

}  // namespace jackfield::upperreg
