"""Call limits and counters (callcounters) between phones: who is over the limit hears it, and who hung up makes room."""
from jackfield_test import Case, main

PASSWORD = "an old song"


class Limits(Case):
    def setUp(self):
        super().setUp()
        self.jackfield = self.server(
            {name: PASSWORD for name in ("101", "102", "103")},
            modules=("sip", "regfile", "callfork", "cdrbuild", "callcounters"),
            settings={"callcounters": {"general": {"parameter": "username"},
                                       "limit username": {"calls": 1, "103": 2, "reason": "One at a time"},
                                       "limit called": {"calls": 2, "code": 503}}})
        self.callee = self.user("102")
        self.callee.register()

    def user(self, name):
        return self.phone(self.jackfield, name, PASSWORD)

    def established(self, phone):
        call = phone.invite("102")
        incoming = self.callee.incoming()
        incoming.accept()
        call.answered()
        return call, incoming

    def status(self):
        return self.jackfield.command("status", "callcounters").stdout

    def test_P_19_the_second_call_of_a_user_is_refused_until_the_first_has_ended(self):
        caller = self.user("101")
        call, incoming = self.established(caller)
        self.assertIn("101=1", self.status())
        refused = caller.invite("102").refused(486)
        self.assertEqual(refused.start, "SIP/2.0 486 One at a time")
        call.bye()
        incoming.hung_up()
        call, incoming = self.established(caller)
        call.bye()
        incoming.hung_up()
        self.assertIn("counters=0", self.status())

    def test_P_19_a_number_called_too_often_is_answered_503(self):
        calls = [self.established(self.user("101")), self.established(self.user("103"))]
        self.user("103").invite("102").refused(503)
        for call, incoming in calls:
            incoming.bye()
            call.hung_up()


main()
