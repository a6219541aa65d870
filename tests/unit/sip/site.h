// A registrar and an admission over the real transaction layer and a network of memory; users and a store that are handlers on the
// bus; phones that write requests and answer challenges.
#pragma once

#include <jackfield/messages/call.h>
#include <jackfield/messages/stored_bindings.h>
#include <jackfield/messages/user.h>
#include <jackfield/settings.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "admission/gate.h"
#include "digest/digest.h"
#include "registrar/registrar.h"
#include "settings.h"
#include "support/test_engine.h"
#include "unit/sip/stack/stack_support.h"

namespace jackfield::sip {

using namespace std::chrono_literals;

/// Counts holds; knows which address is the server's own.
class Network final : public stack::FakeTransport {
 public:
  std::map<std::uint32_t, int> holds;
  std::string own_host = "192.0.2.1";
  void hold(const stack::FlowId& flow) override { ++holds[flow.connection]; }
  void release(const stack::FlowId& flow) override { --holds[flow.connection]; }
  bool is_ours(std::string_view host, std::uint16_t port) const override { return host == own_host && port == 5060; }
};

inline stack::FlowId udp(std::string_view address) { return {stack::address(address), 0, 0, stack::TransportKind::udp}; }
inline stack::FlowId tcp(std::string_view address, std::uint32_t connection) { return {stack::address(address), connection, 1, stack::TransportKind::tcp}; }

/// A response as a test looks at it.
struct Reply {
  int code = 0;
  std::string bytes;
  std::vector<std::string> contacts() const { return all("Contact"); }
  std::string value(std::string_view name) const {
    const auto values = all(name);
    return values.empty() ? std::string() : values.front();
  }
  std::vector<std::string> all(std::string_view name) const {
    Message message;
    std::vector<std::string> out;
    if (!message.parse(bytes)) return out;
    for (const auto& line : message.headers())
      if (line.name == name) out.emplace_back(line.value);
    return out;
  }
};

class Site final : public stack::TransactionUser {
 public:
  using Parameters = std::vector<std::pair<std::string, std::string>>;
  struct User {
    std::string password;
    Parameters parameters = {};
    bool known = true;
  };

  TestEngine engine;
  std::shared_ptr<SipSettings> settings = defaults();
  Network network;
  stack::Transactions transactions{engine, {}};
  Core core{engine, engine.log("sip"), network, transactions, settings, {settings->listeners[0], settings->listeners[1]}};
  admission::Gate gate{core};
  std::unique_ptr<registrar::Registrar> registrar = std::make_unique<registrar::Registrar>(core, gate);

  std::map<std::string, User> users{{"200", {"secret"}}, {"201", {"other"}}};
  int times_asked = 0;  ///< user.auth

  // The store.
  std::map<std::pair<std::string, std::string>, Parameters> stored;
  std::optional<std::string> store_keeps = "0";  ///< max_contacts of its answers; nothing: it says nothing
  Parameters refusal;                            ///< of a refused user.register
  std::string refuses;                           ///< part of the `data` it refuses
  bool store_waits = false;                      ///< answers come when the test says finish()
  bool store_syncs = false;                      ///< it answers at once, with the proviso that the test says synced()
  bool forgets = true;                           ///< it knows nothing of user.bindings
  std::vector<std::string> told;                 ///< messages, as "user.register 200 sip:…"
  std::vector<Sender> admitted;                  ///< who sent requests other than REGISTER

  Site() {
    transactions.attach(network, *this);
    install(messages::kUserAuth, [this](jackfield::Message& m) -> Verdict { return authenticate(m); });
    install(messages::kUserRegister, [this](jackfield::Message& m) -> Verdict { return keep(m); });
    install(messages::kUserUnregister, [this](jackfield::Message& m) -> Verdict { return drop(m); });
    install(messages::kUserAuthfail, [this](jackfield::Message& m) -> Verdict {
      told.push_back(fmt::format("user.authfail {} {}", m.get("username"), m.get("address")));
      return true;
    });
  }
  ~Site() override {
    handlers_.clear();
    pendings_.stop();
    engine.run_until_idle();
    transactions.stop();
  }

