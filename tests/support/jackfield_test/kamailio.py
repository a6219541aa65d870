"""Kamailio as a far registrar and proxy, with its locations in memory: stopped and started it knows nobody. Each has its own address."""
import contextlib
import itertools
import json
import os
import shutil
import socket
import tempfile
import time

from .processes import Process, wait_for

_TEMPLATE = os.path.join(os.path.dirname(__file__), "kamailio.cfg")


class Request:
    """One request it received, as it logged it."""

    def __init__(self, fields):
        self.time = float(fields[0])
        self.method, self.uri, self.from_uri, self.to_uri, self.call_id = fields[1:6]
        self.cseq = int(fields[6])
        self.expires = int(fields[7]) if fields[7].isdigit() else None
        self.contact, self.source, self.auth_user, self.mode, self.route = fields[8:13]
        self.text = bytes.fromhex(fields[13]).decode("utf-8", "replace") if len(fields) > 13 and fields[13] else ""  # with `whole`

    def __repr__(self):
        return f"<{self.time:.3f} {self.method} {self.uri} cseq={self.cseq} expires={self.expires} from {self.source}>"


class Kamailio:
    """Made with start(). `users` maps names to passwords; without any it takes everybody. `max_expires` is the most it grants;
    `auth_calls` challenges calls, too (407). `strict_uri` refuses a digest whose uri= is not the Request-URI; `bound_nonces` are good for one
    Call-ID and From tag only; `proxy_challenge`: REGISTER is challenged with 407; `crowd` is a number of users u0, u1, … beside them. `whole` keeps each request's text."""

    def __init__(self, address, *, port=5060, users=None, realm="far", domain=None, max_expires=3600, auth_calls=False, service_route=False,
                 strict_uri=False, bound_nonces=False, proxy_challenge=False, whole=False, max_contacts=10, crowd=0, namespace=None):
        self.address = (address, port)
        self.name = f"kamailio at {address}:{port}"
        self.realm = realm
        self._options = {"ADDRESS": address, "PORT": port, "REALM": realm, "DOMAIN": domain or address, "MAX_EXPIRES": max_expires,
                         "AUTH": int(bool(users or crowd)), "AUTH_CALLS": int(auth_calls), "SERVICE_ROUTE": int(service_route), "OWN": "0.0.0.0",
                         "USERS": "\n".join(f'  $sht(pw=>{user}) = "{password}";' for user, password in (users or {}).items()),
                         "STRICT_URI": int(strict_uri), "NONCE_CHECKS": 6 if bound_nonces else 0, "PROXY_CHALLENGE": int(proxy_challenge), "MAX_CONTACTS": max_contacts, "CROWD": crowd,
                         "MESSAGE": "$(mb{s.encode.hexa})" if whole else ""}
        self._folder = self._options["FOLDER"] = tempfile.mkdtemp(prefix="jackfield-kamailio-")
        self._namespace = namespace
        self._questions = itertools.count(1)
        self._starts = 0
        self.process = None
        self._earlier = ""

    def start(self, seconds=15.0):
        with open(_TEMPLATE) as file:
            text = file.read()
        for name, value in self._options.items():
            text = text.replace(f"@{name}@", str(value))
        path = os.path.join(self._folder, "kamailio.cfg")
        with open(path, "w") as file:
            file.write(text)
        self._starts += 1
        command = ["kamailio", "-f", path, "-m", "64", "-M", "8", "-DD", "-E", "-P", os.path.join(self._folder, "pid"), "-Y", self._folder]
        if self._namespace:
            command = self._namespace.command(*command)
        self.process = Process(command, self._folder, f"kamailio-{self._starts}", group=True)
        wait_for(f"{self.name} to answer", self._is_there, seconds)
        return self

    def _is_there(self):
        if self.process.status is not None:
            raise AssertionError(f"{self.name} ended with {self.process.status} instead of starting:\n{self.process.output[-4000:]}")
        return self._ask("", seconds=0.2)

    def stop(self):
        """Gone without a word, and with its memory."""
        if self.process is None:
            return
        self._earlier += self.process.output
        self.process.stop()
        self.process = None

    def close(self):
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    # --- what it does

    def answers(self, mode="", callee=None):
        """From now on every request meets this: "" is as usual, "503" and other codes, "silent", "423:600" for a least interval.
        `callee` (sip:host:port) is where calls go whoever is called."""
        wait_for(f"{self.name} to take {mode!r}", lambda: self._ask(mode, callee or ""), 5)

    def _ask(self, mode, callee="", seconds=1.0):
        with self._namespace.inside() if self._namespace else contextlib.nullcontext():
            control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with control:
            control.bind((self.address[0], 0))
            control.settimeout(seconds)
            host, port = control.getsockname()
            branch = f"z9hG4bK{time.monotonic_ns():x}"
            control.sendto((f"OPTIONS sip:control@{self.address[0]}:{self.address[1]} SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{port};branch={branch}\r\n"
                            f"From: <sip:t@t>;tag=1\r\nTo: <sip:control@t>\r\nCall-ID: {branch}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 1\r\n"
                            f"X-Mode: {mode}\r\nX-Callee: {callee}\r\nContent-Length: 0\r\n\r\n").encode(), self.address)
            try:
                return control.recv(4096).startswith(b"SIP/2.0 200")
            except (TimeoutError, ConnectionRefusedError):
                return False

    # --- what it knows

    def _command(self, method, *parameters):
        """A command of its own console (JSON-RPC over a socket in its folder)."""
        path = os.path.join(self._folder, f"question-{next(self._questions)}")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as console:
            console.bind(path)
            console.settimeout(5)
            question = {"jsonrpc": "2.0", "method": method, "params": parameters, "id": 1}
            console.sendto(json.dumps(question).encode(), os.path.join(self._folder, "rpc"))
            answer = json.loads(console.recv(1 << 20))
        os.unlink(path)
        return answer.get("result")

    def contacts(self, user):
        """{Contact URI: seconds left} of that user; empty when nobody registered him."""
        found = self._command("ul.lookup", "location", user)
        return {each["Contact"]["Address"]: each["Contact"]["Expires"] for each in found["Contacts"]} if found else {}

    def registered(self):
        """How many contacts it has, of all users."""
        return int(self._command("stats.fetch", "usrloc:")["usrloc.location_contacts"])

    # --- what it saw

    @property
    def trace(self):
        return self._earlier + (self.process.output if self.process else "")

    def requests(self, method=None):
        """All requests since the first start, in order."""
        found = []
        for line in self.trace.splitlines():
            at = line.find("REQUEST\t")
            if at < 0:
                continue
            fields = line[at:].split("\t")[1:]
            if len(fields) >= 13 and (method is None or fields[1] == method):
                found.append(Request(fields))
        return sorted(found, key=lambda request: request.time)  # written by several processes

    def expect(self, count, method="REGISTER", seconds=10.0):
        """Until it has received that many requests of the method."""
        return wait_for(f"{count} {method} at {self.name}, there are {self.requests(method)}",
                        lambda: len(self.requests(method)) >= count and self.requests(method), seconds)
