#include "rules_fixture.h"

#include "calendar.h"
#include "functions.h"

#include <algorithm>
#include <cstdlib>

#include <time.h>

using namespace jackfield;
using namespace jackfield::regexroute;

TEST_CASE("functions: each with its result") {
  struct Row {
    std::string written;
    std::string result;
  };
  const auto result_of = [](const std::string& written) {
    Rules rules("[default]\n.*=" + written + "\n");
    rules.host.engine().core().set_written([](std::string_view name) {
      return name == "general.port" ? std::optional<std::string_view>("5070") : std::nullopt;
    });
    return rules.target("1");
  };
  for (const Row& row : {
           Row{"a$()b", "a;b"}, {"$($)x", "$x"}, {"$(++41)", "42"}, {"$(--1)", "0"}, {"$(length,abc)", "3"}, {"$(length,)", "0"},
           {"$(upper,aBc1)", "ABC1"}, {"$(lower,AbC1)", "abc1"}, {"$(chr,65)", "A"},
           {"$(hex,258)", "02 01"}, {"$(hex,0)", "00"}, {"$(hex,1,4)", "01 00 00 00"}, {"$(hex,258,2,:)", "02:01"},
           {"$(add,007,5)", "012"}, {"$(add,7,5,4)", "0012"}, {"$(sub,5,7)", "-2"}, {"$(sub,100,1)", "099"}, {"$(mul,3,4)", "12"},
           {"$(div,7,2)", "3"}, {"$(div,7,0)", "0"}, {"$(mod,7,4)", "3"}, {"$(mod,7,0)", "0"}, {"$(add,x,1)", "1"},
           {"$(eq,07,7)", "true"}, {"$(ne,07,7)", "false"}, {"$(lt,2,10)", "true"}, {"$(gt,2,10)", "false"}, {"$(le,2,2)", "true"}, {"$(ge,1,2)", "false"},
           {"$(streq,07,7)", "false"}, {"$(strne,07,7)", "true"}, {"$(strpos,b,abc)", "1"}, {"$(strpos,x,abc)", "-1"},
           {"$(index,1,a,b,c)", "b"}, {"$(index,4,a,b,c)", "b"}, {"$(index,-1,a,b,c)", "c"}, {"$(rotate,1,a,b,c)", "b,c,a"},
           {"$(message,name)", "call.route"}, {"$(message,broadcast)", "false"}, {"$(message,count)", "2"}, {"$(message,parameters,+)", "called+handlers"},
           {"$(nodename)x", "testx"}, {"$(threadname)x", "x"}, {"$(dispatching)", "0"}, {"$(accepting)", "accept"}, {"$(loaded,nothing)", "false"},
           {"$(nothing)x", "x"}, {"$(message,retval)x", "x"}, {"$(config,general,port)", "5070"}, {"$(config,general,nothing)x", "x"}, {"$(variables,count)", "0"},
       }) {
    CAPTURE(row.written);
    CHECK(result_of(row.written) == row.result);
  }
}

TEST_CASE("the short names of arithmetic are the long ones") {
  CHECK(evaluated("$(+,1,2)") == "3");
  CHECK(evaluated("$(-,3,2)") == "1");
  CHECK(evaluated("$(*,3,2)") == "6");
  CHECK(evaluated("$(/,6,2)") == "3");
  CHECK(evaluated("$(%,7,4)") == "3");
}

TEST_CASE("a number that is a variable goes on to the next") {
  Rules rules("[$once]\nn=0\ni=0\n[default]\n.*=$(++$n) $(index,$i,a,b) $(n) $(i)\n");
  CHECK(rules.target("1") == "1 a 1 1");
  CHECK(rules.target("1") == "2 b 2 0");
  CHECK(rules.target("1") == "3 a 3 1");
}

TEST_CASE("random digits stand where the question marks are") {
  const auto made = evaluated("$(random,12?\?)");
  REQUIRE(made.size() == 4);
  CHECK(made.starts_with("12"));
  CHECK(std::ranges::all_of(made, [](char c) { return c >= '0' && c <= '9'; }));
}

TEST_CASE("BR-10: what came from the network is never read as a rule: neither as a function, a parameter, a group nor a word") {
  for (const char* hostile : {"$(runid)", "${called}", "\\1\\0", "x;called=9", "goto other", "$name", "-", "a,b)c", "$(length,", "${"}) {
    CAPTURE(hostile);
    CHECK(evaluated("A ${callername} B", {{"callername", hostile}}) == "A " + std::string(hostile) + " B");
    CHECK(evaluated("$(index,0,${callername},b)", {{"callername", hostile}}) == hostile);
  }
  Rules rules("[default]\n.*=${callername};copy=${callername}\n[other]\n.*=taken\n");
  const auto routed = rules.route("1", {{"callername", "goto other;copy=2"}});
  CHECK(routed.target == "goto other;copy=2");
  CHECK(routed["copy"] == "goto other;copy=2");
}

TEST_CASE("BR-10: an address is in a network, a range, or is the one named") {
  const auto in = [](const char* address, const char* networks) { return evaluated("$(network,${ip}," + std::string(networks) + ")", {{"ip", address}}); };
  CHECK(in("10.1.2.3", "10.0.0.0/8") == "true");
  CHECK(in("10.1.2.3:5060", "10.0.0.0/8") == "true");
  CHECK(in("11.1.2.3", "10.0.0.0/8") == "false");
  CHECK(in("11.1.2.3", "10.0.0.0/8,11.1.2.3") == "true");
  CHECK(in("192.0.2.15", "192.0.2.10-192.0.2.20") == "true");
  CHECK(in("192.0.2.21", "192.0.2.10-192.0.2.20") == "false");
  CHECK(in("[2001:db8::1]:5060", "2001:db8::/32") == "true");
  CHECK(in("2001:db9::1", "2001:db8::/32") == "false");
  CHECK(in("10.0.0.1", "2001:db8::/32") == "false");
  CHECK(in("nonsense", "0.0.0.0/0") == "false");
}

TEST_CASE("BR-15: hours and days of the week") {
  CHECK(parse_hours("08:00-18:00")->contains(8 * 60));
  CHECK_FALSE(parse_hours("08:00-18:00")->contains(18 * 60));
  CHECK(parse_hours("22:00-06:00")->contains(0));
  CHECK_FALSE(parse_hours("22:00-06:00")->contains(12 * 60));
  CHECK(parse_hours("00:00-24:00")->contains(1439));
  for (const char* wrong : {"8", "08:00", "08:60-09:00", "24:01-25:00", "a-b", "-", "008:00-09:00"}) CHECK_FALSE(parse_hours(wrong));
  CHECK(parse_days("mon-fri")->contains(4));
  CHECK_FALSE(parse_days("mon-fri")->contains(5));
  CHECK(parse_days("fri-mon")->contains(0));
  CHECK(parse_days("sat")->contains(5));
  for (const char* wrong : {"", "monday", "mon-", "-fri", "mon-fri-sat"}) CHECK_FALSE(parse_days(wrong));

  setenv("TZ", "UTC", 1);
  tzset();
  // The epoch was a Thursday.
  const auto thursday = local_moment(WallTime(std::chrono::hours(9) + std::chrono::minutes(30)));
  CHECK(thursday.weekday == 3);
  CHECK(thursday.minute_of_day == 9 * 60 + 30);
}

TEST_CASE("the functions stand in alphabetical order, by which they are found") {
  for (const Function& function : all_functions()) CHECK(find_function(function.name) == &function);
  CHECK(find_function("nothing") == nullptr);
}
