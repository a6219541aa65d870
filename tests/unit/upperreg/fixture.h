// What the tests of upperreg share: a server A that is asked by upstream.register, users, a registrar that does what sip's does, and questions
// in one line.
#pragma once

#include "support/module_host.h"

#include <jackfield/messages/stored_bindings.h>
#include <jackfield/messages/upstream.h>
#include <jackfield/messages/user.h>

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace jackfield::upperreg_test {

using namespace std::chrono_literals;

inline constexpr std::string_view kUpper = "[general]\nfile=\nprobe_interval=0\n[upper]\nserver=a.example\n";
/// For tests that count requests, and are about other things than whether A asks for credentials.
inline constexpr std::string_view kBelieved = "[general]\nfile=\nprobe_interval=0\n[upper]\nserver=a.example\nunchallenged=yes\n";
inline constexpr std::string_view kThru = "[general]\nfile=\nprobe_interval=0\n[thru]\nthru_domains=a1.example,*.far.example\n";

struct Phone {
  std::string user = "d", domain = "b.example", key = "k1", address = "10.0.0.1:5060", authorization = "Digest username=\"d\", realm=\"a\"";
  int expires = 3600;
  bool authenticated = false;
};

class Site : public ModuleHost {
 public:
  explicit Site(std::string_view text) : Site(std::make_shared<TestEngine>(), text) {}
  Site(std::shared_ptr<TestEngine> on, std::string_view text) : ModuleHost(on, text) {
    auto& bus = engine().bus();
    peers_.push_back(bus.install({.message = "user.login"}, [this](Message& login) {
      logins.push_back(fmt::format("{} {} {} {}", login.get("operation"), login.get("account"), login.get("connection"), login.get("servers")));
      return performs;
    }));
    peers_.push_back(bus.install({.message = "upstream.register"}, [this](Message& message) { return server(message); }));
    peers_.push_back(bus.install({.message = "user.auth", .priority = 100}, [this](Message& message) {
      CHECK_FALSE(message.flag("dry_run"));  // else neither scripts nor databases would be asked
      if (lookup_fails) {  // as register says it with on_fail=refuse
        message.set("error", "failure");
        message.set_retvalue("-");
        return false;
      }
      const auto user = users.find(std::string(message.get("username")));
      if (user == users.end()) return false;
      for (const auto& [name, value] : user->second) message.set(name, value);
      message.set_retvalue("a password of B");
      return true;
    }));
    peers_.push_back(bus.install({.message = "user.unregister", .priority = 1}, [this](Message& message) {
      if (!registering_) ended.push_back(fmt::format("{} {}", message.get("username"), message.get("binding")));
      return false;
    }));
    auto start = message("engine.start", {});
    start.set_broadcast(true);
    ask(start);
    engine().run_until_idle();
  }

  static void add_flow(Message& message, const std::string& address) {
    const auto colon = address.rfind(':');
    message.set("ip_host", address.substr(0, colon)).set("ip_port", address.substr(colon + 1)).set("ip_transport", "UDP").set("connection_id", "general");
  }
  /// user.upstream as sip asks it; `more` is added.
  Message upstream(const Phone& phone, std::initializer_list<Parameter> more = {}) {
    auto out = message("user.upstream", {{"username", phone.user}, {"domain", phone.domain}, {"sip_uri", "sip:" + phone.domain}, {"address", phone.address}});
    add_flow(out, phone.address);
    out.set_flag("authenticated", phone.authenticated);
    if (!phone.key.empty()) out.set("binding.1", phone.key).set("binding.1.expires", static_cast<long long>(phone.expires));
    out.set("expires", static_cast<long long>(phone.expires));
    if (!phone.authorization.empty()) out.set("authorization", phone.authorization);
    if (phone.authenticated && users.contains(phone.user))
      for (const auto& [name, value] : users[phone.user]) out.set(name, value);
    for (const auto& [name, value] : more) out.set(name, value);
    return out;
  }
  /// The whole REGISTER: both questions, then the stores. `200 EXPIRES`, the code that refused it, or `local` where it is nobody's.
  std::string registers(Phone phone, std::initializer_list<Parameter> more = {}) {
    for (const bool authenticated : {false, true}) {
      phone.authenticated = authenticated;
      auto asked = upstream(phone, more);
      if (!ask(asked)) continue;
      engine().run_until_idle();
      const auto code = asked.number("code");
      if (code < 200 || code > 299) return std::to_string(code);
      const auto username = std::string(asked.get("username"));
      registering_ = true;
      if (phone.expires == 0) {
        auto gone = message("user.unregister", {{"username", username}, {"binding", phone.key}});
        ask(gone);
      } else if (!phone.key.empty()) {
        auto kept = message("user.register", {{"username", username}, {"driver", "sip"}, {"data", "sip/sip:" + phone.user + "@" + phone.address}, {"binding", phone.key}});
        add_flow(kept, phone.address);
        kept.set("expires", asked.get("expires"));
        CHECK(ask(kept));
      }
      registering_ = false;
      engine().run_until_idle();
      return fmt::format("200 {}", asked.get("expires"));
    }
    return "local";
  }
  /// An expiry, or a connection that closed, as sip tells it.
  void unregister(std::initializer_list<Parameter> parameters) {
    registering_ = true;
    auto gone = message("user.unregister", parameters);
    ask(gone);
    registering_ = false;
    engine().run_until_idle();
  }
  std::vector<std::string> bindings(std::string_view username = {}) {
    auto asked = message("user.bindings", {});
    if (!username.empty()) asked.set("username", username);
    std::vector<std::string> out;
    if (!ask(asked)) return out;
    asked.payload<messages::StoredBindings>()->each([&](const messages::StoredBinding& one) { out.push_back(one.username + " " + one.data); });
    std::ranges::sort(out);
    return out;
  }
  std::string command(std::string_view line, bool expected = true, bool admin = true) {
    auto made = message("engine.command", {{"line", line}});
    made.set_flag("cmd_admin", admin);
    CHECK(ask(made) == expected);
    engine().run_until_idle();
    return std::string(made.retvalue());
  }
  std::string token(const std::string& name) {
    const auto line = command("upperreg list " + name);
    const auto first = line.find('\t', line.find('\t') + 1);
    return first == std::string::npos ? std::string() : line.substr(first + 1, 32);
  }
  /// All REGISTERs that A saw since the last question: `USER@DOMAIN EXPIRES`, `?` where it only was asked.
  std::vector<std::string> seen() {
    engine().run_until_idle();
    return std::exchange(seen_, {});
  }

  std::vector<std::string> logins, ended;
  std::map<std::string, std::map<std::string, std::string>> users;
  // A.
  int code = 200, granted = 3600;
  bool lists = true;           ///< A says what is registered
  bool asks_for_proof = true;  ///< A challenges who shows no credentials
  bool away = false, performs = true, lookup_fails = false;
  std::string server_address = "192.0.2.1:5060";
  std::vector<std::pair<std::string, std::string>> headers;
  std::map<std::string, std::string> contacts;  ///< of user@domain: the token A has
  std::set<std::string> nowhere;                ///< domains without a server
  std::set<std::string> forgets;                ///< its 200 does not list the contact
  std::vector<long long> cseqs;
  std::set<std::string> call_ids;
  std::map<std::string, std::string> last;  ///< parameters of the last one
  std::function<void()> meanwhile;

 private:
  Verdict server(Message& message) {
    last.clear();
    for (const auto& [name, value] : message.parameters()) last[std::string(name)] = value;
    const auto aor = fmt::format("{}@{}", message.get("username"), message.get("domain"));
    const auto asks = !message.has("contact_user");
    const bool bare = asks && !message.has("authname") && !message.has("authorization") && !message.has("proxy_authorization");
    const bool here = !away && !nowhere.contains(std::string(message.get("domain")));
    if (bare && here && asks_for_proof && code == 200) {  // not among what is seen: it registers nothing
      message.set("code", 401ll).set("address", server_address);
      return true;
    }
    seen_.push_back(fmt::format("{} {}", aor, asks ? "?" : message.get("expires")));
    cseqs.push_back(message.number("sip_cseq"));
    call_ids.insert(std::string(message.get("sip_callid")));
    if (meanwhile) std::exchange(meanwhile, nullptr)();
    if (away || nowhere.contains(std::string(message.get("domain")))) {
      message.set("error", "noconn").set("reason", "no server answers");
      return false;
    }
    message.set("code", static_cast<long long>(code)).set("address", server_address);
    for (const auto& [name, value] : headers) message.add("sip_" + name, value);
    if (code != 200) return true;
    const auto expires = message.number("expires");
    if (!asks && expires == 0) contacts.erase(aor);
    if (!asks && expires > 0 && !forgets.contains(aor)) contacts[aor] = message.get("contact_user");
    message.set("expires", 0ll);
    message.add("sip_contact", "<sip:foreign@192.0.2.99>;expires=7");  // BR-6: others' contacts are none of ours
    if (!lists) {
      message.set("expires", asks ? 0ll : std::min<long long>(expires, granted));
      return true;
    }
    if (const auto mine = contacts.find(aor); mine != contacts.end()) {
      message.add("sip_contact", "<sip:" + mine->second + "@10.0.0.254>");
      message.set("expires", std::min<long long>(expires, granted));
    }
    return true;
  }

  std::vector<Bus::Subscription> peers_;
  std::vector<std::string> seen_;
  bool registering_ = false;
};

using Lines = std::vector<std::string>;
/// A user with credentials that are kept here.
inline const std::map<std::string, std::string> kStored = {{"upper_username", "d"}, {"upper_password", "a song of A"}};

}  // namespace jackfield::upperreg_test
