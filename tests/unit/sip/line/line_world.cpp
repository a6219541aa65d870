#include "line_world.h"
#include "support/seed.h"

#include <algorithm>

namespace jackfield::sip::line {

std::string header_of(std::string_view bytes, std::string_view name) {
  const auto all = headers_of(bytes, name);
  return all.empty() ? std::string() : all.front();
}

std::vector<std::string> headers_of(std::string_view bytes, std::string_view name) {
  Message message;
  REQUIRE(message.parse(bytes));
  std::vector<std::string> out;
  for (const auto& line : message.headers())
    if (line.name == name) out.emplace_back(line.value);
  return out;
}

std::uint32_t cseq_of(std::string_view bytes) {
  Message message;
  REQUIRE(message.parse(bytes));
  return message.cseq()->number;
}

std::size_t FarServer::count(std::string_view method) const {
  return static_cast<std::size_t>(std::ranges::count_if(requests, [&](const std::string& each) { return each.starts_with(method); }));
}

std::optional<std::string> FarServer::answer(World& world, std::string_view bytes) {
  requests.emplace_back(bytes);
  if (silent) return std::nullopt;
  Message request;
  REQUIRE(request.parse(bytes));
  REQUIRE(request.check_mandatory());
  const std::string method(request.method_text());
  std::string out;
  const auto reply = [&](int code, const std::string& extra = {}) {
    Writer writer = start_response(out, request, code, {}, "far", {}, 0);
    writer.end();
    auto text = out.substr(0, out.find("Content-Length"));
    if (!seen_as.empty()) {
      const auto colon = seen_as.find(':');
      const auto end = text.find("\r\n", text.find("Via:"));
      const auto rport = text.find(";rport", text.find("Via:"));
      REQUIRE(rport < end);
      text.replace(rport, 6, fmt::format(";received={};rport={}", seen_as.substr(0, colon), seen_as.substr(colon + 1)));
    }
    return text + extra + "Content-Length: 0\r\n\r\n";
  };
  if (const auto code = codes.find(method); code != codes.end() && code->second != 200)
    return reply(code->second, retry_after ? fmt::format("Retry-After: {}\r\n", retry_after) : "");
  if (method != "REGISTER") return reply(200);
  if (!redirect.empty()) return reply(302, fmt::format("Contact: <{}>\r\n", redirect));
  if (!challenge.empty() && !request.has(HeaderId::authorization) && !request.has(HeaderId::proxy_authorization)) return reply(401, challenge);
  if (!password.empty()) {
    const auto credentials = request.digests(HeaderId::authorization);
    const bool good = !credentials.empty() && credentials.front().nonce == nonce_ &&
                      stack::DigestAuth({1, 2}).verify(credentials.front(), method, {.password = password}) == digest::Verdict::match;
    if (good && stale_once) {
      stale_once = false;
      nonce_ += "s";
      return reply(401, fmt::format("WWW-Authenticate: Digest realm=\"far\", nonce=\"{}\", qop=\"auth\", stale=true\r\n", nonce_));
    }
    if (!good) return reply(401, fmt::format("WWW-Authenticate: Digest realm=\"far\", nonce=\"{}\", qop=\"auth\"\r\n", nonce_));
  }
  auto& number = numbers_[std::string(request.call_id())];  // RFC 3261 §10.3, 7: what was overtaken changes nothing
  if (request.cseq()->number < number) return reply(500);
  number = request.cseq()->number;
  const auto asked = request.expires().value_or(3600);
  if (asked != 0 && insatiable) return reply(423, fmt::format("Min-Expires: {}\r\n", asked + 1));
  if (asked != 0 && asked < least) return reply(423, fmt::format("Min-Expires: {}\r\n", least));
  const auto now = world.engine.clock().now();
  if (request.has(HeaderId::contact)) for (const auto& contact : *request.contacts()) {
    const std::string uri(contact.address.uri.text);
    const auto expires = contact.expires.value_or(asked);
    if (expires == 0) bindings.erase(uri);
    else bindings[uri] = {uri, now + std::chrono::seconds(std::min(expires, most)), std::string(request.to()->uri.user)};
  }
  std::string list;  // of this user's
  for (const auto& [uri, binding] : bindings)
    if (binding.until > now && binding.user == request.to()->uri.user) list += fmt::format("Contact: <{}>;expires={}\r\n", uri, std::chrono::ceil<std::chrono::seconds>(binding.until - now).count());
  return reply(200, list + headers);
}

World::World(std::optional<std::uint64_t> seed)
    : engine(seed ? *seed : test::seed()),
      core{engine, engine.log("sip"), network, transactions, settings, {ListenerSettings{}, ListenerSettings{}}},
      resolver(engine, {}, nullptr, [](stack::TransportKind, bool ipv6) { return !ipv6; }),
      sink_(engine.timers().add_sink([this](std::uint64_t id) { arrive(id); })) {
  auto names = std::make_unique<FakeDns>(engine);
  dns = names.get();
  resolver.configure({}, std::move(names));
  core.resolver = &resolver;
  transactions.attach(network, *this);
  network.on_send = [this](const stack::FlowId& flow, std::string_view bytes) { leaves(flow, bytes); };
  lines.emplace(core, resolver);
  lines->start();
  handlers_.push_back(engine.bus().install({.message = messages::kUserNotify}, [this](jackfield::Message& message) {
    CHECK(message.get("protocol") == "sip");
    told.push_back(fmt::format("{} {}{}{}", message.get("account"), message.get("registered"), message.has("reason") ? " " : "", message.get("reason")));
    return true;
  }));
}

World::~World() {
  handlers_.clear();
  lines->stop();
  engine.run_until_idle();
  lines.reset();
  CHECK(transactions.live() == 0);  // nothing is left of any connection
  transactions.stop();
  engine.timers().remove_sink(sink_);
}

bool World::login(const std::string& name, const Parameters& with, std::string* reason) {
  Parameters all{{"registrar", "192.0.2.10"}, {"username", "101"}, {"password", "secret"}};
  for (const auto& [key, value] : with) all[key] = value;
  jackfield::Message message(messages::kUserLogin);
  message.set("account", name).set("operation", "login").set("protocol", "sip");
  for (const auto& [key, value] : all)
    if (!value.empty()) message.set(key, value);
  const auto done = engine.dispatch(message);
  if (reason) *reason = message.get("reason");
  return done.value_or(false);
}

bool World::logout(const std::string& name) {
  jackfield::Message message(messages::kUserLogin);
  message.set("account", name).set("operation", "logout").set("protocol", "sip");
  return engine.dispatch(message).value_or(false);
}

std::string World::command(const std::string& line) {
  jackfield::Message message(messages::kEngineCommand);
  message.set("line", line).set("cmd_admin", "true");
  engine.dispatch(message);
  return std::string(message.retvalue());
}

std::string World::status(const std::string& module) {
  jackfield::Message message(messages::kEngineStatus);
  message.set("module", module);
  engine.dispatch(message);
  return std::string(message.retvalue());
}

std::vector<std::string> World::sent(std::string_view method) const {
  std::vector<std::string> out;
  for (const auto& each : all_sent)
    if (each.starts_with(method)) out.push_back(each);
  return out;
}

void World::leaves(const stack::FlowId& flow, std::string_view bytes) {
  if (std::ranges::find(all_sent, bytes) == all_sent.end() && bytes != "\r\n\r\n") all_sent.emplace_back(bytes), sent_at.push_back(engine.clock().now());
  carry({flow, std::string(bytes), true});
}

void World::carry(Packet packet) {
  auto& random = engine.random();
  const auto chance = [&](unsigned percent) { return percent != 0 && random.next() % 100 < percent; };
  for (int copies = chance(doubled) ? 2 : 1; copies > 0; --copies) {
    if (chance(loss)) continue;
    const auto wait = delay.count() == 0 ? Duration(1) : Duration(static_cast<std::int64_t>(random.next() % static_cast<std::uint64_t>(delay.count())));
    packets_[++last_packet_] = packet;
    engine.timers().start(sink_, last_packet_, wait);
  }
}

void World::arrive(std::uint64_t id) {
  auto packet = std::move(packets_.extract(id).mapped());
  if (!packet.to_server) {
    static_cast<stack::TransportEvents&>(transactions).message(packet.flow, packet.bytes);
    return;
  }
  const auto found = servers.find(packet.flow.remote.text());
  if (found == servers.end() || packet.bytes == "\r\n\r\n") {
    if (found != servers.end()) found->second.requests.push_back(packet.bytes);
    return;
  }
  if (found->second.refused) {
    found->second.requests.push_back(packet.bytes);
    static_cast<stack::TransportEvents&>(transactions).closed(packet.flow, "refused");
    return;
  }
  if (auto answer = found->second.answer(*this, packet.bytes)) carry({packet.flow, std::move(*answer), false});
}

}  // namespace jackfield::sip::line
