"""BR-11: phones behind a NAT that forgets quickly, B in the Internet, and an A without any help for NAT: calls from A ring after the NAT has forgotten
the way, and after its address has changed."""
import time

from jackfield_test import Lan, Phone, enter_private_network, join, main, wait_for
from jackfield_test.upstream import AT_A, AT_B, Upstream, stored

enter_private_network()

NETWORK, B, A, NAT, NAT_LATER = "198.51.100", "198.51.100.2", "198.51.100.3", "198.51.100.4", "198.51.100.5"
INSIDE, ROUTER = "10.0.0.2", "10.0.0.1"
FORGETS = 3  # seconds


class BehindNat(Upstream):
    def setUp(self):
        super().setUp()
        lan = Lan(self.namespace("internet"), NETWORK)
        self.places = {name: self.namespace(name) for name in ("b", "a", "router", "inside")}
        for name, host in (("b", 2), ("a", 3), ("router", 4)):
            lan.plug(self.places[name], host)
        router, inside = self.places["router"], self.places["inside"]
        join(router, ROUTER + "/24", inside, INSIDE + "/24")
        inside.route("default", ROUTER)
        router.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
        router.run("iptables", "-t", "nat", "-A", "POSTROUTING", "-s", "10.0.0.0/24", "-o", "eth0", "-j", "MASQUERADE")
        for name in ("udp_timeout", "udp_timeout_stream"):
            router.run("sysctl", "-q", "-w", f"net.netfilter.nf_conntrack_{name}={FORGETS}")
        self.far = self.kamailio(address=A, namespace=self.places["a"])

    def site_with(self, users, keepalive):
        self.upper(users, address=B, namespace=self.places["b"], registrar={"keepalive": keepalive, "nat_refresh": 1})

    def raw(self, place, server, user, password, **options):
        with self.places[place].inside():
            phone = Phone(server, user, password, **options)
        self._phones.append(phone)
        return phone

    def behind(self, name, password):
        phone = self.raw("inside", self.b.address, name, password, address=INSIDE)
        phone.register()
        return phone

    def caller(self):
        return self.raw("a", self.far.address, "a", None, address=A)

    def forgotten(self):
        """Long enough for the NAT to forget whoever says nothing."""
        time.sleep(FORGETS + 1.5)

    def test_BR_11_a_call_from_A_rings_after_the_NAT_would_have_forgotten_the_phone(self):
        for keepalive in ("crlf", "options"):
            with self.subTest(keepalive=keepalive):
                self.site_with({"d": stored("d")}, keepalive)
                phone = self.behind("d", AT_B)
                end = time.monotonic() + FORGETS + 1.5
                while time.monotonic() < end:  # it answers what it is asked, as phones do
                    message = phone.receive(0.2)
                    if message and message.method == "OPTIONS":
                        phone.reply(message, 200)
                self.call_from_a(self.caller(), "d", phone)
                self.b.stop()

    def test_BR_11_and_would_not_without_what_keeps_the_way_open(self):
        self.site_with({"d": stored("d")}, "no")
        phone = self.behind("d", AT_B)
        self.forgotten()
        self.caller().invite("d", authenticate=False)
        phone.expect_nothing(1, "INVITE")

    def test_BR_11_a_baresip_with_relayed_credentials_is_called_after_a_silence(self):
        self.site_with({}, "crlf")
        phone = self.baresip(self.places["inside"], INSIDE, f"<sip:d@{B}>;auth_pass={AT_A['d']};regint=600", "d")
        phone.registered()
        self.forgotten()
        caller = self.caller()
        call = caller.invite("d", authenticate=False)
        phone.expect("CALL_INCOMING")
        phone.accept()
        call.answered()
        phone.expect("CALL_ESTABLISHED")
        call.bye()
        phone.expect("CALL_CLOSED")
        self.assertNotIn(INSIDE, str(self.far.contacts("d")))

    def test_BR_11_the_phone_is_reached_at_its_new_address_and_A_notices_nothing(self):
        self.site_with({"d": stored("d")}, "crlf")
        phone = self.behind("d", AT_B)
        token = self.token("d")
        router = self.places["router"]
        router.run("ip", "address", "del", NAT + "/24", "dev", "eth0")
        router.run("ip", "address", "add", NAT_LATER + "/24", "dev", "eth0")
        self.assertIn(NAT_LATER, router.run("ip", "-4", "address", "show", "dev", "eth0"))
        phone.register()
        self.assertEqual(self.token("d"), token)
        self.assertEqual(len(self.here("d")), 1)
        wait_for("the new address", lambda: NAT_LATER in self.b.command("registration", "show", "d").stdout)
        self.forgotten()
        self.call_from_a(self.caller(), "d", phone)


main()
