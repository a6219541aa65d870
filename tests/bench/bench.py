"""Usage: scripts/bench [--quick] [--repeat N] [register] [calls] [idle] [memory] [scale] [sql] [upper] [database] [scripts]

Measures Jackfield beside Kamailio and the limit (a program that only reads and writes datagrams) in one run on this machine, servers
in turn, and prints what an operation costs: microseconds of processor time of all of a server's processes. Everything stays on
127.0.0.0/8. Without a name all measurements are taken. They are taken three times, or N times; --quick takes them small, and once
unless --repeat says otherwise, which shows that they work rather than how things stand.

  register   registration with digest (401, then 200) and refresh (200 at once); bindings in memory and on disk
  calls      INVITE, 180, 200, ACK, BYE, 200 through the server, SDP passed through; few calls and many
  idle       100 registrations a second; and how often a server without work wakes up
  memory     bytes a binding takes
  scale      the cost with 2,000 and with 200,000 users; the time a start with all of them takes
  sql        registration with users and bindings in PostgreSQL, beside Kamailio's on the same PostgreSQL, and in SQLite; each 200 after its commit
  upper      registration of 10,000 phones that a Kamailio behind the server agrees to, credentials passed through; beside a Kamailio that adds Path
  scripts    messages through a script on a socket: sent, handed to another script, answered, and back
  database   reading a user and writing a binding, as a registration does, in PostgreSQL: the bus, the module and the server
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import databases
import measure
import servers
from jackfield_test.postgres import Postgres
from table import Table, duration


def progress(text):
    """One line that is written over, for a person who waits."""
    if sys.stderr.isatty():
        print(f"\r{text}\033[K", end="", file=sys.stderr, flush=True)


class Bench:
    def __init__(self, build, folder, quick, repeat):
        self._build = build
        self._quick = quick
        self._repeat = repeat or (1 if quick else 3)
        self.limit, self.kamailio, self.jackfield = (server(folder, build) for server in servers.ALL)
        self.far = servers.Far(folder, build)
        self.failures = 0

    def size(self, full, quick):
        return quick if self._quick else full

    # --- one run

    def load(self, program, *options):
        """Runs a load generator on processor 1 and returns its report."""
        command = ["taskset", "-c", "1", os.path.join(self._build, "bench", program), f"--port={servers.PORT}", *options]
        result = subprocess.run(command, capture_output=True, text=True, timeout=400)
        if not result.stdout:
            raise RuntimeError(f"{' '.join(command)}: {result.stderr}")
        return json.loads(result.stdout)

    def run(self, server, profile, users, program, options, count, warm=100, database=None):
        """Starts the server, warms it up, and measures `count` operations; with a Postgres what that takes meanwhile, too."""
        server.start(profile, users)
        try:
            self.load(program, *options, f"--count={warm}")
            before = measure.cpu_seconds(database.pids) if database else 0
            report = self.measured(server, program, options, count)
            if database:
                report["database_us"] = (measure.cpu_seconds(database.pids) - before) * 1e6 / count
            return report
        finally:
            server.stop()

    def measured(self, server, program, options, count):
        pids = server.pids
        cpu = measure.cpu_seconds(pids)
        report = self.load(program, *options, f"--count={count}")
        report["cpu_us"] = (measure.cpu_seconds(pids) - cpu) * 1e6 / max(report["ok"], 1)
        if report["failed"] or report["ok"] != count:
            self.failures += 1
            print(f"{server.name}: {report['failed']} of {count} failed: {report['reasons']}", file=sys.stderr)
        return report

    def compare(self, title, cases, goals):
        """Runs each case of {row: function giving a report} in turn, and again; prints medians. `goals`: {row: (row it is compared
        with, most it may be times that), or several such}."""
        reports = {row: [] for row in cases}
        for number in range(self._repeat):
            for row, case in cases.items():
                progress(f"{title}, {number + 1} of {self._repeat}: {row}")
                reports[row].append(case())
        progress("")

        def median(row, key):
            return statistics.median(report[key] for report in reports[row])
        table = Table(title, "server", "CPU µs", "from–to", "× limit", "× Kamailio", "per second", "p50", "p99", "goal")
        for row in cases:
            costs = [report["cpu_us"] for report in reports[row]]
            ratios = [f"{median(row, 'cpu_us') / median(other, 'cpu_us'):.2f}" if other in cases and row != other else ""
                      for other in (self.limit.name, self.kamailio.name)]
            texts = []
            wanted = goals.get(row, [])
            for other, most in wanted if isinstance(wanted, list) else [wanted]:
                ratio = median(row, "cpu_us") / median(other, "cpu_us")
                texts.append(f"{ratio:.2f} ≤ {most} × {other}: {'met' if ratio <= most else 'missed'}")
            goal = "; ".join(texts)
            table.row(row, f"{median(row, 'cpu_us'):.1f}", f"{min(costs):.1f}–{max(costs):.1f}", *ratios, f"{median(row, 'per_second'):.0f}",
                      duration(median(row, "p50_us")), duration(median(row, "p99_us")), goal)
        table.print()

    # --- the measurements

    def register(self):
        count, users = self.size(50000, 2000), 10000
        for title, mode, most in (("Registration with digest", "auth", 2.2), ("Refresh of a registration", "refresh", 2.5)):
            options = [f"--mode={mode}", f"--users={users}"]

            def case(server, profile, window=32, options=options):
                return lambda: self.run(server, profile, users, "register_load", [*options, f"--window={window}"], count)
            self.compare(f"{title}, {users} users", {
                "limit": case(self.limit, "register"),
                "kamailio": case(self.kamailio, "register"),
                "jackfield": case(self.jackfield, "register"),
                "jackfield, on disk": case(self.jackfield, "register-file"),
                # Those who wait together share a sync: how many that can be, the load decides.
                "jackfield, 256 at once": case(self.jackfield, "register", 256),
                "jackfield, on disk, 256 at once": case(self.jackfield, "register-file", 256),
            }, {"jackfield": ("limit", most), "jackfield, on disk": ("jackfield", 1.25),
                "jackfield, on disk, 256 at once": ("jackfield, 256 at once", 1.25)})

    def sql(self):
        users, count = 10000, self.size(30000, 1000)
        postgres = Postgres(servers.HOST, port=15432, program_prefix=servers.on_first_processor())
        rows = {"kamailio, PostgreSQL": (self.kamailio, "register-postgres"), "jackfield, PostgreSQL": (self.jackfield, "register-postgres"),
                "jackfield, SQLite": (self.jackfield, "register-sqlite"), "jackfield, memory": (self.jackfield, "register")}
        reports = {(row, window): [] for window in (32, 256) for row in rows}
        try:
            postgres.start()
            databases.prepare(postgres)
            self.kamailio.database = self.jackfield.database = postgres
            for number in range(self._repeat):
                for row, window in reports:
                    progress(f"{row}, {window} at once, {number + 1} of {self._repeat}")
                    server, profile = rows[row]
                    options = ["--mode=auth", f"--users={users}", f"--window={window}"]
                    reports[row, window].append(self.run(server, profile, users, "register_load", options, count, database=postgres))
        finally:
            postgres.close()
        progress("")

        def median(row, window, key):
            return statistics.median(report[key] for report in reports[row, window])

        def together(row, window):
            return median(row, window, "cpu_us") + median(row, window, "database_us")
        table = Table(f"Registration with digest, {users} users in SQL", "server", "at once", "CPU µs", "PostgreSQL's", "together", "per second", "p50", "p99", "goal")
        for row, window in reports:
            kamailio, memory = ("kamailio, PostgreSQL", window), ("jackfield, memory", window)
            goals = []
            if row == "jackfield, PostgreSQL":
                goals.append(self.verdict(together(row, window) / together(*kamailio), "≤", 0.4, "kamailio's CPU"))
                if window == 256:
                    goals.append(self.verdict(median(row, window, "per_second") / median(*kamailio, "per_second"), "≥", 2.5, "its throughput"))
            elif row == "jackfield, SQLite":
                goals.append(self.verdict(together(row, window) / together(*memory), "≤", 4, "memory's CPU"))
            table.row(row, str(window), f"{median(row, window, 'cpu_us'):.1f}", f"{median(row, window, 'database_us'):.1f}", f"{together(row, window):.1f}",
                      f"{median(row, window, 'per_second'):.0f}", duration(median(row, window, "p50_us")), duration(median(row, window, "p99_us")), "; ".join(goals))
        table.print()

    def upper(self):
        users, count = 10000, self.size(30000, 1000)
        options = ["--mode=auth", f"--users={users}", "--window=32"]

        def case(server):
            def run():
                self.far.start("register", users)
                try:
                    return self.run(server, "upper", users, "register_load", options, count)
                finally:
                    self.far.stop()
            return run
        self.compare(f"Registration of {users} phones at a server behind", {server.name: case(server) for server in (self.kamailio, self.jackfield)},
                     {"jackfield": ("kamailio", 1)})

    @staticmethod
    def verdict(ratio, sign, limit, whose):
        met = ratio <= limit if sign == "≤" else ratio >= limit
        return f"{ratio:.2f} {sign} {limit} × {whose}: {'met' if met else 'missed'}"

    def calls(self):
        few, many = 500, self.size(50000, 2000)

        def case(server, profile, count):
            return lambda: self.run(server, profile, 1, "call_load", ["--window=50"], count)
        self.compare("Calls", {
            "kamailio": case(self.kamailio, "calls", few),
            "jackfield": case(self.jackfield, "calls", few),
            f"kamailio, {many}": case(self.kamailio, "calls", many),
            f"jackfield, {many}": case(self.jackfield, "calls", many),
            f"jackfield, {many} with records": case(self.jackfield, "calls-records", many),
        }, {"jackfield": ("kamailio", 0.4), f"jackfield, {many}": [(f"kamailio, {many}", 0.4), ("jackfield", 1.1)]})

    def idle(self):
        seconds, users = self.size(15, 3), 10000
        options = ["--mode=auth", f"--users={users}", "--rate=100", f"--seconds={seconds + 5}"]

        def case(server):
            return lambda: self.run(server, "register", users, "register_load", options, 100 * seconds, warm=50)
        self.compare("100 registrations a second", {server.name: case(server) for server in (self.limit, self.kamailio, self.jackfield)},
                     {"jackfield": ("limit", 1.3)})

        table = Table("Without work", "server", "wake-ups a second", "CPU µs a second", "goal")
        for server in (self.kamailio, self.jackfield):
            server.start("register", users)
            try:
                time.sleep(1)
                pids = server.pids
                woken, cpu = measure.wake_ups(pids), measure.cpu_seconds(pids)
                time.sleep(seconds)
                rate = (measure.wake_ups(pids) - woken) / seconds
                cost = (measure.cpu_seconds(pids) - cpu) / seconds * 1e6
            finally:
                server.stop()
            goal = f"≤ 1: {'met' if rate <= 1.1 else 'missed'}" if server is self.jackfield else ""
            table.row(server.name, f"{rate:.1f}", f"{cost:.0f}", goal)
        table.print()

    def memory(self):
        users = self.size(200000, 20000)
        options = ["--mode=auth", f"--users={users}"]
        table = Table(f"Memory, {users} users", "server", "without bindings", "with one each", "bytes a binding", "goal")
        for server in (self.kamailio, self.jackfield):
            server.start("register", users)
            try:
                time.sleep(1)
                before = measure.memory_bytes(server.pids)
                self.measured(server, "register_load", options, users)
                # Finished transactions are remembered for 32 s (RFC 3261 timer J) and are not what we look for.
                time.sleep(self.size(35, 2))
                after = measure.memory_bytes(server.pids)
            finally:
                server.stop()
            each = (after - before) / users
            goal = f"≤ 600: {'met' if each <= 600 else 'missed'}" if server is self.jackfield else ""
            table.row(server.name, f"{before / 1e6:.1f} MB", f"{after / 1e6:.1f} MB", f"{each:.0f}", goal)
        table.print()

    def scale(self):
        few, many, count = 2000, self.size(200000, 20000), self.size(200000, 20000)

        def case(users):
            return lambda: self.run(self.jackfield, "register", users, "register_load", ["--mode=auth", f"--users={users}"], count, warm=users)
        self.compare("Registration with few users and with many", {f"{few} users": case(few), f"{many} users": case(many)},
                     {f"{many} users": (f"{few} users", 1.15)})
        self.jackfield.start("register-file", many)
        try:
            self.measured(self.jackfield, "register_load", ["--mode=auth", f"--users={many}"], many)
            seconds = self.jackfield.restart()
        finally:
            self.jackfield.stop()
        table = Table("Start", "users and bindings", "ready after", "goal")
        table.row(str(many), f"{seconds:.2f} s", f"≤ 2 s: {'met' if seconds <= 2 else 'missed'}")
        table.print()

    def scripts(self):
        count = self.size(200000, 5000)
        table = Table("Messages through scripts on a socket", "asked", "at once", "CPU µs a message", "from–to", "per second", "p50", "p99", "goal")
        # What another script answers passes the socket twice as often: two messages.
        for mode, messages, window, goal in (("dispatch", 1, 32, None), ("script", 2, 32, ("cpu", 6)), ("script", 2, 32, ("per_second", 80000)),
                                             ("script", 2, 1, ("p50", 150))):
            progress(f"{mode}, {window} at once")
            options = [f"--path={self.jackfield.scripts}", f"--mode={mode}", f"--window={window}"]
            reports = [self.run(self.jackfield, "scripts", 0, "external_load", options, count if window > 1 else count // 10) for _ in range(self._repeat)]
            costs = sorted(report["cpu_us"] / messages for report in reports)
            per_second = statistics.median(report["per_second"] for report in reports) * messages
            p50, p99 = (statistics.median(report[key] for report in reports) for key in ("p50_us", "p99_us"))
            text = ""
            if goal:
                what, limit = goal
                value = {"cpu": statistics.median(costs), "per_second": per_second, "p50": p50}[what]
                met = value >= limit if what == "per_second" else value <= limit
                text = f"{'≥' if what == 'per_second' else '≤'} {limit}: {'met' if met else 'missed'}"
            table.row("another script" if messages == 2 else "nobody", str(window), f"{statistics.median(costs):.1f}", f"{costs[0]:.1f}–{costs[-1]:.1f}",
                      f"{per_second:.0f}", duration(p50), duration(p99), text)
        progress("")
        table.print()

    def database(self):
        users, count = 10000, self.size(100000, 3000)
        postgres = Postgres("127.0.0.1", port=15432, program_prefix=servers.on_first_processor())
        table = Table("A read and a committed write in PostgreSQL", "connections", "at once", "our CPU µs", "PostgreSQL's", "together", "per second", "p50", "p99", "goal")
        try:
            postgres.start()
            postgres.sql(f"""
                CREATE TABLE users (username text PRIMARY KEY, password text);
                INSERT INTO users SELECT 'u' || i, 's' || i FROM generate_series(1000000, {1000000 + users - 1}) i;
                CREATE TABLE bindings (username text, contact text, location text, expires bigint, node text, PRIMARY KEY (username, contact))""")
            for pool, window in ((1, 256), (2, 256), (3, 256), (4, 256), (2, 32), (2, 1)):
                progress(f"{pool} connections, {window} at once")
                reports = [self.database_load(postgres, {"poolsize": pool}, window, count if window > 1 else count // 50) for _ in range(self._repeat)]
                report = {key: statistics.median(one[key] for one in reports) for key in ("cpu_us", "server_us", "per_second", "p50_us", "p99_us")}
                together = report["cpu_us"] + report["server_us"]
                # 0.4 of what Kamailio and its database take for a registration.
                goal = f"≤ 150: {'met' if together <= 150 else 'missed'}" if (pool, window) == (2, 256) else ""
                table.row(str(pool), str(window), f"{report['cpu_us']:.1f}", f"{report['server_us']:.1f}", f"{together:.1f}", f"{report['per_second']:.0f}",
                          duration(report["p50_us"]), duration(report["p99_us"]), goal)
        finally:
            postgres.close()
        progress("")
        table.print()

    def database_load(self, postgres, keys, window, count):
        """One run of it; the report of the load, and what PostgreSQL took meanwhile."""
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write("[bench]\n" + "".join(f"{key}={value}\n" for key, value in {**postgres.settings, **keys}.items()))
            file.flush()
            program = servers.on_first_processor(os.path.join(self._build, "bench", "pgsqldb_load"), file.name, str(count), str(window))
            with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as load:
                load.stdout.readline()
                pids = postgres.pids
                before = measure.cpu_seconds(pids)
                print(file=load.stdin, flush=True)
                report = json.loads(load.stdout.readline())
                report["server_us"] = (measure.cpu_seconds(pids) - before) * 1e6 / count
                print(file=load.stdin, flush=True)
        if report["failed"]:
            self.failures += 1
            print(f"{report['failed']} of {count} failed: {report['reasons']}", file=sys.stderr)
        return report


def main():
    names = ("register", "calls", "idle", "memory", "scale", "sql", "upper", "database", "scripts")
    parser = argparse.ArgumentParser(prog="scripts/bench", add_help=False)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--repeat", type=int)
    parser.add_argument("--build", required=True)
    parser.add_argument("names", nargs="*", choices=[*names, []])
    options = parser.parse_args()
    if os.cpu_count() < 2:
        sys.exit("The measurements need two processors: one for the server, one for the load.")
    measure.stay_undisturbed()
    with tempfile.TemporaryDirectory(prefix="jackfield-bench-") as folder:
        bench = Bench(os.path.abspath(options.build), folder, options.quick, options.repeat)
        for name in options.names or names:
            getattr(bench, name)()
    sys.exit(1 if bench.failures else 0)


main()
