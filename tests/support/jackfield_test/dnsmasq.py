"""dnsmasq as a name server that knows what the test gives it and asks nobody else."""
import os
import shutil
import socket
import struct
import tempfile

from .processes import Process, wait_for


class Dnsmasq:
    """Made with start(). Records: `hosts` maps names to addresses (one or a list), `srv` lists (name, target, port, priority, weight), `naptr`
    lists (name, order, preference, flags, service, replacement)."""

    def __init__(self, address, *, port=5353, hosts=None, srv=(), naptr=(), ttl=60):
        self.address = (address, port)
        self.name = f"dnsmasq at {address}:{port}"
        self._folder = tempfile.mkdtemp(prefix="jackfield-dnsmasq-")
        self._starts = 0
        self.process = None
        self._earlier = ""
        self._arguments = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--no-poll", "--pid-file=", "--user=root",
                           f"--port={port}", f"--listen-address={address}", "--bind-interfaces", "--log-queries", "--log-facility=-", "--cache-size=0",
                           f"--local-ttl={ttl}", f"--auth-ttl={ttl}", "--local=/example/"]
        for name, addresses in (hosts or {}).items():
            for each in [addresses] if isinstance(addresses, str) else addresses:
                self._arguments.append(f"--host-record={name},{each}")
        self._arguments += [f"--srv-host={name},{target},{port},{priority},{weight}" for name, target, port, priority, weight in srv]
        self._arguments += [f"--naptr-record={name},{order},{preference},{flags},{service},,{replacement}"
                            for name, order, preference, flags, service, replacement in naptr]

    @property
    def server(self):
        """As dns_servers= of sip.conf has it."""
        return "{}:{}".format(*self.address)

    def start(self, seconds=10.0):
        self._starts += 1
        self.process = Process(self._arguments, self._folder, f"dnsmasq-{self._starts}")
        wait_for(f"{self.name} to answer", self._is_there, seconds)
        return self

    def _is_there(self):
        if self.process.status is not None:
            raise AssertionError(f"{self.name} ended with {self.process.status} instead of starting:\n{self.process.output[-4000:]}")
        question = struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + b"\x05there\x07example\0" + struct.pack(">HH", 1, 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            asker.settimeout(0.2)
            try:
                asker.sendto(question, self.address)
                return bool(asker.recv(512))
            except OSError:
                return False

    def questions(self, name=None):
        """How often it was asked, for this name or for all."""
        lines = [line for line in self.trace.splitlines() if "query[" in line and "there.example" not in line]
        return sum(1 for line in lines if name is None or f" {name} from " in line)

    @property
    def trace(self):
        return self._earlier + (self.process.output if self.process else "")

    def stop(self):
        self.process.stop()

    def close(self):
        if self.process:
            self.process.stop()
            self._earlier, self.process = self.trace, None
        shutil.rmtree(self._folder, ignore_errors=True)
