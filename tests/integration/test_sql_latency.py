"""A database that answers late: who does not need it is served as before, who does gets what the policy says within the deadline, and the engine
thread waits for nobody (N-8). `scripts/test --long`: the network to it takes 30 s each way, and deadlines are the shipped 5 s."""
import os
import re
import threading
import time

from jackfield_test import Case, main, wait_for
from jackfield_test.relay import Relay
from jackfield_test.sql import ACCOUNT, add_user, shipped

LONG = os.environ.get("JACKFIELD_TEST_LENGTH") == "long"
LATENCY, DEADLINE = (30, 5.0) if LONG else (3, 0.5)
# How much later an answer may be seen here on a machine that has other things to do.
SLACK = 1.0
REGISTRATIONS = 1000 if LONG else 150
PASSWORD = "an old song"
IN_FILE, IN_DATABASE = [f"10{i}" for i in range(5)], [f"20{i}" for i in range(6)]


class SqlLatency(Case):
    def setUp(self):
        super().setUp()
        self.database = self.postgres(fsync=False)
        self.relay = Relay(self.address(21), 5433, (self.database.address, self.database.port))
        self.addCleanup(self.relay.close)

    def start(self, **sections):
        """Users in a file, which is asked first, and users in the database behind the relay."""
        settings = shipped()
        settings["default"]["priority"] = "120"
        for name in ("user.auth", "user.register", "user.unregister", "user.bindings", "call.preroute", "call.route", "call.cdr", "linetracker"):
            settings[name]["deadline"] = f"{DEADLINE}s"
        for section, keys in sections.items():
            settings[section.replace("_", ".")].update(keys)
        account = {**self.database.settings, "host": self.relay.address, "port": self.relay.port, "reconnect": "50ms", "reconnect_max": "500ms"}
        self.jackfield = self.server({name: PASSWORD for name in IN_FILE}, start=False, settings={"pgsqldb": {ACCOUNT: account}, "register": settings},
                                     modules=("sip", "regfile", "callfork", "cdrbuild", "pgsqldb", "register"))
        self.jackfield.command("db", "init", ACCOUNT)
        for name in IN_DATABASE:
            add_user(self.database, name, PASSWORD)
        self.jackfield.start()
        self.phones = {name: self.phone(self.jackfield, name, PASSWORD) for name in (*IN_FILE, *IN_DATABASE)}
        for phone in self.phones.values():
            phone.register()

    def times_of_registrations(self):
        """Of users in the file, one after another: (median, 99th of 100)."""
        times = []
        for number in range(REGISTRATIONS):
            began = time.monotonic()
            self.phones[IN_FILE[number % len(IN_FILE)]].register()
            times.append(time.monotonic() - began)
        times.sort()
        return times[len(times) // 2], times[len(times) * 99 // 100]

    def one_after_another(self, what, until):
        """Does `what` for every phone of the database, each in a thread of its own, until the event is set; [(how long it took, what it gave)]."""
        results = []

        def repeat(phone):
            while True:
                began = time.monotonic()
                given = what(phone)
                results.append((time.monotonic() - began, given))
                if until.is_set():
                    return
        threads = [threading.Thread(target=repeat, args=(self.phones[name],)) for name in IN_DATABASE]
        for thread in threads:
            thread.start()
        return threads, results

    def expect_no_stall(self):
        self.assertNotIn("event=handler_holds_engine", self.jackfield.log)
        slow = [int(ms) for ms in re.findall(r"event=slow_turn ms=(\d+)", self.jackfield.log)]
        self.assertLess(max(slow, default=0), DEADLINE * 1000 / 2, "the engine thread waited")

    def expect_recovery(self):
        self.relay.latency = 0
        wait_for("a registration to be written again", lambda: self.status_of_register(self.phones["200"]) == 200, 3 * LATENCY + 20)

    @staticmethod
    def status_of_register(phone, seconds=DEADLINE + 5):
        first = phone.send(phone.register_request())
        refused = phone.expect((400, 599), "REGISTER", seconds=seconds)
        if refused.status != 401:
            return refused.status
        phone.send(phone.register_request(headers=[phone.credentials(refused, "REGISTER", first.uri)]))
        return phone.expect((200, 699), "REGISTER", seconds=seconds).status

    def test_N_8_who_needs_no_database_is_registered_as_before_and_who_does_is_refused_in_time(self):
        self.start()
        _, before = self.times_of_registrations()
        self.relay.latency = LATENCY
        done = threading.Event()
        threads, results = self.one_after_another(self.status_of_register, done)
        median, meanwhile = self.times_of_registrations()
        done.set()
        for thread in threads:
            thread.join()
        print(f"{self.id()}: p99 {before * 1000:.1f} ms before, {meanwhile * 1000:.1f} ms meanwhile (median {median * 1000:.1f} ms); "
              f"{len(results)} refusals, the latest after {max(results)[0]:.2f} s")
        self.assertLess(meanwhile, max(4 * before, 0.15))
        self.assertEqual({status for _, status in results}, {500})
        self.assertLess(max(results)[0], DEADLINE + SLACK)
        self.expect_no_stall()
        self.expect_recovery()

    def test_N_8_kept_answers_confirm_what_the_database_has_and_no_more(self):
        self.start(user_auth={"cache_stale": "1h"}, user_register={"on_fail": "cached"})
        self.relay.latency = LATENCY
        began = time.monotonic()
        self.assertEqual(self.status_of_register(self.phones["200"]), 200)
        other = self.phone(self.jackfield, "200", PASSWORD)  # a contact it does not have
        self.assertEqual(self.status_of_register(other), 500)
        self.assertLess(time.monotonic() - began, 4 * DEADLINE + 2 * SLACK)
        self.expect_no_stall()
        self.expect_recovery()

    def test_N_8_with_pass_the_other_handlers_have_the_word(self):
        self.start(user_auth={"on_fail": "pass"}, call_route={"on_fail": "pass"})
        self.relay.latency = LATENCY
        began = time.monotonic()
        self.assertEqual(self.status_of_register(self.phones["200"]), 401)  # nobody knows him
        self.assertLess(time.monotonic() - began, DEADLINE + SLACK)
        self.phones["100"].invite("299").refused(404, seconds=2 * DEADLINE + 5)
        self.expect_no_stall()

    def test_N_8_a_call_between_users_of_the_file_goes_on_and_its_records_follow(self):
        self.start(call_route={"on_fail": "pass"})
        self.relay.latency = LATENCY
        began = time.monotonic()
        call = self.phones["100"].invite("101")
        incoming = self.phones["101"].incoming(seconds=DEADLINE + 5)  # call.preroute asks the database, and passes at its deadline
        self.assertLess(time.monotonic() - began, DEADLINE + SLACK)
        incoming.accept()
        call.answered()
        call.bye()
        incoming.hung_up()
        self.expect_no_stall()
        self.relay.latency = 0
        wait_for("both records", lambda: self.database.sql("SELECT count(*) FROM calls WHERE ended = 1") == "2", 3 * LATENCY + 20)
        self.assertEqual(self.database.sql("SELECT count(*) FROM calls"), "2")
        self.assertEqual(self.database.sql("SELECT count(*) FROM calls_in_use"), "0")


main()