  /// From here on the store gives back what it keeps.
  void remember() {
    forgets = false;
    install(messages::kUserBindings, [this](jackfield::Message& m) -> Verdict { return tell(m); });
  }
  void install(const messages::MessageName& name, Handler handler) {
    handlers_.push_back(engine.bus().install({.message = name}, std::move(handler)));
  }

  /// Hands a request to the server and gives what it sent to `flow` at once.
  std::optional<Reply> deliver(const stack::FlowId& flow, std::string_view bytes) {
    network.take();
    static_cast<stack::TransportEvents&>(transactions).message(flow, bytes);
    engine.run_until_idle();
    return last_reply();
  }
  std::optional<Reply> last_reply() {
    for (auto sent = network.sent.rbegin(); sent != network.sent.rend(); ++sent) {
      Message message;
      if (message.parse(sent->bytes) && message.status() >= 200) return Reply{message.status(), sent->bytes};
    }
    return std::nullopt;
  }
  void close(const stack::FlowId& flow) {
    network.dead.insert(flow.connection);
    static_cast<stack::TransportEvents&>(transactions).closed(flow, "gone");
    engine.run_until_idle();
  }
  /// The store answers the oldest message that waits.
  void finish() {
    REQUIRE(!waiting_.empty());
    const auto id = waiting_.front();
    waiting_.erase(waiting_.begin());
    pendings_.complete<bool>(id, true);
    engine.run_until_idle();
  }
  std::size_t waiting() const { return waiting_.size(); }
  /// The store's disk has, or refuses, what it was given since the last time.
  void synced(const std::string& error = {}) {
    REQUIRE(sync_);
    auto sync = std::move(*sync_);
    sync_.reset();  // what is kept from here on is of the next
    sync.fulfil(error);
    engine.run_until_idle();
  }
  /// The table is lost.
  void forget() {
    registrar.reset();
    registrar = std::make_unique<registrar::Registrar>(core, gate);
  }
  /// The process dies and comes back; the store's memory stays.
  void restart() {
    forget();
    registrar->recall_all();
    engine.run_until_idle();
  }
  std::vector<std::string> contacts_of(std::string_view username) const {
    std::vector<std::string> out;
    registrar->table().each_of(username, [&](registrar::BindingId, const registrar::Binding& binding) { out.emplace_back(binding.contact()); });
    return out;
  }

  static std::shared_ptr<SipSettings> defaults() {
    auto out = std::make_shared<SipSettings>();
    for (const auto kind : {stack::TransportKind::udp, stack::TransportKind::tcp})
      out->listeners.push_back({.options = {.name = "general", .kind = kind, .bind = stack::address("192.0.2.1:5060")}});
    return out;
  }
  /// After a change of access rules in `settings`.
  void use_access() {
    for (auto& listener : core.listeners) listener.access = settings->access;
  }

 private:
  void request(const stack::IncomingRequest& request) override {
    if (request.message.method() == Method::reg) return registrar->request(request);
    const auto purpose = request.message.method() == Method::invite ? Admission::Purpose::call : Admission::Purpose::other;
    gate.admit(request, purpose, [this](const Sender& sender, const stack::IncomingRequest& from, stack::ServerTransactionId transaction) {
      admitted.push_back(sender);
      if (!transaction) transactions.reply(from, 480);
    });
  }
  void cancelled(stack::ServerTransactionId invite, const Message&) override { gate.cancelled(invite); }
  void server_failed(stack::ServerTransactionId) override {}
  void response(stack::ClientTransactionId id, const Message&, const stack::FlowId&) override { registrar->response(id); }
  void client_failed(stack::ClientTransactionId id, stack::ClientFailure) override { registrar->client_failed(id); }
  void stray_response(const Message&, const stack::FlowId&) override {}
  void flow_closed(const stack::FlowId& flow, std::string_view) override { registrar->flow_closed(flow); }

