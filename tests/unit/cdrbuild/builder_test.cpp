#include "unit/cdrbuild/fixture.h"

#include <doctest/doctest.h>

using namespace jackfield;
using namespace jackfield::cdrbuild_test;

namespace {

constexpr std::string_view kLeg = "sip/1";

void start(Calls& calls, std::string_view id = kLeg) {
  calls.say("chan.startup", id, {{"direction", "incoming"}, {"status", "incoming"}, {"caller", "101"}, {"called", "102"}});
}

}  // namespace

TEST_CASE("a record begins once, changes, and ends once; its fields stand in their order") {
  Calls calls;
  start(calls);
  calls.say("call.route", kLeg, {{"status", "routed"}});
  calls.say("chan.hangup", kLeg);
  calls.say("chan.hangup", kLeg);
  CHECK(calls.operations(kLeg) == "initialize update finalize");
  std::string names;
  for (const auto& [name, value] : calls.records.front().parameters) names.append(name).append(" ");
  CHECK(names.starts_with("time chan cdrid runid operation direction duration billtime ringtime status cdrwrite external caller called "));
  CHECK(calls.records.front()["time"] == "1700000000.000");
  CHECK(calls.records.front()["runid"] == "1700000000");
}

TEST_CASE("cdrid counts records of this run") {
  Calls calls;
  for (const auto* id : {"sip/1", "sip/2", "sip/3"}) start(calls, id);
  CHECK(calls.records[0]["cdrid"] == "1");
  CHECK(calls.records[1]["cdrid"] == "2");
  CHECK(calls.records[2]["cdrid"] == "3");
}

TEST_CASE("the time of a record is when its message was sent, however long it waited") {
  Calls calls;
  auto startup = calls.message("chan.startup", {{"id", kLeg}, {"direction", "incoming"}});
  calls.wait(2s);
  calls.ask(startup);
  calls.engine().run_until_idle();
  CHECK(calls.records.at(0)["time"] == "1700000000.000");
}

TEST_CASE("resolution: times are rounded to it") {
  for (const auto& [resolution, time, duration] : {std::tuple{"sec", "1700000001", "2"}, {"msec", "1700000000.500", "1.500"}, {"usec", "1700000000.500000", "1.500000"}}) {
    CAPTURE(resolution);
    Calls calls(fmt::format("[general]\nresolution={}\n", resolution));
    calls.wait(500ms);
    start(calls);
    calls.wait(1500ms);
    calls.say("chan.hangup", kLeg);
    CHECK(calls.final_of(kLeg)["time"] == time);
    CHECK(calls.final_of(kLeg)["duration"] == duration);
  }
}

TEST_CASE("a wall clock that is set back makes no negative duration") {
  Calls calls;
  start(calls);
  calls.engine().manual_clock().set_wall(WallTime(1000s));
  calls.say("chan.hangup", kLeg);
  CHECK(calls.final_of(kLeg)["duration"] == "0.000");
}

TEST_CASE("collected parameters: some are overwritten, of others the first that is not empty stays") {
  Calls calls("[parameters]\ncalled=yes\naccountcode=no\ncost=yes\n");
  calls.say("chan.startup", kLeg, {{"direction", "incoming"}, {"caller", ""}, {"called", "1"}, {"billid", "a"}, {"accountcode", "x"}, {"cost", "1"}, {"secret", "s"}});
  calls.say("call.route", kLeg, {{"caller", "101"}, {"called", "2"}, {"billid", "b"}, {"accountcode", "y"}, {"cost", "2"}});
  calls.say("chan.hangup", kLeg, {{"caller", "999"}, {"called", ""}, {"reason", "busy"}});
  const auto cdr = calls.final_of(kLeg);
  CHECK(cdr["caller"] == "101");
  CHECK(cdr["external"] == "101");
  CHECK(cdr["called"] == "2");
  CHECK(cdr["billid"] == "b");
  CHECK(cdr["accountcode"] == "x");
  CHECK(cdr["cost"] == "2");
  CHECK(cdr["reason"] == "busy");
  CHECK(cdr["secret"] == "(absent)");
}

