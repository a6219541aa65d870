"""The sockets under a scripted phone: a UDP socket, or a TCP connection to the server that keeps SIP's framing."""
import select
import socket
import time


class Udp:
    transport = "UDP"
    suffix = ""

    def __init__(self, server, address, port=0):
        family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
        self._server = server
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.bind((address, port))
        self.local = self._socket.getsockname()[:2]

    def send(self, data, to=None):
        self._socket.sendto(data, to or self._server)

    def receive(self, seconds):
        """One datagram, None when none came in time."""
        ready, _, _ = select.select([self._socket], [], [], max(seconds, 0))
        return self._socket.recv(65535) if ready else None

    def close(self):
        self._socket.close()


class Tcp:
    transport = "TCP"
    suffix = ";transport=tcp"

    def __init__(self, server, address, port=0):
        self._socket = socket.create_connection(server, timeout=5, source_address=(address, port))
        self.local = self._socket.getsockname()[:2]
        self._buffer = b""
        self.closed = False

    def send(self, data, to=None):
        self._socket.sendall(data)

    def receive(self, seconds):
        """One message by its Content-Length, or the b"\\r\\n" that answers a keep-alive; None when none came in time."""
        end = time.monotonic() + seconds
        while True:
            message = self._take()
            if message is not None:
                return message
            ready, _, _ = select.select([self._socket], [], [], max(end - time.monotonic(), 0))
            if self.closed or not ready:
                return None
            try:
                data = self._socket.recv(65536)
            except ConnectionResetError:
                data = b""
            self.closed = not data
            self._buffer += data

    def _take(self):
        if self._buffer.startswith(b"\r\n"):
            self._buffer = self._buffer[2:]
            return b"\r\n"
        head, blank, rest = self._buffer.partition(b"\r\n\r\n")
        if not blank:
            return None
        length = 0
        for line in head.lower().split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.strip() in (b"content-length", b"l"):
                length = int(value)
        if len(rest) < length:
            return None
        self._buffer = rest[length:]
        return head + blank + rest[:length]

    def close(self):
        self._socket.close()
