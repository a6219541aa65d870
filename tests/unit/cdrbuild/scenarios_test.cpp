// Whole calls as the legs tell them, and the record that each leg must end with.
#include "unit/cdrbuild/fixture.h"

#include <doctest/doctest.h>

using namespace jackfield;
using namespace jackfield::cdrbuild_test;

namespace {

/// `after` is the time since the step before.
struct Step {
  Duration after;
  std::string_view message, id;
  std::vector<Parameter> parameters;
};

struct Expected {
  std::string_view chan, direction, duration, billtime, ringtime, status, reason, external;
};

struct Scenario {
  std::string_view name;
  std::vector<Step> steps;
  std::vector<Expected> records;
};

constexpr std::string_view kIn = "sip/1", kOut = "sip/2", kOther = "sip/3";

Step incoming() {
  return {0ms, "chan.startup", kIn, {{"direction", "incoming"}, {"status", "incoming"}, {"caller", "101"}, {"called", "102"}, {"billid", "b-1"}}};
}
Step outgoing(std::string_view id = kOut, Duration after = 100ms) {
  return {after, "chan.startup", id, {{"direction", "outgoing"}, {"status", "outgoing"}, {"caller", "101"}, {"called", "102"}, {"billid", "b-1"}}};
}
Step from_callee(Duration after, std::string_view message, std::string_view status, std::string_view id = kOut) {
  return {after, message, id, {{"status", status}, {"peerid", kIn}, {"targetid", kIn}}};
}
Step hangup(Duration after, std::string_view id, std::string_view reason) { return {after, "chan.hangup", id, {{"status", "hungup"}, {"reason", reason}}}; }

const std::vector<Scenario> kScenarios{
    {"answered, ended by the callee",
     {incoming(), {0ms, "call.route", kIn, {{"status", "routed"}}}, {0ms, "call.execute", kIn, {{"callto", "sip/x"}}}, outgoing(),
      from_callee(400ms, "call.ringing", "ringing"), from_callee(3s, "call.answered", "answered"), hangup(60s, kOut, "hangup"), hangup(5ms, kIn, "hangup")},
     {{kIn, "incoming", "63.505", "60.005", "3.000", "answered", "hangup", "101"}, {kOut, "outgoing", "63.400", "60.000", "3.000", "answered", "hangup", "102"}}},
    {"answered without ringing",
     {incoming(), outgoing(), from_callee(900ms, "call.answered", "answered"), hangup(1500ms, kIn, ""), hangup(0ms, kOut, "")},
     {{kIn, "incoming", "2.500", "1.500", "0.000", "answered", "(absent)", "101"}, {kOut, "outgoing", "2.400", "1.500", "0.000", "answered", "(absent)", "102"}}},
    {"cancelled while it rings",
     {incoming(), outgoing(), from_callee(200ms, "call.ringing", "ringing"), hangup(7s, kIn, "cancelled"), hangup(1ms, kOut, "cancelled")},
     {{kIn, "incoming", "7.300", "0.000", "7.000", "ringing", "cancelled", "101"}, {kOut, "outgoing", "7.201", "0.000", "7.001", "ringing", "cancelled", "102"}}},
    {"busy",
     {incoming(), outgoing(), hangup(50ms, kOut, "busy"), hangup(10ms, kIn, "busy")},
     {{kIn, "incoming", "0.160", "0.000", "0.000", "incoming", "busy", "101"}, {kOut, "outgoing", "0.050", "0.000", "0.000", "outgoing", "busy", "102"}}},
    {"no answer",
     {incoming(), outgoing(), from_callee(1s, "call.ringing", "ringing"), hangup(180s, kOut, "noanswer"), hangup(0ms, kIn, "noanswer")},
     {{kIn, "incoming", "181.100", "0.000", "180.000", "ringing", "noanswer", "101"}, {kOut, "outgoing", "181.000", "0.000", "180.000", "ringing", "noanswer", "102"}}},
    {"not routed",
     {incoming(), {10ms, "call.route", kIn, {{"status", "incoming"}}}, hangup(10ms, kIn, "noroute")},
     {{kIn, "incoming", "0.020", "0.000", "0.000", "incoming", "noroute", "101"}}},
    {"forked to two phones, the second answers",
     {incoming(), outgoing(kOut), outgoing(kOther, 0ms), from_callee(1s, "call.ringing", "ringing", kOut), from_callee(1s, "call.ringing", "ringing", kOther),
      from_callee(3s, "call.answered", "answered", kOther), hangup(0ms, kOut, "pickup"), hangup(10s, kIn, "hangup"), hangup(0ms, kOther, "hangup")},
     {{kIn, "incoming", "15.100", "10.000", "4.000", "answered", "hangup", "101"},
      {kOut, "outgoing", "5.000", "0.000", "4.000", "ringing", "pickup", "102"},
      {kOther, "outgoing", "15.000", "10.000", "3.000", "answered", "hangup", "102"}}},
    {"early media is ringing, a bare progress is not",
     {incoming(), outgoing(), from_callee(1s, "call.progress", "progressing"), {1s, "call.progress", kOut, {{"earlymedia", "yes"}, {"peerid", kIn}, {"status", "progressing"}}},
      hangup(2s, kIn, "cancelled"), hangup(0ms, kOut, "cancelled")},
     {{kIn, "incoming", "4.100", "0.000", "2.000", "progressing", "cancelled", "101"}, {kOut, "outgoing", "4.000", "0.000", "2.000", "progressing", "cancelled", "102"}}},
};

}  // namespace

TEST_CASE("each leg's record says what happened, to the millisecond") {
  for (const auto& scenario : kScenarios) {
    CAPTURE(scenario.name);
    Calls calls;
    for (const auto& step : scenario.steps) {
      calls.wait(step.after);
      calls.say(step.message, step.id, step.parameters);
    }
    CHECK(std::ranges::count_if(calls.records, [](const Cdr& cdr) { return cdr["operation"] == "finalize"; }) ==
          static_cast<std::ptrdiff_t>(scenario.records.size()));
    for (const auto& expected : scenario.records) {
      CAPTURE(expected.chan);
      const auto cdr = calls.final_of(expected.chan);
      CHECK(cdr["direction"] == expected.direction);
      CHECK(cdr["duration"] == expected.duration);
      CHECK(cdr["billtime"] == expected.billtime);
      CHECK(cdr["ringtime"] == expected.ringtime);
      CHECK(cdr["status"] == expected.status);
      CHECK(cdr["reason"] == expected.reason);
      CHECK(cdr["external"] == expected.external);
      CHECK(cdr["billid"] == "b-1");
      CHECK(cdr["cdrwrite"] == "true");
      CHECK(calls.operations(expected.chan).starts_with("initialize"));
      CHECK(calls.operations(expected.chan).ends_with("finalize"));
    }
  }
}
