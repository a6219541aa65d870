"""What two sipp phones do within a call, through the server: reliable early media and changes to it, offers in the answer, session
timers, digits and causes. The callee is on UDP; the caller on either transport."""
from jackfield_test import Case, main

DIRECTION, STATUS = 9, 10


class InCall(Case):
    users = {"102": "a new song"}

    def play(self, caller, callee, transport="u1", general=(), call=(), callee_ends=True):
        """Both scenarios to their ends, and the records of both legs."""
        settings = {"sip": {"general": {"trusted": self.address(), **dict(general)}, "call": dict(call)}}
        server = self.server(self.users, settings=settings)
        self.sipp("register", server, "102", self.users["102"], port=5082).succeeded()
        called = self.sipp(callee, server, "102", port=5082)
        calling = self.sipp(caller, server, "101", keys={"called": "102"}, options=["-t", transport])
        calling.succeeded()
        if callee_ends:
            called.succeeded()
        records = server.expect_records(2, seconds=10)
        self.assertEqual({record[DIRECTION] for record in records}, {"incoming", "outgoing"})
        return records

    def answered(self, *arguments, **options):
        for record in self.play(*arguments, **options):
            self.assertEqual(record[STATUS], "answered")

    def test_p13_early_media_is_acknowledged_and_changed_before_the_answer(self):
        self.answered("reliable_caller", "reliable_callee", general={"prack": "yes"})

    def test_p13_the_same_with_the_caller_on_tcp(self):
        self.answered("reliable_caller", "reliable_callee", "t1", general={"prack": "yes"})

    def test_p13_an_offer_comes_with_the_answer(self):
        self.answered("offerless_caller", "offerless_callee")

    def test_p13_an_offer_comes_with_the_answer_over_tcp(self):
        self.answered("offerless_caller", "offerless_callee", "t1")

    # Sessions of 4 s, in calls that last longer.
    brief = {"session_expires": 4, "session_min": 2}

    def test_p12_both_phones_refresh_the_session(self):
        self.answered("refreshing_caller", "refreshing_callee", call=self.brief)

    def test_p12_both_phones_are_refreshed(self):
        self.answered("refreshed_caller", "refreshed_callee", "t1", call=self.brief)

    def test_p12_too_short_a_session_is_422_both_ways(self):
        self.answered("brief_caller", "raising_callee", call=self.brief)

    def test_p12_a_phone_that_does_not_refresh_ends_the_call_on_both_sides(self):
        self.answered("abandoned_caller", "silent_callee", call=self.brief)

    def test_p12_a_phone_that_answers_no_refresh_ends_the_call_on_both_sides(self):
        self.answered("abandoned_caller", "dead_callee", "t1", general={"t1": 50}, call=self.brief)

    def test_p16_digits_pass_as_they_were_sent_and_a_cause_ends_the_call(self):
        self.answered("digits_caller", "digits_callee")

    def test_p16_digits_pass_from_tcp_to_udp(self):
        self.answered("digits_caller", "digits_callee", "t1")

    def test_a_cause_comes_with_the_refusal(self):
        for record in self.play("refused_caller", "busy_callee"):
            self.assertNotEqual(record[STATUS], "answered")


main()
