"""`jackfield cdr list|export` after the same calls: the same records from the file, from SQLite and from PostgreSQL."""
import csv
import datetime
import io
import json
import time

from jackfield_test import Case, main, wait_for
from jackfield_test.sql import ACCOUNT, OnPostgres, OnSqlite, shipped

COLUMNS = ["time", "billid", "chan", "address", "caller", "called", "billtime", "ringtime", "duration", "direction", "status", "reason"]
PASSWORD = "an old song"


class Records:
    """102 calls 101, who answers; then a number that nobody has."""
    DATABASE_MODULE = None

    def setUp(self):
        super().setUp()
        modules, settings = ["sip", "regfile", "callfork", "cdrbuild", "cdrfile"], {}
        if self.DATABASE_MODULE:
            register = shipped()
            # Users are in the file; calls go to both, so that one can be held against the other.
            register["general"] = {key: "yes" if key == "call.cdr" else "no" for key in register["general"]}
            modules += [self.DATABASE_MODULE, "register"]
            settings = {self.DATABASE_MODULE: {ACCOUNT: self.start_database()}, "register": register}
        self.jackfield = self.server({"101": PASSWORD, "102": PASSWORD}, start=False, modules=modules, settings=settings)
        if self.DATABASE_MODULE:
            self.jackfield.command("db", "init", ACCOUNT)
        self.jackfield.start()

    def play(self):
        callee, caller = (self.phone(self.jackfield, name, PASSWORD) for name in ("101", "102"))
        callee.register()
        call = caller.invite("101")
        incoming = callee.incoming()
        incoming.accept()
        call.answered()
        time.sleep(0.3)
        call.bye()
        incoming.hung_up()
        self.between = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
        time.sleep(0.1)
        caller.invite("999").refused(404)
        self.jackfield.expect_records(3)
        wait_for("the same number of records", lambda: len(self.exported()) == 3)

    def exported(self, *options):
        text = self.jackfield.command("cdr", "export", "--csv", *options).stdout
        rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
        return sorted(rows, key=lambda row: (row["time"], row["chan"]))

    def in_the_file(self):
        """The file's own lines, in the words of the export."""
        def iso(seconds):
            moment = datetime.datetime.fromtimestamp(float(seconds), datetime.timezone.utc)
            return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        rows = [dict(zip(COLUMNS, line)) for line in self.jackfield.records]
        return sorted(({**row, "time": iso(row["time"])} for row in rows), key=lambda row: (row["time"], row["chan"]))

    def test_csv_and_json_are_the_records_that_were_written(self):
        self.play()
        expected = self.in_the_file()
        self.assertEqual([(row["called"], row["status"]) for row in expected if row["direction"] == "outgoing"], [("101", "answered")])
        self.assertEqual([{name: row[name] for name in COLUMNS} for row in self.exported()], expected)
        objects = json.loads(self.jackfield.command("cdr", "export", "--json").stdout)
        for row in objects:
            for name in ("billtime", "ringtime", "duration"):
                row[name] = f"{row[name]:.3f}"
        self.assertEqual(sorted(({name: row[name] for name in COLUMNS} for row in objects), key=lambda row: (row["time"], row["chan"])), expected)

    def test_a_time_divides_them_and_list_shows_the_last(self):
        self.play()
        before, after = self.exported("--until", self.between), self.exported("--since", self.between)
        self.assertEqual(([row["called"] for row in before], [row["called"] for row in after]), (["101", "101"], ["999"]))
        head, *lines = self.jackfield.command("cdr", "list").stdout.splitlines()
        self.assertEqual(head.split()[0], "time")
        self.assertEqual([line.split()[3] for line in lines], ["101", "101", "999"])
        self.assertEqual([line.split()[0] for line in lines], [row["time"] for row in before + after])
        self.assertIn(" 999 ", self.jackfield.command("cdr", "list", "--last", "1").stdout)
        self.assertEqual(len(self.jackfield.command("cdr", "list", "--last", "1").stdout.splitlines()), 2)
        self.assertEqual(len(self.jackfield.command("cdr", "list", "--user", "101").stdout.splitlines()), 3)
        self.assertEqual(len(self.jackfield.command("cdr", "list", "--user", "' OR 1=1 --").stdout.splitlines()), 1)
        self.assertEqual(len(self.jackfield.command("cdr", "list", "--since", self.between).stdout.splitlines()), 2)
        wrong = self.jackfield.command("cdr", "export", "--csv", "--since", "yesterday", check=False)
        self.assertEqual(wrong.returncode, 2)
        self.assertIn("usage: jackfield cdr list", wrong.stderr)


class ManyRecords(Records):
    def test_more_records_than_a_page_each_once(self):
        # Three at the same time, which has more digits than milliseconds: pages part within it.
        for start in range(0, 2500, 500):
            rows = ", ".join(f"('n', 'r{i % 3}', '{i}', {1700000000 + i // 3 / 7!r}, 'r{i % 3}-{i}', 1)" for i in range(start, start + 500))
            self.database.sql(f"INSERT INTO calls (nodename, runid, cdrid, time, billid, ended) VALUES {rows}; SELECT 1")
        self.database.sql("INSERT INTO calls (nodename, runid, cdrid, time) VALUES ('n', 'r0', 'up', 1000); SELECT 1")  # a call that is up has no end yet
        exported = [row["billid"] for row in self.exported()]
        self.assertEqual(len(exported), 2500)
        self.assertEqual(set(exported), {f"r{i % 3}-{i}" for i in range(2500)})


class RecordsInTheFile(Records, Case):
    pass


class RecordsOnSqlite(OnSqlite, ManyRecords, Case):
    pass


class RecordsOnPostgres(OnPostgres, ManyRecords, Case):
    pass


main()
