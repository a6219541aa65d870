// Call records and counts on their way to the database: COMPAT §5, DECISIONS D11.
#include "unit/register/fixture.h"

#include "record_entry.h"

#include <doctest/doctest.h>

#include <set>

using namespace jackfield;
using namespace jackfield::register_test;

namespace {

constexpr std::string_view kBoth =
    "[general]\ncall.cdr=yes\nlinetracker=yes\n[default]\naccount=db\n"
    "[call.cdr]\ncdr_initialize=BEGIN ${cdrid}\ncdr_update=UPDATE ${cdrid} ${status}\ncdr_finalize=END ${cdrid} ${duration}\n"
    "[linetracker]\naccount=lines\ncdr_initialize=UP ${external}\ncdr_finalize=DOWN ${external}\n";
constexpr std::string_view kRecords =
    "[general]\ncall.cdr=yes\n[default]\naccount=db\n"
    "[call.cdr]\ncdr_initialize=BEGIN ${cdrid}\ncdr_update=UPDATE ${cdrid} ${status}\ncdr_finalize=END ${cdrid} ${duration}\n";

struct Office : Site {
  explicit Office(std::string_view text = kRecords) : Site(std::string(text)) {}

  void say(int cdrid, std::string_view operation, std::initializer_list<Parameter> more = {}) {
    auto cdr = message("call.cdr", {{"operation", operation}, {"runid", "1700000000"}, {"external", "101"}, {"duration", "3.500"}, {"status", "answered"}});
    cdr.set("cdrid", static_cast<long long>(cdrid)).set_broadcast(true);
    for (const auto& [name, value] : more) cdr.set(name, value);
    CHECK_FALSE(ask(cdr));
    engine().run_until_idle();
  }
  void call(int cdrid) {
    say(cdrid, "initialize");
    say(cdrid, "update");
    say(cdrid, "finalize");
  }
  void away() {
    database().says = [](const Asked&) { return Reply::failed("away"); };
  }
  void back() { database().says = nullptr; }
  std::vector<std::string> written() { return database().texts(); }
  bool says_status(std::string_view part) { return status().find(part) != std::string::npos; }
  /// The queries about one record, in their order.
  std::vector<std::string> about(int cdrid) {
    std::vector<std::string> out;
    for (const auto& one : database().asked)
      if (const auto found = one.values.find("cdrid"); found != one.values.end() && found->second == std::to_string(cdrid)) out.push_back(one.text());
    return out;
  }
};

}  // namespace

TEST_CASE("YT-17 a query for each stage of a record; stages without one are not written") {
  Office office;
  office.call(7);
  office.say(7, "status");
  CHECK(office.written() == std::vector<std::string>{"BEGIN 7", "UPDATE 7 answered", "END 7 3.500"});
  CHECK(office.says_status("critical=false,backlog=0,refused=0"));
}

TEST_CASE("YT-17 query= is the end of a record where there is no cdr_finalize; combined records have their own") {
  Office office("[general]\ncall.cdr=yes\n[default]\naccount=db\n[call.cdr]\nquery=END ${cdrid}\ncdr_combined=WHOLE ${cdrid}\n");
  office.say(1, "finalize");
  office.say(2, "combined");
  CHECK(office.written() == std::vector<std::string>{"END 1", "WHOLE 2"});
}

TEST_CASE("cdrwrite and cdrwrite_register keep a record out of the database") {
  Office office;
  office.say(1, "finalize", {{"cdrwrite", "false"}});
  office.say(2, "finalize", {{"cdrwrite_register", "false"}});
  CHECK(office.written().empty());
}

TEST_CASE("YT-16 linetracker counts beside the records, with an account of its own") {
  Office office(kBoth);
  office.call(1);
  std::multiset<std::string> lines;
  for (const auto& one : office.database().asked)
    if (one.account == "lines") lines.insert(one.text());
  CHECK(lines == std::multiset<std::string>{"UP 101", "DOWN 101"});
  CHECK(office.written().size() == 5);
}

