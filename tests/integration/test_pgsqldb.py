"""Queries on a real PostgreSQL, sent straight into the bus: what goes in comes back unchanged, every write gets the verdict that is true,
and a server that is away, frozen, killed or replaced holds nobody up (YT-14, YT-18, N-7, N-8)."""
import threading
import time

from jackfield_test import BusDoor, Case, main, wait_for
from jackfield_test.postgres import DATABASE, PASSWORD, USER, Postgres

MODULES = ("pgsqldb", "busdoor")


class PgsqlCase(Case):
    def jackfield_on(self, database, keys=None, start=True):
        """A server whose account `db` is on that database; `keys` are further ones of the account."""
        account = {**(database.settings if isinstance(database, Postgres) else database), **(keys or {})}
        # In a file of the dialect a backslash before a line's end and a `;` mean something; the password has neither.
        server = self.server(settings={"pgsqldb": {"db": account}}, modules=MODULES, start=start)
        if start:
            self.door = BusDoor(server)
            self.addCleanup(self.door.close)
        return server

    def query(self, text, values=None, **parameters):
        return self.door.ask("database", {"account": "db", "query": text, **parameters}, values)

    def good(self, text, values=None, **parameters):
        answer = self.query(text, values, **parameters)
        self.assertTrue(answer.handled)
        self.assertIsNone(answer.error, text)
        return answer

    def refused(self, failure, text, values=None, **parameters):
        answer = self.query(text, values, **parameters)
        self.assertTrue(answer.handled)
        self.assertEqual(failure, answer.failure, answer)
        self.assertTrue(answer.error)
        return answer


