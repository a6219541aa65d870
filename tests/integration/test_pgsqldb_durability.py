"""PostgreSQL is killed while many write, and its sessions are ended: with a key, each write is there once (N-7)."""
import threading
import time

from jackfield_test import main
from jackfield_test.pgsql_case import PgsqlCase


class Durability(PgsqlCase):
    """Writes from many, with keys, while the server is killed: each is there once."""

    WRITE = "INSERT INTO bindings (aor, n) VALUES ('${aor}', '${n}')"

    def write_all(self, database, count, window, crashes):
        """Sends `count` writes, `window` at a time, each again until it worked; after so many as `crashes` name, PostgreSQL is killed, and back
        a moment later."""
        waiting, done, repeated, sent, back = {}, 0, 0, 0, None
        self.unknown = set()

        def send(n):
            waiting[self.door.send("database", {"account": "db", "query": self.WRITE, "idempotency_key": f"run,{n}"}, {"aor": f"user{n % 997}", "n": n})] = n

        while done < count:
            while sent < count and len(waiting) < window:
                send(sent)
                sent += 1
            number, answer = self.door.receive(20)
            n = waiting.pop(number)
            if answer.error is None or "not known" in answer.error:
                done += 1
                if answer.error:
                    self.unknown.add(n)
                if done in crashes:
                    database.kill()
                    back = time.monotonic() + 0.3
            else:
                self.assertIn(answer.failure, ("away", "late"), answer)
                repeated += 1
                time.sleep(0.002)
                send(n)
            if back and time.monotonic() > back:
                database.start()
                back = None
        return repeated

    def expect_each_once(self, database, count):
        self.assertEqual(f"{count}|{count}|0|{count - 1}", database.sql("SELECT count(*), count(DISTINCT n), min(n), max(n) FROM bindings"))

    def test_N_7_ten_thousand_writes_through_two_crashes_are_there_once(self):
        database = self.postgres()
        database.sql("CREATE TABLE bindings (aor text, n int)")
        jackfield = self.jackfield_on(database, {"reconnect": "50ms", "reconnect_max": "200ms"})

        self.assertGreater(self.write_all(database, 10_000, 256, (2000, 6000)), 0)
        self.expect_each_once(database, 10_000)
        self.assertIn("event=connection_lost", jackfield.log)
        self.assertEqual("10000", database.sql("SELECT count(*) FROM jackfield_applied"))
        # Asked once more, none of them is written again.
        self.assertEqual("0", self.good(self.WRITE, {"aor": "user1", "n": 1}, idempotency_key="run,1").parameters["affected"])
        self.expect_each_once(database, 10_000)

    def test_N_7_where_no_table_may_be_made_transactions_tell_whether_they_were_committed(self):
        database = self.postgres()
        database.sql("CREATE TABLE bindings (aor text, n int); CREATE ROLE phone LOGIN PASSWORD 'phone'; GRANT ALL ON bindings TO phone")
        jackfield = self.jackfield_on(database, {"user": "phone", "password": "phone", "reconnect": "50ms", "reconnect_max": "200ms"})
        self.assertGreater(self.write_all(database, 2000, 64, (500, 1200)), 0)
        # After a crash the server gives numbers of transactions twice: what cannot be known is told, and nothing else is lost or doubled.
        self.assertLessEqual(len(self.unknown), 2 * 64)
        rows = [int(n) for n in database.sql("SELECT n FROM bindings ORDER BY n").split()]
        self.assertEqual(sorted(set(rows)), rows)
        self.assertEqual(set(range(2000)) - self.unknown, set(rows) - self.unknown)
        self.assertEqual(len(self.unknown), jackfield.log.count("event=write_unknown"))
        self.assertIn("event=no_applied_table", jackfield.log)
        self.assertEqual("0", database.sql("SELECT count(*) FROM pg_class WHERE relname = 'jackfield_applied'"))

    def test_N_7_a_session_that_is_ended_while_it_commits_leaves_no_doubt(self):
        database = self.postgres()
        database.sql("CREATE TABLE bindings (aor text, n int); CREATE ROLE phone LOGIN PASSWORD 'phone'; GRANT ALL ON bindings TO phone")
        jackfield = self.jackfield_on(database, {"user": "phone", "password": "phone", "reconnect": "10ms", "reconnect_max": "50ms"})
        self.door.ask("database", {"account": "db", "query": self.WRITE, "idempotency_key": "first"}, {"aor": "user", "n": -1})
        ending = True

        def end_sessions():
            while ending:
                database.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'phone'")
                time.sleep(0.4)

        thread = threading.Thread(target=end_sessions)
        thread.start()
        try:
            self.write_all(database, 3000, 64, ())
        finally:
            ending = False
            thread.join()
        self.assertEqual(set(), self.unknown)
        self.assertEqual("3001|3001", database.sql("SELECT count(*), count(DISTINCT n) FROM bindings"))
        self.assertIn("event=connection_lost", jackfield.log)


main()
