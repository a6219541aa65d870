"""Processes that a test starts. Each writes to a file of its own and is killed by the kernel when the test ends, however it ends."""
import contextlib
import ctypes
import os
import signal
import subprocess
import time

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A started program. `output` is everything it wrote so far. `user` (of the pwd module) is whom it runs as.
    With `group` it begins a process group, and whatever it has started itself ends with it."""

    def __init__(self, arguments, folder, name, environment=None, stdin=subprocess.DEVNULL, user=None, group=False):
        self.name = name
        self._group = group
        self.arguments = [str(a) for a in arguments]
        self.path = os.path.join(folder, name + ".out")
        other = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
        with open(self.path, "ab") as file:
            self._popen = subprocess.Popen(
                self.arguments, stdin=stdin, stdout=file, stderr=subprocess.STDOUT, preexec_fn=_die_with_parent,
                env={**os.environ, **(environment or {})}, cwd=folder, process_group=0 if group else None, **other)
        self.pid = self._popen.pid

    @property
    def output(self):
        with open(self.path, "rb") as file:
            return file.read().decode("utf-8", "replace")

    @property
    def status(self):
        """The exit status, None while it runs."""
        return self._popen.poll()

    def signal(self, number):
        if self.status is None:
            os.kill(self.pid, number)

    def wait(self, seconds):
        """The exit status; fails when it has not ended by then."""
        try:
            return self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} was expected to end within {seconds} s and still runs") from None

    def kill(self):
        self.signal(signal.SIGKILL)
        self._popen.wait()
        self._end_group()

    def stop(self, seconds=5):
        """SIGTERM, and SIGKILL when that does not help."""
        self.signal(signal.SIGTERM)
        try:
            self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
        self._end_group()

    def _end_group(self):
        if self._group:
            with contextlib.suppress(ProcessLookupError):  # nobody is left
                os.killpg(self.pid, signal.SIGKILL)


def wait_for(what, condition, seconds=5.0):
    """Returns the first true value of condition(); fails naming `what` when none came in time."""
    end = time.monotonic() + seconds
    pause = 0.002
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"expected within {seconds} s: {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)
