"""The server under test: the built program with a configuration and a state directory of its own."""
import os
import shutil
import signal
import subprocess
import time

from .processes import Process, wait_for

PROGRAM = os.path.join(os.environ["JACKFIELD_BUILD"], "bin", "jackfield")
_TEST_MODULES = os.path.join(os.environ["JACKFIELD_BUILD"], "tests", "plugins")
_MODULES = ("sip", "regfile", "callfork", "cdrbuild", "cdrfile")


class Server:
    """Made with start(). `users` maps names to passwords or to a dict of the user's keys; `settings` maps a module to
    {section: {key: value}}."""

    def __init__(self, folder, address, *, port=5060, users=None, settings=None, modules=_MODULES, namespace=None, program=PROGRAM):
        self.address = (address, port)
        self.conf = os.path.join(folder, "conf.d")
        self.state = os.path.join(folder, "state")
        self.records_path = os.path.join(folder, "records.tsv")
        self._folder = folder
        self._namespace = namespace
        self._program = program
        # Modules for tests are not where the program looks by itself.
        own = os.path.join(os.path.dirname(os.path.dirname(program)), "lib", "jackfield", "modules")
        self._module_folders = ["-m", own, "-m", _TEST_MODULES] if any(os.path.exists(os.path.join(_TEST_MODULES, name + ".so")) for name in modules) else []
        self._starts = 0
        self.process = None
        os.makedirs(self.conf)
        os.makedirs(self.state)
        self.settings = {
            "jackfield": {"modules": {name: "yes" for name in modules}},
            "sip": {"general": {"addr": address, "port": port}},
            "regfile": {name: ({"password": keys} if isinstance(keys, str) else keys) for name, keys in (users or {}).items()},
            "cdrfile": {"general": {"file": self.records_path}},
        }
        for module, sections in (settings or {}).items():
            for section, keys in sections.items():
                self.settings.setdefault(module, {}).setdefault(section, {}).update(keys)
        self.write_settings()

    def write_settings(self):
        for module, sections in self.settings.items():
            lines = []
            for section, keys in sections.items():
                lines.append(f"[{section}]")
                lines += [f"{key}={value}" for key, value in keys.items()]
            with open(os.path.join(self.conf, module + ".conf"), "w") as file:
                file.write("\n".join(lines) + "\n")

    def _arguments(self, *arguments):
        command = [self._program, "-c", self.conf, "-w", self.state, *self._module_folders, *arguments]
        return self._namespace.command(*command) if self._namespace else command

    def start(self, seconds=10.0):
        """Starts the program and waits until it says that it is ready."""
        self._starts += 1
        self.process = Process(self._arguments("run"), self._folder, f"server-{self._starts}",
                               environment={"ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"})

        def ready():
            if self.process.status is not None:
                raise AssertionError(f"the server ended with {self.process.status} instead of starting:\n{self.log[-4000:]}")
            return self.command("status", "--ready", check=False).returncode == 0
        wait_for("the server to be ready", ready, seconds)
        return self

    def command(self, *arguments, check=True):
        """Runs `jackfield ARGUMENTS` against this server; `check` fails when it does not end with 0."""
        result = subprocess.run(self._arguments(*arguments), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
        if check and result.returncode:
            raise AssertionError(f"jackfield {' '.join(arguments)} ended with {result.returncode}:\n{result.stdout}{result.stderr}")
        return result

    @property
    def log(self):
        return self.process.output if self.process else ""

    @property
    def records(self):
        """The lines of the call records written so far, each a list of its columns."""
        if not os.path.exists(self.records_path):
            return []
        with open(self.records_path, encoding="utf-8") as file:
            return [line.rstrip("\n").split("\t") for line in file if line.endswith("\n")]

    def expect_records(self, count, seconds=5.0):
        return wait_for(f"{count} call records in {self.records_path}, found {self.records}",
                        lambda: len(self.records) >= count and self.records, seconds)

    def kill(self):
        """kill -9, as a power failure would."""
        self.process.kill()

    def stop(self, seconds=10.0):
        """SIGTERM; the program must end by itself with status 0. Returns the seconds that took."""
        begin = time.monotonic()
        self.process.signal(signal.SIGTERM)
        status = self.process.wait(seconds)
        if status != 0:
            raise AssertionError(f"the server was expected to stop with status 0 and ended with {status}:\n{self.log[-6000:]}")
        return time.monotonic() - begin

    @property
    def running(self):
        return self.process is not None and self.process.status is None
