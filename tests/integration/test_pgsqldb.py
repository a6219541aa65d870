"""Queries on a real PostgreSQL, sent straight into the bus: what goes in comes back unchanged, every write gets the verdict that is true,
and accounts come and go with the configuration (YT-14, YT-18)."""
import re
import threading
import time

from jackfield_test import main, wait_for
from jackfield_test.pgsql_case import PgsqlCase
from jackfield_test.postgres import DATABASE, PASSWORD, USER


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
    def test_YT_14_one_connection_reads_and_writes(self):
        database = self.postgres(fsync=False)
        self.jackfield_on(database, {"poolsize": 1})
        self.good("CREATE TABLE t (n int PRIMARY KEY)")
        database.sql("CREATE FUNCTION note(n int) RETURNS int LANGUAGE sql AS 'INSERT INTO t VALUES (n) RETURNING n'")
        sent = []
        for n in range(100):
            sent.append(self.door.send("database", {"account": "db", "query": "INSERT INTO t VALUES ('${n}')"}, {"n": n}))
            sent.append(self.door.send("database", {"account": "db", "query": "SELECT '${n}'::int AS n"}, {"n": n}))
        self.assertEqual({None}, {self.door.wait(number).error for number in sent})
        for query in ("SELECT note('${n}')", "SELECT '${n}'::int; SELECT note('${n}'::int)"):
            self.assertEqual([[b"%d" % (200 + len(query))]], self.good(query, {"n": 200 + len(query)}).rows)
        self.refused("query", "SELECT '${n}'::int", {"n": "many"})
        self.assertEqual("0", self.good("INSERT INTO t VALUES ('${n}') ON CONFLICT DO NOTHING", {"n": 1}, idempotency_key="k").parameters["affected"])
        self.assertEqual("102", database.sql("SELECT count(*) FROM t"))
        self.assertEqual("1", database.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'jackfield'"))

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

    def test_a_result_that_is_too_large_is_refused_before_it_fills_memory_and_harms_nobody_else(self):
        database = self.postgres(fsync=False)
        jackfield = self.jackfield_on(database, {"reconnect": "50ms", "reconnect_max": "200ms", "timeout": "30s"})
        self.good("CREATE TABLE t (n int)")
        large = "SELECT repeat('x', 1048576) FROM generate_series(1, 400)"
        for query in (large, f"{large}; SELECT 1", "INSERT INTO t SELECT 1 FROM generate_series(1, 400) RETURNING repeat('x', 1048576)"):
            with self.subTest(query):
                # Whose connection breaks twice within a second waits before the next: let this one have stood for as long.
                self.good("SELECT 1")
                time.sleep(1.1)
                numbers = [self.door.send("database", {"account": "db", "query": text}) for text in ("SELECT 1", query, "SELECT 2", "INSERT INTO t VALUES (7)")]
                answers = [self.door.wait(number, 30) for number in numbers]
                self.assertEqual([None, None, None], [answers[i].error for i in (0, 2, 3)])
                self.assertEqual("query", answers[1].failure)
                self.assertIn("the result has more than 64 MiB; ask for less", answers[1].error)
        self.assertEqual("3|3", database.sql("SELECT count(*), count(*) FILTER (WHERE n = 7) FROM t"))
        with open(f"/proc/{jackfield.process.pid}/status", encoding="ascii") as file:
            peak = int(re.search(r"VmHWM:\s*(\d+) kB", file.read())[1])
        self.assertLess(peak, 300 * 1024)


main()
