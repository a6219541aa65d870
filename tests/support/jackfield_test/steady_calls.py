"""Calls at a steady rate that are all refused in the end: how each was, and after how long.

    with SteadyCalls(server.address, self.address(5), rate=100) as calls:
        ...
    for call in calls.done(): call.status, call.seconds
"""
import selectors
import socket
import threading
import time
from dataclasses import dataclass

_RETRANSMIT = 0.5


@dataclass
class SteadyCall:
    begun: float        # monotonic
    invite: bytes
    last_sent: float
    status: int = 0     # 0: no final response yet
    seconds: float = 0.0


class SteadyCalls:
    def __init__(self, server, address, *, rate=100, called="1000"):
        self._server, self._interval, self._called = server, 1 / rate, called
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
        self._socket.bind((address, 0))
        self._local = "%s:%d" % self._socket.getsockname()
        self._calls = []
        self._open = set()
        self._calling, self._running = True, True
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._running = False
        self._thread.join()
        self._socket.close()

    def done(self, seconds=15.0):
        """Begins no more, and answers all that were begun, once each has its final response; fails when one has none by then."""
        self._calling = False
        end = time.monotonic() + seconds
        while self._open:
            if time.monotonic() > end:
                raise AssertionError(f"{len(self._open)} of {len(self._calls)} calls have no final response after {seconds} s")
            time.sleep(0.02)
        return list(self._calls)

    def over(self):
        """Those that are over so far, in the order in which they began."""
        return [call for call in self._calls if call.status]

    @property
    def begun(self):
        return len(self._calls)

    def settled(self, count, seconds=10.0):
        """Waits until that many more calls are over."""
        wanted = self.begun - len(self._open) + count
        end = time.monotonic() + seconds
        while self.begun - len(self._open) < wanted:
            if time.monotonic() > end:
                raise AssertionError(f"{count} more calls were expected to be over within {seconds} s; {len(self._open)} of {self.begun} are open")
            time.sleep(0.02)

    def _request(self, number):
        to = f"<sip:{self._called}@{self._server[0]}>"
        return (f"INVITE sip:{self._called}@{self._server[0]} SIP/2.0\r\nVia: SIP/2.0/UDP {self._local};branch=z9hG4bKsteady{number};rport\r\n"
                f"Max-Forwards: 70\r\nFrom: <sip:steady@{self._local}>;tag=s{number}\r\nTo: {to}\r\nCall-ID: {number}@{self._local}\r\n"
                f"CSeq: 1 INVITE\r\nContact: <sip:steady@{self._local}>\r\nContent-Length: 0\r\n\r\n").encode()

    def _run(self):
        next_call = time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            while self._running:
                now = time.monotonic()
                if self._calling and now >= next_call:
                    invite = self._request(len(self._calls))
                    self._open.add(len(self._calls))
                    self._calls.append(SteadyCall(now, invite, now))
                    self._socket.sendto(invite, self._server)
                    next_call = max(next_call + self._interval, now - 0.1)  # a test that was held up does not make up for all of it
                for number in [n for n in self._open if now - self._calls[n].last_sent > _RETRANSMIT]:
                    self._calls[number].last_sent = now
                    self._socket.sendto(self._calls[number].invite, self._server)
                if selector.select(max(0.0, min(0.02, next_call - time.monotonic()))):
                    self._response(self._socket.recv(65536))

    def _response(self, data):
        head = data.decode("utf-8", "replace").split("\r\n")
        fields = dict((line.split(": ", 1)[0].lower(), line.split(": ", 1)[1]) for line in head[1:] if ": " in line)
        status, number = int(head[0].split()[1]), int(fields["call-id"].split("@")[0])
        call = self._calls[number]
        call.last_sent = time.monotonic() + 60  # it arrived
        if status < 200:
            return
        ack = call.invite.decode().replace("INVITE", "ACK").split("\r\n")
        ack = [f"To: {fields['to']}" if line.startswith("To:") else line for line in ack if not line.startswith("Contact")]
        self._socket.sendto("\r\n".join(ack).encode(), self._server)
        if call.status == 0:
            call.status, call.seconds = status, time.monotonic() - call.begun
            self._open.discard(number)
