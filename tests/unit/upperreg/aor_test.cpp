// Every transition of the state machine, and when the next thing is due.
#include "aor.h"

#include <doctest/doctest.h>

using namespace jackfield;
using namespace jackfield::upperreg;
using namespace std::chrono_literals;

namespace {

const WallTime kNow{std::chrono::seconds(1700000000)};

Aor aor_in(AorState state, Kind kind, std::chrono::seconds granted = 1000s) {
  Aor aor({});
  aor.kind = kind;
  aor.restore(state, granted, kNow + granted);
  return aor;
}

struct Row {
  AorState from;
  AorEvent event;
  AorState stored, relayed;
  bool ends;  ///< the phones' bindings
};
using S = AorState;
using E = AorEvent;
constexpr Row kRows[] = {
    {S::absent, E::granted, S::registered, S::registered, false},    {S::registered, E::granted, S::registered, S::registered, false},
    {S::doubtful, E::granted, S::registered, S::registered, false},  {S::leaving, E::granted, S::registered, S::registered, false},
    {S::absent, E::ended, S::absent, S::absent, false},              {S::registered, E::ended, S::absent, S::absent, false},
    {S::doubtful, E::ended, S::absent, S::absent, false},            {S::leaving, E::ended, S::absent, S::absent, false},
    {S::absent, E::refused, S::absent, S::absent, false},            {S::registered, E::refused, S::absent, S::absent, true},
    {S::doubtful, E::refused, S::absent, S::absent, true},           {S::leaving, E::refused, S::absent, S::absent, true},
    {S::absent, E::silent, S::absent, S::absent, false},             {S::registered, E::silent, S::doubtful, S::doubtful, false},
    {S::doubtful, E::silent, S::doubtful, S::doubtful, false},       {S::leaving, E::silent, S::leaving, S::leaving, false},
    {S::absent, E::forgotten, S::absent, S::absent, false},          {S::registered, E::forgotten, S::doubtful, S::registered, false},
    {S::doubtful, E::forgotten, S::doubtful, S::doubtful, false},    {S::leaving, E::forgotten, S::leaving, S::leaving, false},
    {S::absent, E::emptied, S::absent, S::absent, false},            {S::registered, E::emptied, S::leaving, S::absent, false},
    {S::doubtful, E::emptied, S::leaving, S::absent, false},         {S::leaving, E::emptied, S::leaving, S::leaving, false},
    {S::absent, E::lapsed, S::absent, S::absent, false},             {S::registered, E::lapsed, S::absent, S::absent, true},
    {S::doubtful, E::lapsed, S::absent, S::absent, true},            {S::leaving, E::lapsed, S::absent, S::absent, false},
};

}  // namespace

TEST_CASE("AOR: every event in every state") {
  for (const auto& row : kRows) {
    for (const auto kind : {Kind::stored, Kind::relayed}) {
      CAPTURE(state_name(row.from));
      CAPTURE(static_cast<int>(row.event));
      CAPTURE(kind_name(kind));
      auto aor = aor_in(row.from, kind);
      CHECK(aor.apply(row.event, kNow, 60s) == row.ends);
      CHECK(state_name(aor.state()) == state_name(kind == Kind::stored ? row.stored : row.relayed));
      if (row.event == E::granted) CHECK(aor.granted_until() == kNow + 60s);
    }
  }
}

TEST_CASE("AOR: a kept registration is refreshed between five eighths and three quarters of what A granted, however often phones come") {
  const auto aor = aor_in(S::registered, Kind::stored);
  CHECK(*aor.due(kNow, 5s, 0.0) == kNow + 750s);
  CHECK(*aor.due(kNow, 5s, 1.0) == kNow + 625s);
  // Late, after a restart: at once.
  CHECK(*aor.due(kNow + 800s, 5s, 0.5) == kNow + 800s);
  CHECK(aor.tells(kNow + 800s));
}

TEST_CASE("AOR: a relayed one only lapses") {
  for (const auto state : {S::registered, S::doubtful}) {
    const auto aor = aor_in(state, Kind::relayed);
    CHECK(*aor.due(kNow, 5s, 0.5) == kNow + 1000s);
    CHECK_FALSE(aor.tells(kNow));
  }
  CHECK_FALSE(aor_in(S::absent, Kind::relayed).due(kNow, 5s, 0.5));
}

TEST_CASE("AOR: an A that is away is asked at growing intervals, until its grant is over; a forgetful one at once") {
  auto aor = aor_in(S::registered, Kind::stored, 60s);
  CHECK_FALSE(aor.apply(E::silent, kNow));
  CHECK(*aor.due(kNow, 5s, 0.0) == kNow + 5s);
  aor.apply(E::silent, kNow);
  CHECK(*aor.due(kNow, 5s, 0.0) == kNow + 10s);
  for (int i = 0; i < 10; ++i) aor.apply(E::silent, kNow);
  CHECK(*aor.due(kNow, 5s, 0.0) == kNow + 20s);
  CHECK(*aor.due(kNow + 50s, 5s, 0.0) == kNow + 60s);
  CHECK_FALSE(aor.tells(kNow + 60s));
  aor.apply(E::forgotten, kNow);
  CHECK(*aor.due(kNow, 5s, 1.0) == kNow);
  aor.apply(E::granted, kNow, 60s);
  aor.apply(E::silent, kNow);
  CHECK(*aor.due(kNow, 5s, 0.0) == kNow + 5s);  // the count began anew
}

TEST_CASE("AOR: a phone need not trouble A while half of the grant is left and nothing is in doubt") {
  auto aor = aor_in(S::registered, Kind::stored);
  CHECK(aor.fresh(kNow + 500s));
  CHECK_FALSE(aor.fresh(kNow + 501s));
  CHECK_FALSE(aor_in(S::registered, Kind::relayed).fresh(kNow));
  for (const auto state : {S::absent, S::doubtful, S::leaving}) CHECK_FALSE(aor_in(state, Kind::stored).fresh(kNow));
  CHECK(aor.remaining(kNow + 999s) == 1s);
  CHECK(aor.remaining(kNow + 1001s) == 0s);
}
