// More call records than memory is to hold wait on disk alone: N-7, DECISIONS D11.
#include "unit/register/failing_sync.h"
#include "unit/register/fixture.h"

#include <doctest/doctest.h>

#include <set>

using namespace jackfield;
using namespace jackfield::register_test;
namespace fs = std::filesystem;

namespace {

constexpr std::string_view kText =
    "[general]\ncall.cdr=yes\nrecords_in_memory=20\n[default]\naccount=db\n"
    "[call.cdr]\ninitquery=CLOSE\ncdr_initialize=BEGIN ${cdrid}\ncdr_finalize=END ${cdrid}\n";

/// Of real time, for threads that write and sync files on a machine with other things to do.
constexpr Duration kPatience = 50s;

struct Office : Site {
  Office() : Site(std::string(kText)) {}

  /// Two entries, of a size so that a few hundred calls fill several files.
  void call(int cdrid) {
    for (const std::string_view operation : {"initialize", "finalize"}) {
      auto cdr = message("call.cdr", {{"operation", operation}, {"runid", "1700000000"}, {"reason", long_}});
      cdr.set("cdrid", static_cast<long long>(cdrid)).set_broadcast(true);
      CHECK_FALSE(ask(cdr));
    }
  }
  void calls(int first, int last) {
    for (int cdrid = first; cdrid <= last; ++cdrid) call(cdrid);
    engine().run_until_idle();
  }
  void away() {
    database().says = [](const Asked&) { return Reply::failed("away"); };
  }
  void back() {
    database().asked.clear();
    database().says = nullptr;
  }
  /// Back, but for the beginning of one record.
  void back_but_refuses(int cdrid) {
    database().asked.clear();
    database().says = [begin = fmt::format("BEGIN {}", cdrid)](const Asked& asked) { return asked.text() == begin ? Reply::failed("query") : Reply::wrote(); };
  }
  int status_of(std::string_view name) {
    const auto text = status();
    const auto at = text.find(fmt::format("{}=", name));
    REQUIRE(at != std::string::npos);
    return std::stoi(text.substr(at + name.size() + 1));
  }
  std::size_t files() {
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator(engine().state_dir())) count += entry.path().filename().string().starts_with("register-records.more-");
    return count;
  }
  /// Files are closed and synced by threads, what waits is tried again as time goes by.
  void drain() {
    const bool drained = engine().run_until(
        [&] {
          engine().advance(100ms);
          return status_of("backlog") == 0 && files() == 0;
        },
        kPatience);
    CHECK_MESSAGE(drained, status());
  }
  void wait_for_refusals(const FailingSync& failing, int count) {
    CHECK(engine().run_until([&] { return engine().advance(100ms), failing.refused() >= count; }, kPatience));
  }
  /// True once nothing but so many entries waits, and those in memory.
  bool left_in_memory(int entries) {
    return engine().run_until(
        [&] {
          engine().advance(100ms);
          return status_of("backlog") == entries && status_of("on_disk") == 0;
        },
        kPatience);
  }
  /// What was written, and that it is each call's two entries, once and in their order.
  std::vector<std::string> expect_each_once(int last) {
    auto texts = database().texts();
    std::multiset<std::string> all(texts.begin(), texts.end());
    for (int cdrid = 1; cdrid <= last; ++cdrid) {
      CHECK(all.count(fmt::format("BEGIN {}", cdrid)) == 1);
      CHECK(all.count(fmt::format("END {}", cdrid)) == 1);
      CHECK(std::ranges::find(texts, fmt::format("BEGIN {}", cdrid)) < std::ranges::find(texts, fmt::format("END {}", cdrid)));
    }
    return texts;
  }

 private:
  const std::string long_ = std::string(4000, 'r');
};

}  // namespace

TEST_CASE("N-7 memory holds as many waiting records as it may, the disk holds the others, and all are written in order") {
  Office office;
  office.away();
  office.calls(1, 600);
  CHECK(office.status_of("backlog") == 1200);
  CHECK(office.status_of("on_disk") == 1180);
  CHECK(office.files() >= 2 * 4);  // 4.8 MB in files of one
  office.back();
  office.drain();
  office.expect_each_once(600);
  // From then on nothing takes the way over the disk.
  office.calls(601, 602);
  CHECK(office.database().texts().back() == "END 602");
  CHECK(office.files() == 0);
}

TEST_CASE("N-7 records that come while others are read back are written behind them") {
  Office office;
  office.away();
  office.calls(1, 400);
  office.back();
  for (int cdrid = 401; cdrid <= 500; ++cdrid) {
    office.call(cdrid);
    office.engine().advance(20ms);
  }
  office.drain();
  office.expect_each_once(500);
}

