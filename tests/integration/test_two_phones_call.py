"""Two baresip phones register with their passwords and call each other through the server: what the project is for."""
from jackfield_test import Case, enter_private_network, main, wait_for

enter_private_network()


class TwoPhonesCall(Case):
    users = {"101": "an-old-song", "102": "a-new-song"}

    def setUp(self):
        super().setUp()
        self.jackfield, phones = self.office(self.users)
        self.caller, self.callee = phones["101"], phones["102"]

    def call(self):
        self.caller.dial("102")
        event = self.callee.expect("CALL_INCOMING")
        self.assertTrue(event["peeruri"].startswith("sip:101@"), event)
        self.caller.expect("CALL_RINGING")
        self.callee.accept()
        self.caller.expect("CALL_ESTABLISHED")
        self.callee.expect("CALL_ESTABLISHED")

    def test_the_caller_hangs_up(self):
        self.call()
        self.caller.hang_up()
        self.callee.expect("CALL_CLOSED")
        self.jackfield.expect_records(2)

    def test_the_callee_hangs_up(self):
        self.call()
        self.callee.hang_up()
        self.caller.expect("CALL_CLOSED")
        self.jackfield.expect_records(2)

    def test_either_phone_calls_in_turn(self):
        self.call()
        self.caller.hang_up()
        self.callee.expect("CALL_CLOSED")
        self.caller, self.callee = self.callee, self.caller
        self.caller.dial("101")
        self.callee.expect("CALL_INCOMING")
        self.callee.accept()
        self.caller.expect("CALL_ESTABLISHED")
        self.callee.hang_up()
        self.caller.expect("CALL_CLOSED")
        self.jackfield.expect_records(4)

    def test_hold_and_resume_from_either_side(self):
        self.call()
        for one, other in ((self.caller, self.callee), (self.callee, self.caller)):
            for change, direction in ((one.hold, "a=sendonly"), (one.resume, "a=sendrecv")):
                before = other.trace.count(direction)
                change()
                wait_for(f"{direction} to reach {other.name}", lambda: other.trace.count(direction) > before)
        self.callee.hang_up()
        self.caller.expect("CALL_CLOSED")

    def test_the_caller_gives_up_before_the_answer(self):
        self.caller.dial("102")
        self.callee.expect("CALL_INCOMING")
        self.caller.expect("CALL_RINGING")
        self.caller.hang_up()
        self.callee.expect("CALL_CLOSED")

    def test_the_callee_declines(self):
        self.caller.dial("102")
        self.callee.expect("CALL_INCOMING")
        self.callee.hang_up()
        closed = self.caller.expect("CALL_CLOSED")
        self.assertIn("486", closed["param"])

    def test_a_number_nobody_has(self):
        self.caller.dial("999")
        closed = self.caller.expect("CALL_CLOSED")
        self.assertIn("404", closed["param"])


main()