TEST_CASE("a record's own fields cannot be collected, and check says so") {
  const auto problems = problems_of("[parameters]\nduration=yes\ncost=no\n");
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].severity == Problem::Severity::warning);
  CHECK(problems[0].where.line == 2);
}

TEST_CASE("ring_on_progress=yes: any progress is ringing") {
  for (const bool any : {false, true}) {
    Calls calls(any ? "[general]\nring_on_progress=yes\n" : "");
    start(calls);
    calls.say("call.progress", kLeg, {{"status", "progressing"}});
    calls.wait(3s);
    calls.say("chan.hangup", kLeg);
    CHECK(calls.final_of(kLeg)["ringtime"] == (any ? "3.000" : "0.000"));
  }
  Calls calls;
  start(calls);
  calls.say("call.progress", kLeg, {{"ringing", "true"}});
  calls.wait(3s);
  calls.say("chan.hangup", kLeg);
  CHECK(calls.final_of(kLeg)["ringtime"] == "3.000");
}

TEST_CASE("a leg that says answered without call.answered is not billed") {
  Calls calls;
  start(calls);
  calls.say("call.route", kLeg, {{"status", "answered"}});
  calls.wait(3s);
  calls.say("chan.hangup", kLeg);
  CHECK(calls.final_of(kLeg)["billtime"] == "0.000");
  CHECK(calls.final_of(kLeg)["status"] == "answered");
}

TEST_CASE("the caller's answer is found by peerid, else by targetid") {
  Calls calls;
  start(calls);
  start(calls, "sip/2");
  calls.say("call.answered", "sip/9", {{"peerid", "fork/1"}, {"targetid", kLeg}, {"cdrtrack", "false"}});
  calls.wait(2s);
  calls.say("chan.hangup", kLeg);
  calls.say("chan.hangup", "sip/2");
  CHECK(calls.final_of(kLeg)["billtime"] == "2.000");
  CHECK(calls.final_of("sip/2")["billtime"] == "0.000");
  CHECK(calls.operations("sip/9") == "");
}

TEST_CASE("D19 a leg whose end says cdrwrite=false was no call, and its record is not written") {
  Calls calls;
  for (const auto* id : {"sip/1", "sip/2"}) calls.say("chan.startup", id);
  calls.say("chan.hangup", "sip/1", {{"cdrwrite", "false"}});
  calls.say("chan.hangup", "sip/2");
  CHECK(calls.final_of("sip/1")["cdrwrite"] == "false");
  CHECK(calls.final_of("sip/2")["cdrwrite"] == "true");
}

TEST_CASE("cdrwrite is latched from the leg's first message, cdrtrack and cdrcreate keep a leg without a record") {
  Calls calls;
  calls.say("chan.startup", "sip/1", {{"cdrwrite", "false"}});
  calls.say("call.route", "sip/1", {{"cdrwrite", "true"}});
  calls.say("chan.startup", "sip/2", {{"cdrtrack", "false"}});
  calls.say("chan.startup", "sip/3", {{"cdrcreate", "false"}});
  for (const auto* id : {"sip/2", "sip/3"}) calls.say("call.ringing", id);
  for (const auto* id : {"sip/1", "sip/2", "sip/3"}) calls.say("chan.hangup", id);
  CHECK(calls.final_of("sip/1")["cdrwrite"] == "false");
  CHECK(calls.operations("sip/2") == "");
  CHECK(calls.operations("sip/3") == "");
}

TEST_CASE("the first trace_id is kept") {
  Calls calls;
  calls.say("chan.startup", kLeg, {{"trace_id", "t1"}});
  calls.say("chan.hangup", kLeg, {{"trace_id", "t2"}});
  CHECK(calls.final_of(kLeg)["trace_id"] == "t1");
}

