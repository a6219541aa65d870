#include "stack/invite_client.h"

#include "machine_support.h"

using namespace jackfield::sip::stack;
using State = InviteClient::State;

namespace {

InviteClient started(bool reliable = false) {
  InviteClient machine(kTimes, reliable);
  machine.start();
  return machine;
}

InviteClient proceeding(bool reliable = false) {
  InviteClient machine = started(reliable);
  machine.response(180);
  return machine;
}

const Expected kStopAll{{Do::stop, Timer::a}, {Do::stop, Timer::b}, {Do::stop, Timer::c}, {Do::stop, Timer::cancel_wait}};

Expected stop_all_and(std::initializer_list<Action> more) {
  Expected all = kStopAll;
  for (const Action& action : more) {
    if (action.what == Do::start) all.start(action.timer, action.delay);
    else all.add(action.what);
  }
  return all;
}

}  // namespace

TEST_CASE("INVITE client: starts with A and B over UDP, with B alone over TCP") {
  InviteClient udp(kTimes, false);
  CHECK(udp.start() == Expected{{Do::send}, {Do::start, Timer::a, ms(500)}, {Do::start, Timer::b, ms(32000)}});
  CHECK(udp.state() == State::calling);
  InviteClient tcp(kTimes, true);
  CHECK(tcp.start() == Expected{{Do::send}, {Do::start, Timer::b, ms(32000)}});
}

TEST_CASE("INVITE client: timer A repeats the request and doubles without a limit") {
  InviteClient machine = started();
  for (const int next : {1000, 2000, 4000, 8000, 16000})
    CHECK(machine.timer(Timer::a) == Expected{{Do::send}, {Do::start, Timer::a, ms(next)}});
}

TEST_CASE("INVITE client: timer B ends an unanswered call") {
  InviteClient machine = started();
  CHECK(machine.timer(Timer::b) == Expected{{Do::timed_out}, {Do::end}});
  CHECK(machine.state() == State::terminated);
  CHECK(machine.response(200) == kNothing);
}

TEST_CASE("INVITE client: a provisional response ends the repetition and starts timer C") {
  InviteClient machine = started();
  CHECK(machine.response(100) == Expected{{Do::stop, Timer::a}, {Do::stop, Timer::b}, {Do::start, Timer::c, ms(180000)}, {Do::deliver}});
  CHECK(machine.state() == State::proceeding);
  CHECK(machine.timer(Timer::a) == kNothing);
  CHECK(machine.timer(Timer::b) == kNothing);
}

TEST_CASE("INVITE client: timer C begins anew with 101 to 199, not with another 100") {
  InviteClient machine = proceeding();
  CHECK(machine.response(183) == Expected{{Do::start, Timer::c, ms(180000)}, {Do::deliver}});
  CHECK(machine.response(100) == Expected{{Do::deliver}});
}

TEST_CASE("INVITE client: timer C cancels, and is not started where it is switched off") {
  InviteClient machine = proceeding();
  CHECK(machine.timer(Timer::c) == Expected{{Do::send_cancel}, {Do::stop, Timer::c}, {Do::start, Timer::cancel_wait, ms(32000)}});
  CHECK(machine.timer(Timer::c) == kNothing);
  Times without = kTimes;
  without.timer_c = ms(0);
  InviteClient patient(without, false);
  patient.start();
  CHECK(patient.response(180) == Expected{{Do::stop, Timer::a}, {Do::stop, Timer::b}, {Do::deliver}});
  CHECK(patient.response(183) == Expected{{Do::deliver}});
}

TEST_CASE("INVITE client: a refusal is acknowledged each time and told once") {
  for (const bool rings : {false, true}) {
    InviteClient machine = rings ? proceeding() : started();
    CHECK(machine.response(486) == stop_all_and({{Do::send_ack}, {Do::start, Timer::d, ms(32000)}, {Do::deliver}}));
    CHECK(machine.state() == State::completed);
    CHECK(machine.response(486) == Expected{{Do::send_ack}});
    CHECK(machine.response(180) == kNothing);
    CHECK(machine.response(200) == kNothing);
    CHECK(machine.cancel() == kNothing);
    CHECK(machine.transport_failed() == kNothing);
    CHECK(machine.timer(Timer::b) == kNothing);
    CHECK(machine.timer(Timer::d) == Expected{{Do::end}});
    CHECK(machine.state() == State::terminated);
  }
}

