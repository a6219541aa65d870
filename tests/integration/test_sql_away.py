"""A database that is stopped, frozen, or there again after the server was killed: calls go on, and no record is lost or doubled."""
import os
import random
import re
import time

from jackfield_test import Case, main, wait_for
from jackfield_test.sql import ACCOUNT, shipped

KEPT = {"cache_stale": "1h", "deadline": "300ms"}


class SqlAway(Case):
    def setUp(self):
        super().setUp()
        self.database = self.postgres()
        settings = shipped()
        for section in ("user.auth", "call.route"):
            settings[section].update(KEPT)
        settings["call.preroute"].update({"deadline": "300ms"})
        settings["call.cdr"].update({"deadline": "500ms"})
        settings["linetracker"].update({"deadline": "500ms"})
        self.jackfield = self.server(start=False, modules=("sip", "callfork", "cdrbuild", "pgsqldb", "register"),
                                     settings={"pgsqldb": {ACCOUNT: {**self.database.settings, "reconnect": "50ms", "reconnect_max": "200ms"}}, "register": settings})
        self.jackfield.command("db", "init", ACCOUNT)
        self.phones = {}
        for name in ("101", "102"):
            password = re.search(r"Password: (\S+)", self.jackfield.command("user", "add", name).stdout)[1]
            self.phones[name] = self.phone(self.jackfield, name, password)
        self.jackfield.start()
        self.phones["101"].register()
        self.call()  # what is asked of the database is known from here on
        self.expect_records(2)

    def call(self):
        call = self.phones["102"].invite("101")
        incoming = self.phones["101"].incoming(seconds=8)
        incoming.accept()
        call.answered()
        call.bye()
        incoming.hung_up()

    def count(self, condition):
        return int(self.database.sql(f"SELECT count(*) FROM calls WHERE {condition}"))

    def expect_records(self, count):
        try:
            wait_for(f"{count} records", lambda: self.count("ended = 1") == count, 10)
        except AssertionError as error:
            raise AssertionError(f"{error}; there are\n{self.database.sql('SELECT runid, cdrid, direction, status, ended, time FROM calls ORDER BY time, cdrid')}") from None
        self.assertEqual(self.count("ended = 0"), 0)
        self.assertEqual(self.database.sql("SELECT count(*) FROM (SELECT DISTINCT runid, cdrid, time FROM calls) AS each"), str(count))
        wait_for("nothing to be in use", lambda: self.database.sql("SELECT count(*) FROM calls_in_use") == "0")

    def backlog(self):
        return int(re.search(r"backlog=(\d+)", self.jackfield.command("status", "register").stdout)[1])

    def test_N_7_calls_go_on_while_it_is_stopped_and_their_records_follow(self):
        self.database.stop()
        for _ in range(3):
            self.call()
        self.assertEqual(self.backlog(), 24)  # three calls, two legs, two stages, records and counts
        self.assertIn("event=records-wait", self.jackfield.log)
        self.database.start()
        self.expect_records(8)
        self.assertEqual(self.backlog(), 0)

    def test_N_7_records_survive_kill_9_while_it_is_stopped(self):
        self.database.stop()
        self.call()
        self.call()
        wait_for("the journal to have them", lambda: self.backlog() == 16)
        self.jackfield.kill()
        self.database.start()
        self.jackfield.start()
        self.expect_records(6)

    def test_N_8_frozen_calls_go_on_from_memory_and_what_was_in_doubt_is_written_once(self):
        self.database.freeze()
        self.call()
        self.database.thaw()
        self.expect_records(4)

    def test_a_call_that_the_server_did_not_live_to_end_is_closed_after_what_was_late(self):
        call = self.phones["102"].invite("101")
        self.phones["101"].incoming().accept()
        call.answered()
        wait_for("the call to be counted", lambda: self.database.sql("SELECT count(*) FROM calls_in_use") == "2")
        self.database.stop()
        self.jackfield.kill()
        self.jackfield.start()
        self.database.start()
        self.expect_records(4)
        self.assertEqual(self.count("status = 'lost'"), 2)

    def test_N_7_nothing_is_lost_or_doubled_by_kill_9_at_any_moment(self):
        seed = int(os.environ.get("JACKFIELD_TEST_SEED", "1"))
        dice = random.Random(seed)
        kills = 10 if os.environ.get("JACKFIELD_TEST_LENGTH") == "long" else 3
        for round_ in range(kills):
            with self.subTest(seed=seed, round=round_):
                self.call()
                if round_ % 3 == 1:
                    self.database.stop()  # what this run ends with is the next one's to write
                self.call()
                # One that is answered when the server is killed, and stands for a moment that differs each time.
                call = self.phones["102"].invite("101")
                self.phones["101"].incoming(seconds=8).accept()
                call.answered()
                time.sleep(dice.random() * 0.05)
                self.jackfield.kill()
                for phone in self.phones.values():
                    phone.forget()
                if round_ % 3 == 1:
                    self.database.start()
                self.jackfield.start()
        self.expect_records(2 + 6 * kills)
        self.assertEqual(self.count("status = 'answered'"), 2 + 4 * kills)
        self.assertEqual(self.count("status = 'lost'"), 2 * kills)

    def test_a_registration_is_refused_as_a_failure_and_no_wrong_password(self):
        self.database.stop()
        self.phones["101"].register(status=500)
        self.phone(self.jackfield, "103", "unknown").register(status=500)
        self.database.start()
        wait_for("registrations to be taken again", self.registers, 5)

    def test_N_8_a_phone_that_leaves_meanwhile_is_not_told_that_it_is_gone(self):
        phone = self.phones["101"]
        self.database.stop()
        phone.register(expires=0, status=500)
        self.assertEqual(self.call_reaches("101"), True)
        self.database.start()
        wait_for("it to be taken back", self.unregisters, 5)
        self.assertEqual(self.database.sql("SELECT count(*) FROM bindings"), "0")

    def call_reaches(self, user):
        call = self.phones["102"].invite(user)
        incoming = self.phones[user].incoming(seconds=8)
        incoming.reply(486)
        incoming.expect_request("ACK")
        call.refused(486)
        return True

    def unregisters(self):
        try:
            return self.phones["101"].unregister()
        except AssertionError:
            return None

    def registers(self):
        try:
            return self.phones["101"].register()
        except AssertionError:
            return None


main()
