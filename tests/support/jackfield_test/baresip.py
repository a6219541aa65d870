"""A baresip phone, driven by its TCP control interface. Version 1.0.0, which Debian 12 has, uses no loopback address: give it a
Namespace with a link."""
import json
import os
import select
import socket
import time

from .processes import Process, wait_for

_CONFIG = """\
poll_method epoll
call_local_timeout 120
call_max_calls 4
audio_player aubridge,headset
audio_source aubridge,headset
audio_alert aubridge,bell
module_path /usr/lib/baresip/modules
module g711.so
module aubridge.so
module_app account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 0.0.0.0:4444
sip_listen {address}:{port}
"""


class Baresip:
    """`account` is a line of baresip's accounts file, as a person would write it: <sip:101@192.0.2.1>;auth_pass=secret"""

    def __init__(self, namespace, address, account, folder, name="baresip", port=5060):
        self.name = name
        self._events = []
        self._replies = {}
        self._buffer = b""
        self._token = 0
        home = os.path.join(folder, name)
        os.makedirs(home)
        with open(os.path.join(home, "config"), "w") as file:
            file.write(_CONFIG.format(address=address, port=port))
        with open(os.path.join(home, "accounts"), "w") as file:
            file.write(account + "\n")
        open(os.path.join(home, "contacts"), "w").close()
        self.process = Process(namespace.command("baresip", "-s", "-f", home), folder, name)
        with namespace.inside():
            self._control = wait_for(f"{name}'s control port", self._connect)

    def _connect(self):
        if self.process.status is not None:
            raise AssertionError(f"{self.name} ended:\n{self.process.output}")
        control = socket.socket()
        try:
            control.connect(("127.0.0.1", 4444))
            return control
        except ConnectionRefusedError:
            control.close()
            return None

    @property
    def trace(self):
        return self.process.output

    def _read(self, seconds):
        """Takes in what the control interface says: netstrings of JSON, events and replies to commands."""
        ready, _, _ = select.select([self._control], [], [], max(seconds, 0))
        if not ready:
            return False
        data = self._control.recv(65536)
        if not data:
            raise AssertionError(f"{self.name} closed its control connection:\n{self.process.output[-2000:]}")
        self._buffer += data
        while True:
            size, colon, rest = self._buffer.partition(b":")
            if not colon or len(rest) < int(size) + 1:
                return True
            text, self._buffer = rest[:int(size)], rest[int(size) + 1:]
            message = json.loads(text)
            if message.get("event"):
                self._events.append(message)
            else:
                self._replies[message["token"]] = message

    def command(self, name, parameters="", seconds=3.0):
        """Runs a command of baresip's menu and returns what it printed."""
        self._token += 1
        token = str(self._token)
        text = json.dumps({"command": name, "params": parameters, "token": token}).encode()
        self._control.sendall(b"%d:%s," % (len(text), text))
        end = time.monotonic() + seconds
        while token not in self._replies:
            if not self._read(end - time.monotonic()) and time.monotonic() > end:
                raise AssertionError(f"{self.name} did not answer the command {name}")
        return self._replies.pop(token).get("data", "")

    def expect(self, *kinds, seconds=5.0):
        """The next event of one of these types (REGISTER_OK, CALL_RINGING, CALL_ESTABLISHED, …); those before it are forgotten."""
        end = time.monotonic() + seconds
        seen = []
        while True:
            while self._events:
                event = self._events.pop(0)
                if event["type"] in kinds:
                    return event
                seen.append(event["type"])
            if not self._read(end - time.monotonic()) and time.monotonic() > end:
                raise AssertionError(f"{self.name} expected {' or '.join(kinds)} within {seconds} s, saw {', '.join(seen) or 'nothing'}")

    def registered(self, seconds=5.0):
        """Waits until the registrar has taken it. It may have before we could listen: the state counts, not the event."""
        wait_for(f"{self.name} to be registered; it says {self.command('reginfo')}", lambda: "OK" in self.command("reginfo"), seconds)

    def dial(self, uri):
        self.command("dial", uri)

    def accept(self):
        self.command("accept")

    def hang_up(self):
        self.command("hangup")

    def hold(self):
        self.command("hold")

    def resume(self):
        self.command("resume")

    def close(self):
        self._control.close()
        self.process.stop(2)
