#include "test_engine.h"

#include <doctest/doctest.h>

#include <boost/asio/executor_work_guard.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

namespace jackfield {
namespace {

std::uint64_t chosen_seed() {
  if (const char* const given = std::getenv("JACKFIELD_SEED")) return std::strtoull(given, nullptr, 0);
  return std::random_device()();
}

/// Named after this process: whoever finds it later can tell whether it is still in use (tests/support/jackfield_test/case.py does).
std::filesystem::path make_state_dir() {
  std::string name = (std::filesystem::temp_directory_path() / fmt::format("jackfield-test-{}-XXXXXX", ::getpid())).string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a state directory " + name);
  return name;
}

/// Shown by doctest beside whatever fails while the engine lives.
struct SeedText {
  std::uint64_t seed;
  void operator()(std::ostream* out) const { *out << "JACKFIELD_SEED=" << seed; }
};

// More turns without waiting than any test needs: something posts itself for ever.
constexpr int kMostTurns = 1'000'000;

}  // namespace

struct TestEngine::SeedPrinter {
  explicit SeedPrinter(std::uint64_t seed) : scope(SeedText{seed}) {}
  doctest::detail::ContextScope<SeedText> scope;
};

void SeededRandom::fill(std::span<std::uint8_t> bytes) {
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(generator_());
}

TestEngine::TestEngine() : TestEngine(chosen_seed()) {}

TestEngine::TestEngine(std::uint64_t seed)
    : seed_(seed), random_(seed), seed_printer_(std::make_unique<SeedPrinter>(seed)),
      core_(std::make_unique<Core>(Core::Parts{clock_, random_, *this, make_state_dir(),
                                               {{"runid", "1700000000"}, {"nodename", "test"}, {"version", "0.0.0"}}})) {
  core_->set_log_level(LogLevel::trace);
}

TestEngine::~TestEngine() {
  const std::filesystem::path state_dir = core_->state_dir();
  core_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(state_dir, ignored);
}

bool TestEngine::run_until_idle() {
  int turns = 0;
  while (core_->turn())
    if (++turns == kMostTurns) throw std::runtime_error("the loop does not come to rest");
  return turns != 0;
}

void TestEngine::advance(Duration by) {
  const MonoTime target = clock_.now() + by;
  run_until_idle();
  while (clock_.now() < target) {
    const auto due = timers().next_due();
    const MonoTime next = due ? std::clamp(*due, clock_.now(), target) : target;
    clock_.advance(next - clock_.now());
    run_until_idle();
  }
}

bool TestEngine::run_until(const std::function<bool()>& done, Duration limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  const auto work = boost::asio::make_work_guard(io());
  for (run_until_idle(); !done(); run_until_idle()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    io().restart();
    io().run_one_for(std::chrono::milliseconds(20));
  }
  return true;
}

std::optional<bool> TestEngine::dispatch(Message& message) {
  Verdict verdict = bus().dispatch(message);
  if (verdict.immediate()) return verdict.handled();
  return run(std::move(verdict).task());
}

bool TestEngine::logged(std::string_view part) const {
  return std::any_of(lines_.begin(), lines_.end(), [part](const LoggedLine& line) { return line.text.find(part) != std::string::npos; });
}

void TestEngine::write(const Logger& logger, LogLevel level, std::string_view text) {
  const std::lock_guard lock(lines_mutex_);
  lines_.push_back({logger.name(), level, std::string(text)});
}

}  // namespace jackfield
