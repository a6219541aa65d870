"""sipp, one scenario of tests/integration/sipp a run."""
import glob
import os
import socket

from .processes import Process, wait_for

_SCENARIOS = os.path.join(os.environ["JACKFIELD_SOURCE"], "tests", "integration", "sipp")


class Sipp:
    """Starts a scenario against `server` (host, port). `keys` become its [keywords], of which every one has
    `expires`, what a registration asks for in seconds; `user` is its [service]."""

    def __init__(self, scenario, server, folder, name, *, address, port, user="", password="", calls=1, keys=None, options=()):
        self.name = name
        self._socket = f"{socket.inet_aton(address)[::-1].hex().upper()}:{port:04X}"
        self._folder = os.path.join(folder, name)
        os.makedirs(self._folder)
        arguments = ["sipp", f"{server[0]}:{server[1]}", "-sf", os.path.join(_SCENARIOS, scenario + ".xml"), "-i", address, "-p", port,
                     "-s", user or "nobody", "-au", user, "-ap", password, "-m", calls, "-nostdin", "-timeout", "15s", "-timeout_error",
                     "-trace_err", "-error_file", "errors", "-trace_msg", "-message_file", "messages", "-recv_timeout", "8000"]
        for key, value in {"expires": 120, **(keys or {})}.items():
            arguments += ["-key", key, value]
        self.process = Process([*arguments, *options], self._folder, "screen", environment={"TERM": "dumb"})

    def listening(self):
        """Waits until it has its UDP socket; what comes earlier is refused. For who is called by somebody quicker than sipp."""
        def bound():
            with open("/proc/net/udp", encoding="ascii") as file:
                return any(line.split()[1] == self._socket for line in file)
        wait_for(f"sipp {self.name} to listen", bound)
        return self

    def succeeded(self, seconds=16):
        """Waits for the end of the scenario; fails when sipp says that a call went otherwise than the scenario says."""
        status = self.process.wait(seconds)
        if status != 0:
            raise AssertionError(f"sipp {self.name} was expected to succeed and ended with {status}\n{self._read('errors')}")

    def gave_up(self, why, seconds=16):
        """Waits for the end; how many calls sipp gave up for that reason. Fails when there was another."""
        self.process.wait(seconds)
        errors = self._read("errors")
        given_up = errors.count("Aborting call on unexpected message")
        if errors.count(why) != given_up:
            raise AssertionError(f"sipp {self.name} gave calls up for another reason than {why}\n{errors}")
        return given_up

    def _read(self, name):
        text = ""
        for path in glob.glob(os.path.join(self._folder, name)):
            with open(path, encoding="utf-8", errors="replace") as file:
                text += file.read()
        return text

    @property
    def trace(self):
        return self._read("messages")

    def close(self):
        self.process.kill()
