"""A PostgreSQL of the test's own: its cluster, its port and its socket, gone with the test.

    database = self.postgres()                     # of a Case: running, on address(20)
    database.sql("CREATE TABLE users (name text)")
    database.freeze(); database.thaw(); database.kill(); database.start()
    standby = database.standby(self.address(21))   # streams from it; standby.promote() makes it the primary

It runs as an unprivileged user, as PostgreSQL insists. `initdb` runs once for a build; each cluster is a copy of what it made.
"""
import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile

from .processes import Process, wait_for

USER, PASSWORD, DATABASE = "jackfield", "it's a \\ secret", "telephones"
_BUILD = os.environ["JACKFIELD_BUILD"]


def _programs():
    """The folder of the newest server installed: Debian keeps its programs out of PATH."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"), key=lambda path: int(path.split("/")[4]))
    if found:
        return os.path.dirname(found[-1])
    if path := shutil.which("postgres"):
        return os.path.dirname(path)
    raise AssertionError("no PostgreSQL server is installed; scripts/test installs it (Debian: postgresql)")


def _owner():
    """Whom the server runs as: None is us. PostgreSQL refuses root."""
    if os.geteuid():
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise AssertionError("PostgreSQL refuses to run as root and there is no user postgres or nobody")


def _run(*arguments, owner=None, **options):
    if owner:
        options.update(user=owner.pw_uid, group=owner.pw_gid, extra_groups=[])
    result = subprocess.run(arguments, capture_output=True, text=True, cwd="/", timeout=60, **options)
    if result.returncode:
        raise AssertionError(f"{' '.join(arguments)} ended with {result.returncode}:\n{result.stdout}{result.stderr}")
    return result.stdout


def _own_folder():
    """A folder below the system's own that the server's user can reach; the next test run sweeps it up if we are killed."""
    folder = tempfile.mkdtemp(prefix=f"jackfield-test-{os.getpid()}-pg-")
    if owner := _owner():
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    return folder


def _template():
    """A cluster fresh from initdb, made by the first test of this build."""
    version = _run(os.path.join(_programs(), "postgres"), "--version").split()[2]
    template = os.path.join(_BUILD, "tests", f"postgres-{version}")
    if os.path.exists(template):
        return template
    folder = _own_folder()
    try:
        secret = os.path.join(folder, "password")
        with open(secret, "w") as file:
            file.write(PASSWORD + "\n")
        os.chmod(secret, 0o644)
        _run(os.path.join(_programs(), "initdb"), "--pgdata", os.path.join(folder, "data"), "--username", USER, "--pwfile", secret, "--encoding=UTF8",
             "--locale=C.UTF-8", "--auth-local=trust", "--auth-host=scram-sha-256", "--wal-segsize=1", "--no-sync", owner=_owner())
        _run(os.path.join(_programs(), "postgres"), "--single", "-F", "-D", os.path.join(folder, "data"), "postgres", owner=_owner(),
             input=f"CREATE DATABASE {DATABASE}\n")
        os.makedirs(os.path.dirname(template), exist_ok=True)
        mine = f"{template}.{os.getpid()}"
        _run("cp", "-r", os.path.join(folder, "data"), mine)
        try:
            os.rename(mine, template)
        except OSError:  # another test was first
            shutil.rmtree(mine)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return template


class Postgres:
    """`fsync=False` where a test is about anything but durability and writes much."""

    def __init__(self, address, port=5432, fsync=True, settings=None, program_prefix=()):
        self.address, self.port = address, port
        self.folder = _own_folder()
        self._data = os.path.join(self.folder, "data")
        self._prefix = tuple(program_prefix)
        self._starts = 0
        self.process = self._log = None
        self._settings = {"fsync": "on" if fsync else "off", "max_connections": 40, "shared_buffers": "64MB", "max_wal_size": "256MB",
                          "restart_after_crash": "on", "logging_collector": "off", "recovery_init_sync_method": "syncfs", "log_min_messages": "warning", **(settings or {})}

    # --- its life

    def start(self, seconds=10):
        if not os.path.exists(self._data):
            self._take(_template())
        self._starts += 1
        settings = {"listen_addresses": self.address, "port": self.port, "unix_socket_directories": self.folder, **self._settings}
        self.process = Process([*self._prefix, os.path.join(_programs(), "postgres"), "-D", self._data, *[f"--{key}={value}" for key, value in settings.items()]],
                               self.folder, f"postgres-{self._starts}", user=_owner())

        def ready():
            if self.process.status is not None:
                raise AssertionError(f"PostgreSQL ended with {self.process.status} instead of starting:\n{self.log[-4000:]}")
            return subprocess.run([os.path.join(_programs(), "pg_isready"), "-q", "-h", self.folder, "-p", str(self.port)]).returncode == 0
        wait_for("PostgreSQL to accept connections", ready, seconds)
        return self

    def _take(self, cluster):
        _run("cp", "-r", cluster, self._data)
        if owner := _owner():
            _run("chown", "-R", f"{owner.pw_uid}:{owner.pw_gid}", self._data)
        os.chmod(self._data, 0o700)

    @property
    def pids(self):
        """The server's process and all of its children."""
        if self.process is None or self.process.status is not None:
            return []
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as file:
            return [self.process.pid, *map(int, file.read().split())]

    def _signal_all(self, number):
        for pid in self.pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def freeze(self):
        """Nothing answers, no connection breaks: a server that hangs."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self):
        self._signal_all(signal.SIGCONT)

    def kill(self):
        """kill -9 of all its processes at once, as a power failure would."""
        children = self.pids[1:]
        self.process.kill()
        for pid in children:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        # The next start takes the cluster over once nobody holds its shared memory.
        wait_for("PostgreSQL's processes to be gone", lambda: not any(_lives(pid) for pid in children))

    def stop(self):
        """Its connections are ended and it shuts down (SIGINT, "fast")."""
        self.thaw()
        self.process.signal(signal.SIGINT)
        self.process.wait(10)

    def restart(self):
        self.stop()
        self.start()

    def close(self):
        if self.process is not None and self.process.status is None:
            self.kill()
        self._log = self.log  # for whoever asks why a test failed
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- a second one that follows

    def standby(self, address, port=None):
        """A hot standby that streams from this server."""
        other = Postgres(address, port or self.port, settings=self._settings)
        _run(os.path.join(_programs(), "pg_basebackup"), "-h", self.folder, "-p", str(self.port), "-U", USER, "-D", other._data, "-R", "--checkpoint=fast",
             "--no-sync", owner=_owner())
        return other.start()

    def promote(self):
        self.sql("SELECT pg_promote()")

    # --- what a test does with it

    def sql(self, text, database=DATABASE):
        """What psql prints for it: columns separated by `|`, a line for each row."""
        command = [os.path.join(_programs(), "psql"), "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-p", str(self.port), "-U", USER, "-d", database]
        return _run(*command, input=text).rstrip("\n")

    @property
    def settings(self):
        """The keys of an account of pgsqldb.conf that lead here."""
        return {"host": self.address, "port": self.port, "database": DATABASE, "user": USER, "password": PASSWORD}

    # For Case, which shows what a peer said when a test failed.
    name = "postgres"

    @property
    def log(self):
        if self._log is None:
            return self.process.output if self.process else ""
        return self._log

    trace = log


def _lives(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False
