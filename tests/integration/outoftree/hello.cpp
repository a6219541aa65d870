// Greets: answers the command `hello` of a console, and the message `hello.greet`, which only this module knows.
#include <jackfield/messages/engine.h>
#include <jackfield/module.h>

#include <fmt/format.h>

using namespace jackfield;
using namespace jackfield::messages;

namespace {

constexpr Key kGeneral[] = {
    {.name = "greeting", .type = KeyType::text, .fallback = "Hello", .unit = "", .doc = "The word to greet with."},
};
constexpr Section kSections[] = {{.name = "general", .doc = "", .keys = kGeneral}};
constexpr KeyTable kKeys{.name = "hello", .doc = "Greets.", .sections = kSections};

struct HelloPlan : Plan {
  std::string greeting;
};

class Hello final : public ModuleOf<HelloPlan> {
 public:
  CheckResult check(const Settings& settings) const override {
    auto plan = std::make_unique<HelloPlan>();
    plan->greeting = settings.text("general", "greeting");
    return {std::move(plan), {}};
  }

  tl::expected<void, Problem> prepare_plan(Engine&, HelloPlan&) override { return {}; }

  void apply_plan(Engine& engine, std::unique_ptr<HelloPlan> plan) noexcept override {
    greeting_ = std::move(plan->greeting);
    if (command_) return;
    greet_ = engine.bus().install({.message = "hello.greet", .track = "hello"}, [this](Message& message) {
      message.set_retvalue(fmt::format("{}, {}!", greeting_, message.get("name", "world")));
      return true;
    });
    // A handler that waits is a coroutine: this one waits for another message's verdict.
    command_ = engine.bus().install({.message = kEngineCommand, .track = "hello"}, [&engine](Message& message) -> Verdict {
      if (message.get(param::kLine) != "hello") return false;
      return ask(engine, message);
    });
  }

  void stop() override {
    command_.reset();
    greet_.reset();
  }

 private:
  static Task<bool> ask(Engine& engine, Message& message) {
    Message greet("hello.greet");
    greet.set("name", "Jackfield");
    auto verdict = engine.bus().dispatch(greet);
    const bool handled = co_await settle(std::move(verdict));
    message.set_retvalue(fmt::format("{}\r\n", greet.retvalue()));
    co_return handled;
  }

  std::string greeting_;
  Bus::Subscription greet_, command_;
};

std::unique_ptr<Module> make_hello() { return std::make_unique<Hello>(); }

}  // namespace

JACKFIELD_MODULE(.name = "hello", .summary = "greets", .requires_modules = {}, .keys = &kKeys, .create = make_hello);
