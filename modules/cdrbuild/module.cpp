// Call records. Wires the builder to the messages of calls.
#include "builder.h"
#include "settings.h"

#include <jackfield/messages/call.h>
#include <jackfield/messages/chan.h>
#include <jackfield/messages/engine.h>
#include <jackfield/module.h>

#include <vector>

namespace jackfield::cdrbuild {
namespace {

constexpr int kPriority = 50, kLatePriority = 150, kStatusPriority = 110;

struct CdrPlan : Plan {
  CdrSettings settings;
};

class CdrBuildModule final : public ModuleOf<CdrPlan> {
 public:
  CheckResult check(const Settings& settings) const override {
    auto plan = std::make_unique<CdrPlan>();
    CheckResult result;
    plan->settings = read_settings(settings, result.problems);
    result.plan = std::move(plan);
    return result;
  }

  tl::expected<void, Problem> prepare_plan(Engine&, CdrPlan&) override { return {}; }

  void apply_plan(Engine& engine, std::unique_ptr<CdrPlan> plan) noexcept override {
    if (builder_) return builder_->use(std::move(plan->settings));
    builder_ = std::make_unique<Builder>(engine, std::move(plan->settings));
    const auto event = [&](const std::string& message, CallEvent what) {
      install(engine, message, kPriority, [this, what](Message& about) { return builder_->call_event(what, about); });
    };
    event(messages::kChanStartup, CallEvent::startup);
    event(messages::kCallRoute, CallEvent::route);
    event(messages::kCallExecute, CallEvent::execute);
    event(messages::kCallProgress, CallEvent::progress);
    event(messages::kCallRinging, CallEvent::ringing);
    event(messages::kCallAnswered, CallEvent::answered);
    install(engine, messages::kCallUpdate, kPriority, [this](Message& about) { return builder_->call_update(about); });
    install(engine, messages::kCallDrop, kPriority, [this](Message& about) { return builder_->call_drop(about); });
    install(engine, messages::kChanHangup, kLatePriority, [this](Message& about) { return builder_->chan_hangup(about); });
    install(engine, messages::kEngineHalt, kLatePriority, [this](Message& about) { return builder_->engine_halt(about); });
    install(engine, messages::kEngineStatus, kStatusPriority, [this](Message& about) { return builder_->engine_status(about); });
    gauge_ = engine.metrics().gauge("jackfield_cdrbuild_records_count", "Legs with an open call record.", {},
                                    [this] { return static_cast<double>(builder_->open_records()); });
  }

  void stop() override {
    handlers_.clear();
    gauge_.reset();
    builder_.reset();
  }

 private:
  void install(Engine& engine, const std::string& message, int priority, Handler handler) {
    handlers_.push_back(engine.bus().install({.message = message, .priority = priority, .track = "cdrbuild"}, std::move(handler)));
  }

  std::unique_ptr<Builder> builder_;
  std::vector<Bus::Subscription> handlers_;
  std::shared_ptr<void> gauge_;
};

std::unique_ptr<Module> make() { return std::make_unique<CdrBuildModule>(); }

}  // namespace
}  // namespace jackfield::cdrbuild

JACKFIELD_MODULE(.name = "cdrbuild", .summary = "Call records", .requires_modules = {}, .keys = &jackfield::cdrbuild::kKeys,
                 .create = jackfield::cdrbuild::make);
