"""The server in a private network behind DNAT, two phones outside: calls, and hanging up from both ends (D12)."""
from jackfield_test import Case, enter_private_network, join, main

enter_private_network()

USERS = {"101": "an-old-song", "102": "a-new-song"}
PUBLIC, PRIVATE = "198.51.100.1", "10.0.0.2"


class BehindDnat(Case):
    def setUp(self):
        super().setUp()
        inside, router = self.namespace("inside"), self.namespace("router")
        join(inside, PRIVATE + "/24", router, "10.0.0.1/24")
        inside.route("default", "10.0.0.1")
        router.run("ip", "address", "add", PUBLIC + "/32", "dev", "lo")
        router.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
        for protocol in ("udp", "tcp"):
            router.run("iptables", "-t", "nat", "-A", "PREROUTING", "-d", PUBLIC, "-p", protocol, "--dport", "5060", "-j", "DNAT",
                       "--to-destination", PRIVATE + ":5060")
        self.jackfield = self.server(USERS, address=PRIVATE, namespace=inside,
                                     settings={"sip": {"general": {"advertise": PUBLIC, "local_net": "10.0.0.0/8"}}})
        self.phones = {}
        for number, (user, password) in enumerate(USERS.items(), start=1):
            outside = self.namespace("outside-" + user)
            address = f"203.0.{number}.2"
            join(outside, address + "/24", router, f"203.0.{number}.1/24")
            outside.route("default", f"203.0.{number}.1")
            account = f"<sip:{user}@{PUBLIC}>;auth_pass={password};regint=60"
            self.phones[user] = self.baresip(outside, address, account, "baresip-" + user)
        for phone in self.phones.values():
            phone.registered()

    def call(self, caller, callee):
        self.phones[caller].dial(callee)
        self.phones[callee].expect("CALL_INCOMING")
        self.phones[callee].accept()
        self.phones[caller].expect("CALL_ESTABLISHED")
        self.phones[callee].expect("CALL_ESTABLISHED")

    def test_hang_up_from_both_ends_in_both_directions(self):
        for caller, callee in (("101", "102"), ("102", "101")):
            for end, other in ((caller, callee), (callee, caller)):
                self.call(caller, callee)
                self.phones[end].hang_up()
                self.phones[other].expect("CALL_CLOSED")

    def test_no_phone_ever_sees_the_private_address(self):
        self.call("101", "102")
        self.phones["101"].hang_up()
        self.phones["102"].expect("CALL_CLOSED")
        for phone in self.phones.values():
            self.assertNotIn(PRIVATE, phone.trace)


main()
