"""Messages from a test straight into a server's bus, by way of the module tests/support/plugins/busdoor.cpp.

    door = BusDoor(server)                       # the server has busdoor among its modules
    answer = door.ask("database", {"account": "db", "query": "SELECT '${x}'"}, values={"x": "it's"})
    answer.handled, answer.parameters["rows"], answer.rows[0][0]

send() returns at once with a number, receive() gives (number, answer) of whichever is there first: many under way at a time.
"""
import os
import select
import socket

from .processes import wait_for


def _bytes(text):
    return text if isinstance(text, bytes) else str(text).encode()


class Answer:
    """`parameters` are text, bytes that are no UTF-8 as surrogates; `rows` are lists of bytes, None for NULL."""

    def __init__(self, line):
        self.handled = line[1] == "true"
        self.parameters, self.columns, cells = {}, [], []
        self.retvalue = bytes.fromhex(line[2]).decode(errors="surrogateescape")
        for word in line[3:]:
            name, _, value = word.partition("=")
            value = bytes.fromhex(value)
            if name == "c":
                self.columns.append(value.decode(errors="surrogateescape"))
            elif name in ("r", "n"):
                cells.append(value if name == "r" else None)
            else:
                self.parameters[name[2:]] = value.decode(errors="surrogateescape")
        width = len(self.columns)
        self.rows = [cells[start:start + width] for start in range(0, len(cells), width)] if width else []

    @property
    def error(self):
        return self.parameters.get("error")

    @property
    def failure(self):
        return self.parameters.get("failure")

    def __repr__(self):
        return f"Answer({self.handled}, {self.retvalue!r}, {self.parameters}, {self.columns}, {self.rows[:5]})"


class BusDoor:
    MODULE = "busdoor"

    def __init__(self, server):
        self._socket = socket.socket(socket.AF_UNIX)
        path = os.path.join(server.state, "busdoor")
        wait_for(f"{path} to be there", lambda: os.path.exists(path))
        self._socket.connect(path)
        self._buffer = b""
        self._lines = []
        self._number = 0
        self._early = {}

    def send(self, message, parameters, values=None):
        self._number += 1
        words = [str(self._number), message, *(f"p.{name}={_bytes(value).hex()}" for name, value in parameters.items()),
                 *(f"v.{name}={_bytes(value).hex()}" for name, value in (values or {}).items())]
        self._socket.sendall((" ".join(words) + "\n").encode())
        return self._number

    def receive(self, seconds=10.0):
        """The next answer and the number it is for; fails when none comes in time."""
        if self._early:
            return self._early.popitem()
        while not self._lines:
            if not select.select([self._socket], [], [], seconds)[0]:
                raise AssertionError(f"expected an answer from the bus within {seconds} s")
            received = self._socket.recv(1 << 20)
            if not received:
                raise ConnectionError("the server closed the door")
            *self._lines, self._buffer = (self._buffer + received).split(b"\n")
        line = self._lines.pop(0).decode().split(" ")
        return int(line[0]), Answer(line)

    def wait(self, number, seconds=10.0):
        """The answer for that number."""
        if number in self._early:
            return self._early.pop(number)
        others = {}
        while True:
            got, answer = self.receive(seconds)
            if got == number:
                self._early.update(others)
                return answer
            others[got] = answer

    def ask(self, message, parameters, values=None, seconds=10.0):
        return self.wait(self.send(message, parameters, values), seconds)

    def close(self):
        self._socket.close()
