#include <doctest/doctest.h>

#include "crc32c.h"
#include "journal_format.h"
#include "support/test_engine.h"

#include <jackfield/journal.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

using namespace jackfield;

namespace {

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_file(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

struct Journals {
  TestEngine engine;
  const std::filesystem::path path = engine.state_dir() / "test.journal";
  std::vector<std::string> replayed;
  std::string error;

  std::unique_ptr<Journal> open(std::size_t max_record = 1024 * 1024) {
    replayed.clear();
    error.clear();
    auto opened = Journal::open(engine.io(), {.path = path, .max_record = max_record}, [this](std::string_view record) { replayed.emplace_back(record); });
    if (opened) return std::move(*opened);
    error = opened.error().text;
    return nullptr;
  }
  /// The error text of a sync, or "never" when it did not end.
  std::string sync(Journal& journal) {
    std::optional<std::string> result;
    journal.sync([&](const std::string& text) { result = text; });
    engine.run_until([&] { return result.has_value(); });
    return result.value_or("never");
  }
  void fill(const std::vector<std::string>& records) {
    auto journal = open();
    REQUIRE(journal);
    for (const auto& record : records) journal->append(record);
    CHECK(sync(*journal) == "");
  }
};

}  // namespace

TEST_CASE("the checksum is CRC-32C") {
  CHECK(crc32c("123456789") == 0xE3069283);
  CHECK(crc32c(std::string(32, '\0')) == 0x8A9136AA);  // RFC 3720 B.4
  CHECK(crc32c(std::string(32, '\xff')) == 0x62A8AB43);
  CHECK(crc32c("456789", crc32c("123")) == crc32c("123456789"));
  std::string bytes;
  for (int length = 0; length < 40; ++length, bytes.push_back(static_cast<char>(length * 37))) {
    CHECK(crc32c_by_tables(bytes) == crc32c(bytes));
    CHECK(crc32c_by_tables(bytes, 1) == crc32c(bytes, 1));
  }
}

TEST_CASE("what was appended is replayed in order, whatever its bytes") {
  Journals j;
  const std::vector<std::string> records{"one", "", std::string("\0\n\xff", 3), std::string(100'000, 'x'), "JfR1"};
  j.fill(records);
  auto journal = j.open();
  REQUIRE(journal);
  CHECK(j.replayed == records);
  CHECK(journal->cut_tail().empty());
  journal->append("more");
  journal.reset();  // the destructor writes and syncs
  journal = j.open();
  CHECK(j.replayed.size() == 6);
  CHECK(j.replayed.back() == "more");
}

TEST_CASE("positions grow with each record and across opening and compaction") {
  Journals j;
  auto journal = j.open();
  const auto start = journal->position();
  const auto first = journal->append("a");
  const auto second = journal->append("bb");
  CHECK(start < first);
  CHECK(first < second);
  CHECK(journal->position() == second);
  journal->compact([](const auto& add) { add("the two of them"); });
  const auto third = journal->append("c");
  CHECK(third > second);
  CHECK(j.sync(*journal) == "");
  journal.reset();
  journal = j.open();
  CHECK(j.replayed == std::vector<std::string>{"the two of them", "c"});
  CHECK(journal->position() == third);
}

TEST_CASE("a task waits for durability too") {
  Journals j;
  auto journal = j.open();
  journal->append("a");
  std::optional<bool> durable;
  auto wait = [](Journal* journal, std::optional<bool>* out) -> Task<> {
    auto synced = journal->sync();
    const auto result = co_await std::move(synced);
    *out = result.has_value();
  };
  j.engine.spawn("test", wait(journal.get(), &durable));
  j.engine.run_until([&] { return durable.has_value(); });
  CHECK(durable == true);
}

TEST_CASE("syncs asked for together are answered in order, and many share one write") {
  Journals j;
  auto journal = j.open();
  std::vector<int> order;
  for (int i = 0; i < 1000; ++i) {
    journal->append("record " + std::to_string(i));
    journal->sync([&order, i](const std::string& error) {
      CHECK(error == "");
      order.push_back(i);
    });
  }
  CHECK(order.empty());
  CHECK(j.engine.run_until([&] { return order.size() == 1000; }));
  CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("who asks for the durability of what was appended is told with all who share the sync, also when the journal is gone") {
  Journals j;
  auto journal = j.open();
  std::vector<int> order;
  const auto told = [&order](int number) {
    return [&order, number, moved_only = std::make_unique<int>()](const std::string& error) {
      CHECK(error == "");
      order.push_back(number);
    };
  };
  journal->append("a");
  const auto first = journal->durability();
  first.then(told(1));
  journal->append("b");
  CHECK(journal->durability() == first);
  journal->durability().then(told(2));
  CHECK(order.empty());
  CHECK(j.engine.run_until([&] { return order.size() == 2; }));
  CHECK(order == std::vector<int>{1, 2});
  first.then(told(3));
  CHECK(order.size() == 3);

  journal->append("c");
  CHECK_FALSE(journal->durability() == first);
  journal->durability().then(told(4));
  journal.reset();
  j.engine.run_until_idle();
  CHECK(order.size() == 4);
}

TEST_CASE("no callback comes after the journal is gone, but its records are there") {
  Journals j;
  bool called = false;
  auto journal = j.open();
  journal->append("a");
  journal->sync([&](const std::string&) { called = true; });
  journal.reset();
  j.engine.run_until_idle();
  CHECK_FALSE(called);
  journal = j.open();
  CHECK(j.replayed == std::vector<std::string>{"a"});
}

TEST_CASE("a tail torn at any byte is cut off and reported; everything before it is kept") {
  Journals j;
  j.fill({"first", "second"});
  const std::size_t whole = read_file(j.path).size();
  j.fill({"the last record"});
  const std::string bytes = read_file(j.path);
  for (std::size_t size = whole; size <= bytes.size(); ++size) {
    CAPTURE(size);
    write_file(j.path, std::string_view(bytes).substr(0, size));
    auto journal = j.open();
    REQUIRE_MESSAGE(journal, j.error);
    CHECK(j.replayed.size() == (size == bytes.size() ? 3 : 2));
    CHECK(journal->cut_tail().empty() == (size == whole || size == bytes.size()));
    journal->append("after");
    journal.reset();
    journal = j.open();
    REQUIRE(journal);
    CHECK(j.replayed.back() == "after");
    CHECK(journal->cut_tail().empty());
  }
}

TEST_CASE("a flipped bit in the last record cuts it off; before the tail it is an error that says where") {
  Journals j;
  j.fill({"first"});
  const std::size_t second = read_file(j.path).size();
  j.fill({"second"});
  const std::size_t third = read_file(j.path).size();
  j.fill({"third"});
  const std::string bytes = read_file(j.path);
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (const int bit : {0, 3, 7}) {
      CAPTURE(at);
      CAPTURE(bit);
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      write_file(j.path, damaged);
      auto journal = j.open();
      if (at >= third) {
        REQUIRE_MESSAGE(journal, j.error);
        CHECK(j.replayed == std::vector<std::string>{"first", "second"});
        CHECK_FALSE(journal->cut_tail().empty());
      } else {
        CHECK_FALSE(journal);
        CHECK(j.error.find(j.path.string()) == 0);
        CHECK(read_file(j.path) == damaged);  // nothing is destroyed
        if (at >= second) CHECK(j.error.find("byte " + std::to_string(second)) != std::string::npos);
      }
    }
  }
}

TEST_CASE("damage in what a compaction wrote is an error, even in its last record") {
  Journals j;
  {
    auto journal = j.open();
    journal->compact([](const auto& add) { add("a"), add("b"); });
    CHECK(j.sync(*journal) == "");
  }
  std::string bytes = read_file(j.path);
  bytes.back() ^= 1;
  write_file(j.path, bytes);
  CHECK_FALSE(j.open());
  CHECK(j.error.find("damaged") != std::string::npos);
}

TEST_CASE("an unsynced batch that a power cut left with holes is cut off, not taken for damage") {
  std::string bytes;
  journal::append_header(bytes, {});
  journal::append_record(bytes, "durable", 0);
  const std::size_t synced = bytes.size();
  journal::append_record(bytes, "lost to the hole", synced);
  const std::size_t hole = synced + journal::kRecordHeader;
  journal::append_record(bytes, "written, never synced", synced);
  bytes[hole] = 0;
  std::vector<std::string> replayed;
  const auto result = journal::scan(bytes, {}, 1000, [&](std::string_view record) { replayed.emplace_back(record); });
  CHECK(replayed == std::vector<std::string>{"durable"});
  CHECK(result.end == synced);
  CHECK_FALSE(result.damaged);
}

TEST_CASE("compaction replaces the file while appends go on") {
  Journals j;
  auto journal = j.open();
  for (int i = 0; i < 1000; ++i) journal->append("old " + std::to_string(i));
  CHECK(j.sync(*journal) == "");
  const auto before = journal->file_bytes();
  std::optional<std::string> compacted;
  journal->append("just before");
  journal->compact([](const auto& add) { add("all of it"); }, [&](const std::string& error) { compacted = error; });
  journal->append("just after");
  CHECK(j.sync(*journal) == "");
  CHECK(compacted == "");
  CHECK(journal->file_bytes() < before / 10);
  const auto bytes = journal->file_bytes();
  journal.reset();
  CHECK(bytes == read_file(j.path).size());
  journal = j.open();
  CHECK(j.replayed == std::vector<std::string>{"all of it", "just after"});
}

TEST_CASE("a compaction that cannot write leaves the old file in use and says so") {
  Journals j;
  auto journal = j.open();
  journal->append("kept");
  std::filesystem::path in_the_way = j.path;
  in_the_way += ".new";
  std::filesystem::create_directory(in_the_way);
  std::optional<std::string> compacted;
  journal->compact([](const auto& add) { add("never"); }, [&](const std::string& error) { compacted = error; });
  const auto position = journal->append("after");
  CHECK(j.sync(*journal) == "");
  REQUIRE(compacted);
  CHECK(compacted->find(in_the_way.string()) == 0);
  journal.reset();
  journal = j.open();
  CHECK(j.replayed == std::vector<std::string>{"kept", "after"});
  CHECK(journal->position() == position);
}

TEST_CASE("a file that cannot be used is refused with its name and what to do") {
  Journals j;
  SUBCASE("it is something else") {
    write_file(j.path, "not a journal at all, but somebody's text");
    CHECK_FALSE(j.open());
    CHECK(j.error.find("not a journal") != std::string::npos);
    CHECK(read_file(j.path).starts_with("not a journal"));
  }
  SUBCASE("it is short and something else") {
    write_file(j.path, "[general]\n");
    CHECK_FALSE(j.open());
  }
  SUBCASE("another journal uses it") {
    auto first = j.open();
    CHECK_FALSE(j.open());
    CHECK(j.error.find("another process") != std::string::npos);
  }
  SUBCASE("its folder is missing") {
    const auto opened = Journal::open(j.engine.io(), {.path = j.engine.state_dir() / "none" / "x.journal"}, {});
    REQUIRE_FALSE(opened);
    CHECK(opened.error().text.find("make the folder first") != std::string::npos);
  }
  SUBCASE("it is a folder") {
    std::filesystem::create_directory(j.path);
    CHECK_FALSE(j.open());
    CHECK(j.error.find(j.path.string()) == 0);
  }
}

TEST_CASE("a journal whose first write was torn begins anew") {
  Journals j;
  std::string header;
  journal::append_header(header, {});
  for (std::size_t size = 0; size < header.size(); ++size) {
    write_file(j.path, std::string_view(header).substr(0, size));
    auto journal = j.open();
    REQUIRE_MESSAGE(journal, j.error);
    CHECK(read_file(j.path) == header);
  }
}

TEST_CASE("room is made behind the records ahead of need, and given back when the journal is closed") {
  Journals j;
  auto journal = j.open();
  journal->append("first");
  CHECK(j.sync(*journal) == "");
  const auto size = std::filesystem::file_size(j.path);
  CHECK(size > journal->file_bytes() + 100'000);
  for (int i = 0; i < 100; ++i) {
    journal->append("another record");
    CHECK(j.sync(*journal) == "");
  }
  CHECK(std::filesystem::file_size(j.path) == size);  // so that a sync has no new length to write
  journal->append(std::string(size, 'x'));
  CHECK(j.sync(*journal) == "");
  CHECK(std::filesystem::file_size(j.path) > 2 * size);
  const auto bytes = journal->file_bytes();
  journal.reset();
  CHECK(std::filesystem::file_size(j.path) == bytes);
}

TEST_CASE("room that a crash left behind the last record is used, not reported as torn") {
  Journals j;
  j.fill({"first"});
  const std::string records = read_file(j.path);
  write_file(j.path, records + std::string(5000, '\0'));
  auto journal = j.open();
  REQUIRE_MESSAGE(journal, j.error);
  CHECK(j.replayed == std::vector<std::string>{"first"});
  CHECK(journal->cut_tail().empty());
  CHECK(journal->file_bytes() == records.size());
  journal->append("second");
  journal.reset();
  journal = j.open();
  CHECK(j.replayed == std::vector<std::string>{"first", "second"});
  journal.reset();
  // A record of which only the end reached the disk.
  write_file(j.path, records + std::string(5000, '\0') + "the end" + std::string(5000, '\0'));
  journal = j.open();
  REQUIRE_MESSAGE(journal, j.error);
  CHECK(j.replayed == std::vector<std::string>{"first"});
  CHECK(journal->cut_tail().find("cut off 5007 bytes") != std::string::npos);
}

TEST_CASE("tasks that wait for the same sync run on together, and are destroyed when the loop ends first") {
  Journals j;
  std::shared_ptr<int> alive = std::make_shared<int>();
  int ended = 0;
  const auto wait = [](Journal* journal, int* ended, std::shared_ptr<int> /*alive*/) -> Task<> {
    auto synced = journal->sync();
    const auto result = co_await std::move(synced);
    if (result) ++*ended;
  };
  auto journal = j.open();
  for (int i = 0; i < 50; ++i) {
    journal->append("record");
    j.engine.spawn("test", wait(journal.get(), &ended, alive));
  }
  CHECK(j.engine.run_until([&] { return ended == 50; }));
  CHECK(alive.use_count() == 1);

  {
    boost::asio::io_context io;
    auto opened = Journal::open(io, {.path = j.path.string() + "2"}, {});
    REQUIRE(opened);
    boost::asio::co_spawn(io, wait(opened->get(), &ended, alive), boost::asio::detached);
    io.poll();
    CHECK(alive.use_count() == 2);
    opened->reset();
  }
  CHECK(ended == 50);
  CHECK(alive.use_count() == 1);
}

TEST_CASE("when the disk is full those who wait are told, and what they appended is written once there is room") {
  Journals j;
  auto journal = j.open();
  journal->append("fits");
  CHECK(j.sync(*journal) == "");
  // A limit on the file's size stands in for a full disk: the write comes back short, then fails.
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{journal->file_bytes() + 30, before.rlim_max};
  const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &small);
  journal->append(std::string(1000, 'x'));
  const std::string error = j.sync(*journal);
  const std::string again = j.sync(*journal);
  std::string durability;
  journal->durability().then([&](const std::string& text) { durability = text; });
  j.engine.run_until([&] { return !durability.empty(); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, ignored);
  CHECK(error.find("cannot write") != std::string::npos);
  CHECK(again == error);
  CHECK(durability == error);
  journal->append("next");
  CHECK(j.sync(*journal) == "");
  journal.reset();
  journal = j.open();
  CHECK(j.replayed == std::vector<std::string>{"fits", std::string(1000, 'x'), "next"});
  CHECK(journal->cut_tail().empty());
}

TEST_CASE("a record that is too long is the caller's mistake") {
  Journals j;
  auto journal = j.open(100);
  CHECK_THROWS_AS(journal->append(std::string(101, 'x')), std::length_error);
  journal->append(std::string(100, 'x'));
  CHECK(j.sync(*journal) == "");
}

TEST_CASE("whatever was reported durable is there after kill -9") {
  Journals j;
  int reports[2];
  REQUIRE(::pipe(reports) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    // The child appends for ever, compacts now and then, and writes the number of each durable record to the pipe.
    boost::asio::io_context io;
    auto opened = Journal::open(io, {.path = j.path}, {});
    if (!opened) ::_exit(1);
    Journal& journal = **opened;
    for (std::uint32_t number = 0;; ++number) {
      journal.append(std::to_string(number));
      if (number % 500 == 499) journal.compact([number](const auto& add) {
        for (std::uint32_t old = 0; old <= number; ++old) add(std::to_string(old));
      });
      journal.sync([&, number](const std::string& error) {
        if (!error.empty() || ::write(reports[1], &number, sizeof number) != sizeof number) ::_exit(2);
      });
      if (number % 7 == 0) io.restart(), io.poll();
    }
  }
  ::close(reports[1]);
  std::uint32_t durable = 0;
  while (durable < 2000) REQUIRE(::read(reports[0], &durable, sizeof durable) == sizeof durable);
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(WIFSIGNALED(status));
  while (::read(reports[0], &durable, sizeof durable) == sizeof durable) {}  // what it had still said
  ::close(reports[0]);
  auto journal = j.open();
  REQUIRE_MESSAGE(journal, j.error);
  REQUIRE(j.replayed.size() > durable);
  for (std::uint32_t number = 0; number < j.replayed.size(); ++number) REQUIRE(j.replayed[number] == std::to_string(number));
}
