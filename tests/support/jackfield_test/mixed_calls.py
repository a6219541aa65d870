"""Many calls by sipp with outcomes of every kind, and what the call records in a database must say about them.

    calls = MixedCalls(case, server, database, count=80, rate=10, seed=1)
    calls.begin(); …trouble…; calls.wait(); calls.compare()

The caller's file of calls is made from the seed; each call has a number of its own in From, by which its records are found. sipp logs what it saw
of each call, and when; that is what the records are held to.
"""
import collections
import os
import random
import time

from .processes import wait_for

CALLER, PASSWORD = "caller", "an old song"
CALLEES = ("answers", "busy", "declines", "rings")
NOBODY = "nobody"
# (called, cancelled by the caller), and how many in twelve.
_KINDS = {("answers", False): 5, ("busy", False): 2, ("declines", False): 1, (NOBODY, False): 2, ("rings", True): 1, ("rings", False): 1}
# A record in the very moment of kill -9 may not have reached the journal: what ends then is closed by the next run as `lost`.
_MOMENT = 0.25
# sipp sees what the server did a little later, and on a busy machine much later.
_CLOCKS_DIFFER = 1.0


def server_settings():
    """Of sip.conf: callers use any number, and a phone that rings is left alone soon."""
    return {"general": {"check_from": "no"}, "call": {"maxcall": "1500"}, "guard": {"overload": "0"}}


