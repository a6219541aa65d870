"""A phone that does exactly what the test tells it to, message by message: for what sipp and baresip do not do, or hide."""
import itertools
import random
import time

from . import wire
from .call import Call
from .sip import Message, authorization, challenge, parameter

_REASONS = {100: "Trying", 180: "Ringing", 183: "Session Progress", 200: "OK", 302: "Moved Temporarily", 404: "Not Found",
            480: "Temporarily Unavailable", 486: "Busy Here", 487: "Request Terminated", 500: "Server Internal Error",
            503: "Service Unavailable", 603: "Decline"}
_numbers = itertools.count(1)


def bracketed(host):
    return f"[{host}]" if ":" in host else host


class Phone:
    """One user agent on one socket. `server` is (host, port); `address` the local one, by default the server's. `domain` is whose user it
    is, by default the server's address; with another one the server is its outbound proxy."""

    def __init__(self, server, user, password=None, *, transport="udp", address=None, port=0, auth_user=None, domain=None):
        self.server = server
        self.user = user
        self.password = password
        self.auth_user = auth_user or user
        self._wire = (wire.Tcp if transport == "tcp" else wire.Udp)(server, address or server[0], port)
        self.transport = self._wire.transport
        self.local = self._wire.local
        self.hostport = f"{bracketed(self.local[0])}:{self.local[1]}"
        self.contact = f"sip:{user}@{self.hostport}{self._wire.suffix}"
        self.domain = domain or bracketed(server[0])
        self._register_id = self.new_id()
        self._register_tag = self.new_id()
        self._cseq = itertools.count(1)
        self._offer = None
        self._count = 0
        self._early = []   # received, asked for by nobody yet
        self.trace = []    # everything sent and received, for the failing test's report

    @staticmethod
    def new_id():
        return f"{next(_numbers)}x{random.getrandbits(48):x}"

    def close(self):
        self._wire.close()

    # --- sending and receiving

    def via(self, branch=None):
        return f"SIP/2.0/{self.transport} {self.hostport};rport;branch={branch or 'z9hG4bK' + self.new_id()}"

    def send(self, message, to=None):
        data = message if isinstance(message, bytes) else message.encode()
        self.trace.append(("sent", data))
        self._wire.send(data, to)
        return message

    def receive(self, seconds=3.0):
        """The next SIP message from the wire, None when none came in time. Keep-alives are not messages."""
        end = time.monotonic() + seconds
        while True:
            data = self._wire.receive(end - time.monotonic())
            if data is None:
                return None
            self.trace.append(("received", data))
            if data.strip(b"\r\n\0 "):
                return Message.parse(data)

    def expect(self, what, method=None, *, call_id=None, seconds=3.0):
        """The next message that is `what`: a status (180), a method ("BYE"), or (200, 299) for a range of statuses. What else
        arrives meanwhile is kept for a later expect(). A final response that is not the expected one fails at once."""
        wanted = (lambda m: m.status == what) if isinstance(what, int) else \
                 (lambda m: what[0] <= m.status <= what[1]) if isinstance(what, tuple) else \
                 (lambda m: not m.is_response and m.method == what)

        def fits(message):
            return wanted(message) and (method is None or message.method == method) and \
                (call_id is None or message["call-id"] == call_id)

        def contradicts(message):
            return isinstance(what, int) and method is not None and message.status >= 200 and message.method == method and \
                (call_id is None or message["call-id"] == call_id) and message.status != what

        end = time.monotonic() + seconds
        while True:
            for index, message in enumerate(self._early):
                if fits(message):
                    return self._early.pop(index)
                if contradicts(message):
                    raise AssertionError(f"{self.user} expected {what} to {method}, received:\n{message}")
            message = self.receive(end - time.monotonic())
            if message is None:
                kept = ", ".join(repr(m) for m in self._early) or "nothing"
                raise AssertionError(f"{self.user} expected {what}{' to ' + method if method else ''} within {seconds} s, "
                                     f"received {kept}")
            self._early.append(message)

    def expect_nothing(self, seconds, what=None):
        """Fails when a message (a `what`, when given) arrives within that time."""
        end = time.monotonic() + seconds
        pending, self._early = self._early, []
        while True:
            message = pending.pop(0) if pending else self.receive(end - time.monotonic())
            if message is None:
                return
            if what is None or what in (message.method, message.status):
                raise AssertionError(f"{self.user} expected no {what or 'message'}, received:\n{message}")
            self._early.append(message)

    def forget(self):
        """Passes over all that has arrived so far."""
        while self.receive(0.05):
            pass
        self._early.clear()

    # --- requests outside a dialog

    def request(self, method, uri, *, to=None, call_id=None, cseq=None, tag=None, headers=(), body=b"", branch=None, from_user=None):
        """A request with the headers every request has. A header given in `headers` stands beside them, in that order."""
        body = body.encode() if isinstance(body, str) else body
        fields = [("Via", self.via(branch)), ("Max-Forwards", "70"),
                  ("From", f"<sip:{from_user or self.user}@{self.domain}>;tag={tag or self.new_id()}"), ("To", to or f"<{uri}>"),
                  ("Call-ID", call_id or self.new_id()), ("CSeq", f"{cseq or next(self._cseq)} {method}"), *headers]
        return Message(f"{method} {uri} SIP/2.0", fields, body)

    def credentials(self, response, method, uri, **options):
        """The header that answers a 401 or 407."""
        proxy = response.status == 407
        offer = challenge(response["proxy-authenticate" if proxy else "www-authenticate"])
        if not self._offer or offer["nonce"] != self._offer["nonce"]:
            self._offer, self._count = offer, 0
        self._count += 1
        options.setdefault("count", self._count)
        password = options.pop("password", self.password)
        value = authorization(offer, self.auth_user, password, method, uri, **options)
        return ("Proxy-Authorization" if proxy else "Authorization", value)

    def register_request(self, contacts=None, *, expires=None, headers=(), to_user=None, call_id=None, cseq=None):
        """A REGISTER. `contacts` are whole Contact values; default: this phone's own, [] for none."""
        fields = list(headers)
        if contacts is None:
            contacts = [f"<{self.contact}>"]
        fields += [("Contact", value) for value in contacts]
        if expires is not None:
            fields.append(("Expires", str(expires)))
        aor = f"<sip:{to_user or self.user}@{self.domain}>"
        return self.request("REGISTER", f"sip:{self.domain}", to=aor, call_id=call_id or self._register_id, cseq=cseq,
                            tag=self._register_tag, headers=fields, from_user=to_user)

    def register(self, contacts=None, *, status=200, **options):
        """REGISTER, 401 or 407, REGISTER with digest, and the final response, which must have `status`. Without a password there is no
        challenge."""
        cseq = options.pop("cseq", None)
        first = self.send(self.register_request(contacts, cseq=cseq, **options))
        refused = self.expect((200, 699) if self.password is None else (300, 699), "REGISTER")
        if refused.status not in (401, 407):
            return self._checked(refused, status)
        credentials = self.credentials(refused, "REGISTER", first.uri)
        options["headers"] = [*options.get("headers", ()), credentials]
        self.send(self.register_request(contacts, cseq=cseq + 1 if cseq else None, **options))
        return self._checked(self.expect((200, 699), "REGISTER"), status)

    def _checked(self, response, status):
        if response.status != status:
            raise AssertionError(f"{self.user} expected {status} to REGISTER, received:\n{response}")
        return response

    def unregister(self, contacts=None):
        return self.register(contacts, expires=0)

    # --- calls

    def sdp(self, version=1, direction="sendrecv", port=4000):
        host = self.local[0]
        family = "IP6" if ":" in host else "IP4"
        return (f"v=0\r\no={self.user} 20 {version} IN {family} {host}\r\ns=-\r\nc=IN {family} {host}\r\nt=0 0\r\n"
                f"m=audio {port} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na={direction}\r\n")

    def invite(self, number, *, body=None, headers=(), authenticate=True):
        """Sends an INVITE, with credentials once challenged, and returns the call at that point."""
        call = Call.outgoing(self, f"sip:{number}@{self.domain}")
        call.invite(self.sdp() if body is None else body, headers)
        if authenticate and self.password is not None:
            call.answer_challenge()
        return call

    def incoming(self, seconds=3.0):
        """The next INVITE that opens a dialog, as a call this phone may answer."""
        return Call.incoming(self, self.expect("INVITE", seconds=seconds))

    def reply(self, request, status, *, tag=None, headers=(), body=b"", contact=True):
        """Answers a request; with `tag` the response carries that To tag."""
        body = body.encode() if isinstance(body, str) else body
        to = request["to"]
        if tag and parameter(to, "tag") is None:
            to += f";tag={tag}"
        fields = [("Via", via) for via in request.all("via")]
        fields += [("Record-Route", route) for route in request.all("record-route")]
        fields += [("From", request["from"]), ("To", to), ("Call-ID", request["call-id"]), ("CSeq", request["cseq"])]
        if contact and 180 <= status < 300 and request.method == "INVITE":
            fields.append(("Contact", f"<{self.contact}>"))
        if body:
            fields.append(("Content-Type", "application/sdp"))
        fields += headers
        return self.send(Message(f"SIP/2.0 {status} {_REASONS.get(status, 'Because')}", fields, body))
