"""A PostgreSQL that is away, frozen, stuck, or replaced by another holds up nobody but those who ask it, and them only for as long as they
said (N-8)."""
import threading
import time

from jackfield_test import main, wait_for
from jackfield_test.pgsql_case import PgsqlCase
from jackfield_test.postgres import DATABASE, USER


class Trouble(PgsqlCase):
    def test_N_8_a_server_that_is_not_there_at_the_start_is_used_once_it_is(self):
        database = self.postgres(fsync=False)
        database.stop()
        jackfield = self.jackfield_on(database, {"reconnect": "50ms", "reconnect_max": "200ms"})
        began = time.monotonic()
        self.assertIn("refused", wait_for("the account to be away", lambda: (answer := self.query("SELECT 1")).failure == "away" and answer.error))
        self.assertLess(time.monotonic() - began, 2)
        self.assertIn("conns=0,failed=1", jackfield.command("status", "pgsqldb").stdout)
        self.assertIn('jackfield_pgsqldb_away_count{account="db"} 1', jackfield.command("status", "--metrics").stdout)
        database.start()
        wait_for("the account to be up", lambda: self.query("SELECT 1").error is None)
        self.assertIn("conns=1,failed=0", jackfield.command("status", "pgsqldb").stdout)

    def test_N_8_a_frozen_server_holds_up_nobody_but_those_who_ask_it(self):
        database = self.postgres(fsync=False)
        jackfield = self.jackfield_on(database, {"timeout": "1s", "reconnect": "50ms", "reconnect_max": "200ms"})
        self.good("CREATE TABLE t (n int)")
        database.freeze()
        began = time.monotonic()
        late = [self.door.send("database", {"account": "db", "query": query, "deadline": deadline}) for query, deadline in
                (("SELECT 1", 300), ("INSERT INTO t VALUES (1)", 300), ("SELECT 2", 1000), ("INSERT INTO t VALUES (2)", 1000))]
        for number, seconds in zip(late, (0.3, 0.3, 1, 1)):
            # Meanwhile everything else goes on.
            asked = time.monotonic()
            self.assertEqual(0, jackfield.command("status", "--ready").returncode)
            self.assertLess(time.monotonic() - asked, 1)
            answer = self.door.wait(number)
            self.assertIn(answer.failure, ("late", "away"))
            self.assertLess(abs(time.monotonic() - began - seconds), 0.6)
        # Nothing answers a new connection either.
        wait_for("the account to be away", lambda: self.query("SELECT 1").failure == "away", 10)
        self.assertNotIn("event=slow", jackfield.log)
        database.thaw()
        wait_for("the account to be up", lambda: self.query("SELECT 1").error is None, 10)
        self.good("INSERT INTO t VALUES (3)")

    def test_N_8_a_query_that_hangs_in_a_lock_does_not_hang_the_others(self):
        database = self.postgres(fsync=False)
        self.jackfield_on(database, {"timeout": "6s"})
        self.good("CREATE TABLE t (id int PRIMARY KEY, n int)")
        self.good("INSERT INTO t VALUES (1, 0), (2, 0)")
        holder = threading.Thread(target=database.sql, args=("BEGIN; UPDATE t SET n = 1 WHERE id = 1; SELECT pg_sleep(6); COMMIT",))
        holder.start()
        wait_for("the row to be locked", lambda: database.sql("SELECT count(*) FROM pg_locks WHERE relation = 't'::regclass AND mode = 'RowExclusiveLock'") != "0")
        stuck = self.door.send("database", {"account": "db", "query": "UPDATE t SET n = 2 WHERE id = 1", "deadline": 500})
        others = [self.door.send("database", {"account": "db", "query": "UPDATE t SET n = n + 1 WHERE id = 2"}) for _ in range(20)]
        self.assertEqual("late", self.door.wait(stuck).failure)
        self.assertEqual([None] * 20, [self.door.wait(number).error for number in others])
        # Its session ends, so what was given up never happens.
        holder.join()
        self.assertEqual("1\n20", database.sql("SELECT n FROM t ORDER BY id"))

    def test_N_8_the_end_does_not_wait_for_a_frozen_server(self):
        database = self.postgres(fsync=False)
        jackfield = self.jackfield_on(database, {"timeout": "60s"})
        self.good("SELECT 1")
        database.freeze()
        for _ in range(10):
            self.door.send("database", {"account": "db", "query": "SELECT 1"})
            self.door.send("database", {"account": "db", "query": "CREATE TABLE x (n int)"})
        jackfield.command("status")
        self.assertLess(jackfield.stop(), 4)
        database.thaw()

    def test_N_8_the_server_in_a_list_that_takes_writes_is_used_and_followed(self):
        first = self.postgres(20)
        second = first.standby(self.address(21))
        self.addCleanup(second.close)
        nobody = self.address(22)
        # The standby and a host where nobody is come before the primary.
        self.jackfield_on({"connection": f"host={second.address},{nobody},{first.address} user={USER} dbname={DATABASE} password='it\\'s a \\\\ secret'"},
                          {"reconnect": "50ms", "reconnect_max": "200ms"})
        wait_for("the account to be up", lambda: self.query("SELECT 1").error is None)
        self.good("CREATE TABLE t (n int)")
        self.good("INSERT INTO t VALUES ('${n}')", {"n": 1})
        wait_for("the standby to have it", lambda: second.sql("SELECT count(*) FROM pg_class WHERE relname = 't'") == "1" and second.sql("SELECT count(*) FROM t") == "1")
        first.kill()
        second.promote()
        wait_for("the account to have followed", lambda: self.query("INSERT INTO t VALUES ('${n}')", {"n": 2}).error is None, 10)
        self.assertEqual("2", second.sql("SELECT count(*) FROM t"))


main()
