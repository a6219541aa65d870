// A module for tests: answers engine.command "answer me" and engine.status with the word of its file.
#include <jackfield/messages/engine.h>
#include <jackfield/module.h>

namespace {

using namespace jackfield;
using namespace jackfield::messages;

constexpr Key kGeneral[] = {
    {.name = "word", .type = KeyType::text, .fallback = "first", .unit = "", .doc = "What it answers."},
    {.name = "number", .type = KeyType::integer, .fallback = "1", .unit = "", .doc = "A number."},
};
constexpr Section kSections[] = {{.name = "general", .doc = "", .keys = kGeneral}};
constexpr KeyTable kKeys{.name = "answering", .doc = "A module for tests.", .sections = kSections};

struct Word : Plan {
  std::string word;
};

class Answering final : public ModuleOf<Word> {
 public:
  CheckResult check(const Settings& settings) const override {
    auto plan = std::make_unique<Word>();
    plan->word = settings.text("general", "word");
    return {std::move(plan), {}};
  }
  tl::expected<void, Problem> prepare_plan(Engine&, Word&) override { return {}; }
  void apply_plan(Engine& engine, std::unique_ptr<Word> plan) noexcept override {
    word_ = std::move(plan->word);
    if (command_) return;
    command_ = engine.bus().install({.message = kEngineCommand, .track = "answering"}, [this](Message& message) {
      if (message.get(param::kLine) != "answer me") return false;
      message.set_retvalue(word_ + "\r\n");
      return true;
    });
    status_ = engine.bus().install({.message = kEngineStatus, .track = "answering"}, [this](Message& message) {
      const auto module = message.get(param::kModule);
      if (!module.empty() && module != "answering") return false;
      message.set_retvalue(std::string(message.retvalue()) + "name=answering,type=misc;word=" + word_ + "\r\n");
      return !module.empty();
    });
  }
  void stop() override {
    status_.reset();
    command_.reset();
  }

 private:
  std::string word_;
  Bus::Subscription command_, status_;
};

}  // namespace

JACKFIELD_MODULE(.name = "answering", .summary = "a module for tests", .requires_modules = {}, .keys = &kKeys,
                 .create = []() -> std::unique_ptr<jackfield::Module> { return std::make_unique<Answering>(); });