TEST_CASE("a record's stages are written one after another, those of different records side by side") {
  Office office;
  office.database().holds = true;
  office.call(1);
  office.call(2);
  office.engine().run_until_idle();
  CHECK(office.written() == std::vector<std::string>{"BEGIN 1", "BEGIN 2"});
  office.database().release();
  CHECK(office.written().size() == 4);
  office.database().release();
  office.database().release();
  CHECK(office.about(1) == std::vector<std::string>{"BEGIN 1", "UPDATE 1 answered", "END 1 3.500"});
  CHECK(office.about(2) == std::vector<std::string>{"BEGIN 2", "UPDATE 2 answered", "END 2 3.500"});
}

TEST_CASE("D11 every write has a key of its own, and a second try the same one") {
  Office office;
  office.call(1);
  std::set<std::string> keys;
  for (const auto& one : office.database().asked) keys.insert(one.key);
  CHECK(keys.size() == 3);
  for (const auto& key : keys) CHECK(key.starts_with("test/1700000000/1/"));

  office.database().asked.clear();
  office.database().says = [](const Asked&) { return Reply::failed("late"); };
  office.say(2, "finalize");
  office.back();
  office.engine().advance(2s);
  REQUIRE(office.database().asked.size() == 2);
  CHECK(office.database().asked[0].key == office.database().asked[1].key);
  CHECK_FALSE(office.database().asked[0].key.empty());
}

TEST_CASE("N-7 while the database is away records wait and calls go on; then they are written in order") {
  Office office;
  office.away();
  for (int call = 1; call <= 100; ++call) office.call(call);
  office.engine().advance(5s);
  CHECK(office.says_status("backlog=300"));
  CHECK(office.engine().logged("event=records-wait section=call.cdr"));
  // One try a second, not one for each record.
  CHECK(office.database().asked.size() < 20);

  auto phone = office.message("user.register", {{"username", "101"}});
  CHECK_FALSE(office.ask(phone));
  CHECK_FALSE(phone.has("error"));  // critical is off

  office.database().asked.clear();
  office.back();
  office.engine().advance(2s);
  CHECK(office.says_status("backlog=0"));
  CHECK(office.engine().logged("event=records-written section=call.cdr"));
  CHECK(office.written().size() == 300);
  for (int call = 1; call <= 100; ++call)
    CHECK(office.about(call) == std::vector<std::string>{fmt::format("BEGIN {}", call), fmt::format("UPDATE {} answered", call), fmt::format("END {} 3.500", call)});
}

TEST_CASE("N-7 what was not written when the server ended is written by the next one, once") {
  Office office;
  office.call(1);
  office.away();
  office.call(2);
  office.say(3, "initialize");
  office.stop();
  office.database().asked.clear();
  office.back();
  office.start();
  CHECK(office.engine().logged("event=records-left section=call.cdr backlog=4"));
  CHECK(office.about(1).empty());
  CHECK(office.about(2) == std::vector<std::string>{"BEGIN 2", "UPDATE 2 answered", "END 2 3.500"});
  CHECK(office.about(3) == std::vector<std::string>{"BEGIN 3"});
  office.stop();
  office.database().asked.clear();
  office.start();
  CHECK(office.database().asked.empty());
}

TEST_CASE("N-7 either of the two journals is enough, and both together write nothing twice") {
  for (const auto* lost : {"", "register-records.journal", "register-records.synced.journal"}) {
    CAPTURE(lost);
    Office office;
    office.say(1, "finalize");
    office.away();
    office.say(2, "finalize");
    office.stop();
    if (*lost != '\0') REQUIRE(std::filesystem::remove(office.engine().state_dir() / lost));
    office.database().asked.clear();
    office.back();
    office.start();
    CHECK(office.written() == std::vector<std::string>{"END 2 3.500"});
  }
}

