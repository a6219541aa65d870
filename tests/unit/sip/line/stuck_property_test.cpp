// DEMAND 3: a registration is never stuck. Whatever a network loses, delays and doubles, and whatever servers do meanwhile, once one of
// them answers again the connection is registered there within a pause and a round.
#include "line_world.h"
#include "support/seed.h"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace jackfield::sip::line {

namespace {

constexpr Duration kRetry{20000}, kTurn{2000};

std::uint64_t runs() {
  const char* const length = std::getenv("JACKFIELD_TEST_LENGTH");
  return length && std::string_view(length) == "long" ? 2000 : 50;
}

}  // namespace

TEST_CASE("P-8, N-2: random loss, delay, duplication and restarts of servers always end registered once a server answers") {
  const std::uint64_t first = test::seed();
  for (std::uint64_t seed = first; seed < first + runs(); ++seed) {
    INFO("replay: JACKFIELD_TEST_SEED=", seed, " test_sip --test-case='*random loss*' --abort-after=1");
    World w(seed);
    auto& random = w.engine.random();
    const auto pick = [&](std::uint64_t most) { return random.next() % most; };
    constexpr const char* kHoming[] = {"no", "options", "register", "invite"};
    const auto count = 1 + pick(3);
    std::string list;
    std::vector<std::string> addresses;
    for (std::uint64_t i = 0; i < count; ++i) {
      addresses.push_back(fmt::format("192.0.2.{}:5060", 10 + i));
      list += fmt::format("{}192.0.2.{}", i ? "," : "", 10 + i);
      auto& server = w.server(addresses.back());
      if (pick(2)) server.password = "secret";
      server.most = static_cast<std::uint32_t>(20 + pick(600));
    }
    w.loss = static_cast<unsigned>(pick(50));
    w.doubled = static_cast<unsigned>(pick(30));
    w.delay = Duration(1 + static_cast<std::int64_t>(pick(3000)));
    w.login("acc", {{"registrar", ""}, {"servers", list}, {"homing", kHoming[pick(4)]}, {"homing_interval", "15"}, {"interval", "120"}, {"retry_interval", "20"},
                    {"invite_total_timeout", "2000"}, {"ip_transport", pick(4) == 0 ? "tcp" : "udp"}});
    for (int event = 0; event < 60; ++event) {
      auto& server = w.server(addresses[pick(count)]);
      switch (pick(12)) {
        case 0: server.silent = true; break;
        case 1: server.refused = true; break;
        case 2: server.codes["REGISTER"] = static_cast<int>(std::array{403, 408, 423, 500, 503, 600}[pick(6)]); break;
        case 3: server.codes["OPTIONS"] = 503; break;
        case 4: server.restart(); break;
        case 5: server.stale_once = true; break;
        case 6: server.least = static_cast<std::uint32_t>(pick(400)); break;
        case 7: w.lines->failed("acc", pick(count), nullptr, pick(2) ? Failure::refused : Failure::unreachable); break;
        case 8: w.lines->answered("acc", pick(count), {stack::TransportKind::udp, stack::address(addresses[pick(count)]), false}); break;
        case 9: w.command(pick(3) ? "connection register acc" : "connection unregister acc"); break;
        case 10: w.login("acc", {{"registrar", ""}, {"servers", list}, {"password", "secret"}, {"interval", fmt::format("{}", 30 + pick(300))}, {"retry_interval", "20"}, {"homing", kHoming[pick(4)]},
                                 {"homing_interval", "15"}, {"invite_total_timeout", "2000"}}); break;
        default: server.silent = server.refused = false, server.codes.clear(); break;
      }
      w.run(Duration(static_cast<std::int64_t>(pick(40000))));
    }
    // One of them answers again, over a network that works; the others are as they are.
    w.loss = w.doubled = 0;
    w.delay = 10ms;
    auto& healed = w.server(addresses[pick(count)]);
    healed.silent = healed.refused = false;
    healed.codes.clear();
    for (auto& [address, server] : w.servers)
      if (&server != &healed) server.silent = true, server.codes.clear(), server.refused = false;
    w.command("connection register acc");  // it may have been unregistered by command
    w.run(kRetry + static_cast<int>(count + 1) * kTurn + 6s);
    const auto state = w.command("connection show acc");
    INFO(state);
    REQUIRE(w.online("acc"));
    // And stays so.
    w.run(20min);
    REQUIRE(w.online("acc"));
    const auto now = w.engine.clock().now();
    REQUIRE(std::ranges::any_of(healed.bindings, [&](const auto& each) { return each.second.until > now; }));
    std::map<std::string, std::uint32_t> last;  // by Call-ID: one for life, and rising numbers (RFC 3261 §10.2)
    for (const auto& each : w.sent("REGISTER")) {
      auto& number = last[header_of(each, "Call-ID")];
      REQUIRE(cseq_of(each) > number);
      number = cseq_of(each);
    }
    CHECK(last.size() == 1);
  }
}

}  // namespace jackfield::sip::line