TEST_CASE("N-7 what waited on disk alone when the server ended is written by the next one, before its initquery and its own records") {
  Office office;
  office.away();
  office.calls(1, 400);
  office.stop();
  office.start();
  CHECK(office.engine().logged("event=records-on-disk"));
  CHECK(office.status_of("backlog") == 800);
  office.calls(401, 450);
  office.back();
  office.drain();
  const auto texts = office.expect_each_once(450);
  const auto closed = std::ranges::find(texts, "CLOSE");
  REQUIRE(closed != texts.end());
  for (auto before = texts.begin(); before != closed; ++before) CHECK(std::stoi(before->substr(before->find(' '))) <= 400);
  CHECK(closed - texts.begin() == 800);
}

TEST_CASE("N-7 a file that was read back and not yet removed when the server was killed is written once") {
  Office office;
  office.away();
  office.calls(1, 30);
  office.stop();
  const auto copy = office.engine().state_dir() / "copy";
  fs::create_directory(copy);
  for (const auto& entry : fs::directory_iterator(office.engine().state_dir()))
    if (entry.path().filename().string().starts_with("register-records.more-")) fs::copy(entry.path(), copy);
  office.start();  // reads it back; the journal has its records now
  office.engine().run_until([&] { return office.files() == 0; });
  office.stop();
  for (const auto& entry : fs::directory_iterator(copy)) fs::rename(entry.path(), office.engine().state_dir() / entry.path().filename());
  office.back();
  office.start();
  CHECK(office.status_of("backlog") == 0);
  office.drain();
  office.expect_each_once(30);
}

TEST_CASE("N-7 records that the database refuses do not keep the others on disk") {
  Office office;
  office.away();
  office.calls(1, 300);
  office.database().asked.clear();
  // As many as memory is to hold.
  office.database().says = [](const Asked& asked) { return asked.text().starts_with("BEGIN") && std::stoi(asked.values.at("cdrid")) <= 20 ? Reply::failed("query") : Reply::wrote(); };
  CHECK(office.engine().run_until(
      [&] {
        office.engine().advance(100ms);
        return office.status_of("backlog") == 40;
      },
      kPatience));
  CHECK(office.status_of("on_disk") == 0);
  const auto texts = office.database().texts();
  CHECK(std::ranges::count(texts, "END 300") == 1);
}

TEST_CASE("N-7 records are read back from disk to the last one while the journal cannot be synced") {
  Office office;
  office.away();
  office.calls(1, 600);
  const FailingSync failing("register-records.synced.journal");
  office.back();
  office.drain();
  CHECK(office.engine().run_until([&] { return failing.refused() > 0; }, kPatience));
  office.expect_each_once(600);
}

TEST_CASE("N-7 where the journal could not be synced and can be again, what is on disk is read back without a restart") {
  Office office;
  office.away();
  office.calls(1, 600);
  office.back_but_refuses(15);  // of the file that is read back first, which therefore stays until the journal holds it
  {
    const FailingSync failing("register-records.synced.journal");
    office.wait_for_refusals(failing, 3);
    CHECK(office.status_of("on_disk") > 0);
  }
  CHECK(office.left_in_memory(2));
  CHECK(office.files() == 0);
  office.stop();
  office.back();
  office.start();
  office.drain();
  CHECK(fmt::format("{}", fmt::join(office.database().texts(), ", ")) == "BEGIN 15, END 15, CLOSE");
}

TEST_CASE("N-7 what was read back and written is not written again when the server is killed before its file is gone") {
  Office office;
  office.away();
  office.calls(1, 300);
  office.back_but_refuses(15);
  const auto state = office.engine().state_dir(), killed = state / "killed";
  {
    const FailingSync failing("register-records.synced.journal");
    office.wait_for_refusals(failing, 3);  // the other journal was made anew since
    fs::create_directory(killed);
    for (const auto& entry : fs::directory_iterator(state))
      if (entry.is_regular_file()) fs::copy(entry.path(), killed);
    office.database().says = [](const Asked&) { return Reply::failed("away"); };
    office.stop();
  }
  for (const auto& entry : fs::directory_iterator(state))
    if (entry.is_regular_file()) fs::remove(entry.path());
  for (const auto& entry : fs::directory_iterator(killed)) fs::rename(entry.path(), state / entry.path().filename());
  office.database().says = nullptr;
  office.start();
  office.drain();
  auto texts = office.database().texts();
  std::erase_if(texts, [first = true](const std::string& text) mutable { return text == "BEGIN 15" && !std::exchange(first, false); });
  for (int cdrid = 1; cdrid <= 300; ++cdrid) {
    CHECK(std::ranges::count(texts, fmt::format("BEGIN {}", cdrid)) == 1);
    CHECK(std::ranges::count(texts, fmt::format("END {}", cdrid)) == 1);
  }
}

TEST_CASE("N-7 files of waiting records that could not be synced are read back, in their order, as soon as they can be") {
  Office office;
  office.away();
  office.calls(1, 300);
  {
    const FailingSync failing("register-records.more-");
    office.calls(301, 400);
    office.wait_for_refusals(failing, 1);
    office.back();
    CHECK(office.engine().run_until([&] { return office.engine().advance(100ms), office.engine().logged("event=journal-not-read"); }, kPatience));
  }
  office.drain();
  office.expect_each_once(400);
}