TEST_CASE("any of the messages begins a record, a hang-up or an update does not") {
  for (const auto* message : {"call.route", "call.execute", "call.progress", "call.ringing", "call.answered"}) {
    Calls calls;
    calls.say(message, kLeg);
    CHECK(calls.operations(kLeg) == "initialize");
  }
  Calls calls;
  calls.say("call.update", kLeg);
  calls.say("chan.hangup", kLeg);
  calls.say("call.route", "");
  CHECK(calls.records.empty());
}

TEST_CASE("call.update: only without operation or with ours") {
  Calls calls("[parameters]\ncost=yes\n");
  start(calls);
  CHECK_FALSE(calls.say("call.update", kLeg, {{"operation", "notify"}, {"cost", "1"}}));
  CHECK(calls.records.back()["cost"] == "(absent)");
  CHECK(calls.say("call.update", kLeg, {{"operation", "cdrbuild"}, {"cost", "2"}}));
  CHECK(calls.records.back()["cost"] == "2");
  CHECK_FALSE(calls.say("call.update", kLeg, {{"cost", "3"}}));
  CHECK(calls.records.back()["cost"] == "3");
}

TEST_CASE("call.drop of cdrbuild/<chan> closes a stuck record, and only that") {
  Calls calls;
  start(calls);
  start(calls, "sip/2");
  CHECK_FALSE(calls.say("call.drop", "sip/2"));
  CHECK_FALSE(calls.say("call.drop", "cdrbuild/sip/7"));
  calls.wait(1s);
  CHECK(calls.say("call.drop", "cdrbuild/sip/1", {{"reason", "stuck"}}));
  CHECK(calls.final_of("sip/1")["duration"] == "1.000");
  CHECK(calls.final_of("sip/1")["reason"] == "stuck");
  CHECK(calls.operations("sip/2") == "initialize");
  calls.say("call.ringing", "sip/1");
  CHECK(calls.operations("sip/1") == "initialize finalize");
}

TEST_CASE("engine.halt ends every record, behind what was said of it before") {
  Calls calls;
  for (const auto* id : {"sip/1", "sip/2", "sip/3"}) start(calls, id);
  calls.wait(5s);
  auto ringing = calls.message("call.ringing", {{"id", "sip/2"}});
  CHECK_FALSE(calls.ask(ringing));
  CHECK_FALSE(calls.say("engine.halt", ""));
  for (const auto* id : {"sip/1", "sip/2", "sip/3"}) {
    CHECK(calls.operations(id).ends_with("finalize"));
    CHECK(calls.final_of(id)["duration"] == "5.000");
    CHECK(calls.final_of(id)["reason"] == "shutdown");
  }
  CHECK(calls.operations("sip/2") == "initialize update finalize");
}

TEST_CASE("guardtime: a start that comes after the end still makes a whole record, later it is a new call") {
  Calls calls;
  calls.say("chan.hangup", kLeg);
  calls.wait(4900ms);
  start(calls);
  CHECK(calls.operations(kLeg) == "initialize finalize");
  CHECK(calls.final_of(kLeg)["duration"] == "0.000");
  calls.wait(5s);
  start(calls);
  CHECK(calls.operations(kLeg) == "initialize finalize initialize");
}

TEST_CASE("guardtime: an answer after the end is reported and makes no record") {
  Calls calls;
  start(calls);
  calls.say("chan.hangup", kLeg);
  calls.say("call.answered", kLeg);
  CHECK(calls.engine().logged("event=late_answer chan=sip/1"));
  CHECK(calls.operations(kLeg) == "initialize finalize");
  calls.engine().clear_lines();
  calls.say("call.answered", "sip/5", {{"peerid", kLeg}});
  CHECK(calls.engine().logged("event=late_answer chan=sip/1"));
}