TEST_CASE("D11 a write whose answer the server did not live to see is tried again under the same key") {
  Office office;
  office.database().holds = true;
  office.say(1, "finalize");
  office.engine().run_until_idle();
  REQUIRE(office.database().asked.size() == 1);
  const auto key = office.database().asked[0].key;
  office.stop();
  office.database().holds = false;
  office.database().release();  // committed, and nobody heard it
  office.start();
  REQUIRE(office.database().asked.size() == 2);
  CHECK(office.database().asked[1].key == key);
}

TEST_CASE("YT-16 a start writes what earlier runs left, then the initquery, then its own records") {
  const std::string text = std::string(kRecords) + "initquery=CLOSE ${nodename} ${runid}\n";
  Office office(text);
  office.away();
  office.say(1, "finalize");
  office.stop();
  office.database().asked.clear();
  office.start();
  office.say(2, "initialize");
  office.engine().advance(3s);
  office.database().asked.clear();
  office.back();
  office.engine().advance(3s);
  REQUIRE(office.written().size() == 3);
  CHECK(office.written()[0] == "END 1 3.500");
  CHECK(office.written()[1].starts_with("CLOSE test "));
  CHECK(office.written()[2] == "BEGIN 2");
}

TEST_CASE("a record that the database refuses is kept, holds up no other, and is written once it can be") {
  Office office;
  office.database().says = [](const Asked& asked) { return asked.text() == "UPDATE 1 answered" ? Reply::failed("query") : Reply::wrote(); };
  office.call(1);
  office.call(2);
  CHECK(office.about(1) == std::vector<std::string>{"BEGIN 1", "UPDATE 1 answered"});
  CHECK(office.about(2).size() == 3);
  CHECK(office.says_status("backlog=2,refused=1"));
  CHECK(office.engine().logged("event=record-refused section=call.cdr"));

  SUBCASE("by itself, later") {
    office.back();
    office.engine().advance(31s);
  }
  SUBCASE("after a reload with a better query") {
    std::string better(kRecords);
    better.replace(better.find("UPDATE"), 6, "CHANGE");
    office.reload(better);
    CHECK(office.about(1)[2] == "CHANGE 1 answered");
  }
  SUBCASE("after a restart") {
    office.back();
    office.stop();
    office.start();
  }
  CHECK(office.about(1).back() == "END 1 3.500");
  CHECK(office.says_status("backlog=0,refused=0"));
}

TEST_CASE("YT-18 a record with a value that the database cannot hold is written with question marks, under the same key") {
  Office office;
  office.database().says = [](const Asked& asked) {
    const auto& status = asked.values.contains("status") ? asked.values.at("status") : std::string();
    return status.find_first_of(std::string_view("\xbf\xff\0", 3)) == std::string::npos ? Reply::wrote() : Reply::failed("value");
  };
  office.say(1, "update", {{"status", std::string_view("o\xbf'ne\xff \xc3\xa9\0!", 11)}});
  CHECK(office.about(1).back() == "UPDATE 1 o?'ne? \xc3\xa9?!");
  REQUIRE(office.database().asked.size() == 2);
  CHECK(office.database().asked[0].key == office.database().asked[1].key);
  CHECK(office.says_status("backlog=0,refused=0"));
}

TEST_CASE("records that a reload switches on are written from then on; switched off, what waits is kept") {
  Office office("[general]\n[default]\naccount=db\n");
  office.say(1, "finalize");
  CHECK(office.written().empty());
  office.reload(std::string(kRecords));
  office.say(2, "finalize");
  CHECK(office.written() == std::vector<std::string>{"END 2 3.500"});
  office.away();
  office.say(3, "finalize");
  office.reload("[general]\n[default]\naccount=db\n");
  office.back();
  office.engine().advance(3s);
  CHECK(office.says_status("backlog=1"));
  office.reload(std::string(kRecords));
  office.engine().advance(2s);
  CHECK(office.about(3).back() == "END 3 3.500");
  CHECK(office.says_status("backlog=0"));
}

