// What SQL costs through the bus, a database module and its server: as many at a time as told read a user and write a binding, as a
// registration does. Prints one line of JSON; `cpu_us` is this process alone. Usage: NAME_load FILE.conf COUNT WINDOW, the account is `bench`.
#include "core.h"
#include "settings/ini_reader.h"

#include <jackfield/messages/database.h>
#include <jackfield/module.h>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iostream>
#include <iterator>

extern "C" const jackfield::ModuleDescriptor jackfield_module;

using namespace jackfield;
using Steady = std::chrono::steady_clock;

namespace {

constexpr std::string_view kRead = "SELECT password FROM users WHERE username = '${username}'";
constexpr std::string_view kWrite =
    "INSERT INTO bindings (username, contact, location, expires, node) VALUES ('${username}', '${contact}', '${data}', "
    "'${expires}', '${node}') ON CONFLICT (username, contact) DO UPDATE SET location = excluded.location, expires = excluded.expires, "
    "node = excluded.node";

struct StandardError final : LogSink {
  void write(const Logger&, LogLevel, std::string_view text) override { std::cerr << text << '\n'; }
};

double cpu_seconds() {
  timespec spent{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
  return static_cast<double>(spent.tv_sec) + static_cast<double>(spent.tv_nsec) / 1e9;
}

struct Load {
  Core& engine;
  int count;
  int begun = 0, running = 0, failed = 0;
  std::vector<double> took;  // microseconds
  std::string reason;
};

Task<bool> ask(Load& load, std::string_view query, std::shared_ptr<messages::QueryValues> values) {
  Message message("database");
  message.set("account", "bench").set("query", query).attach(std::move(values));
  auto verdict = settle(load.engine.bus().dispatch(message));
  const bool handled = co_await std::move(verdict);
  if (handled && !message.has("error")) co_return true;
  load.reason = handled ? std::string(message.get("error")) : "no such account";
  co_return false;
}

Task<> registrations(Load& load) {
  ++load.running;
  while (load.begun < load.count) {
    const int n = load.begun++;
    const auto began = Steady::now();
    const auto user = fmt::format("u{}", 1000000 + n % 10000);
    auto who = std::make_shared<messages::QueryValues>();
    who->values = {{"username", user}};
    auto reading = ask(load, kRead, std::move(who));
    bool good = co_await std::move(reading);
    auto binding = std::make_shared<messages::QueryValues>();
    binding->values = {{"username", user}, {"contact", fmt::format("sip:{}@192.0.2.7:5060", user)}, {"data", fmt::format("sip/sip:{}@192.0.2.7:{}", user, 5060 + n % 1000)},
                       {"expires", std::to_string(1800000000 + n)}, {"node", "bench"}};
    auto writing = ask(load, kWrite, std::move(binding));
    const bool written = co_await std::move(writing);
    good = good && written;
    if (!good) ++load.failed;
    load.took.push_back(std::chrono::duration<double, std::micro>(Steady::now() - began).count());
  }
  if (--load.running == 0) load.engine.stop();
}

Settings read_settings(const char* path) {
  std::ifstream file(path);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  return Settings(*jackfield_module.keys, settings::parse_ini(text, path, {}).sections, path, false);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: " << argv[0] << " FILE.conf COUNT WINDOW\n";
    return 2;
  }
  SystemClock clock;
  SystemRandom random;
  StandardError log;
  Core engine({clock, random, log, "."});
  engine.set_log_level(LogLevel::warning);
  const auto settings = read_settings(argv[1]);
  const auto module = jackfield_module.create();
  auto checked = module->check(settings);
  if (!checked.plan || !module->prepare(engine, *checked.plan)) return 1;
  module->apply(engine, std::move(checked.plan));

  Load load{.engine = engine, .count = std::atoi(argv[2]), .took = {}, .reason = {}};
  const auto run = [&](int count) {
    load.count = count;
    load.begun = load.failed = 0;
    load.took.clear();
    for (int i = 0; i < std::atoi(argv[3]); ++i) engine.spawn("load", registrations(load));
    engine.run();
  };
  run(std::min(load.count, 1000));
  // The parent takes the server's processor time when it reads this.
  std::cout << "warm" << std::endl;
  std::cin.get();
  const double cpu = cpu_seconds();
  const auto began = Steady::now();
  run(std::atoi(argv[2]));
  const double seconds = std::chrono::duration<double>(Steady::now() - began).count();
  const double spent = cpu_seconds() - cpu;
  std::ranges::sort(load.took);
  const auto at = [&](double part) { return load.took[static_cast<std::size_t>(part * static_cast<double>(load.took.size() - 1))]; };
  fmt::print("{{\"ok\": {}, \"failed\": {}, \"reasons\": \"{}\", \"cpu_us\": {:.2f}, \"per_second\": {:.0f}, \"p50_us\": {:.0f}, \"p99_us\": {:.0f}}}\n",
             load.count - load.failed, load.failed, load.reason, spent / load.count * 1e6, load.count / seconds, at(0.5), at(0.99));
  std::cout << std::flush;
  std::cin.get();
  module->stop();
  (void)engine.finish(std::chrono::seconds(1));
  return load.failed == 0 ? 0 : 1;
}
