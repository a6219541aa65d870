// What the tests of regfile share: users, phones that register, and questions in one line.
#pragma once

#include "support/module_host.h"

#include <jackfield/messages/stored_bindings.h>
#include <jackfield/messages/user.h>

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

namespace jackfield::regfile_test {

using namespace std::chrono_literals;

inline constexpr std::string_view kUsers =
    "[general]\n"
    "[101]\npassword=one\nalternatives=4000,front desk\nnumber=555101\n"
    "[102]\npassword=two\nalternatives=4000\n"
    "[103]\npassword=three\n";
/// The same without a file of bindings.
inline constexpr std::string_view kInMemory =
    "[general]\nfile=\n"
    "[101]\npassword=one\nalternatives=4000,front desk\nnumber=555101\n"
    "[102]\npassword=two\nalternatives=4000\n"
    "[103]\npassword=three\n";

struct Phone {
  std::string user, at = "10.0.0.1:5060", key = {}, q = {}, connection = {};
  bool reliable = false;
  std::string data() const { return fmt::format("sip/sip:{}@{}", user, at); }
};

class Users : public ModuleHost {
 public:
  using ModuleHost::ModuleHost;

  Message register_message(const Phone& phone, int expires = 3600) const {
    auto made = message("user.register", {{"username", phone.user}, {"driver", "sip"}, {"data", phone.data()}, {"sip_callid", "call-id"}});
    made.set("expires", static_cast<long long>(expires));
    if (!phone.key.empty()) made.set("binding", phone.key);
    if (!phone.q.empty()) made.set("q", phone.q);
    if (!phone.connection.empty()) made.set("connection_id", phone.connection).set_flag("connection_reliable", phone.reliable);
    return made;
  }
  bool add(const Phone& phone, int expires = 3600) {
    auto made = register_message(phone, expires);
    return ask(made);
  }
  bool remove(std::initializer_list<Parameter> parameters) {
    auto made = message("user.unregister", parameters);
    return ask(made);
  }
  /// Where a call to `called` goes: the return value; of a fork its targets with blanks between; `-` and the error when nowhere.
  std::string route(std::string_view called, std::initializer_list<Parameter> more = {}) {
    auto made = message("call.route", more);
    made.set("called", called);
    if (!ask(made)) return "-" + std::string(made.get("error"));
    if (made.retvalue() != "fork") return std::string(made.retvalue());
    std::string targets = "fork";
    for (int i = 1; made.has(fmt::format("callto.{}", i)); ++i) targets.append(" ").append(made.get(fmt::format("callto.{}", i)));
    return targets;
  }
  std::vector<messages::StoredBinding> bindings(std::string_view username = {}) {
    auto made = message("user.bindings", {});
    if (!username.empty()) made.set("username", username);
    REQUIRE(ask(made));
    auto* stored = made.payload<messages::StoredBindings>();
    REQUIRE(stored);
    std::vector<messages::StoredBinding> all;
    stored->each([&](const messages::StoredBinding& binding) { all.push_back(binding); });
    std::ranges::sort(all, {}, [](const messages::StoredBinding& b) { return b.username + b.data; });
    return all;
  }
  std::filesystem::path file() { return engine().state_dir() / "regfile-bindings.conf"; }
};

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream in(path);
  return (std::ostringstream() << in.rdbuf()).str();
}
inline void write_text(const std::filesystem::path& path, std::string_view text) { std::ofstream(path) << text; }

}  // namespace jackfield::regfile_test
