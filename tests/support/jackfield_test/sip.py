"""SIP messages as the test's own phones read and write them: plain text, nothing normalised, so that a test sees the wire."""
import hashlib
import re

_COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length", "c": "content-type",
            "k": "supported", "s": "subject", "e": "content-encoding"}


def full_name(name):
    name = name.strip().lower()
    return _COMPACT.get(name, name)


class Message:
    """A request or a response. Headers are (name, value) in the order of the wire."""

    def __init__(self, start, headers=(), body=b""):
        self.start = start
        self.headers = list(headers)
        self.body = body

    @classmethod
    def parse(cls, data):
        head, _, body = data.partition(b"\r\n\r\n")
        lines = re.sub(r"\r\n[ \t]+", " ", head.decode("utf-8", "surrogateescape")).split("\r\n")
        headers = []
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers.append((name.strip(), value.strip()))
        return cls(lines[0], headers, body)

    def encode(self):
        lines = [self.start] + [f"{name}: {value}" for name, value in self.headers]
        if self.get("content-length") is None:
            lines.append(f"Content-Length: {len(self.body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape") + self.body

    @property
    def is_response(self):
        return self.start.startswith("SIP/2.0 ")

    @property
    def status(self):
        """The response's code, 0 for a request."""
        return int(self.start.split(" ")[1]) if self.is_response else 0

    @property
    def method(self):
        """The request's method; for a response that of the CSeq."""
        return self.get("cseq", "0 ?").split()[-1] if self.is_response else self.start.split(" ")[0]

    @property
    def uri(self):
        return self.start.split(" ")[1]

    def all(self, name):
        return [value for key, value in self.headers if full_name(key) == full_name(name)]

    def get(self, name, default=None):
        values = self.all(name)
        return values[0] if values else default

    def __getitem__(self, name):
        values = self.all(name)
        if not values:
            raise AssertionError(f"expected a header {name} in:\n{self}")
        return values[0]

    def __contains__(self, name):
        return bool(self.all(name))

    @property
    def tag(self):
        """The To tag, None where there is none."""
        return parameter(self["to"], "tag")

    @property
    def contacts(self):
        """{uri: seconds left} of a REGISTER's 200."""
        found = {}
        for value in self.all("contact"):
            for uri, rest in re.findall(r"<([^>]*)>([^,]*)", value):
                expires = parameter(rest, "expires")
                found[uri] = int(expires) if expires is not None else None
        return found

    @property
    def sdp(self):
        return self.body.decode()

    def __str__(self):
        return self.encode().decode("utf-8", "replace").replace("\r\n", "\n")

    def __repr__(self):
        return f"<{self.start}>"


def parameter(value, name):
    """`;name=value` behind an address, None where it is absent, '' where it has no value."""
    behind = value.rsplit(">", 1)[-1]
    match = re.search(r';\s*%s(?:\s*=\s*("[^"]*"|[^;,\s]*))?' % re.escape(name), behind, re.IGNORECASE)
    return None if match is None else (match[1] or "").strip('"')


def challenge(value):
    """The parameters of a WWW-Authenticate header."""
    return {name.lower(): quoted or plain for name, quoted, plain in re.findall(r'(\w+)\s*=\s*(?:"([^"]*)"|([^,\s]+))', value)}


def authorization(offer, username, password, method, uri, *, count=1, cnonce="0a4f113b", use_qop=True, body=b""):
    """The Authorization value that answers a challenge (RFC 7616; without qop RFC 2069's older response)."""
    algorithm = offer.get("algorithm", "MD5")
    digest = hashlib.sha256 if algorithm.upper().startswith("SHA-256") else hashlib.md5

    def h(text):
        return digest(text.encode()).hexdigest()

    nonce = offer["nonce"]
    secret = h(f"{username}:{offer['realm']}:{password}")
    request = h(f"{method}:{uri}")
    fields = [f'username="{username}"', f'realm="{offer["realm"]}"', f'nonce="{nonce}"', f'uri="{uri}"', f"algorithm={algorithm}"]
    if use_qop and "auth" in offer.get("qop", ""):
        nc = f"{count:08x}"
        response = h(f"{secret}:{nonce}:{nc}:{cnonce}:auth:{request}")
        fields += ["qop=auth", f"nc={nc}", f'cnonce="{cnonce}"']
    else:
        response = h(f"{secret}:{nonce}:{request}")
    fields.append(f'response="{response}"')
    if "opaque" in offer:
        fields.append(f'opaque="{offer["opaque"]}"')
    return "Digest " + ", ".join(fields)