TEST_CASE("INVITE client: over TCP a refusal ends it at once") {
  InviteClient machine = started(true);
  CHECK(machine.response(404) == Expected{{Do::send_ack}, {Do::deliver}, {Do::end}});
  CHECK(machine.state() == State::terminated);
}

TEST_CASE("INVITE client: every 2xx is told until M ends the wait for more") {
  for (const bool reliable : {false, true}) {
    InviteClient machine = started(reliable);
    CHECK(machine.response(200) == stop_all_and({{Do::start, Timer::m, ms(32000)}, {Do::deliver}}));
    CHECK(machine.state() == State::accepted);
    CHECK(machine.response(200) == Expected{{Do::deliver}});
    CHECK(machine.response(486) == kNothing);
    CHECK(machine.response(180) == kNothing);
    CHECK(machine.cancel() == kNothing);
    CHECK(machine.transport_failed() == kNothing);
    CHECK(machine.timer(Timer::d) == kNothing);
    CHECK(machine.timer(Timer::m) == Expected{{Do::end}});
    CHECK(machine.state() == State::terminated);
  }
}

TEST_CASE("INVITE client: a CANCEL waits for a provisional response") {
  InviteClient machine = started();
  CHECK(machine.cancel() == kNothing);
  CHECK(machine.cancel() == kNothing);
  CHECK(machine.response(100) == Expected{{Do::stop, Timer::a}, {Do::stop, Timer::b}, {Do::deliver}, {Do::send_cancel}, {Do::stop, Timer::c},
                                          {Do::start, Timer::cancel_wait, ms(32000)}});
  CHECK(machine.response(180) == Expected{{Do::deliver}});  // no timer C any more
  CHECK(machine.response(487) == stop_all_and({{Do::send_ack}, {Do::start, Timer::d, ms(32000)}, {Do::deliver}}));
}

TEST_CASE("INVITE client: a CANCEL asked for before anybody answered does not keep B from ending it") {
  InviteClient machine = started();
  machine.cancel();
  CHECK(machine.timer(Timer::a) == Expected{{Do::send}, {Do::start, Timer::a, ms(1000)}});
  CHECK(machine.timer(Timer::b) == Expected{{Do::timed_out}, {Do::end}});
}

TEST_CASE("INVITE client: a CANCEL after a provisional response leaves at once, once") {
  InviteClient machine = proceeding();
  CHECK(machine.cancel() == Expected{{Do::send_cancel}, {Do::stop, Timer::c}, {Do::start, Timer::cancel_wait, ms(32000)}});
  CHECK(machine.cancel() == kNothing);
  CHECK(machine.timer(Timer::cancel_wait) == Expected{{Do::timed_out}, {Do::end}});
  CHECK(machine.state() == State::terminated);
}

TEST_CASE("INVITE client: an answer that crosses the CANCEL is still an answer") {
  InviteClient machine = proceeding();
  machine.cancel();
  CHECK(machine.response(200) == stop_all_and({{Do::start, Timer::m, ms(32000)}, {Do::deliver}}));
}

TEST_CASE("INVITE client: a lost way ends a call that has no final response") {
  for (const bool rings : {false, true}) {
    InviteClient machine = rings ? proceeding(true) : started(true);
    CHECK(machine.transport_failed() == Expected{{Do::lost}, {Do::end}});
    CHECK(machine.state() == State::terminated);
    CHECK(machine.transport_failed() == kNothing);
    CHECK(machine.cancel() == kNothing);
    CHECK(machine.timer(Timer::m) == kNothing);
  }
}

TEST_CASE("INVITE client: D is at least 32 s, grows with T1, and linger replaces it") {
  Times slow = kTimes;
  slow.t1 = ms(1000);
  InviteClient machine(slow, false);
  machine.start();
  CHECK(machine.response(486) == stop_all_and({{Do::send_ack}, {Do::start, Timer::d, ms(64000)}, {Do::deliver}}));
  Times quick = kTimes;
  quick.linger = ms(1000);
  InviteClient other(quick, false);
  other.start();
  CHECK(other.response(486) == stop_all_and({{Do::send_ack}, {Do::start, Timer::d, ms(1000)}, {Do::deliver}}));
}
