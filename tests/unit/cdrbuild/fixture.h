// Legs that say what SIP legs say, and the records that come of it.
#pragma once

#include "support/module_host.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

namespace jackfield::cdrbuild_test {

using namespace std::chrono_literals;

/// A call.cdr as it was seen.
struct Cdr {
  std::vector<std::pair<std::string, std::string>> parameters;
  std::string operator[](std::string_view name) const {
    const auto found = std::ranges::find(parameters, name, [](const auto& one) { return std::string_view(one.first); });
    return found == parameters.end() ? "(absent)" : found->second;
  }
};

class Calls : public ModuleHost {
 public:
  explicit Calls(std::string_view text = "") : ModuleHost(text) {
    watch_ = engine().bus().watch("call.cdr", [this](const Message& cdr, bool) {
      CHECK(cdr.broadcast());
      Cdr seen;
      for (const auto& [name, value] : cdr.parameters()) seen.parameters.emplace_back(name, value);
      records.push_back(std::move(seen));
    });
  }
  ~Calls() { watch_.reset(); }

  /// One message about a leg, handled before time goes on.
  bool say(std::string_view name, std::string_view id, const std::vector<Parameter>& more = {}) {
    auto made = message(name, {});
    for (const auto& [parameter, value] : more) made.set(parameter, value);
    if (!id.empty()) made.set("id", id);
    const bool handled = ask(made);
    engine().run_until_idle();
    return handled;
  }
  void wait(Duration time) { engine().advance(time); }

  /// `initialize update update finalize` of one leg.
  std::string operations(std::string_view chan) const {
    std::string out;
    for (const auto& cdr : records) {
      if (cdr["chan"] == chan) out.append(out.empty() ? "" : " ").append(cdr["operation"]);
    }
    return out;
  }
  Cdr final_of(std::string_view chan) const {
    for (const auto& cdr : records) {
      if (cdr["chan"] == chan && cdr["operation"] == "finalize") return cdr;
    }
    return {};
  }

  std::vector<Cdr> records;

 private:
  Bus::Subscription watch_;
};

}  // namespace jackfield::cdrbuild_test