  bool authenticate(jackfield::Message& m) {
    ++times_asked;
    const auto user = users.find(std::string(m.get("username")));
    if (user == users.end() || !user->second.known) return false;
    m.set_retvalue(user->second.password);
    for (const auto& [name, value] : user->second.parameters) m.set(name, value);
    return true;
  }

  Verdict keep(jackfield::Message& m) {
    told.push_back(fmt::format("user.register {} {}", m.get("username"), m.get("data").substr(4)));
    if (store_waits) return later(this, &m);
    return once_synced(keep_now(m));
  }
  Verdict once_synced(bool handled) {
    if (!handled || !store_syncs) return handled;
    if (!sync_) sync_.emplace();
    return Proviso{.durable = Durability(sync_->outcome()), .code = 500, .reason = "Not Saved"};
  }
  bool keep_now(jackfield::Message& m) {
    if (!refuses.empty() && m.get("data").find(refuses) != std::string_view::npos) {
      for (const auto& [name, value] : refusal) m.set(name, value);
      return false;
    }
    Parameters all;
    for (const auto& [name, value] : m.parameters()) all.emplace_back(name, value);
    const std::string username(m.get("username"));
    if (!store_keeps)
      std::erase_if(stored, [&](const auto& each) { return each.first.first == username; });
    stored[{username, std::string(m.get("binding"))}] = std::move(all);
    if (store_keeps) m.set("max_contacts", *store_keeps);
    return true;
  }
  Verdict drop(jackfield::Message& m) {
    const std::string username(m.get("username")), key(m.get("binding")), connection(m.get("connection_id"));
    told.push_back(username.empty() ? "user.unregister connection " + connection : fmt::format("user.unregister {} {}", username, key.empty() ? "*" : key));
    if (store_waits && !username.empty()) return later(this, &m);
    return once_synced(drop_now(m));
  }
  bool drop_now(jackfield::Message& m) {
    const std::string username(m.get("username")), key(m.get("binding")), connection(m.get("connection_id"));
    return std::erase_if(stored, [&](const auto& each) {
             if (username.empty())
               return std::find(each.second.begin(), each.second.end(), std::pair<std::string, std::string>("connection_id", connection)) != each.second.end();
             return each.first.first == username && (key.empty() || each.first.second == key);
           }) > 0;
  }
  static Task<bool> later(Site* site, jackfield::Message* m) {
    auto pending = site->pendings_.open<bool>(1h);
    site->waiting_.push_back(pending.id());
    auto done = co_await pending.wait();
    if (!done) co_return false;
    co_return m->name() == messages::kUserRegister.name ? site->keep_now(*m) : site->drop_now(*m);
  }
  Verdict tell(jackfield::Message& m) {
    auto out = std::make_shared<messages::StoredBindings>();
    const auto wanted = m.get("username");
    for (const auto& [key, parameters] : stored) {
      if (!wanted.empty() && wanted != key.first) continue;
      messages::StoredBinding binding{.username = key.first};
      for (const auto& [name, value] : parameters) {
        if (name == "data") binding.data = value;
        else if (name == "expires") binding.expires = kept_at_ + std::chrono::seconds(std::stoi(value));
        else binding.parameters.emplace_back(name, value);
      }
      out->bindings.push_back(std::move(binding));
    }
    m.attach(out);
    return true;
  }

  Pendings pendings_{engine.timers()};
  std::vector<PendingId> waiting_;
  std::optional<detail::Promise> sync_;
  WallTime kept_at_ = engine.clock().wall();  // tests that restore register at once
  std::vector<Bus::Subscription> handlers_;
};

/// A phone with one account.
struct Phone {
  Site& site;
  stack::FlowId flow = udp("198.51.100.7:5060");
  std::string user = "200", password = "secret", to = "200", from = {};
  std::string call_id = "phone-1@host";
  unsigned cseq = 0;
  std::string via_host = {};     ///< as the phone sees itself; the flow's address when empty
  std::string authorization = {};
  unsigned nc = 0;
  std::string realm = {}, nonce = {};
  bool qop = true;
  digest::Algorithm algorithm = digest::Algorithm::md5;
  std::string method = "REGISTER", uri = "sip:192.0.2.1";
  std::string domain = "192.0.2.1";  ///< of To
  std::string digest_uri = {};  ///< of its credentials; the request's when empty

