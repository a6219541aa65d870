#include "register.h"

#include "routing.h"

#include <jackfield/messages/call.h>
#include <jackfield/messages/chan.h>
#include <jackfield/messages/engine.h>
#include <jackfield/messages/user.h>

#include <fmt/format.h>

#include <array>

namespace jackfield::register_module {
namespace param = messages::param;
namespace {

constexpr std::string_view kTrack = "register";
/// Behind cdrbuild, which ends its records at 150.
constexpr int kHaltPriority = 200;
constexpr int kStatusPriority = 110;
constexpr Duration kRetry{1000};

}  // namespace

Register::Register(Engine& engine, std::shared_ptr<Database> database)
    : engine_(engine), shared_(std::make_shared<Shared>()), fallback_(std::make_shared<Fallback>(engine, database->log())) {
  shared_->database = std::move(database);
  accounts_ = std::make_unique<Accounts>(shared_);
}

Register::~Register() {
  handlers_.clear();
  shared_->database->stop();
}

void Register::use(std::shared_ptr<const RegisterSettings> settings, std::shared_ptr<Records> records) {
  if (records) records_ = std::move(records);
  shared_->settings = std::move(settings);
  shared_->database->reload(shared_->settings->cache_max);
  shared_->critical = false;  // COMPAT §5: a reload clears it; the next failure sets it again
  fallback_->use(shared_->settings->fallback.stop);
  if (records_) records_->use(shared_->settings);
  install_all();
}

void Register::note_critical() {
  const bool critical = records_ && records_->critical();
  if (critical == shared_->critical) return;
  shared_->critical = critical;
  if (critical) shared_->database->log().error("event=critical reason=\"a call record was not written: registrations and calls are refused until one is\"");
  else shared_->database->log().info("event=critical-over reason=\"call records are written again\"");
}

// A handler that stays as it was is left alone: dispatches under way still meet it.
void Register::install(std::string_view message, bool wanted, int priority, Handler handler, std::string_view part) {
  const auto key = fmt::format("{} {}", message, part);
  const auto found = handlers_.find(key);
  if (found != handlers_.end() && wanted && found->second.priority == priority) return;
  if (found != handlers_.end()) handlers_.erase(found);
  if (!wanted) return;
  // Each of these looks whether its query may be asked then (rehearsal.h).
  const bool dry_run = message == messages::kUserAuth.name || message == messages::kUserBindings.name || message == messages::kCallPreroute.name || message == messages::kCallRoute.name;
  handlers_.emplace(key, Installed{priority, engine_.bus().install({.message = std::string(message), .priority = priority, .track = std::string(kTrack), .dry_run = dry_run},
                                                                  std::move(handler))});
}

void Register::install_all() {
  const auto& settings = *shared_->settings;
  const auto handler = [this](const messages::MessageName& message, const HandlerSettings& section, Handler answer, std::string_view part = {}) {
    install(message.name, section.enabled, section.priority, std::move(answer), part);
  };
  handler(messages::kUserAuth, settings.auth, [this](Message& message) { return user_auth(shared_, message); });
  handler(messages::kUserRegister, settings.registration, [this](Message& message) { return user_register(shared_, message); });
  handler(messages::kUserUnregister, settings.unregister, [this](Message& message) { return user_unregister(shared_, message); });
  handler(messages::kUserBindings, settings.bindings, [this](Message& message) { return user_bindings(shared_, message); });
  handler(messages::kEngineTimer, settings.timer, [this](Message&) { return engine_timer(); });
  handler(messages::kCallPreroute, settings.preroute, [this](Message& message) { return call_preroute(shared_, message); });
  handler(messages::kCallRoute, settings.route, [this](Message& message) { return call_route(shared_, fallback_, message); });
  const auto& accounts = settings.accounts;
  install(messages::kEngineTimer.name, accounts.enabled, accounts.priority, [this](Message&) -> Verdict { return accounts_->engine_timer(), false; }, "accounts");
  handler(messages::kUserNotify, accounts, [this](Message& message) { return accounts_->user_notify(message); });
  const auto write = [this](LaneId lane) {
    return [this, lane](Message& message) -> Verdict {
      if (records_) records_->call_cdr(lane, message);
      return false;
    };
  };
  handler(messages::kCallCdr, settings.records, write(LaneId::records), "records");
  handler(messages::kCallCdr, settings.lines, write(LaneId::lines), "lines");

  const auto& fallback = settings.fallback;
  install(messages::kChanDisconnected.name, fallback.disconnected, fallback.priority, [this](Message& message) { return fallback_->disconnected(message); });
  install(messages::kCallAnswered.name, fallback.answered, fallback.priority, [this](Message& message) -> Verdict {
    fallback_->answered(message);
    return false;
  });
  install(messages::kChanHangup.name, fallback.hungup, fallback.priority, [this](Message& message) -> Verdict {
    fallback_->hungup(message);
    return false;
  });
  install(messages::kEngineHalt.name, true, kHaltPriority, [this](Message&) { return engine_halt(); });
  install(messages::kEngineStatus.name, true, kStatusPriority, [this](Message& message) { return engine_status(message); });
}

void Register::start() {
  const auto& settings = shared_->settings;
  const std::array<const HandlerSettings*, 7> sections{&settings->auth,  &settings->registration, &settings->unregister, &settings->bindings,
                                                       &settings->timer, &settings->preroute,     &settings->route};
  for (const auto* section : sections)
    if (section->enabled && !section->init.empty()) engine_.spawn("register.initquery", run_init_query(shared_, settings, section));
  if (records_) records_->start();
}

Task<> Register::run_init_query(SharedPtr shared, std::shared_ptr<const RegisterSettings> settings, const HandlerSettings* handler) {
  for (;;) {
    const Message nobody(messages::kEngineStart);
    const Values values(shared->database->engine(), nobody);
    auto asking = Database::ask(shared->database, settings, handler, &handler->init, values);
    const Answer answer = co_await std::move(asking);
    if (answer.failure != Answer::Failure::away && answer.failure != Answer::Failure::late) co_return;
    auto pausing = shared->database->pause(kRetry);
    const bool goes_on = co_await std::move(pausing);
    if (!goes_on) co_return;
  }
}

Verdict Register::engine_timer() {
  const auto now = engine_.clock().now();
  if (now < next_sweep_ || *sweeping_) return false;
  next_sweep_ = now + shared_->settings->sweep;
  *sweeping_ = true;
  engine_.spawn("register.sweep", sweep(shared_, shared_->settings, sweeping_));
  return false;
}

Task<> Register::sweep(SharedPtr shared, std::shared_ptr<const RegisterSettings> settings, std::weak_ptr<bool> running) {
  const Message nobody(messages::kEngineTimer);
  const Values values(shared->database->engine(), nobody);
  auto asking = Database::ask(shared->database, settings, &settings->timer, &settings->timer.query, values);
  const Answer answer = co_await std::move(asking);  // a failure was complained about
  if (const auto flag = running.lock()) *flag = false;
}

Verdict Register::engine_halt() {
  if (!records_) return false;
  return Records::flush(records_);
}

Verdict Register::engine_status(Message& message) {
  const auto module = message.get(param::kModule);
  if (!module.empty() && module != kTrack && module != "database") return false;
  std::string more;
  if (records_) more = fmt::format(",backlog={},refused={},on_disk={}", records_->backlog(), records_->refused(), records_->backlog() - records_->in_memory());
  message.set_retvalue(fmt::format("{}name=register,type=database;critical={}{}{}\r\n", message.retvalue(), shared_->critical, more, accounts_->status()));
  return module == kTrack;
}

}  // namespace jackfield::register_module
