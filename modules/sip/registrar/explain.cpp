#include "registrar/explain.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "registrar/contact.h"
#include "sip/uri.h"

namespace jackfield::sip::registrar {
namespace {

constexpr std::size_t kMostShown = 128;

std::string_view user_of(std::string_view aor) {
  for (const std::string_view scheme : {"sip:", "sips:"})
    if (aor.starts_with(scheme)) aor.remove_prefix(scheme.size());
  return aor;
}

/// What a phone said goes to a terminal: no control characters.
std::string clean(std::string_view text) {
  std::string out(text);
  std::replace_if(out.begin(), out.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, '?');
  return out;
}

std::string date(WallTime time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(std::chrono::time_point_cast<std::chrono::system_clock::duration>(time))));
}

class Explanation {
 public:
  Explanation(const Core& core, const guard::Guard& guard) : core_(core), guard_(guard), now_(core.engine.clock().now()) {}

  void binding(const Binding& binding) {
    const auto& facts = binding.facts();
    line("binding {}", clean(binding.contact()));
    if (facts.expires == MonoTime::max()) line("  never expires, refreshed {} s ago", age(facts.refreshed));
    else line("  expires in {} s, refreshed {} s ago", binding.remaining(now_), age(facts.refreshed));
    if (!binding.instance().empty()) line("  device {}{}", clean(binding.instance()), facts.reg_id ? fmt::format(", reg-id {}", facts.reg_id) : "");
    if (!binding.path().empty()) line("  through {}", clean(binding.path()));
    flow(binding);
    nat(binding);
    reach(binding);
  }

  void failure(const guard::LastFailures::Failure& failure) {
    line("last failure {}: {}, from {}", date(failure.when), clean(failure.what), failure.source.text());
    ban(failure.source);
  }

  template <class... Arguments>
  void line(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Arguments>(arguments)...);
    out_ += "\r\n";
  }
  std::string take() { return std::move(out_); }

 private:
  std::int64_t age(MonoTime since) const { return std::chrono::duration_cast<std::chrono::seconds>(now_ - since).count(); }

  void flow(const Binding& binding) {
    const auto& flow = binding.facts().flow;
    if (!flow) return line("  no flow: sent to {}", clean(binding.data()));
    const std::string_view listener = flow.listener < core_.listeners.size() ? std::string_view(core_.listeners[flow.listener].options.name) : "?";
    if (stack::is_reliable(flow.kind))
      line("  flow {} {}, connection {} of listener {}, {}", stack::transport_name(flow.kind), flow.remote.text(), flow.connection, listener,
           core_.transport.alive(flow) ? "open" : "closed");
    else line("  flow {} {}, listener {}", stack::transport_name(flow.kind), flow.remote.text(), listener);
  }

  void nat(const Binding& binding) {
    const auto& facts = binding.facts();
    if (binding.data() != binding.contact()) line("  contact rewritten to {}", clean(binding.data()));
    if (!facts.behind_nat) return line("  not behind NAT");
    const auto contact = Uri::parse(binding.contact());
    const auto named = contact ? net::Address::parse(contact->host, port_of(*contact)) : std::nullopt;
    if (!named) line("  behind NAT: the contact names a host, packets come from {}", facts.flow.remote.text());
    else if (!named->same_host(facts.flow.remote)) line("  behind NAT: the contact names {}, packets come from {}", named->text(), facts.flow.remote.text());
    else line("  behind NAT: the contact names port {}, packets come from port {}", named->port(), facts.flow.remote.port());
    const auto& settings = core_.settings->registrar;
    if (settings.keepalive == sip::Keepalive::none && !stack::is_reliable(facts.flow.kind))
      line("  nothing keeps the way through the NAT open: keepalive=no in [registrar] of sip.conf");
  }

  void reach(const Binding& binding) {
    const auto& facts = binding.facts();
    if (const auto took = binding.round_trip()) line("  answered OPTIONS within {} ms", std::max<std::int64_t>(1, took->count()));
    const std::size_t before = out_.size();
    if (binding.expired(now_)) line("  NOT REACHABLE: expired");
    const bool by_hand = facts.expires == MonoTime::max();  // reached wherever its URI leads at the time
    if (!facts.flow && !by_hand) line("  NOT REACHABLE: no listener is open that could send there");
    else if (facts.flow && !core_.transport.alive(facts.flow)) line("  NOT REACHABLE: {}", stack::is_reliable(facts.flow.kind) ? "its connection is closed" : "its listener is closed");
    if (binding.unavailable()) line("  NOT REACHABLE: it did not answer the last OPTIONS");
    if (facts.flow) ban(facts.flow.remote);
    if (out_.size() == before) line("  reachable, as far as is known");
  }

  void ban(const net::Address& address) {
    if (const auto* ban = guard_.bans().active(guard::source_key(address)))
      line("  {} is banned until {} ({}); flows that were registered before go on", ban->address.host(), date(ban->until), clean(ban->reason));
  }

  const Core& core_;
  const guard::Guard& guard_;
  MonoTime now_;
  std::string out_;
};

}  // namespace

std::string list(const Core& core, const Table& table, std::string_view beginning) {
  constexpr std::size_t kMostListed = 1000;
  std::vector<const Binding*> found;
  table.every(0, 1, [&](BindingId, const Binding& binding) {
    if (binding.username().starts_with(beginning)) found.push_back(&binding);
  });
  const auto shown = std::min(found.size(), kMostListed);
  std::ranges::partial_sort(found, found.begin() + static_cast<std::ptrdiff_t>(shown), {}, [](const Binding* binding) { return std::pair(binding->username(), binding->contact()); });
  const auto now = core.engine.clock().now();
  std::string out;
  for (std::size_t i = 0; i < shown; ++i) {
    const auto& binding = *found[i];
    const auto& facts = binding.facts();
    out += fmt::format("{}\t{}\t{}\t{}{}\r\n", clean(binding.username()), clean(binding.contact()), facts.expires == MonoTime::max() ? "never expires" : fmt::format("{} s", binding.remaining(now)),
                       facts.flow ? fmt::format("{} {}", stack::transport_name(facts.flow.kind), facts.flow.remote.text()) : "no flow", facts.behind_nat ? "\tbehind NAT" : "");
  }
  if (shown < found.size()) out += fmt::format("and {} more; `registration list BEGINNING` shows those of users that begin so\r\n", found.size() - shown);
  return out.empty() ? "nobody is registered\r\n" : out;
}

std::string explain(const Core& core, const guard::Guard& guard, const Table& table, std::string_view aor) {
  std::string_view user = user_of(aor);
  if (!table.has_user(user)) user = user.substr(0, user.find('@'));
  Explanation out(core, guard);
  out.line("{}: {} binding{}", clean(user), table.count_of(user), table.count_of(user) == 1 ? "" : "s");
  std::size_t shown = 0;
  table.each_of(user, [&](BindingId, const Binding& binding) {
    if (shown++ < kMostShown) out.binding(binding);
  });
  if (const auto* failure = guard.last_failures().of(user)) out.failure(*failure);
  else if (shown == 0) out.line("nothing is known of this user: no REGISTER arrived, or none that reached authentication");
  return out.take();
}

}  // namespace jackfield::sip::registrar
