"""The servers that are compared, each started on 127.0.0.1 with the same users and the same routing.

A server has a name, start(profile, users) and stop(); `pids` are its processes. The profiles: `register` (users u1000000… with the
passwords s1000000…, bindings in memory), `register-file` (bindings survive a crash), `register-postgres` and `register-sqlite` (users and
bindings in SQL, each 200 after its commit; `database` is the Postgres), `upper` (each registration is agreed to by a Far, to whom the
phones' own credentials are passed; the Kamailio is a proxy that adds Path), `calls` (900 is called by anybody), `calls-records` (and
each call is written to a file).
"""
import os
import shutil
import subprocess
import time

import databases
from jackfield_test.phone import Phone
from jackfield_test.processes import Process, wait_for
from jackfield_test.sql import shipped

HOST, PORT, CALLEE_PORT, FAR_PORT = "127.0.0.1", 5070, 15062, 5074
HERE = os.path.dirname(os.path.abspath(__file__))


def on_first_processor(*arguments):
    """The server has processor 0 to itself, the load generator processor 1."""
    return ["taskset", "-c", "0", *arguments]


def answers_sip(port=PORT):
    """Whether anybody answers a REGISTER at the server's address."""
    phone = Phone((HOST, port), "nobody")
    try:
        phone.send(phone.register_request())
        return phone.receive(0.2) is not None
    except ConnectionRefusedError:
        return False
    finally:
        phone.close()


class _Server:
    profiles = ()
    database = None

    def __init__(self, folder, build):
        self._folder = os.path.join(folder, self.name)
        self._build = build
        self._process = None

    def start(self, profile, users):
        shutil.rmtree(self._folder, ignore_errors=True)
        os.makedirs(self._folder)
        self._process = Process(on_first_processor(*self._command(profile, users)), self._folder, "log")
        begin = time.monotonic()
        wait_for(f"{self.name} to answer; its log: {self._process.path}", self._ready, 60)
        return time.monotonic() - begin

    def _ready(self):
        if self._process.status is not None:
            raise AssertionError(f"{self.name} ended: {self._process.output[-2000:]}")
        return answers_sip()

    @property
    def pids(self):
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self._process.pid)], capture_output=True, text=True).stdout
        return [self._process.pid, *map(int, children.split())]

    def stop(self):
        self._process.stop()


class Limit(_Server):
    name = "limit"
    profiles = ("register",)

    def _command(self, profile, users):
        return [os.path.join(self._build, "bench", "limit"), f"--port={PORT}"]


class Kamailio(_Server):
    name = "kamailio"
    profiles = ("register", "register-postgres", "upper", "calls")
    port = PORT

    def _command(self, profile, users):
        name = {"upper": "path"}.get(profile, profile)
        with open(os.path.join(HERE, f"kamailio-{name}.cfg")) as file:
            text = file.read()
        database = databases.for_kamailio(self.database, users) if profile == "register-postgres" else ""
        for name, value in {"PORT": self.port, "CALLEE_PORT": CALLEE_PORT, "FAR_PORT": FAR_PORT, "USERS": users, "DATABASE": database, "MORE": self._more()}.items():
            text = text.replace(f"@{name}@", str(value))
        path = os.path.join(self._folder, "kamailio.cfg")
        with open(path, "w") as file:
            file.write(text)
        return ["kamailio", "-f", path, "-m", "1024", "-M", "16", "-DD", "-E", "-P", os.path.join(self._folder, "pid"), "-Y", self._folder]


    def _more(self):
        """Settings beside those of the file."""
        return ""


class Far(Kamailio):
    """The registrar behind the server that is measured; what it costs is not counted. It shares its processor with the load."""
    name = "far"
    port = FAR_PORT

    def start(self, profile, users):
        shutil.rmtree(self._folder, ignore_errors=True)
        os.makedirs(self._folder)
        self._process = Process(["taskset", "-c", "1", *self._command("register", users)], self._folder, "log")
        wait_for(f"{self.name} to answer; its log: {self._process.path}", lambda: answers_sip(FAR_PORT), 60)

    def _more(self):
        # 0: from phones, too, that do not say Supported: path.
        return 'modparam("registrar", "use_path", 1)\nmodparam("registrar", "path_mode", 0)'


