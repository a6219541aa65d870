// What the tests of accfile share: a module that performs every user.login and remembers them.
#pragma once

#include "support/module_host.h"

#include <jackfield/messages/stored_bindings.h>
#include <jackfield/messages/user.h>

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

namespace jackfield::accfile_test {

class Site : public ModuleHost {
 public:
  explicit Site(std::string_view text, bool started = true) : Site(std::make_shared<TestEngine>(), text, started) {}
  Site(std::shared_ptr<TestEngine> engine, std::string_view text, bool started = true) : ModuleHost(engine, text) {
    performer_ = this->engine().bus().install({.message = "user.login"}, [this](Message& login) -> Verdict {
      std::string line = fmt::format("{} {}", login.get("operation"), login.get("account"));
      for (const auto& [name, value] : login.parameters())
        if (name != "operation" && name != "account" && name != "handlers") line += fmt::format(" {}={}", name, value);
      logins_.push_back(std::move(line));
      return performs;
    });
    if (started) start();
  }
  void start() {
    auto message = this->message("engine.start", {});
    message.set_broadcast(true);
    ask(message);
    engine().run_until_idle();
  }
  /// Every user.login since the last question, sorted.
  std::vector<std::string> logins() {
    engine().run_until_idle();
    auto out = std::exchange(logins_, {});
    std::ranges::sort(out);
    return out;
  }
  void reload(std::string_view text) {
    REQUIRE(!load(text));
    engine().run_until_idle();
  }
  std::string command(std::string_view line, bool expected = true) {
    auto made = message("engine.command", {{"line", line}, {"cmd_admin", "true"}});
    CHECK(ask(made) == expected);
    engine().run_until_idle();
    return std::string(made.retvalue());
  }
  /// `retvalue line=…` of a call.
  std::string route(std::string_view called, std::initializer_list<Parameter> more) {
    auto made = message("call.route", more);
    made.set("called", called);
    if (!ask(made)) return fmt::format("not handled, called={}", made.get("called"));
    return fmt::format("{} line={}", made.retvalue(), made.get("line"));
  }
  Message auth(std::string_view username, bool& handled) {
    auto made = message("user.auth", {{"username", username}, {"realm", "Yate"}});
    handled = ask(made);
    return made;
  }
  bool add(std::string_view username, std::string_view data, std::string_view key = "k", int expires = 3600, std::string_view q = {}) {
    auto made = message("user.register", {{"username", username}, {"driver", "sip"}, {"data", data}, {"binding", key}, {"route_params", "oconnection_id"}, {"oconnection_id", "general"}});
    made.set("expires", static_cast<long long>(expires));
    if (!q.empty()) made.set("q", q);
    return ask(made);
  }

  bool performs = true;

 private:
  std::vector<std::string> logins_;
  Bus::Subscription performer_;
};

using Lines = std::vector<std::string>;

}  // namespace jackfield::accfile_test
