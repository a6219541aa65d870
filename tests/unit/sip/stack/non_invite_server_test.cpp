#include "stack/non_invite_server.h"

#include "machine_support.h"

using namespace jackfield::sip::stack;
using State = NonInviteServer::State;

TEST_CASE("non-INVITE server: a repetition is discarded until there is a response") {
  NonInviteServer machine(kTimes, false);
  CHECK(machine.request() == kNothing);
  CHECK(machine.respond(100) == Expected{{Do::send}});
  CHECK(machine.state() == State::proceeding);
  CHECK(machine.request() == Expected{{Do::send}});
  CHECK(machine.respond(183) == Expected{{Do::send}});
  CHECK(machine.timer(Timer::j) == kNothing);
}

TEST_CASE("non-INVITE server: the final response is repeated on demand until J") {
  for (const bool provisional : {false, true}) {
    NonInviteServer machine(kTimes, false);
    if (provisional) machine.respond(100);
    CHECK(machine.respond(200) == Expected{{Do::send}, {Do::stop, Timer::f}, {Do::start, Timer::j, ms(32000)}});
    CHECK(machine.state() == State::completed);
    CHECK(machine.request() == Expected{{Do::send}});
    CHECK(machine.respond(500) == kNothing);
    CHECK(machine.timer(Timer::j) == Expected{{Do::end}});
    CHECK(machine.state() == State::terminated);
    CHECK(machine.request() == kNothing);
    CHECK(machine.timer(Timer::j) == kNothing);
  }
}

TEST_CASE("non-INVITE server: over TCP the final response ends it at once") {
  NonInviteServer machine(kTimes, true);
  CHECK(machine.respond(404) == Expected{{Do::send}, {Do::end}});
  CHECK(machine.state() == State::terminated);
}

TEST_CASE("non-INVITE server: a lost way ends it quietly") {
  for (const int code : {0, 100, 200}) {
    NonInviteServer machine(kTimes, false);
    if (code != 0) machine.respond(code);
    CHECK(machine.transport_failed() == Expected{{Do::end}});
    CHECK(machine.state() == State::terminated);
    CHECK(machine.transport_failed() == kNothing);
    CHECK(machine.respond(200) == kNothing);
  }
}

TEST_CASE("non-INVITE server: a request whose user never answers is given up after 64*T1, when the client has") {
  for (const bool provisional : {false, true}) {
    NonInviteServer machine(kTimes, provisional);
    CHECK(machine.start() == Expected{{Do::start, Timer::f, ms(32000)}});
    if (provisional) machine.respond(100);
    CHECK(machine.timer(Timer::f) == Expected{{Do::end}});
    CHECK(machine.state() == State::terminated);
    CHECK(machine.respond(200) == kNothing);
  }
}