class Jackfield(_Server):
    name = "jackfield"
    profiles = ("register", "register-file", "register-postgres", "register-sqlite", "upper", "calls", "calls-records", "scripts")

    def _command(self, profile, users):
        if profile in ("register-postgres", "register-sqlite"):
            self._make_database(profile, users)
        else:
            self._write_settings(profile, users)
        return self._program("run")

    def _make_database(self, profile, users):
        """The shipped schema and queries, but for calls, of which there are none."""
        self._calls = self._without_sip = False
        path = os.path.join(self._folder, "bench.db")
        postgres = profile == "register-postgres"
        account = databases.keys_on_postgres(self.database) if postgres else {"database": path}
        module = "pgsqldb" if postgres else "sqlitedb"
        queries = shipped()
        queries["general"].update({name: "no" for name in ("call.preroute", "call.route", "call.cdr", "linetracker")}, realm="bench")
        files = {"jackfield": {"modules": {name: "yes" for name in ("sip", module, "register")}}, module: {"jackfield": account}, "register": queries,
                 "sip": {"general": {"addr": HOST, "port": PORT, "type": "udp", "realm": "bench"}}}
        for name, sections in files.items():
            with open(os.path.join(self._folder, name + ".conf"), "w", encoding="utf-8") as file:
                file.writelines(f"[{section}]\n" + "".join(f"{key}={value}\n" for key, value in keys.items()) for section, keys in sections.items())
        subprocess.run(self._program("db", "init", "jackfield"), check=True, capture_output=True)
        if postgres:
            databases.add_users_to_postgres(self.database, users)
        else:
            databases.add_users_to_sqlite(path, users)

    def _program(self, *arguments):
        return [os.path.join(self._build, "bin", "jackfield"), "-c", self._folder, "-w", self._folder, *arguments]

    def _write_settings(self, profile, users):
        calls = profile.startswith("calls")
        more = {"calls-records": ["cdrbuild", "cdrfile"], "upper": ["upperreg"]}.get(profile, [])
        modules = ["extmodule"] if profile == "scripts" else ["sip", "regfile", *more]
        sip = f"[general]\naddr={HOST}\nport={PORT}\ntype=udp\nrealm=bench\n"
        sip += "auth_calls=no\n" if calls else ""
        regfile = "[general]\n" + ("" if profile == "register-file" else "file=\n")
        regfile += "[900]\npassword=nine\n" if calls else "" if profile == "upper" else "".join(f"[u{i}]\npassword=s{i}\n" for i in range(1000000, 1000000 + users))
        files = {"jackfield": "[modules]\n" + "".join(f"{name}=yes\n" for name in modules), "sip": sip, "regfile": regfile,
                 "extmodule": f"[listener bench]\ntype=unix\npath={self.scripts}\n",
                 "upperreg": f"[upper]\nserver={HOST}:{FAR_PORT}\n",
                 "cdrfile": f"[general]\nfile={self._folder}/records.tsv\n"}
        for name, text in files.items():
            with open(os.path.join(self._folder, name + ".conf"), "w") as file:
                file.write(text)
        self._calls, self._without_sip = calls, profile == "scripts"

    @property
    def scripts(self):
        """The socket that scripts connect to, with the profile of that name."""
        return os.path.join(self._folder, "scripts")

    def _ready(self):
        if self._without_sip:
            return subprocess.run(self._program("status", "--ready"), capture_output=True).returncode == 0
        if not super()._ready():
            return False
        if self._calls:
            callee = Phone((HOST, PORT), "900", "nine", port=CALLEE_PORT)
            callee.register(expires=3600)
            callee.close()
        return True

    def restart(self):
        """Stops and starts on what it kept; returns the seconds until it was ready."""
        self.stop()
        begin = time.monotonic()
        self._process = Process(on_first_processor(*self._program("run")), self._folder, "log-again")
        wait_for("the restarted server to be ready",
                 lambda: subprocess.run(self._program("status", "--ready"), capture_output=True).returncode == 0, 60)
        return time.monotonic() - begin


ALL = (Limit, Kamailio, Jackfield)
