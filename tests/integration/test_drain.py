"""Drain (N-11): by command and by SIGTERM new work is refused, what is under way goes on, and what is left at the end is hung up."""
import time

from jackfield_test import Case, main, wait_for

PASSWORD = "an old song"


class Drain(Case):
    def setUp(self):
        super().setUp()
        self.jackfield = self.server({name: PASSWORD for name in ("101", "102", "112")}, start=False,
                                     settings={"jackfield": {"general": {"drain_timeout": 15}}, "sip": {"guard": {"emergency": "112"}}})

    def begin(self, drain_timeout=15):
        self.jackfield.settings["jackfield"]["general"]["drain_timeout"] = drain_timeout
        self.jackfield.write_settings()
        self.jackfield.start()
        self.caller, self.callee = (self.phone(self.jackfield, name, PASSWORD) for name in ("101", "102"))
        self.callee.register()
        call = self.caller.invite("102")
        incoming = self.callee.incoming()
        incoming.accept()
        call.answered()
        return call, incoming

    def ready(self):
        return self.jackfield.command("status", "--ready", check=False).returncode == 0

    def refused(self):
        """New work of all kinds gets 503 and learns when to come back."""
        phone = self.phone(self.jackfield, "101", PASSWORD)
        for request in (phone.request("INVITE", f"sip:102@{self.address()}"), phone.register_request()):
            phone.send(request)
            self.assertGreater(int(phone.expect(503)["retry-after"]), 0)
            if request.method == "INVITE":
                phone.send(phone.request("ACK", request.uri, call_id=request["call-id"]))
        phone.send(phone.request("OPTIONS", f"sip:{self.address()}"))
        phone.expect(503)

    def test_N_11_drain_and_undrain_by_command(self):
        call, incoming = self.begin()
        self.assertTrue(self.ready())
        self.jackfield.command("drain")
        self.assertFalse(self.ready())
        self.refused()
        call.bye()
        incoming.hung_up()
        self.jackfield.command("undrain")
        self.assertTrue(self.ready())
        self.callee.register()
        again = self.caller.invite("102")
        second = self.callee.incoming()
        second.accept()
        again.answered()
        again.bye()
        second.hung_up()

    def test_N_11_SIGTERM_waits_for_calls_and_ends_with_the_last(self):
        call, incoming = self.begin()
        self.jackfield.process.signal(15)
        wait_for("the server to be not ready", lambda: not self.ready())
        self.refused()
        self.assertTrue(self.jackfield.running)
        call.bye()
        incoming.hung_up()
        self.assertEqual(self.jackfield.process.wait(3), 0)
        self.assertEqual({record[10] for record in self.jackfield.expect_records(2)}, {"answered"})

    def test_N_11_what_is_left_after_drain_timeout_is_hung_up(self):
        call, incoming = self.begin(drain_timeout=1)
        begin = time.monotonic()
        self.jackfield.process.signal(15)
        call.hung_up()
        incoming.hung_up()
        self.assertGreater(time.monotonic() - begin, 0.9)
        self.assertEqual(self.jackfield.process.wait(3), 0)
        self.assertEqual({record[10] for record in self.jackfield.expect_records(2)}, {"answered"})

    def test_N_11_a_second_signal_stops_at_once(self):
        call, incoming = self.begin(drain_timeout=60)
        self.jackfield.process.signal(15)
        wait_for("the server to be not ready", lambda: not self.ready())
        self.jackfield.process.signal(15)
        call.hung_up()
        incoming.hung_up()
        self.assertEqual(self.jackfield.process.wait(3), 0)
        self.jackfield.expect_records(2)

    def test_N_11_emergency_calls_of_users_pass_a_drain(self):
        first, its = self.begin()
        rescue = self.phone(self.jackfield, "112", PASSWORD)
        rescue.register()
        self.jackfield.command("drain")
        call = self.caller.invite("112")
        incoming = rescue.incoming()
        incoming.accept()
        call.answered()
        call.bye()
        incoming.hung_up()
        self.assertIn("event=emergency-call user=101 called=112", self.jackfield.log)
        stranger = self.phone(self.jackfield, "101", "guess")
        refused = stranger.invite("112")
        refused.expect(401)
        first.bye()
        its.hung_up()


main()
