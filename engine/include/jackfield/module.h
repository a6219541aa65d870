// What a module is to the engine: a descriptor in a shared library and an object with five steps.
//
//   check(settings)   pure: opens nothing; returns a plan or problems with file and line
//   prepare(plan)     acquires what may fail: ports, files, compiled rules
//   apply(plan)       cannot fail, cannot wait; the first time it installs handlers
//   drain()           refuses new work, ends what is under way
//   stop()            handlers are withdrawn by the engine's order: withdraw, await those in flight, complete Pendings, destroy
//
// Start and reload are the first three over all modules; when one refuses, plans are dropped and nothing has changed.
#pragma once

#include <jackfield/abi.h>
#include <jackfield/direct_database.h>
#include <jackfield/engine.h>
#include <jackfield/settings.h>

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace jackfield {

/// What check() found out and prepare() acquired. Dropping one gives everything it holds back.
struct Plan {
  virtual ~Plan() = default;
};

class Module {
 public:
  virtual ~Module() = default;
  /// Problems may hold warnings beside a plan; with an error there is no plan.
  struct CheckResult {
    std::unique_ptr<Plan> plan;
    Problems problems;
  };
  virtual CheckResult check(const Settings& settings) const = 0;
  virtual tl::expected<void, Problem> prepare(Engine& engine, Plan& plan) = 0;
  virtual void apply(Engine& engine, std::unique_ptr<Plan> plan) noexcept = 0;
  /// Ends calls, unregisters, finishes writes. New work is refused from its first line on.
  virtual Task<> drain() { co_return; }
  /// Withdraws handlers and releases everything, in exact reverse of apply(). After it, start–stop–start works.
  virtual void stop() = 0;
};

/// Saves a module the casts: `class Regfile : public ModuleOf<RegfilePlan>`.
template <class PlanType>
class ModuleOf : public Module {
 public:
  virtual tl::expected<void, Problem> prepare_plan(Engine& engine, PlanType& plan) = 0;
  virtual void apply_plan(Engine& engine, std::unique_ptr<PlanType> plan) noexcept = 0;
  tl::expected<void, Problem> prepare(Engine& engine, Plan& plan) final { return prepare_plan(engine, static_cast<PlanType&>(plan)); }
  void apply(Engine& engine, std::unique_ptr<Plan> plan) noexcept final {
    apply_plan(engine, std::unique_ptr<PlanType>(static_cast<PlanType*>(plan.release())));
  }
};

/// What a command of a module works with. No server runs in this process; one may run on the same state directory.
struct CommandContext {
  std::span<const std::string> arguments;  ///< what follows the verb
  const Settings& settings;                ///< the module's own, read and checked
  std::filesystem::path config_dir;
  std::filesystem::path state_dir;         ///< exists
  std::filesystem::path share_dir;         ///< schemas, scripts
  std::string nodename;                    ///< of the server these files are for
  /// Connects to an account of whichever enabled module serves it. The error says what to do.
  std::function<tl::expected<std::unique_ptr<DirectDatabase>, std::string>(std::string_view account)> open_database;
  Random& random;
  std::ostream& out;
  std::ostream& err;
  bool server_running = false;  ///< a server runs on this state directory
  bool reload = false;          ///< set by the command: a running server is asked to reload this module
};

/// `jackfield user add 101` runs the command `user` of the enabled module that has it, with the arguments `add`, `101`.
struct ModuleCommand {
  std::string_view verb;   ///< "user"
  std::string_view usage;  ///< "add NAME [PASSWORD] | passwd NAME | list"
  std::string_view doc;    ///< one sentence
  int (*run)(CommandContext& context);  ///< the exit code: 0 done, 1 refused (and says why on `err`), 2 wrong usage, or kNotServed
  bool first = false;                   ///< asked before other modules that have the same verb
};
/// What a command answers that its module, as it is configured, has nothing to do with: the next module with that verb is asked.
inline constexpr int kNotServed = -1;

/// Exported by every plugin as `jackfield_module`. Plain data: it is read before the ABI stamp is known to fit, so its first
/// member never moves.
struct ModuleDescriptor {
  const char* abi;      ///< JACKFIELD_ABI of the build
  const char* name;     ///< "regfile"
  const char* summary;  ///< one line for `module list` and `help`
  std::span<const std::string_view> requires_modules;  ///< started before, stopped after this one
  const KeyTable* keys;
  std::unique_ptr<Module> (*create)();
  std::span<const ModuleCommand> commands = {};
  /// Of a module that serves the message `database`: connects to one of its accounts for a command. A null pointer: it has no such account.
  tl::expected<std::unique_ptr<DirectDatabase>, std::string> (*open_database)(const Settings& settings, std::string_view account,
                                                                              const std::filesystem::path& state_dir) = nullptr;
  bool offline = false;  ///< heeds Engine::offline(), and answers call.route or what leads to it there, too
};

}  // namespace jackfield

/// `JACKFIELD_MODULE(.name = "hello", .summary = "…", .requires_modules = {}, .keys = &kKeys, .create = make_hello)`
#define JACKFIELD_MODULE(...)                                                                        \
  extern "C" __attribute__((visibility("default"))) const ::jackfield::ModuleDescriptor jackfield_module; \
  extern "C" const ::jackfield::ModuleDescriptor jackfield_module { .abi = JACKFIELD_ABI, __VA_ARGS__ }
