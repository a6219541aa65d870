"""A relay between a server and its database that hands bytes on as late as it is told: a far or congested network.

    relay = Relay(self.address(21), 5432, (database.address, database.port))
    relay.latency = 30     # seconds, for what arrives from now on, in each direction
"""
import heapq
import itertools
import selectors
import socket
import threading
import time


class Relay:
    name = "relay"
    trace = log = ""

    def __init__(self, address, port, target):
        self.address, self.port = address, port
        self.latency = 0.0
        self._target = target
        self._others = {}      # each socket's other end
        self._due = []         # (when, number, socket, bytes); no bytes: it is closed
        self._numbers = itertools.count()
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server((address, port))
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self):
        self._ending.set()
        self._thread.join()
        for end in (*self._others, self._listener):
            end.close()

    def _run(self):
        while not self._ending.is_set():
            pause = max(0.0, min(0.05, self._due[0][0] - time.monotonic())) if self._due else 0.05
            for key, _ in self._selector.select(pause):
                self._accept() if key.fileobj is self._listener else self._read(key.fileobj)
            while self._due and self._due[0][0] <= time.monotonic():
                _, _, end, data = heapq.heappop(self._due)
                self._hand_on(end, data)

    def _accept(self):
        near, _ = self._listener.accept()
        try:
            far = socket.create_connection(self._target)
        except OSError:
            near.close()
            return
        for one, other in ((near, far), (far, near)):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._others[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _read(self, end):
        try:
            data = end.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(end)
        heapq.heappush(self._due, (time.monotonic() + self.latency, next(self._numbers), self._others[end], data))

    def _hand_on(self, end, data):
        try:
            end.sendall(data) if data else end.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other side of it will notice