TEST_CASE("updates=no: only the beginning and the end") {
  Calls calls("[general]\nupdates=no\n");
  start(calls);
  calls.say("call.ringing", kLeg);
  calls.say("chan.hangup", kLeg);
  CHECK(calls.operations(kLeg) == "initialize finalize");
}

TEST_CASE("status: every interval while the call lasts, by default once it was answered") {
  Calls calls("[general]\nstatus=yes\nstatus_interval=10\nupdates=no\n");
  start(calls);
  calls.wait(25s);
  calls.say("call.answered", kLeg);
  calls.wait(25s);
  calls.say("chan.hangup", kLeg);
  calls.wait(60s);
  CHECK(calls.operations(kLeg) == "initialize status status finalize");
  CHECK(calls.records[1]["billtime"] == "10.000");
  CHECK(calls.engine().timers().running() == 0);

  Calls from_start("[general]\nstatus=yes\nstatus_interval=10\nupdates=no\nstatus_answer=no\n");
  start(from_start);
  from_start.wait(25s);
  CHECK(from_start.operations(kLeg) == "initialize status status");

  Calls never("[general]\nstatus=yes\nstatus_interval=0\nstatus_answer=no\n");
  start(never);
  never.wait(100s);
  CHECK(never.operations(kLeg) == "initialize");
}

TEST_CASE("formatted-timers: times as people write them, once they are known") {
  Calls calls("[formatted-timers]\nutc=yes\ncall_start_time=%Y-%m-%d %H:%M:%S.%3f\ncall_answer_time=%H:%M:%S.%f\ncall_hangup_time=100%% at %S\ncall_duration=%H:%M:%S.%3f\n");
  start(calls);
  CHECK(calls.records[0]["call_start_time"] == "2023-11-14 22:13:20.000");
  CHECK(calls.records[0]["call_answer_time"] == "(absent)");
  CHECK(calls.records[0]["call_hangup_time"] == "(absent)");
  calls.wait(1500ms);
  calls.say("call.answered", kLeg);
  CHECK(calls.records.back()["call_answer_time"] == "22:13:21.500000");
  calls.wait(std::chrono::hours(30) + 61s);
  calls.say("chan.hangup", kLeg);
  CHECK(calls.final_of(kLeg)["call_hangup_time"] == "100% at 22");
  CHECK(calls.final_of(kLeg)["call_duration"] == "30:01:02.500");
}

TEST_CASE("engine.status: open records and what they are about") {
  Calls calls;
  start(calls);
  calls.wait(3s);
  auto asked = calls.message("engine.status", {{"module", "cdrbuild"}});
  CHECK(calls.ask(asked));
  CHECK(asked.retvalue() == "name=cdrbuild,type=cdr,format=Status|Caller|Called|BillId|Duration;cdrs=1,hungup=0;sip/1=incoming|101|102||3\r\n");
}

TEST_CASE("reload: a record ends under the settings it began with") {
  Calls calls("[general]\nresolution=sec\n[parameters]\ncost=yes\n");
  start(calls);
  CHECK_FALSE(calls.load("[general]\nresolution=usec\n"));
  calls.wait(2s);
  calls.say("chan.hangup", kLeg, {{"cost", "5"}});
  CHECK(calls.final_of(kLeg)["duration"] == "2");
  CHECK(calls.final_of(kLeg)["cost"] == "5");
  start(calls, "sip/2");
  CHECK(calls.records.back()["time"] == "1700000002.000000");
}

TEST_CASE("handlers stand at Yate's priorities") {
  Calls calls;
  for (const auto& handler : calls.engine().bus().handlers()) {
    if (handler.track != "cdrbuild" || handler.message == "engine.status") continue;
    CAPTURE(handler.message);
    CHECK(handler.priority == (handler.message == "chan.hangup" || handler.message == "engine.halt" ? 150 : 50));
  }
}