class Queries(PgsqlCase):
    """All on one server, which takes longer to start than these take."""

    def setUp(self):
        super().setUp()
        self.database = self.postgres(fsync=False)
        self.jackfield = self.jackfield_on(self.database)

    def test_YT_14_YT_18_values_arrive_unchanged_or_are_refused(self):
        self.database.sql("CREATE TABLE kept (n serial, v text); CREATE TABLE \"odd name\" (\"it's\" text)")
        ugly = ["", "it's", "''", "\\", "\\'", "a\\", "%", "%s %d", "$1", "$$x$$", "${x}", "${v}", "a;b", "--", "/*", "*/", "\"", "`", "\t\r\n", "é漢字😀",
                "'; DROP TABLE kept; --", "\\x41", "E'\\n'", "\x01\x7f", "x" * 100_000, "null", "NULL"]
        for value in ugly:
            with self.subTest(value[:20]):
                whole = self.good("INSERT INTO kept (v) VALUES ('${v}') RETURNING v", {"v": value})
                self.assertEqual([[value.encode()]], whole.rows)
                self.assertEqual("1", whole.parameters["affected"])
                inside = self.good("SELECT 'a ${v} b', E'\\t${v}', '${v}' = v FROM kept WHERE v LIKE '${v}%' OR true ORDER BY n DESC LIMIT 1", {"v": value})
                self.assertEqual([f"a {value} b".encode(), b"\t" + value.encode(), b"t"], inside.rows[0])
                if value and "\0" not in value and len(value) < 60:
                    name = self.good("SELECT 1 AS \"${v}\"", {"v": value})
                    self.assertEqual([value], name.columns)
        self.assertEqual(str(len(ugly)), self.database.sql("SELECT count(*) FROM kept"))

        for value in (b"a\0b", b"\xff", b"caf\xe9", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"):
            with self.subTest(value):
                for query in ("SELECT '${v}'", "SELECT 'a ${v}'"):
                    self.assertIn("${v}", self.refused("value", query, {"v": value}).error)
        self.refused("value", b"SELECT '\xff'")
        self.refused("value", "SELECT ${v}", {"v": "1; DROP TABLE kept"})
        self.refused("value", "INSERT INTO kept (v) VALUES ('x')", idempotency_key=b"\xff")

    def test_YT_14_cells_are_null_bytes_or_text(self):
        answer = self.good("SELECT NULL::text AS none, ''::text AS empty, '\\x00ff27'::bytea AS raw, true AS yes, 12.50 AS number, ARRAY[1,2] AS list")
        self.assertEqual(["none", "empty", "raw", "yes", "number", "list"], answer.columns)
        self.assertEqual([[None, b"", b"\x00\xff'", b"t", b"12.50", b"{1,2}"]], answer.rows)
        self.assertEqual(("1", "6", "0", "pgsqldb"), tuple(answer.parameters[name] for name in ("rows", "columns", "affected", "dbtype")))
        nothing = self.good("SELECT 1 AS one WHERE false")
        self.assertEqual((["one"], [], "0"), (nothing.columns, nothing.rows, nothing.parameters["rows"]))
        self.assertEqual([], self.good("SELECT 1", results="false").columns)

    def test_YT_14_several_statements_are_one_transaction_and_the_last_rows_stay(self):
        self.database.sql("CREATE TABLE t (n int PRIMARY KEY)")
        both = self.good("INSERT INTO t VALUES (1), (2); INSERT INTO t SELECT '${n}'; SELECT n FROM t ORDER BY n; SELECT 7 AS seven, 8", {"n": "3"})
        self.assertEqual(("3", "4", [[b"7", b"8"]]), (both.parameters["affected"], both.parameters["rows"], both.rows))
        self.refused("query", "INSERT INTO t VALUES (4); INSERT INTO t VALUES (1)")
        self.assertEqual("3", self.database.sql("SELECT count(*) FROM t"))
        self.good("CREATE TABLE other (n int); DROP TABLE other")
        self.assertIn("transaction", self.refused("query", "BEGIN").error)
        self.assertIn("COPY", self.refused("query", "COPY t TO STDOUT").error)
        self.good("SELECT 1")

    def test_YT_18_queries_that_do_not_take_parameters_go_with_literals(self):
        for query, values, expected in (
                ("SELECT INTERVAL '${x}'", {"x": "90 minutes"}, b"01:30:00"),
                ("SELECT '${x}' IS NULL", {"x": "it's"}, b"f"),
                ("SELECT '${a}' || '${b}'", {"a": "it's", "b": "\\"}, b"it's\\"),
                ("SELECT DATE '${x}' + 1", {"x": "2026-02-28"}, b"2026-03-01"),
                ("SELECT n FROM generate_series(1, 9) n LIMIT '${x}'", {"x": "1"}, b"1")):
            for _ in range(3):
                with self.subTest(query):
                    self.assertEqual(expected, self.good(query, values).rows[0][0])
        # A value that is wrong does not make the query so.
        self.refused("query", "SELECT INTERVAL '${x}'", {"x": "a while"})
        self.refused("query", "SELECT '${x}'::int", {"x": "many"})
        self.assertEqual(b"5", self.good("SELECT '${x}'::int", {"x": "5"}).rows[0][0])

    def test_YT_14_a_function_that_writes_is_run_where_writing_is_allowed(self):
        self.database.sql("CREATE TABLE calls (n int); CREATE FUNCTION note(n int) RETURNS int LANGUAGE sql AS 'INSERT INTO calls VALUES (n) RETURNING n'")
        for number in range(3):
            self.assertEqual(b"%d" % number, self.good("SELECT note('${n}')", {"n": number}).rows[0][0])
        self.good("WITH new AS (INSERT INTO calls VALUES (9) RETURNING n) SELECT * FROM new")
        self.assertEqual("4", self.database.sql("SELECT count(*) FROM calls"))

    def test_YT_14_each_write_of_a_group_gets_its_own_verdict(self):
        self.database.sql("CREATE TABLE users (name text PRIMARY KEY, n int CHECK (n < 1000))")
        numbers = {}
        for n in range(300):
            value = 5000 if n in (17, 203) else "many" if n == 99 else n
            name = "user1" if n == 150 else f"user{n}"
            numbers[self.door.send("database", {"account": "db", "query": "INSERT INTO users VALUES ('${name}', '${n}')"}, {"name": name, "n": value})] = n
        bad = {}
        for _ in range(300):
            number, answer = self.door.receive()
            if answer.error:
                bad[numbers[number]] = answer
        self.assertEqual({17, 99, 150, 203}, set(bad))
        self.assertEqual({"query"}, {answer.failure for answer in bad.values()})
        self.assertEqual("296", self.database.sql("SELECT count(*) FROM users"))

    def test_YT_14_a_changed_schema_needs_no_restart(self):
        self.database.sql("CREATE TABLE t (n int); INSERT INTO t VALUES (1)")
        read = lambda: self.good("SELECT * FROM t WHERE n = '${n}'", {"n": 1}).rows
        self.assertEqual([[b"1"]], read())
        self.database.sql("ALTER TABLE t ADD COLUMN more text DEFAULT 'new'")
        self.assertEqual([[b"1", b"new"]], read())
        self.refused("query", "SELECT * FROM not_there WHERE n = '${n}'", {"n": 1})
        self.database.sql("CREATE TABLE not_there AS SELECT * FROM t")
        self.assertEqual("1", self.good("SELECT * FROM not_there WHERE n = '${n}'", {"n": 1}).parameters["rows"])

    def test_YT_14_deadlocks_and_serialisation_failures_are_run_again(self):
        self.database.sql("CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 0), (2, 0)")
        # The other side takes row 1, then wants row 2, and is in no hurry to find the deadlock.
        other = threading.Thread(target=self.database.sql, args=(
            "SET deadlock_timeout = '20s'; BEGIN; UPDATE t SET n = n + 1 WHERE id = 1; SELECT pg_sleep(0.5); UPDATE t SET n = n + 1 WHERE id = 2; COMMIT",))
        other.start()
        wait_for("the other side to hold its row", lambda: self.database.sql("SELECT count(*) FROM pg_locks WHERE relation = 't'::regclass AND mode = 'RowExclusiveLock'") != "0")
        self.good("UPDATE t SET n = n + 10 WHERE id = 2; SELECT pg_sleep(1); UPDATE t SET n = n + 10 WHERE id = 1")
        other.join()
        self.assertEqual("11\n11", self.database.sql("SELECT n FROM t ORDER BY id"))

        self.database.sql(f"ALTER DATABASE {DATABASE} SET default_transaction_isolation = 'serializable'")
        self.database.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'jackfield'")
        other = threading.Thread(target=self.database.sql, args=("BEGIN; UPDATE t SET n = n + 1 WHERE id = 1; SELECT pg_sleep(1); COMMIT",))
        other.start()
        wait_for("the other side to hold its row", lambda: self.database.sql("SELECT count(*) FROM pg_locks WHERE relation = 't'::regclass AND mode = 'RowExclusiveLock'") != "0")
        self.good("UPDATE t SET n = n + 10 WHERE id = '${id}'", {"id": 1})
        other.join()
        self.assertEqual("22", self.database.sql("SELECT n FROM t WHERE id = 1"))


class Accounts(PgsqlCase):
    def test_YT_14_an_account_nobody_has_is_not_handled_and_secrets_stay_secret(self):
        database = self.postgres(fsync=False)
        jackfield = self.jackfield_on(database, {"poolsize": 3})
        self.assertFalse(self.door.ask("database", {"account": "other", "query": "SELECT 1"}).handled)
        self.good("SELECT 1")
        line = jackfield.command("status", "pgsqldb").stdout
        self.assertRegex(line, r"^name=pgsqldb,type=database,format=Total\|Failed\|Errors\|AvgExecTime.*;conns=1,failed=0;db=1\|0\|0\|")
        self.assertIn('jackfield_pgsqldb_queries_total{account="db"} 1', jackfield.command("status", "--metrics").stdout)
        # A wrong password, in each of the two ways to write one.
        wrong = "n0t the p'assword"
        quoted = wrong.replace("'", "\\'")
        for keys in ({"password": wrong}, {"connection": f"host={database.address} dbname={DATABASE} user={USER} password='{quoted}'"}):
            jackfield.settings["pgsqldb"] = {"db": {**({} if "connection" in keys else database.settings), **keys}}
            jackfield.write_settings()
            jackfield.command("reload")
            error = wait_for("the account to be refused", lambda: (answer := self.query("SELECT 1")).failure == "away" and answer.error)
            self.assertIn("password authentication failed", error)
            everything = jackfield.log + error + jackfield.command("status").stdout + jackfield.command("check", check=False).stdout
            self.assertNotIn("n0t", everything)
            self.assertNotIn(PASSWORD, everything)

    def test_YT_14_a_reload_changes_accounts_and_a_bad_file_changes_nothing(self):
        database = self.postgres(fsync=False)
        jackfield = self.jackfield_on(database)
        self.good("CREATE TABLE t (n int)")
        slow = self.door.send("database", {"account": "db", "query": "INSERT INTO t SELECT 1 FROM pg_sleep(0.5)"})
        jackfield.settings["pgsqldb"] = {"new": {**database.settings, "timeout": "5s"}}
        jackfield.write_settings()
        jackfield.command("reload")
        self.assertFalse(self.query("SELECT 1").handled)
        self.assertIsNone(self.door.ask("database", {"account": "new", "query": "SELECT 1"}).error)
        # What the old account was asked, it still answers.
        self.assertEqual("1", self.door.wait(slow).parameters["affected"])
        wait_for("the old connections to be gone", lambda: database.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'jackfield'") == "2")

        jackfield.settings["pgsqldb"] = {"new": {"connection": "host=a secret"}}
        jackfield.write_settings()
        refused = jackfield.command("reload", check=False)
        self.assertNotEqual(0, refused.returncode)
        self.assertIn("connection= is not understood", refused.stdout + refused.stderr)
        self.assertNotIn("secret", refused.stdout + refused.stderr)
        self.assertIsNone(self.door.ask("database", {"account": "new", "query": "SELECT 1"}).error)


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
