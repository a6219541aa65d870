"""The base of every integration test: a folder, loopback addresses nobody else uses, and the evidence when it fails."""
import os
import shutil
import sys
import tempfile
import unittest
import zlib

from .baresip import Baresip
from .dnsmasq import Dnsmasq
from .kamailio import Kamailio
from .network import Lan, Namespace
from .phone import Phone
from .postgres import Postgres
from .program import Server
from .sipp import Sipp

main = unittest.main
_PREFIX = "jackfield-test-"


def _sweep():
    """Removes what tests left behind that were killed: their folders (also those of the unit tests) name the process they were of."""
    root = tempfile.gettempdir()
    for name in os.listdir(root):
        owner = name.removeprefix(_PREFIX).split("-")[0]
        if name.startswith(_PREFIX) and owner.isdigit() and not os.path.exists(f"/proc/{owner}"):
            shutil.rmtree(os.path.join(root, name), ignore_errors=True)


_sweep()


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)  # also when setting up fails
        number = zlib.crc32(self.id().encode()) & 0xFFFF
        self._network = f"127.{1 + number % 254}.{number // 256}"
        self._servers, self._phones, self._peers, self._namespaces = [], [], [], []
        self._ports = iter(range(5070, 5999))

    def address(self, host=1):
        """This test's own loopback addresses: host 1 to 254."""
        return f"{self._network}.{host}"

    # --- what a test is made of; all of it ends with the test

    def server(self, users=None, settings=None, start=True, **options):
        """A running server with these users, on address(1) unless told otherwise."""
        folder = os.path.join(self.folder, f"jackfield-{len(self._servers)}")
        server = Server(folder, options.pop("address", self.address()), users=users, settings=settings, **options)
        self._servers.append(server)
        return server.start() if start else server

    def phone(self, server, user, password=None, **options):
        phone = Phone(server.address if isinstance(server, Server) else server, user, password, **options)
        self._phones.append(phone)
        return phone

    def sipp(self, scenario, server, user="", password="", **options):
        name = f"{scenario}-{user or len(self._peers)}-{len(self._peers)}"
        options.setdefault("port", next(self._ports))
        sipp = Sipp(scenario, server.address, self.folder, name, address=options.pop("address", self.address()), user=user,
                    password=password, **options)
        self._peers.append(sipp)
        return sipp

    def baresip(self, namespace, address, account, name):
        phone = Baresip(namespace, address, account, self.folder, name)
        self._peers.append(phone)
        return phone

    def postgres(self, host=20, **options):
        """A running PostgreSQL with an empty database, on address(host)."""
        database = Postgres(self.address(host), **options)
        self._peers.append(database)
        self.addCleanup(database.close)  # also when setting up fails
        return database.start()

    def kamailio(self, host=20, start=True, **options):
        """A running Kamailio on address(host), or on `address` in a `namespace`."""
        far = Kamailio(options.pop("address", self.address(host)), **options)
        self._peers.append(far)
        self.addCleanup(far.close)  # also when setting up fails
        return far.start() if start else far

    def dns(self, host=53, **records):
        """A running name server on address(host)."""
        names = Dnsmasq(self.address(host), **records)
        self._peers.append(names)
        self.addCleanup(names.close)  # also when setting up fails
        return names.start()

    def namespace(self, name):
        """A computer without links, in the private network of this test file."""
        namespace = Namespace(name, self.folder)
        self._namespaces.append(namespace)
        return namespace

    def office(self, users, **options):
        """A server on a network of its own and one registered baresip for each user, by name."""
        home = self.namespace("server")
        lan = Lan(home)
        server = self.server(users, address=lan.address, namespace=home, **options)
        phones = {}
        for number, (user, password) in enumerate(users.items(), start=10):
            namespace = self.namespace("phone-" + user)
            address = lan.plug(namespace, number)
            account = f"<sip:{user}@{lan.address}>;auth_pass={password};regint=60"
            phones[user] = self.baresip(namespace, address, account, "baresip-" + user)
        for phone in phones.values():
            phone.registered()
        return server, phones

    # --- the end

    def tearDown(self):
        failed = self._failed()
        for peer in self._phones + self._peers:
            peer.close()
        for server in self._servers:
            if not server.running:
                continue
            if failed:
                server.kill()
                continue
            try:
                server.stop()
            except AssertionError:
                failed = True
                self._show_evidence()
                server.kill()
                raise
        for namespace in self._namespaces:
            namespace.close()
        if failed:
            self._show_evidence()

    def _failed(self):
        result = self._outcome.result
        return any(test is self for test, _ in result.failures + result.errors)

    def _show_evidence(self):
        """What a person needs to find out why: the server's log and every message the peers saw."""
        out = sys.stderr
        print(f"\n##### {self.id()}", file=out)
        for server in self._servers:
            print(f"##### log of the server at {server.address}:\n{server.log[-20000:]}", file=out)
        for phone in self._phones:
            print(f"##### messages of {phone.user} at {phone.hostport}:", file=out)
            for direction, data in phone.trace[-40:]:
                print(f"--- {direction}\n{data.decode('utf-8', 'replace')}", file=out)
        for peer in self._peers:
            print(f"##### messages of {peer.name}:\n{peer.trace[-20000:]}", file=out)
