"""`jackfield registration show AOR` says how a phone is reached, what NAT did, what failed last and why it is not reached (N-15)."""
from jackfield_test import Case, main, wait_for

PASSWORD = "an old song"


class RegistrationShow(Case):
    def setUp(self):
        super().setUp()
        self.jackfield = self.server({"101": PASSWORD, "102": PASSWORD},
                                     settings={"sip": {"guard": {"exempt": "192.0.2.1", "ban_after": 3, "delay": 0}, "registrar": {"keepalive": "options", "nat_refresh": 1},
                                                       "general": {"t1": 20}}})

    def show(self, aor):
        return self.jackfield.command("registration", "show", aor).stdout

    def test_N_15_a_phone_on_its_own_address(self):
        phone = self.phone(self.jackfield, "101", PASSWORD)
        phone.register(expires=600)
        text = self.show(f"sip:101@{self.address()}")
        for part in ("101: 1 binding", phone.contact, "expires in 600 s", f"flow UDP {phone.hostport}, listener general", "not behind NAT", "reachable, as far as is known"):
            self.assertIn(part, text)

    def test_N_15_a_phone_behind_NAT_that_no_longer_answers(self):
        phone = self.phone(self.jackfield, "101", PASSWORD)
        phone.register(["<sip:101@10.1.2.3:5062>"])
        text = self.show("101")
        self.assertIn(f"contact rewritten to sip:101@{phone.hostport}", text)
        self.assertIn(f"behind NAT: the contact names 10.1.2.3:5062, packets come from {phone.hostport}", text)
        wait_for("the silence to be noticed", lambda: "NOT REACHABLE: it did not answer the last OPTIONS" in self.show("101"), 10)
        self.assertIn("no answer to OPTIONS", self.show("101"))

    def test_N_15_why_a_phone_is_not_registered(self):
        phone = self.phone(self.jackfield, "101", "mistyped", address=self.address(7))
        self.assertIn("nothing is known of this user", self.show("101"))
        phone.register(status=401)
        self.assertIn(f"wrong password, from {phone.hostport}", self.show("101"))
        phone.register(status=401)
        phone.register(status=403)
        text = self.show("101")
        self.assertIn("banned for wrong credentials", text)
        self.assertIn(f"{self.address(7)} is banned until", text)

    def test_N_15_too_short_a_registration(self):
        phone = self.phone(self.jackfield, "102", PASSWORD)
        phone.register(status=423, expires=5)
        self.assertIn("REGISTER refused with 423 Interval Too Brief", self.show("102"))

    def test_N_15_a_connection_that_is_gone(self):
        phone = self.phone(self.jackfield, "102", PASSWORD, transport="tcp")
        phone.register()
        self.assertIn(f"flow TCP {phone.hostport}, connection", self.show("102"))
        phone.close()
        wait_for("the binding to go with its connection", lambda: "102: 0 bindings" in self.show("102"))


main()
