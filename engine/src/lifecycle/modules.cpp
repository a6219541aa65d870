#include "lifecycle/modules.h"

#include "lifecycle/dependencies.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>

namespace jackfield {

namespace {

void append(Problems& to, Problems from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

Problem error_of(const ModuleDescriptor& module, std::string_view step, const std::exception& error) {
  return {Problem::Severity::error, {fmt::format("{}.conf", module.name), 0}, fmt::format("module `{}` failed to {}: {}", module.name, step, error.what())};
}

/// Null with a problem, when it cannot be made.
std::unique_ptr<Module> made(const ModuleDescriptor& module, Problems& problems) {
  try {
    return module.create();
  } catch (const std::exception& error) {
    problems.push_back(error_of(module, "come into being", error));
    return nullptr;
  }
}

/// Counts down however the task ends.
Task<> counted(Task<> task, std::shared_ptr<std::size_t> left) {
  struct Down {
    std::size_t& left;
    ~Down() { --left; }
  } down{*left};
  co_await std::move(task);
}

/// Dropping plans and objects in reverse of how they were made.
template <class T>
void drop_reversed(std::vector<T>& items) {
  while (!items.empty()) items.pop_back();
}

}  // namespace

void report_unchangeable(const KeyTable& keys, const Settings& before, const Settings& after, Problems& problems) {
  for (const auto& section : after.sections()) {
    const auto* known = settings::find_section(keys, section.name);
    if (!known) continue;
    for (const auto& key : known->keys) {
      if (key.reloadable || before.text(section.name, key.name) == after.text(section.name, key.name)) continue;
      problems.push_back({Problem::Severity::warning, after.where(section.name, key.name),
                          fmt::format("[{}] {} has changed; it counts from the next start on", section.name, key.name)});
    }
  }
}

struct Modules::Candidates {
  ~Candidates() { drop_reversed(list); }
  std::vector<Candidate> list;
};

Modules::~Modules() {
  // What stopped first was started last.
  for (auto& retired : retired_) retired.module.reset();
  drop_reversed(running_);
}

void Modules::check(Candidate& candidate, const Read& read, Problems& problems) {
  auto loaded = read(*candidate.descriptor->keys);
  append(problems, std::move(loaded.problems));
  if (!loaded.settings) return;
  candidate.settings = std::move(loaded.settings);
  try {
    auto result = candidate.module->check(*candidate.settings);
    append(problems, std::move(result.problems));
    candidate.plan = std::move(result.plan);
  } catch (const std::exception& error) {
    problems.push_back(error_of(*candidate.descriptor, "check its settings", error));
  }
}

bool Modules::prepare(std::vector<Candidate>& candidates, Problems& problems) {
  for (auto& candidate : candidates) {
    try {
      if (auto prepared = candidate.module->prepare(engine_, *candidate.plan); !prepared) {
        problems.push_back(std::move(prepared.error()));
        problems.back().severity = Problem::Severity::error;
        return false;
      }
    } catch (const std::exception& error) {
      problems.push_back(error_of(*candidate.descriptor, "prepare", error));
      return false;
    }
  }
  return true;
}

void Modules::apply(Candidate& candidate) {
  candidate.module->apply(engine_, std::move(candidate.plan));
  if (candidate.fresh) {
    running_.push_back({candidate.descriptor, std::move(candidate.fresh), std::move(*candidate.settings)});
    return;
  }
  const auto found = std::find_if(running_.begin(), running_.end(), [&](const Running& running) { return running.module.get() == candidate.module; });
  found->settings = std::move(*candidate.settings);
}

Modules::Report Modules::check(const std::vector<const ModuleDescriptor*>& modules, const Read& read) {
  Report report;
  const auto order = start_order(modules);
  if (!order) report.problems.push_back({Problem::Severity::error, {}, order.error()});
  for (const auto* descriptor : order ? *order : modules) {
    auto fresh = made(*descriptor, report.problems);
    if (!fresh) continue;
    Candidate candidate{descriptor, nullptr, fresh.get(), std::nullopt, nullptr};
    check(candidate, read, report.problems);
    if (!candidate.plan && !settings::has_errors(report.problems))
      report.problems.push_back({Problem::Severity::error, {}, fmt::format("module `{}` refused its settings without a word", descriptor->name)});
  }
  report.done = !settings::has_errors(report.problems);
  return report;
}

Modules::Report Modules::start(const std::vector<const ModuleDescriptor*>& modules, const Read& read) {
  Report report;
  const auto order = start_order(modules, names());
  if (!order) {
    report.problems.push_back({Problem::Severity::error, {}, order.error()});
    return report;
  }
  Candidates candidates;
  bool whole = true;
  for (const auto* descriptor : *order) {
    auto fresh = made(*descriptor, report.problems);
    if (!fresh) return report;
    auto* module = fresh.get();
    candidates.list.push_back({descriptor, std::move(fresh), module, std::nullopt, nullptr});
    check(candidates.list.back(), read, report.problems);
    whole = whole && candidates.list.back().plan;
  }
  if (!whole || settings::has_errors(report.problems) || !prepare(candidates.list, report.problems)) return report;
  for (auto& candidate : candidates.list) apply(candidate);
  report.done = true;
  return report;
}

Modules::Report Modules::reload(const Read& read, std::string_view only) {
  Report report;
  Candidates candidates;
  bool whole = true;
  for (const auto& running : running_) {
    if (!only.empty() && running.descriptor->name != only) continue;
    candidates.list.push_back({running.descriptor, nullptr, running.module.get(), std::nullopt, nullptr});
    auto& candidate = candidates.list.back();
    check(candidate, read, report.problems);
    whole = whole && candidate.plan;
    if (candidate.settings) report_unchangeable(*running.descriptor->keys, running.settings, *candidate.settings, report.problems);
  }
  if (!only.empty() && candidates.list.empty()) {
    report.problems.push_back({Problem::Severity::error, {}, fmt::format("module `{}` is not loaded", only)});
    return report;
  }
  if (!whole || settings::has_errors(report.problems) || !prepare(candidates.list, report.problems)) return report;
  for (auto& candidate : candidates.list) apply(candidate);
  report.done = true;
  return report;
}

Task<Modules::Report> Modules::unload(std::string name) {
  Report report;
  const auto refuse = [&report](std::string text) { report.problems.push_back({Problem::Severity::error, {}, std::move(text)}); };
  const auto named = [&name](const Running& running) { return running.descriptor->name == name; };
  if (!started(name)) {
    refuse(fmt::format("module `{}` is not loaded", name));
    co_return report;
  }
  const auto needed = [&] {
    for (const auto& running : running_) {
      const auto& needs = running.descriptor->requires_modules;
      if (std::find(needs.begin(), needs.end(), name) == needs.end()) continue;
      refuse(fmt::format("module `{}` needs `{}`: unload it first", running.descriptor->name, name));
      return true;
    }
    return false;
  };
  if (needed()) co_return report;
  auto drained = std::find_if(running_.begin(), running_.end(), named)->module->drain();
  co_await std::move(drained);
  // After the wait somebody else may have unloaded it, or loaded a module that needs it.
  if (needed()) co_return report;
  const auto found = std::find_if(running_.begin(), running_.end(), named);
  if (found != running_.end()) {
    found->module->stop();
    retired_.push_back(std::move(*found));
    running_.erase(found);
  }
  report.done = true;
  co_return report;
}

Task<> Modules::drain() {
  // Each runs by itself; the count is shared, because a drain that never ends may outlive this wait.
  auto left = std::make_shared<std::size_t>(running_.size());
  Pendings pendings(engine_.timers());
  for (auto at = running_.rbegin(); at != running_.rend(); ++at)
    engine_.spawn(fmt::format("drain {}", at->descriptor->name), counted(at->module->drain(), left));
  while (*left > 0) {
    auto tick = pendings.open<bool>(Duration(10));
    auto waited = co_await tick.wait();
    (void)waited;
  }
}

void Modules::stop() {
  while (!running_.empty()) {
    running_.back().module->stop();
    retired_.push_back(std::move(running_.back()));
    running_.pop_back();
  }
}

bool Modules::started(std::string_view name) const {
  return std::any_of(running_.begin(), running_.end(), [&](const Running& running) { return running.descriptor->name == name; });
}

std::vector<const ModuleDescriptor*> Modules::list() const {
  std::vector<const ModuleDescriptor*> out;
  for (const auto& running : running_) out.push_back(running.descriptor);
  return out;
}

std::vector<std::string> Modules::names() const {
  std::vector<std::string> out;
  for (const auto& running : running_) out.emplace_back(running.descriptor->name);
  return out;
}

}  // namespace jackfield
