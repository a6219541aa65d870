"""Calls between two registered phones as the wire shows them: every way one begins and ends, message by message."""
import re
import time

from jackfield_test import Case, main
from jackfield_test.sip import parameter

PASSWORD = "an old song"
DURATION, STATUS, REASON = 8, 10, 11


class Calls(Case):
    settings = {}

    def setUp(self):
        super().setUp()
        self.jackfield = self.server({name: PASSWORD for name in ("101", "102", "103")}, settings=self.settings)
        self.caller, self.callee = self.user("101"), self.user("102")
        self.callee.register()

    def user(self, name, **options):
        return self.phone(self.jackfield, name, PASSWORD, **options)

    def established(self):
        call = self.caller.invite("102")
        incoming = self.callee.incoming()
        incoming.reply(180)
        call.expect(180)
        incoming.accept()
        call.answered()
        return call, incoming

    def last_record(self, direction="incoming"):
        self.jackfield.expect_records(2)
        return [record for record in self.jackfield.records if record[9] == direction][-1]


class BeginAndEnd(Calls):
    def test_the_callee_sees_only_us(self):
        call = self.caller.invite("102")
        incoming = self.callee.incoming()
        invite = incoming.request
        self.assertNotEqual(invite["call-id"], call.call_id)
        self.assertEqual(len(invite.all("via")), 1)
        self.assertNotIn(self.caller.hostport, str(invite).replace(invite.sdp, ""))
        self.assertEqual(invite["max-forwards"], "69")
        self.assertEqual(invite.uri, self.callee.contact)
        incoming.reply(486)
        call.refused(486)

    def test_ringing_answer_and_hang_up_by_the_caller(self):
        call, incoming = self.established()
        call.bye()
        incoming.hung_up()
        self.assertEqual(self.last_record()[STATUS], "answered")

    def test_hang_up_by_the_callee(self):
        call, incoming = self.established()
        incoming.bye()
        call.hung_up()
        self.assertEqual(self.last_record()[STATUS], "answered")

    def test_the_sdp_passes_byte_for_byte_save_its_origin(self):
        call = self.caller.invite("102", body=self.caller.sdp(port=4242))
        incoming = self.callee.incoming()
        self.assertEqual(self.without_origin(incoming.request.sdp), self.without_origin(self.caller.sdp(port=4242)))
        incoming.accept(self.callee.sdp(port=4343))
        answer = call.answered()
        self.assertEqual(self.without_origin(answer.sdp), self.without_origin(self.callee.sdp(port=4343)))
        call.bye()
        incoming.hung_up()

    @staticmethod
    def without_origin(sdp):
        return re.sub(r"o=[^\r]*", "o=", sdp)

    def test_early_media_reaches_the_caller(self):
        call = self.caller.invite("102")
        incoming = self.callee.incoming()
        incoming.reply(183, self.callee.sdp(port=4444))
        self.assertIn("m=audio 4444", call.expect(183).sdp)
        incoming.accept(self.callee.sdp(port=4444))
        call.answered()
        call.bye()
        incoming.hung_up()

    def test_a_final_refusal_keeps_its_code(self):
        for status in (486, 603, 480, 488, 404):
            with self.subTest(status=status):
                call = self.caller.invite("102")
                self.callee.incoming().reply(status)
                call.refused(status)

    def test_a_503_of_the_callee_is_a_500_for_the_caller(self):
        call = self.caller.invite("102")
        self.callee.incoming().reply(503)
        call.refused(500)

    def test_cancel_before_the_answer(self):
        call = self.caller.invite("102")
        incoming = self.callee.incoming()
        incoming.reply(180)
        call.expect(180)
        call.cancel()
        cancel = incoming.expect_request("CANCEL")
        self.assertEqual(cancel["via"], incoming.request["via"])
        self.callee.reply(cancel, 200)
        incoming.reply(487)
        incoming.expect_request("ACK")
        self.assertEqual(self.last_record()[6], "0.000")

    def test_cancel_before_the_callee_said_anything(self):
        call = self.caller.invite("102")
        incoming = self.callee.incoming()
        call.cancel()
        self.callee.expect_nothing(0.2, "CANCEL")   # RFC 3261 §9.1: not before a provisional response
        incoming.reply(100)
        self.callee.reply(incoming.expect_request("CANCEL"), 200)
        incoming.reply(487)
        incoming.expect_request("ACK")

    def test_an_answer_that_crosses_the_cancel_is_hung_up(self):
        call = self.caller.invite("102")
        incoming = self.callee.incoming()
        incoming.reply(180)
        call.expect(180)
        call.cancel()
        cancel = incoming.expect_request("CANCEL")
        incoming.accept()
        self.callee.reply(cancel, 481)
        incoming.hung_up()

    def test_nobody_has_the_number(self):
        self.caller.invite("999").refused(404)

    def test_the_user_is_offline(self):
        self.caller.invite("103").refused(404)

    def test_a_trying_comes_within_200_ms(self):
        call = self.caller.invite("102")
        begin = time.monotonic()
        call.expect(100)
        self.assertLess(time.monotonic() - begin, 0.2)
        self.callee.incoming().reply(486)
        call.refused(486)

    def test_a_request_after_the_end_is_481(self):
        call, incoming = self.established()
        call.bye()
        incoming.hung_up()
        call.bye(status=481)


