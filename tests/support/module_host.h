// One module on a TestEngine, configured by the text of its file: started, reloaded and stopped as the program does it. The test
// program is linked with the module's objects.
#pragma once

#include "support/test_engine.h"

#include <jackfield/module.h>

#include <doctest/doctest.h>

#include "settings/ini_reader.h"
#include "settings/tables.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

extern "C" const jackfield::ModuleDescriptor jackfield_module;

namespace jackfield {

/// As the program reads it: run parameters, here the node's name alone, are put in where the key table allows it.
inline Settings settings_from(std::string_view text, bool from_yate = false) {
  const std::string file = std::string(jackfield_module.name) + ".conf";
  auto ini = settings::parse_ini(text, file, {});
  const auto run_parameter = [](std::string_view name) { return name == "nodename" ? std::optional<std::string_view>("test") : std::nullopt; };
  (void)settings::check_sections(*jackfield_module.keys, ini.sections, run_parameter, from_yate);
  return Settings(*jackfield_module.keys, std::move(ini.sections), file, from_yate);
}

/// Everything that checking alone says about the text.
inline Problems problems_of(std::string_view text) { return jackfield_module.create()->check(settings_from(text)).problems; }

class ModuleHost {
 public:
  explicit ModuleHost(std::string_view text) : ModuleHost(std::make_shared<TestEngine>(), text) {}
  /// On an engine that stays when this module ends: restarts.
  ModuleHost(std::shared_ptr<TestEngine> engine, std::string_view text) : engine_(std::move(engine)), module_(jackfield_module.create()) {
    const auto refused = load(text);
    REQUIRE_MESSAGE(!refused, (refused ? refused->text : std::string()));
  }
  ~ModuleHost() {
    if (module_) stop();
  }

  /// The start, or a reload. Answers why it was refused.
  std::optional<Problem> load(std::string_view text) {
    auto checked = module_->check(settings_from(text));
    if (!checked.plan) return checked.problems.empty() ? Problem{.text = "no plan and no problem"} : checked.problems.front();
    if (auto prepared = module_->prepare(*engine_, *checked.plan); !prepared) return prepared.error();
    module_->apply(*engine_, std::move(checked.plan));
    return std::nullopt;
  }
  void stop() {
    module_->stop();
    module_.reset();
    engine_->run_until_idle();
  }

  TestEngine& engine() { return *engine_; }
  Message message(std::string_view name, std::initializer_list<Parameter> parameters) const {
    Message made(name, engine_->clock().wall());
    for (const auto& [parameter, value] : parameters) made.set(parameter, value);
    return made;
  }
  /// Dispatches and waits, in real time too, for the verdict.
  bool ask(Message& message) {
    auto result = std::make_shared<std::optional<bool>>();
    engine_->spawn("ask", detail::store_result(settle(engine_->bus().dispatch(message)), result));
    REQUIRE(engine_->run_until([&] { return result->has_value(); }));
    return **result;
  }

 private:
  std::shared_ptr<TestEngine> engine_;
  std::unique_ptr<Module> module_;
};

}  // namespace jackfield