class MixedCalls:
    def __init__(self, case, server, database, *, count, rate, seed, host=40):
        self.case, self.server, self.database, self.count, self.rate = case, server, database, count, rate
        self._host = host
        self.dice = random.Random(seed)
        self.kills = []
        self.plan = self._planned()
        self._caller = self._callee = None

    def _planned(self):
        kinds = [kind for kind, share in _KINDS.items() for _ in range(share)]
        each = [kinds[i % len(kinds)] for i in range(self.count)]
        self.dice.shuffle(each)
        return {f"c{i:04}": (*kind, self.dice.randrange(300, 1500)) for i, kind in enumerate(each)}

    # --- on the wire

    def register(self, expires=3600):
        """The phones register from the callee's address; sipp takes its calls."""
        port = next(self.case._ports)
        address = self.case.address(self._host)
        for user in CALLEES:
            phone = self.case.phone(self.server, user, PASSWORD, address=address)
            # The short deadlines of such a test may pass on a busy machine until something is known.
            wait_for(f"{user} to be registered", lambda: self._registers(phone, [f"<sip:{user}@{address}:{port}>"], expires), 20)
        self._callee = self.case.sipp("mixed_callee", self.server, "callee", address=address, port=port, calls=100_000,
                                      options=("-timeout", "900s", "-recv_timeout", 20_000, *self._logging)).listening()

    @staticmethod
    def _registers(phone, contacts, expires):
        try:
            return phone.register(contacts, expires=expires)
        except AssertionError:
            return None

    _logging = ("-trace_logs", "-log_file", "seen", "-max_log_size", 8_000_000)

    def begin(self):
        path = os.path.join(self.case.folder, "calls.csv")
        with open(path, "w", encoding="ascii") as file:
            file.write("SEQUENTIAL\n")
            file.writelines(f"{caller};{called};{talk};{'cancel' if cancel else 'stay'};\n" for caller, (called, cancel, talk) in self.plan.items())
        self.began = time.time()
        self._caller = self.case.sipp("mixed_caller", self.server, CALLER, PASSWORD, address=self.case.address(self._host + 1), calls=self.count,
                                      options=("-inf", path, "-r", self.rate, "-timeout", "900s", "-recv_timeout", 20_000, *self._logging))

    def kill_server(self):
        """kill -9 and another start."""
        self.kills.append(time.time())
        self.server.kill()
        self.server.start(30)

    def wait(self, seconds):
        """Until sipp has ended; every call went as sipp was told, or the server was killed."""
        status = self._caller.process.wait(seconds)
        if status and not self.kills:
            raise AssertionError(f"calls went otherwise than planned\n{self._caller._read('errors')[:4000]}")

    @property
    def is_over(self):
        return self._caller.process.status is not None

    # --- what sipp saw

    def seen(self, peer=None):
        """{number of the caller: {event: when}}."""
        out = collections.defaultdict(dict)
        for line in (peer or self._caller)._read("seen").splitlines():
            event, caller, _, _, seconds = line.split()  # day, time of day, and both as seconds since 1970
            out[caller].setdefault(event, float(seconds))
        return out

    def outcomes(self):
        """{number of the caller: answered, a code, or None where it was cut off}."""
        out = {}
        for caller in self.plan:
            events = self.seen_by_caller[caller]
            refused = next((int(event.removeprefix("refused-")) for event in events if event.startswith("refused-")), None)
            out[caller] = "answered" if "ended" in events else refused
        return out

    # --- against the records

    _COLUMNS = "caller, called, direction, status, reason, ended, time, duration, billtime, ringtime, runid, cdrid"

    def rows(self):
        names = self._COLUMNS.split(", ")
        rows = []
        for line in self.database.sql(f"SELECT {self._COLUMNS} FROM calls ORDER BY time, cdrid").splitlines():
            row = dict(zip(names, line.split("|")))
            for name in ("time", "duration", "billtime", "ringtime"):
                row[name] = float(row[name] or 0)
            rows.append(row)
        return rows

    def settled(self, seconds=20):
        """Nothing waits, nothing is open, nothing is in use."""
        sql = self.database.sql
        wait_for("no leg to be left", lambda: ";chans=0," in self.server.command("status", "sip").stdout, seconds)
        wait_for("all records to be ended", lambda: sql("SELECT count(*) FROM calls WHERE ended = 0") == "0" and "backlog=0," in self.server.command("status", "register").stdout, seconds)
        wait_for("no call to be in use", lambda: sql("SELECT count(*) FROM calls_in_use") == "0")
        status = self.server.command("status", "callcounters").stdout
        self.case.assertIn("counters=0", status)

    def compare(self):
        """Every call that sipp counted has its record, once, and the records say what sipp saw."""
        case = self.case
        self.seen_by_caller = self.seen()
        outcomes = self.outcomes()
        rows = self.rows()
        keys = collections.Counter((row["runid"], row["cdrid"], row["direction"]) for row in rows)
        case.assertEqual([key for key, times in keys.items() if times > 1], [], "records that are there twice")
        by_caller = collections.defaultdict(list)
        for row in rows:
            if row["direction"] == "incoming":
                by_caller[row["caller"]].append(row)
        for caller, outcome in outcomes.items():
            with case.subTest(caller=caller, plan=self.plan[caller], outcome=outcome):
                self._compare_call(caller, outcome, by_caller[caller])
        if not self.kills:
            case.assertNotIn(None, outcomes.values())
            case.assertEqual(sum(len(by_caller[caller]) for caller in self.plan), self.count)
            called = [caller for caller in self.seen(self._callee) if caller in self.plan]
            case.assertEqual(sorted(row["caller"] for row in rows if row["direction"] == "outgoing" and row["caller"] in self.plan), sorted(called))
            self._compare_sums(outcomes, by_caller)
        return collections.Counter(str(outcome) for outcome in outcomes.values())

    def _compare_call(self, caller, outcome, rows):
        case, events = self.case, self.seen_by_caller[caller]
        whole = [row for row in rows if row["status"] != "lost"]
        end = max(events.values(), default=0)
        hurt = [kill for kill in self.kills if min(events.values(), default=0) - _MOMENT < kill < end + _MOMENT]
        if outcome is None or hurt:
            # It began before a kill: what it was is closed, and it is not there twice.
            case.assertLessEqual(len(whole), 1, rows)
            if hurt and min(events.values()) < hurt[0] - _MOMENT:
                case.assertGreaterEqual(len(rows), 1)
            return
        case.assertEqual(len(whole), 1, rows)
        case.assertEqual(len(rows), 1, rows)
        row, = rows
        case.assertEqual(row["called"], self.plan[caller][0])
        case.assertEqual(row["status"] == "answered", outcome == "answered", row)
        if outcome == "answered":
            case.assertLess(abs(row["billtime"] - (events["bye"] - events["answered"])), _CLOCKS_DIFFER, row)
            case.assertGreater(row["billtime"], self.plan[caller][2] / 1000 - 0.05, row)
        else:
            case.assertEqual(row["billtime"], 0, row)
            case.assertIn(row["reason"], _REASONS[outcome], row)
        case.assertLess(abs(row["duration"] - (end - events["invited"])), _CLOCKS_DIFFER, row)

    def _compare_sums(self, outcomes, by_caller):
        """Single moments may be seen late; all together they agree."""
        talked = sum(self.seen_by_caller[caller]["bye"] - self.seen_by_caller[caller]["answered"] for caller, outcome in outcomes.items() if outcome == "answered")
        billed = sum(row["billtime"] for caller in self.plan for row in by_caller[caller])
        self.case.assertLess(abs(billed - talked), 0.1 * talked, f"{billed} s billed, {talked} s talked")


# The reason that the record of a refused call gives, by what the caller heard.
_REASONS = {404: ("noroute",), 486: ("busy",), 603: ("forbidden",), 487: ("Cancelled",), 480: ("noanswer",), 500: ("failure",)}