  std::string text(const std::string& headers, unsigned number, const std::string& branch) {
    const auto host = via_host.empty() ? flow.remote.text() : via_host;
    return fmt::format(
        "{0} {1} SIP/2.0\r\nVia: SIP/2.0/{2} {3};branch=z9hG4bK{4};rport\r\nFrom: <sip:{5}@192.0.2.1>;tag=f1\r\nTo: <sip:{6}@{11}>\r\n"
        "Call-ID: {7}\r\nCSeq: {8} {0}\r\nMax-Forwards: 70\r\nUser-Agent: Phone/1\r\n{9}{10}Content-Length: 0\r\n\r\n",
        method, uri, stack::transport_name(flow.kind), host, branch, from.empty() ? to : from, to, call_id, number, headers,
        authorization.empty() ? "" : "Authorization: " + authorization + "\r\n", domain);
  }

  /// Another socket: a nonce is good for one source only, so the phone waits to be challenged anew.
  void move_to(const stack::FlowId& other) {
    flow = other;
    nonce.clear();
    authorization.clear();
  }

  void authorize() {
    digest::Hasher hasher;
    const auto& signed_uri = digest_uri.empty() ? uri : digest_uri;
    digest::Answer answer{.method = method, .uri = signed_uri, .nonce = nonce};
    const auto count = fmt::format("{:08x}", ++nc);
    if (qop) answer.nc = count, answer.cnonce = "0a4f113b", answer.qop = "auth";
    const auto ha1 = hasher.ha1(algorithm, user, realm, password);
    authorization = fmt::format("Digest username=\"{}\", realm=\"{}\", nonce=\"{}\", uri=\"{}\", response=\"{}\", algorithm={}", user, realm, nonce, signed_uri,
                                hasher.response(algorithm, ha1, answer).view(), digest::algorithm_name(algorithm));
    if (qop) authorization += fmt::format(", qop=auth, nc={}, cnonce=\"0a4f113b\"", count);
  }
  /// Takes the challenge of the wanted algorithm.
  void learn(const Reply& challenge) {
    for (const auto& value : challenge.all("WWW-Authenticate")) {
      const auto parsed = parse_auth(value);
      REQUIRE(parsed);
      if (digest::algorithm_from(parsed->algorithm) != algorithm) continue;
      realm = parsed->realm;
      nonce = parsed->nonce;
      nc = 0;
      return;
    }
    FAIL("no challenge with the wanted algorithm");
  }
  std::optional<Reply> send(const std::string& headers) {
    ++cseq;
    return site.deliver(flow, text(headers, cseq, fmt::format("{}{}{}", call_id.substr(0, 7), cseq, method)));
  }
  /// With credentials; answers one challenge.
  Reply request(const std::string& headers) {
    if (!nonce.empty()) authorize();
    auto reply = send(headers);
    REQUIRE(reply);
    if (reply->code == 401 && nonce.empty()) {
      learn(*reply);
      authorize();
      reply = send(headers);
      REQUIRE(reply);
    }
    return *reply;
  }
  /// `contacts` as they stand in the header, one line each.
  Reply enroll(const std::vector<std::string>& contacts, std::optional<unsigned> expires = {}, const std::string& more = {}) {
    std::string headers = more;
    for (const auto& contact : contacts) headers += "Contact: " + contact + "\r\n";
    if (expires) headers += fmt::format("Expires: {}\r\n", *expires);
    return request(headers);
  }
};

}  // namespace jackfield::sip
