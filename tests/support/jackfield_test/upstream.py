"""The base of the tests of Upper and Thru: a server B in front of servers A1, A2 that are Kamailios, whose users' phones register through B."""
import os
import re

from .case import Case
from .processes import wait_for

LONG = os.environ.get("JACKFIELD_TEST_LENGTH") == "long"
TOKEN = re.compile(r"^sip:([0-9a-f]{32})@")
MODULES = ("sip", "regfile", "upperreg", "regexroute", "callfork", "cdrbuild", "cdrfile")
# The users of A; their passwords there are nobody else's business.
AT_A = {name: f"{name}-song-of-A" for name in ("a", "b", "d", "e", "f")}
AT_B = "a-song-of-B"

# A hears what phones cause, and nothing else.
QUIET = {"probe_interval": "0"}
# How long B waits for A.
QUICK = {"invite_total_timeout": "500", "retry_interval": "1"}


def stored(name, **more):
    """A user of B for whom B has A's password."""
    return {"password": AT_B, "upper": "yes", "upper_username": name, "upper_password": AT_A[name], **more}


class Upstream(Case):
    """`self.b` is the server, `self.far` the Kamailio it is in front of, on address(20)."""

    def kamailio(self, host=20, **options):
        options.setdefault("users", AT_A)
        return super().kamailio(host, **options)

    def upper(self, users=None, keys=None, *, far=None, general=None, **options):
        """B for Upper at `far`, a Kamailio or several; waits are of seconds. `keys` are those of [upper]."""
        far = far or self.far
        fars = far if isinstance(far, (list, tuple)) else [far]
        keys = {"server": ",".join(each.address[0] for each in fars), **QUICK, **(keys or {})}
        return self.site(users, {"general": {**QUIET, **(general or {})}, "upper": keys}, **options)

    def thru(self, domains, users=None, *, names, general=None, sip=None, **options):
        """B for Thru in these domains, which `names`, a Dnsmasq, knows."""
        return self.site(users, {"general": {**QUIET, **(general or {})}, "thru": {"thru_domains": domains, **QUICK}},
                         sip={"dns_servers": names.server, **(sip or {})}, **options)

    def site(self, users, upperreg, *, rules=None, sip=None, registrar=None, guard=None, modules=MODULES, **options):
        settings = {"upperreg": upperreg, "sip": {"general": {"t1": 100, **(sip or {})}, "registrar": {"expires_min": 1, **(registrar or {})},
                                                  "guard": guard or {}}}
        if rules:
            settings["regexroute"] = rules
        self.b = self.server(users or {}, settings=settings, modules=modules, **options)
        return self.b

    # --- phones

    def through(self, name, password=None, *, host=None, **options):
        """A phone at B. Without a password it uses A's: its credentials are relayed."""
        options.setdefault("address", self.address(host or 2))
        return self.phone(self.b, name, AT_A[name] if password is None else password, **options)

    def at_a(self, name, far=None, **options):
        """A phone at A itself, registered there."""
        phone = self.phone((far or self.far).address, name, AT_A[name], address=self.address(options.pop("host", 9)), **options)
        phone.register()
        return phone

    # --- what is known where

    def token(self, name, far=None, seconds=3.0):
        """The user part of the one contact A has of that user, which must be B's: 128 random bits at B's address."""
        far = far or self.far
        contacts = wait_for(f"{far.name} to know {name}", lambda: far.contacts(name), seconds)
        self.assertEqual(len(contacts), 1, contacts)
        contact = next(iter(contacts))
        self.assertRegex(contact, TOKEN)
        self.assertIn(f"@{self.b.address[0]}", contact)
        return TOKEN.match(contact)[1]

    def gone(self, name, far=None, seconds=3.0):
        far = far or self.far
        wait_for(f"{name} to be gone from {far.name}, it has {far.contacts(name)}", lambda: not far.contacts(name), seconds)

    def here(self, name=""):
        """The contacts B has, of that user or of all."""
        lines = self.b.command("registration", "list", name).stdout.splitlines() if name else self.b.command("registration", "list").stdout.splitlines()
        return [line.split("\t")[1] for line in lines if "\t" in line and (not name or line.split("\t")[0] == name)]

    # --- calls

    def talk(self, call, callee, seconds=5.0):
        """It rings there, is answered, and ends from the caller; the callee's end of it."""
        incoming = callee.incoming(seconds=seconds)
        incoming.reply(180)
        call.expect(180)
        incoming.reply(200, callee.sdp())
        call.answered()
        incoming.expect_request("ACK")
        call.bye()
        incoming.hung_up()
        return incoming

    def call_from_a(self, caller, number, callee):
        """A phone of A calls a user whose phone is at B."""
        call = caller.invite(number, authenticate=False)
        return self.talk(call, callee)
