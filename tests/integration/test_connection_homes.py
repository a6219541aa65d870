"""One server for REGISTER, OPTIONS and calls of a connection, wherever it is: parked, at home, or on the way back. The far ends are
Kamailios that send every call on to a phone of ours."""
import re
import time

from jackfield_test import Case, main
from jackfield_test.processes import wait_for

PASSWORD = "an old song"
MODULES = ("sip", "regfile", "accfile", "callfork", "cdrbuild", "cdrfile")


class Homes(Case):
    def start(self, fars, **keys):
        account = {"type": "registration", "servers": ",".join(far.address[0] for far in fars), "username": "4930", "interval": "60", "retry_interval": "1",
                   "invite_total_timeout": "1000", "dial_pattern": "^9", **keys}
        self.jackfield = self.server({"101": PASSWORD}, modules=MODULES, settings={"accfile": {"far": account}})
        self.ann = self.phone(self.jackfield, "101", PASSWORD)
        self.ann.register()
        self.friends = {}

    def sends_calls_on(self, *fars):
        """Each to a phone of its own."""
        for far in fars:
            friend = self.friends[far] = self.phone(far.address, "friend", None, address=self.address(8))
            far.answers("", callee=f"sip:{friend.hostport}")

    def online(self):
        wait_for("far to be online", lambda: "|online" in self.jackfield.command("status", "sip accounts").stdout, 8)

    def at(self, far):
        wait_for(f"the connection to be at {far.address[0]}",
                 lambda: re.search(re.escape(far.address[0]) + r" +\(in use\)", self.jackfield.command("connection", "show", "far").stdout), 8)

    def call(self, far):
        """Ann talks to that far end's friend; both ends of the call."""
        call = self.ann.invite("9555")
        incoming = self.friends[far].incoming(seconds=6)
        incoming.accept()
        call.answered()
        return call, incoming

    def end(self, call, incoming):
        call.bye()
        incoming.hung_up()

    def test_N_1_calls_go_where_the_registration_is(self):
        one, two = self.kamailio(20, start=False), self.kamailio(21)
        self.start([one, two], qualify="1")
        self.online()
        one.start()
        self.sends_calls_on(one, two)
        self.end(*self.call(two))
        two.expect(1, "OPTIONS")
        self.assertEqual(len(two.requests("INVITE")), 1)
        self.assertEqual(one.requests(), [], "affinity: nothing goes to another server of the list")

    def test_N_1_EL_2_a_call_that_finds_the_server_dead_takes_the_registration_along(self):
        one, two = self.kamailio(20), self.kamailio(21)
        self.start([one, two])
        self.online()
        self.sends_calls_on(two)
        one.stop()
        self.end(*self.call(two))
        two.expect(1, "REGISTER")
        self.at(two)
        self.online()

    def test_EL_10_homing_by_invite_tries_the_main_server_with_each_call_and_sends_nothing_else(self):
        one, two = self.kamailio(20, start=False), self.kamailio(21)
        self.start([one, two], homing="invite")
        self.online()
        self.sends_calls_on(two)
        self.end(*self.call(two))
        self.assertEqual(len(two.requests("INVITE")), 1)
        one.start()
        self.sends_calls_on(one)
        time.sleep(1.2)  # that nothing comes meanwhile can only be waited for
        self.assertEqual(one.requests(), [])
        self.end(*self.call(one))
        self.assertEqual([request.method for request in one.requests() if request.method in ("INVITE", "OPTIONS")], ["INVITE"])
        self.assertEqual(len(two.requests("INVITE")), 1)

    def test_EL_11_a_call_stays_where_it_is_while_the_connection_goes_home(self):
        one, two = self.kamailio(20, start=False), self.kamailio(21)
        self.start([one, two], homing="options", homing_interval="1")
        self.online()
        self.sends_calls_on(two)
        call, incoming = self.call(two)
        one.start()
        self.at(one)
        one.expect(1, "REGISTER")
        self.ann.expect_nothing(0.3, "BYE")
        incoming.phone.expect_nothing(0.3, "BYE")
        self.end(call, incoming)
        self.assertEqual(len(two.requests("BYE")), 1)
        self.assertEqual(one.requests("BYE"), [])

    def test_EL_13_with_the_register_switch_off_the_same_list_serves_calls(self):
        one, two = self.kamailio(20, start=False), self.kamailio(21)
        self.start([one, two], type="trunk", allowed=self.address(21))
        self.sends_calls_on(two)
        self.end(*self.call(two))
        self.end(*self.call(two))
        self.assertEqual(two.requests("REGISTER"), [])
        self.assertEqual(len(two.requests("INVITE")), 2)

    def test_P_4_calls_take_the_route_that_the_registrar_said(self):
        far = self.kamailio(20, service_route=True)
        self.start([far])
        self.online()
        self.sends_calls_on(far)
        self.end(*self.call(far))
        self.assertEqual(far.requests("INVITE")[0].route, f"<sip:{far.address[0]}:5060;lr>")
        self.assertEqual(far.requests("REGISTER")[0].route, "<null>")

    def test_SP_8_the_gauge_of_a_connection_falls_when_its_password_is_refused(self):
        far = self.kamailio(20, users={"4930": "right"})
        self.start([far], password="right", interval="4")
        self.online()
        gauge = lambda: re.search(r'^(jackfield_sip_\w*connection\w*\{[^}]*far[^}]*\}) (\d+)', self.jackfield.command("status", "--metrics").stdout, re.MULTILINE)
        self.assertEqual(gauge()[2], "1")
        far.answers("403")
        wait_for("the gauge to be 0", lambda: gauge()[2] == "0", 10)
        self.assertIn("403", self.jackfield.command("connection", "show", "far").stdout)


if __name__ == "__main__":
    main()
