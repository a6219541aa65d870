"""Connections that send a byte a second, and connections that send garbage: they go, and everyone else is served meanwhile."""
import os
import resource
import selectors
import socket
import time

from jackfield_test import Case, main

PASSWORD = "an old song"
COUNT = 1000
HOSTS = 20


class HostileConnections(Case):
    def setUp(self):
        super().setUp()
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard != resource.RLIM_INFINITY else 65536, hard))
        self.jackfield = self.server({"101": PASSWORD, "102": PASSWORD},
                                     settings={"sip": {"general": {"tcp_first": "3s", "tcp_message": "3s"}, "guard": {"exempt": "192.0.2.1"}}})
        self.sockets = []
        self.addCleanup(lambda: [each.close() for each in self.sockets])

    def connections(self, count, hosts=HOSTS):
        for number in range(count):
            each = socket.create_connection(self.jackfield.address, timeout=5, source_address=(self.address(20 + number % hosts), 0))
            each.setblocking(False)
            self.sockets.append(each)
        return self.sockets[-count:]

    @staticmethod
    def closed(sockets, seconds):
        """How many the server closes within that time."""
        waiting, selector = set(sockets), selectors.DefaultSelector()
        for each in sockets:
            selector.register(each, selectors.EVENT_READ)
        end = time.monotonic() + seconds
        while waiting and time.monotonic() < end:
            for key, _ in selector.select(0.2):
                try:
                    if key.fileobj.recv(65536):
                        continue
                except BlockingIOError:
                    continue
                except OSError:
                    pass
                selector.unregister(key.fileobj)
                waiting.discard(key.fileobj)
        selector.close()
        return len(sockets) - len(waiting)

    def serves(self):
        """A call from UDP to TCP, in less than a second."""
        begin = time.monotonic()
        caller = self.phone(self.jackfield, "101", PASSWORD)
        callee = self.phone(self.jackfield, "102", PASSWORD, transport="tcp")
        callee.register()
        call = caller.invite("102")
        incoming = callee.incoming()
        incoming.accept()
        call.answered()
        call.bye()
        incoming.hung_up()
        callee.unregister()
        self.assertLess(time.monotonic() - begin, 3)

    @staticmethod
    def send(sockets, data):
        for each in sockets:
            try:
                each.send(data)
            except OSError:
                pass  # closed already

    def test_slow_connections_are_closed_and_nobody_else_waits(self):
        slow = self.connections(COUNT)
        text = b"REGISTER sip:x SIP/2.0\r\nVia: SIP/2.0/TCP x\r\n"
        for at in range(2):
            self.send(slow, text[at:at + 1])
            self.serves()
            time.sleep(0.5)
        self.assertEqual(self.closed(slow, 8), COUNT)
        self.serves()

    def test_garbage_is_refused_and_nobody_else_waits(self):
        garbage = self.connections(COUNT)
        for _ in range(3):
            self.send(garbage, os.urandom(300) + b"\r\n\r\n")
        self.serves()
        self.assertEqual(self.closed(garbage, 8), COUNT)
        self.serves()

    def test_a_connection_that_says_nothing_is_closed(self):
        silent = self.connections(10)
        self.assertEqual(self.closed(silent, 6), 10)

    def test_one_source_has_its_share_only(self):
        several = self.connections(150, hosts=1)
        self.assertEqual(self.closed(several, 1), 50)
        self.serves()

    def test_too_long_headers_and_bodies_are_refused(self):
        for data, status in ((b"REGISTER sip:x SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK1\r\nX: " + b"a" * 20000, b"513"),
                             (b"OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK1\r\nContent-Length: 1000000\r\n\r\n", b"413")):
            (one,) = self.connections(1)
            one.setblocking(True)
            one.settimeout(3)
            one.sendall(data)
            self.assertTrue(one.recv(4096).startswith(b"SIP/2.0 " + status))


main()
