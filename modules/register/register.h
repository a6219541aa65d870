// The module while it is loaded: its handlers on the bus, as the configuration switches them. Engine thread only.
#pragma once

#include "accounts.h"
#include "fallback.h"
#include "records.h"
#include "users.h"

#include <jackfield/bus.h>
#include <jackfield/engine.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace jackfield::register_module {

class Register {
 public:
  Register(Engine& engine, std::shared_ptr<Database> database);
  ~Register();

  /// At the start and on each reload. `records` is given once, where call records are written.
  void use(std::shared_ptr<const RegisterSettings> settings, std::shared_ptr<Records> records);
  /// Once all modules are there: the initqueries, and the records of earlier runs.
  void start();
  bool has_records() const { return records_ != nullptr; }
  /// Follows Records::critical().
  void note_critical();

 private:
  struct Installed {
    int priority;
    Bus::Subscription subscription;
  };
  void install(std::string_view message, bool wanted, int priority, Handler handler, std::string_view part = {});
  void install_all();
  Verdict engine_timer();
  Verdict engine_halt();
  Verdict engine_status(Message& message);
  static Task<> sweep(SharedPtr shared, std::shared_ptr<const RegisterSettings> settings, std::weak_ptr<bool> running);
  static Task<> run_init_query(SharedPtr shared, std::shared_ptr<const RegisterSettings> settings, const HandlerSettings* handler);

  Engine& engine_;
  SharedPtr shared_;
  std::shared_ptr<Records> records_;
  std::shared_ptr<Fallback> fallback_;
  std::unique_ptr<Accounts> accounts_;
  std::map<std::string, Installed> handlers_;  ///< by message, and part where one message has two
  std::shared_ptr<bool> sweeping_ = std::make_shared<bool>(false);
  MonoTime next_sweep_{};
};

}  // namespace jackfield::register_module
