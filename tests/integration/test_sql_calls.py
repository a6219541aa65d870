"""Many calls of every kind while the database, or the server itself, comes and goes: each call has its record once, and it says what sipp saw
(N-7, N-8, YT-16). `scripts/test --long`: 1,000 calls each, PostgreSQL stopped for a minute, frozen for half a one, the server killed ten times."""
import os
import time

from jackfield_test import Case, main, wait_for
from jackfield_test.mixed_calls import CALLEES, CALLER, PASSWORD, MixedCalls, server_settings
from jackfield_test.sql import ACCOUNT, OnPostgres, OnSqlite, add_user, shipped

LONG = os.environ.get("JACKFIELD_TEST_LENGTH") == "long"
SEED = int(os.environ.get("JACKFIELD_TEST_SEED", "1"))


class SqlCalls:
    def start(self, deadline=None):
        """With a deadline the database may be away: what is known is answered from memory then."""
        keys = self.start_database()
        settings = shipped()
        if deadline:
            for section in ("user.auth", "call.route"):
                settings[section].update({"cache_stale": "1h", "deadline": deadline})
            settings["call.preroute"]["deadline"] = deadline
            for section in ("call.cdr", "linetracker"):
                settings[section]["deadline"] = "1s"
        reconnect = {"reconnect": "50ms", "reconnect_max": "200ms"} if self.IS_POSTGRES else {}
        self.jackfield = self.server(start=False, modules=("sip", "callfork", "cdrbuild", "callcounters", self.DATABASE_MODULE, "register"),
                                     settings={self.DATABASE_MODULE: {ACCOUNT: {**keys, **reconnect}}, "register": settings,
                                               "sip": server_settings(), "callcounters": {"general": {"parameter": "caller", "direction": "both"}}})
        self.jackfield.command("db", "init", ACCOUNT)
        for user in (CALLER, *CALLEES):
            add_user(self.database, user, PASSWORD)
        self.jackfield.start()

    def calls(self, count, rate):
        """So many calls on their way, `rate` of them a second."""
        calls = MixedCalls(self, self.jackfield, self.database, count=count, rate=rate, seed=SEED)
        calls.register()
        caller = self.phone(self.jackfield, CALLER, PASSWORD, address=self.address(39))
        for user in CALLEES:  # what is asked of the database is known from here on
            wait_for(f"{user} to be known", lambda: self.caller_reaches(caller, user), 20)
        calls.begin()
        return calls

    def caller_reaches(self, caller, user):
        """Whether a call to him gets as far as his phone."""
        call = caller.invite(user)
        answer = call.expect((180, 699), seconds=8)
        if user == "answers" and answer.status == 180:
            call.answered()
            call.bye()
        elif answer.status == 180:
            call.refused(480)  # after maxcall; sipp takes no CANCEL that comes at once
        else:
            call.acknowledge_refusal(answer)
        return answer.status != 500

    def expect_all(self, calls, seconds=60):
        calls.wait(seconds)
        calls.settled()
        outcomes = calls.compare()
        print(f"{self.id()}: seed {SEED}, {len(calls.plan)} calls: {dict(outcomes)}")
        return outcomes

    def test_N_7_YT_16_records_say_what_sipp_saw_and_counts_return(self):
        self.start()
        calls = self.calls(*((1000, 40) if LONG else (84, 20)))
        self.expect_all(calls, 120)

    def test_N_7_kill_9_at_any_moment_loses_and_doubles_nothing(self):
        self.start()
        count, rate, kills = (1000, 12, 10) if LONG else (84, 14, 2)
        calls = self.calls(count, rate)
        length = count / rate
        for number in range(kills):
            # Somewhere in each share of the time.
            moment = calls.began + length * (number + calls.dice.random()) / kills
            time.sleep(max(0, moment - time.time()))
            calls.kill_server()
        outcomes = self.expect_all(calls, length + 60)
        self.assertGreater(outcomes["answered"], count / 6)


class SqlCallsOnSqlite(OnSqlite, SqlCalls, Case):
    pass


class SqlCallsOnPostgres(OnPostgres, SqlCalls, Case):
    def while_away(self, leave, come_back, away, calls, rate):
        """Calls of which the database misses the middle."""
        self.start(deadline="300ms")
        calls = self.calls(calls, rate)
        moment = calls.began + 0.5 + calls.dice.random()
        time.sleep(max(0, moment - time.time()))
        leave()
        try:
            time.sleep(away)
            self.assertFalse(calls.is_over, "calls were to go on while the database was away")
        finally:
            come_back()
        outcomes = self.expect_all(calls)
        # Who calls somebody who is there is not refused.
        answered = sum(plan[:2] == ("answers", False) for plan in calls.plan.values())
        self.assertEqual(outcomes["answered"], answered)
        self.assertNotIn("503", outcomes)

    def test_N_7_stopped_in_the_middle(self):
        self.while_away(self._server.stop, self._server.start, *((60, 1000, 12) if LONG else (3, 84, 14)))
        self.assertIn("event=records-wait", self.jackfield.log)

    def test_N_8_frozen_in_the_middle(self):
        self.while_away(self._server.freeze, self._server.thaw, *((30, 1000, 18) if LONG else (3, 84, 14)))
        self.assertNotIn("event=handler_holds_engine", self.jackfield.log)


main()
