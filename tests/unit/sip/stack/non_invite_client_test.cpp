#include "stack/non_invite_client.h"

#include "machine_support.h"

using namespace jackfield::sip::stack;
using State = NonInviteClient::State;

namespace {

NonInviteClient started(bool reliable = false) {
  NonInviteClient machine(kTimes, reliable);
  machine.start();
  return machine;
}

}  // namespace

TEST_CASE("non-INVITE client: starts with E and F over UDP, with F alone over TCP") {
  NonInviteClient udp(kTimes, false);
  CHECK(udp.start() == Expected{{Do::send}, {Do::start, Timer::e, ms(500)}, {Do::start, Timer::f, ms(32000)}});
  CHECK(udp.state() == State::trying);
  NonInviteClient tcp(kTimes, true);
  CHECK(tcp.start() == Expected{{Do::send}, {Do::start, Timer::f, ms(32000)}});
}

TEST_CASE("non-INVITE client: timer E repeats the request, doubling up to T2") {
  NonInviteClient machine = started();
  for (const int next : {1000, 2000, 4000, 4000})
    CHECK(machine.timer(Timer::e) == Expected{{Do::send}, {Do::start, Timer::e, ms(next)}});
}

TEST_CASE("non-INVITE client: after a provisional response the request is repeated every T2") {
  NonInviteClient machine = started();
  CHECK(machine.response(100) == Expected{{Do::deliver}});
  CHECK(machine.state() == State::proceeding);
  CHECK(machine.response(182) == Expected{{Do::deliver}});
  CHECK(machine.timer(Timer::e) == Expected{{Do::send}, {Do::start, Timer::e, ms(4000)}});
}

TEST_CASE("non-INVITE client: timer F ends it, answered provisionally or not") {
  for (const bool provisional : {false, true}) {
    NonInviteClient machine = started();
    if (provisional) machine.response(100);
    CHECK(machine.timer(Timer::f) == Expected{{Do::timed_out}, {Do::end}});
    CHECK(machine.state() == State::terminated);
    CHECK(machine.timer(Timer::e) == kNothing);
    CHECK(machine.response(200) == kNothing);
  }
}

TEST_CASE("non-INVITE client: a final response is told once and its copies absorbed for K") {
  for (const int code : {200, 302, 404, 503, 603}) {
    NonInviteClient machine = started();
    CHECK(machine.response(code) == Expected{{Do::stop, Timer::e}, {Do::stop, Timer::f}, {Do::start, Timer::k, ms(5000)}, {Do::deliver}});
    CHECK(machine.state() == State::completed);
    CHECK(machine.response(code) == kNothing);
    CHECK(machine.timer(Timer::f) == kNothing);
    CHECK(machine.transport_failed() == kNothing);
    CHECK(machine.timer(Timer::k) == Expected{{Do::end}});
    CHECK(machine.state() == State::terminated);
    CHECK(machine.timer(Timer::k) == kNothing);
  }
}

TEST_CASE("non-INVITE client: over TCP the final response ends it at once") {
  NonInviteClient machine = started(true);
  CHECK(machine.response(200) == Expected{{Do::deliver}, {Do::end}});
  CHECK(machine.state() == State::terminated);
}

TEST_CASE("non-INVITE client: a lost way ends it while it waits") {
  for (const bool provisional : {false, true}) {
    NonInviteClient machine = started(true);
    if (provisional) machine.response(100);
    CHECK(machine.transport_failed() == Expected{{Do::lost}, {Do::end}});
    CHECK(machine.state() == State::terminated);
    CHECK(machine.transport_failed() == kNothing);
  }
}
