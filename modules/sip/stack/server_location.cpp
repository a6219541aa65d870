#include "stack/server_location.h"

#include <algorithm>
#include <iterator>

namespace jackfield::sip::stack {

namespace {

constexpr std::size_t kMaxHops = 64;

/// The transports of ours, in the order in which they are tried where nothing says (RFC 3263 §4.1), and what DNS calls them.
struct Service {
  TransportKind transport;
  std::string_view naptr, srv;
};
constexpr Service kServices[] = {{TransportKind::udp, "sip+d2u", "_sip._udp."}, {TransportKind::tcp, "sip+d2t", "_sip._tcp."}};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

class Walk {
 public:
  Walk(const Destination& to, const KnownDns& known, const Reaches& reaches, Random& random)
      : to_(to), known_(known), reaches_(reaches), random_(random), name_(lower(to.host)) {
    if (name_.ends_with('.')) name_.pop_back();
  }

  Located run() {
    if (const auto numeric = net::Address::parse(to_.host, to_.port ? to_.port : kSipPort)) {
      // §4.1, §4.2: nothing is asked.
      ttl_ = std::chrono::seconds::max();
      located_.resolution.hops.push_back({to_.transport.value_or(TransportKind::udp), *numeric, !to_.transport});
    } else if (to_.port != 0) {
      named(name_, to_.port, to_.transport.value_or(TransportKind::udp), !to_.transport);
    } else {
      services();
    }
    located_.resolution.ttl = ttl_;
    return std::move(located_);
  }

 private:
  const DnsAnswer* find(const std::string& name, DnsType type) {
    const DnsAnswer* answer = known_({name, type});
    if (!answer) located_.unknown.emplace(name, type);
    else if (answer->status == DnsAnswer::Status::failed) located_.problem = answer->problem;
    if (answer) ttl_ = std::min(ttl_, answer->ttl);
    return answer;
  }

  /// §4.1 and §4.2 for a name without a port.
  void services() {
    std::vector<std::pair<TransportKind, std::string>> names;
    if (!to_.transport) {
      const DnsAnswer* naptr = find(name_, DnsType::naptr);
      if (!naptr) return;
      names = chosen(naptr->naptr);
    }
    if (names.empty())
      for (const auto& service : kServices)
        if (to_.transport.value_or(service.transport) == service.transport && usable(service.transport))
          names.emplace_back(service.transport, std::string(service.srv) + name_);

    bool offered = false;
    for (auto& [transport, name] : names) {
      const DnsAnswer* srv = find(name, DnsType::srv);
      if (!srv) continue;
      auto records = srv->srv;
      order_by_weight(records, random_);
      for (const auto& record : records) {
        offered = true;
        if (!record.target.empty() && record.port != 0) named(record.target, record.port, transport, false);
      }
    }
    if (!offered && located_.unknown.empty()) named(name_, kSipPort, to_.transport.value_or(TransportKind::udp), !to_.transport);
  }

  /// The SRV names of the NAPTR records that a transport of ours fits, those of one order only (RFC 3403 §4.1).
  std::vector<std::pair<TransportKind, std::string>> chosen(std::vector<NaptrRecord> records) const {
    std::stable_sort(records.begin(), records.end(), [](const auto& left, const auto& right) {
      return std::pair(left.order, left.preference) < std::pair(right.order, right.preference);
    });
    std::vector<std::pair<TransportKind, std::string>> out;
    std::uint16_t order = 0;
    for (const auto& record : records) {
      const auto service = std::ranges::find(kServices, lower(record.service), &Service::naptr);
      if (service == std::end(kServices) || lower(record.flags) != "s" || !usable(service->transport)) continue;
      if (!out.empty() && record.order != order) break;
      order = record.order;
      out.emplace_back(service->transport, record.replacement);
    }
    return out;
  }

  void named(const std::string& name, std::uint16_t port, TransportKind transport, bool any) {
    // A target may be written as a number, though it must not.
    if (const auto numeric = net::Address::parse(name, port)) return add({transport, *numeric, any});
    for (const auto type : {DnsType::a, DnsType::aaaa}) {
      if (!reaches_(transport, type == DnsType::aaaa)) continue;
      if (const DnsAnswer* answer = find(name, type))
        for (const auto& address : answer->addresses) add({transport, address.with_port(port), any});
    }
  }

  void add(const Hop& hop) {
    auto& hops = located_.resolution.hops;
    const bool known = std::ranges::any_of(hops, [&](const Hop& each) { return each.transport == hop.transport && each.address == hop.address; });
    if (!known && hops.size() < kMaxHops) hops.push_back(hop);
  }

  bool usable(TransportKind transport) const { return reaches_(transport, false) || reaches_(transport, true); }

  const Destination& to_;
  const KnownDns& known_;
  const Reaches& reaches_;
  Random& random_;
  std::string name_;
  std::chrono::seconds ttl_ = std::chrono::hours(24);
  Located located_;
};

}  // namespace

void order_by_weight(std::vector<SrvRecord>& records, Random& random) {
  // Those of weight 0 first, so that they have their small chance.
  std::stable_sort(records.begin(), records.end(), [](const SrvRecord& left, const SrvRecord& right) {
    return std::pair(left.priority, left.weight != 0) < std::pair(right.priority, right.weight != 0);
  });
  for (auto first = records.begin(); first != records.end(); ++first) {
    const auto last = std::find_if(first, records.end(), [&](const SrvRecord& each) { return each.priority != first->priority; });
    std::uint64_t total = 0;
    for (auto each = first; each != last; ++each) total += each->weight;
    const auto number = random.next() % (total + 1);
    std::uint64_t running = 0;
    const auto chosen = std::find_if(first, last, [&](const SrvRecord& each) { return (running += each.weight) >= number; });
    std::rotate(first, chosen, std::next(chosen));  // the rest keep their order
  }
}

Located locate(const Destination& destination, const KnownDns& known, const Reaches& reaches, Random& random) {
  return Walk(destination, known, reaches, random).run();
}

}  // namespace jackfield::sip::stack
