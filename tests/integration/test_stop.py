"""SIGTERM ends calls with BYE on both sides, closes their records and ends the program within two seconds (D16)."""
from jackfield_test import Case, main

PASSWORD = "an old song"


class Stop(Case):
    def setUp(self):
        super().setUp()
        self.jackfield = self.server({"101": PASSWORD, "102": PASSWORD})
        self.caller = self.phone(self.jackfield, "101", PASSWORD)
        self.callee = self.phone(self.jackfield, "102", PASSWORD)
        self.callee.register()

    def test_a_call_is_hung_up_on_both_sides_and_its_record_closed(self):
        call = self.caller.invite("102")
        incoming = self.callee.incoming()
        incoming.accept()
        call.answered()
        self.jackfield.process.signal(15)
        call.hung_up()
        incoming.hung_up()
        self.assertEqual(self.jackfield.process.wait(2), 0)
        self.assertEqual({record[10] for record in self.jackfield.expect_records(2)}, {"answered"})

    def test_a_ringing_call_is_cancelled_and_refused(self):
        call = self.caller.invite("102")
        incoming = self.callee.incoming()
        incoming.reply(180)
        call.expect(180)
        self.jackfield.process.signal(15)
        self.callee.reply(incoming.expect_request("CANCEL"), 200)
        incoming.reply(487)
        call.acknowledge_refusal(call.expect((480, 503)))
        self.assertEqual(self.jackfield.process.wait(2), 0)

    def test_an_idle_server_stops_at_once_and_starts_again(self):
        self.assertLess(self.jackfield.stop(), 2)
        self.jackfield.start()
        self.caller.register()

    def test_the_stop_command_does_the_same(self):
        self.jackfield.command("stop")
        self.assertEqual(self.jackfield.process.wait(2), 0)


main()