class Renegotiation(Calls):
    def origin(self, sdp):
        return re.search(r"o=\S+ (\d+) (\d+) ", sdp).groups()

    def test_hold_and_resume_by_the_caller(self):
        self.hold_and_resume(lambda call, incoming: (self.caller, call, self.callee, incoming))

    def test_hold_and_resume_by_the_callee(self):
        self.hold_and_resume(lambda call, incoming: (self.callee, incoming, self.caller, call))

    def hold_and_resume(self, sides):
        call, incoming = self.established()
        phone, near, other_phone, far = sides(call, incoming)
        session = None
        for version, (offer, answer) in enumerate((("sendonly", "recvonly"), ("sendrecv", "sendrecv")), start=2):
            near.invite(phone.sdp(version, offer))
            request = far.reinvited()
            self.assertIn("a=" + offer, request.sdp)
            # RFC 3264 §8: one session id for the dialog's life, a version that rises by one.
            identity, number = self.origin(request.sdp)
            if session:
                self.assertEqual((identity, int(number)), (session[0], int(session[1]) + 1))
            session = identity, number
            far.reply(200, other_phone.sdp(version, answer))
            far.expect_request("ACK")
            self.assertIn("a=" + answer, near.answered().sdp)
        near.bye()
        far.hung_up()

    def test_a_refused_change_leaves_the_call_as_it_was(self):
        call, incoming = self.established()
        call.invite(self.caller.sdp(2, "sendonly"))
        incoming.reinvited()
        incoming.reply(488)
        incoming.expect_request("ACK")
        call.refused(488)
        call.bye()
        incoming.hung_up()

    def test_changes_from_both_sides_at_once_are_491(self):
        call, incoming = self.established()
        call.invite(self.caller.sdp(2, "sendonly"))
        incoming.reinvited()
        pending = incoming.request
        incoming.invite(self.callee.sdp(2, "sendonly"))
        incoming.refused(491)
        incoming.reply(200, self.callee.sdp(2, "recvonly"), request=pending)
        incoming.expect_request("ACK")
        call.answered()
        call.bye()
        incoming.hung_up()


class Limits(Calls):
    settings = {"sip": {"call": {"maxcall": 600}}}

    def test_an_unanswered_call_ends_after_maxcall(self):
        call = self.caller.invite("102")
        incoming = self.callee.incoming()
        incoming.reply(180)
        call.expect(180)
        cancel = incoming.expect_request("CANCEL", seconds=3)
        self.callee.reply(cancel, 200)
        incoming.reply(487)
        incoming.expect_request("ACK")
        call.refused(480)


class SeveralContacts(Calls):
    def setUp(self):
        super().setUp()
        self.second = self.user("102")

    def test_all_ring_and_the_first_answer_wins(self):
        self.second.register()
        call = self.caller.invite("102")
        one, two = self.callee.incoming(), self.second.incoming()
        one.reply(180)
        two.reply(180)
        call.expect(180)
        two.accept()
        self.callee.reply(one.expect_request("CANCEL"), 200)
        one.reply(487)
        one.expect_request("ACK")
        call.answered()
        call.bye()
        two.hung_up()

    def test_q_values_order_them(self):
        self.callee.register([f"<{self.callee.contact}>;q=0.3"])
        self.second.register([f"<{self.second.contact}>;q=0.9"])
        call = self.caller.invite("102")
        preferred = self.second.incoming()
        self.callee.expect_nothing(0.3, "INVITE")
        preferred.reply(480)
        fallback = self.callee.incoming()
        fallback.accept()
        call.answered()
        call.bye()
        fallback.hung_up()

    def test_when_all_refuse_the_caller_gets_the_best_response(self):
        self.second.register()
        call = self.caller.invite("102")
        one, two = self.callee.incoming(), self.second.incoming()
        one.reply(486)
        two.reply(404)
        refused = call.expect((400, 699))
        call.acknowledge_refusal(refused)
        self.assertIn(refused.status, (486, 404))

    def test_a_6xx_ends_the_call_at_once(self):
        self.second.register()
        call = self.caller.invite("102")
        one, two = self.callee.incoming(), self.second.incoming()
        two.reply(180)
        one.reply(603)
        call.refused(603)
        self.second.reply(two.expect_request("CANCEL"), 200)
        two.reply(487)
        two.expect_request("ACK")


main()