TEST_CASE("critical: registrations and calls are refused until a record is written, or a reload") {
  const std::string text =
      "[general]\ncall.cdr=yes\nuser.register=yes\ncall.route=yes\n[default]\naccount=db\n[call.cdr]\ncritical=yes\ncdr_finalize=END ${cdrid}\n"
      "[user.register]\nquery=R ${username}\n[call.route]\nquery=C ${called}\n";
  Office office(text);
  const auto registers = [&] {
    auto phone = office.message("user.register", {{"username", "101"}});
    const bool kept = office.ask(phone);
    CHECK(phone.get("error") == (kept ? "" : "failure"));
    return kept;
  };
  CHECK(registers());
  office.database().says = [](const Asked& asked) { return asked.query.starts_with("END") ? Reply::failed("away") : Reply::wrote(); };
  office.say(1, "finalize");
  CHECK(office.says_status("critical=true"));
  CHECK_FALSE(registers());
  auto call = office.message("call.route", {{"called", "102"}});
  CHECK_FALSE(office.ask(call));
  CHECK(call.get("error") == "failure");

  SUBCASE("written") {
    office.back();
    office.engine().advance(2s);
  }
  SUBCASE("reload") { office.reload(text); }
  CHECK(registers());
  CHECK(office.says_status("critical=false"));
}

TEST_CASE("the end of the server waits a moment for records under way, and no longer") {
  Office office;
  office.database().holds = true;
  office.say(1, "finalize");
  std::optional<bool> halted;
  const auto halt = [&] {
    auto message = office.message("engine.halt");
    message.set_broadcast(true);
    office.engine().bus().enqueue(std::move(message), [&](Message&, bool handled) { halted = handled; });
    office.engine().run_until_idle();
  };
  halt();
  CHECK_FALSE(halted);
  SUBCASE("written meanwhile") {
    office.database().release();
    office.engine().advance(20ms);
  }
  SUBCASE("a database that hangs") { office.engine().advance(300ms); }
  CHECK(halted == false);
}

TEST_CASE("a journal that grew is made small again") {
  Office office;
  const std::string long_reason(2000, 'r');
  for (int call = 1; call <= 1000; ++call) office.say(call, "finalize", {{"reason", long_reason}});
  office.engine().run_until([&] { return std::filesystem::file_size(office.engine().state_dir() / "register-records.journal") > 0; });
  office.stop();
  office.database().asked.clear();
  office.start();
  CHECK(office.database().asked.empty());
  const auto journal = office.engine().state_dir() / "register-records.journal";
  CHECK(office.engine().run_until([&] { return std::filesystem::file_size(journal) < 200'000; }));
}

TEST_CASE("journal records survive a round trip, and damaged ones are refused") {
  using namespace jackfield::register_module;
  const RecordEntry entry{.number = 1'700'000'000'123'456, .lane = LaneId::lines, .record = "17/3", .operation = "finalize",
                          .parameters = {{"caller", "o'ne\\"}, {"empty", ""}, {std::string("a\0b", 3), std::string(300, 'x')}}};
  const auto bytes = entry.encode();
  const auto read = decode_journal(bytes);
  REQUIRE(read);
  REQUIRE(read->entry);
  CHECK(read->entry->number == entry.number);
  CHECK(read->entry->lane == entry.lane);
  CHECK(read->entry->record == entry.record);
  CHECK(read->entry->parameters == entry.parameters);
  const auto applied = decode_journal(RecordEntry::encode_applied(300));
  REQUIRE(applied);
  CHECK_FALSE(applied->entry);
  CHECK(applied->applied == 300);
  for (std::size_t cut = 0; cut + 1 < bytes.size(); ++cut) {
    const auto part = decode_journal(std::string_view(bytes).substr(0, cut));
    if (part) CHECK(part->entry->parameters.size() < entry.parameters.size());  // between two parameters
  }
  CHECK_FALSE(decode_journal("X1"));
  CHECK_FALSE(decode_journal(std::string("E\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12)));
}
