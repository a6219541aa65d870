#include "stack/invite_server.h"

#include "machine_support.h"

using namespace jackfield::sip::stack;
using State = InviteServer::State;

namespace {

InviteServer started(bool reliable = false) {
  InviteServer machine(kTimes, reliable);
  machine.start();
  return machine;
}

InviteServer answered(int code, bool reliable = false) {
  InviteServer machine = started(reliable);
  machine.respond(180);
  machine.respond(code);
  return machine;
}

}  // namespace

TEST_CASE("INVITE server: sends 100 within 200 ms unless the user was quicker") {
  InviteServer machine(kTimes, false);
  CHECK(machine.start() == Expected{{Do::start, Timer::trying, ms(150)}});
  CHECK(machine.request() == kNothing);
  CHECK(machine.timer(Timer::trying) == Expected{{Do::send_trying}});
  CHECK(machine.request() == Expected{{Do::send}});
  CHECK(machine.respond(180) == Expected{{Do::send}});
  InviteServer quick = started();
  CHECK(quick.respond(180) == Expected{{Do::stop, Timer::trying}, {Do::send}});
  CHECK(quick.timer(Timer::trying) == kNothing);
}

TEST_CASE("INVITE server: a repeated INVITE gets the latest provisional response") {
  InviteServer machine = started();
  machine.respond(180);
  CHECK(machine.request() == Expected{{Do::send}});
  CHECK(machine.ack() == kNothing);
  CHECK(machine.acknowledged() == kNothing);
  CHECK(machine.state() == State::proceeding);
}

TEST_CASE("INVITE server: a refusal is repeated by G up to T2 until the ACK") {
  InviteServer machine = started();
  CHECK(machine.respond(486) ==
        Expected{{Do::stop, Timer::trying}, {Do::send}, {Do::start, Timer::g, ms(500)}, {Do::start, Timer::h, ms(32000)}});
  CHECK(machine.state() == State::completed);
  CHECK(machine.expects_ack());
  for (const int next : {1000, 2000, 4000, 4000})
    CHECK(machine.timer(Timer::g) == Expected{{Do::send}, {Do::start, Timer::g, ms(next)}});
  CHECK(machine.request() == Expected{{Do::send}});
  CHECK(machine.respond(200) == kNothing);
  CHECK(machine.ack() == Expected{{Do::stop, Timer::g}, {Do::stop, Timer::h}, {Do::start, Timer::i, ms(5000)}});
  CHECK(machine.state() == State::confirmed);
  CHECK_FALSE(machine.expects_ack());
  CHECK(machine.ack() == kNothing);
  CHECK(machine.request() == kNothing);
  CHECK(machine.timer(Timer::g) == kNothing);
  CHECK(machine.timer(Timer::h) == kNothing);
  CHECK(machine.timer(Timer::i) == Expected{{Do::end}});
  CHECK(machine.state() == State::terminated);
}

TEST_CASE("INVITE server: over TCP a refusal is sent once and its ACK ends it") {
  InviteServer machine = started(true);
  CHECK(machine.respond(486) == Expected{{Do::stop, Timer::trying}, {Do::send}, {Do::start, Timer::h, ms(32000)}});
  CHECK(machine.ack() == Expected{{Do::end}});
  CHECK(machine.state() == State::terminated);
}

TEST_CASE("INVITE server: H ends a refusal that nobody acknowledges") {
  InviteServer machine = answered(486);
  CHECK(machine.timer(Timer::h) == Expected{{Do::timed_out}, {Do::end}});
  CHECK(machine.state() == State::terminated);
  CHECK(machine.ack() == kNothing);
  CHECK(machine.request() == kNothing);
}

TEST_CASE("INVITE server: a 2xx is repeated up to T2 on any transport until the dialog has its ACK") {
  for (const bool reliable : {false, true}) {
    InviteServer machine = started(reliable);
    CHECK(machine.respond(200) ==
          Expected{{Do::stop, Timer::trying}, {Do::send}, {Do::start, Timer::success, ms(500)}, {Do::start, Timer::l, ms(32000)}});
    CHECK(machine.state() == State::accepted);
    CHECK(machine.expects_ack());
    for (const int next : {1000, 2000, 4000, 4000})
      CHECK(machine.timer(Timer::success) == Expected{{Do::send}, {Do::start, Timer::success, ms(next)}});
    CHECK(machine.request() == kNothing);
    CHECK(machine.respond(486) == kNothing);
    CHECK(machine.ack() == Expected{{Do::deliver}});
    CHECK(machine.acknowledged() == Expected{{Do::stop, Timer::success}});
    CHECK(machine.acknowledged() == kNothing);
    CHECK(machine.timer(Timer::success) == kNothing);
    CHECK(machine.timer(Timer::l) == Expected{{Do::end}});
    CHECK(machine.state() == State::terminated);
  }
}

TEST_CASE("INVITE server: a 2xx without ACK fails when L fires") {
  InviteServer machine = answered(200);
  CHECK(machine.timer(Timer::l) == Expected{{Do::timed_out}, {Do::end}});
  CHECK(machine.state() == State::terminated);
  CHECK(machine.acknowledged() == kNothing);
}

TEST_CASE("INVITE server: when no way is left to the client the user hears of it if it still waits") {
  InviteServer waiting = started(true);
  CHECK(waiting.transport_failed() == Expected{{Do::lost}, {Do::end}});
  InviteServer refused = answered(486, true);
  CHECK(refused.transport_failed() == Expected{{Do::lost}, {Do::end}});
  InviteServer accepted = answered(200, true);
  CHECK(accepted.transport_failed() == Expected{{Do::lost}, {Do::end}});
  InviteServer acknowledged = answered(200, true);
  acknowledged.acknowledged();
  CHECK(acknowledged.transport_failed() == Expected{{Do::end}});
  InviteServer confirmed = answered(486);
  confirmed.ack();
  CHECK(confirmed.transport_failed() == Expected{{Do::end}});
  for (InviteServer* machine : {&waiting, &refused, &accepted, &acknowledged, &confirmed}) {
    CHECK(machine->state() == State::terminated);
    CHECK(machine->transport_failed() == kNothing);
    CHECK(machine->respond(200) == kNothing);
    CHECK(machine->timer(Timer::l) == kNothing);
  }
}
