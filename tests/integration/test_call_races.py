"""Calls that go wrong: messages that cross, are lost, come from elsewhere, or come while the server ends. Nothing may be left behind."""
import re

from jackfield_test import Case, main
from jackfield_test.processes import wait_for
from jackfield_test.sip import Message

PASSWORD = "an old song"
DURATION = 8


class Races(Case):
    def setUp(self):
        super().setUp()
        self.jackfield = self.server({name: PASSWORD for name in ("101", "102", "103")})
        self.caller, self.callee = self.user("101"), self.user("102")
        self.callee.register()

    def user(self, name, **options):
        return self.phone(self.jackfield, name, PASSWORD, **options)

    def ringing(self, caller=None, callee=None, number="102", **options):
        call = (caller or self.caller).invite(number, **options)
        incoming = (callee or self.callee).incoming()
        incoming.reply(180)
        call.expect(180)
        return call, incoming

    def established(self, *sides, **options):
        call, incoming = self.ringing(*sides, **options)
        incoming.accept()
        call.answered()
        return call, incoming

    def cancelled(self, incoming, status=487):
        incoming.phone.reply(incoming.expect_request("CANCEL"), 200)
        incoming.reply(status)
        incoming.expect_request("ACK")

    def counts(self):
        line = next(line for line in self.jackfield.command("status").stdout.splitlines() if line.startswith("name=sip,"))
        return {name: int(re.search(rf"\b{name}=(\d+)", line)[1]) for name in ("chans", "dialogs")}

    def nothing_left(self, records):
        """No leg and no dialog, and one closed record for each leg there was."""
        wait_for("every leg to be gone", lambda: not any(self.counts().values()), 8)
        lines = self.jackfield.expect_records(records) if records else self.jackfield.records
        self.assertEqual(len(lines), records, lines)
        for line in lines:
            self.assertLess(float(line[DURATION]), 30, line)


class Crossing(Races):
    def test_a_bye_before_the_ack(self):
        call, incoming = self.ringing()
        incoming.accept()
        ok = call.expect(200)
        call.remote, call.target = ok["to"], re.search("<([^>]*)>", ok["contact"])[1]
        call.bye()
        incoming.hung_up()
        self.nothing_left(2)

    def test_a_lost_ack(self):
        call, incoming = self.ringing()
        incoming.accept()
        incoming.accept()  # the 200 again
        call.answered()
        call.bye()
        incoming.hung_up()
        self.nothing_left(2)

    def test_a_cancel_after_the_answer_changes_nothing(self):
        call, incoming = self.ringing()
        incoming.accept()
        invite = call.request
        call.answered()
        self.caller.send(Message(f"CANCEL {invite.uri} SIP/2.0", [
            ("Via", invite["via"]), ("Max-Forwards", "70"), ("From", invite["from"]), ("To", invite["to"]), ("Call-ID", call.call_id),
            ("CSeq", invite["cseq"].replace("INVITE", "CANCEL"))]))
        self.caller.expect((200, 481), "CANCEL")
        self.callee.expect_nothing(0.3)
        call.bye()
        incoming.hung_up()
        self.nothing_left(2)

    def test_a_cancelled_change_is_cancelled_at_the_other_end(self):
        call, incoming = self.established()
        call.invite(self.caller.sdp(2, "sendonly"))
        incoming.reinvited()
        incoming.reply(100)
        self.caller.send(Message(f"CANCEL {call.request.uri} SIP/2.0", [
            ("Via", call.request["via"]), ("Max-Forwards", "70"), ("From", call.request["from"]), ("To", call.request["to"]),
            ("Call-ID", call.call_id), ("CSeq", call.request["cseq"].replace("INVITE", "CANCEL"))]))
        self.caller.expect(200, "CANCEL")
        self.cancelled(incoming)
        call.refused(487)
        call.bye()
        incoming.hung_up()
        self.nothing_left(2)

    def test_a_call_to_oneself(self):
        self.caller.register()
        call = self.caller.invite("101")
        incoming = self.caller.incoming()
        incoming.reply(486)
        call.refused(486)
        self.nothing_left(2)


class Strangers(Races):
    def test_a_bye_from_a_third_address_is_challenged(self):
        call, incoming = self.established()
        thief = self.user("103", address=self.address(9))
        bye = call._message("BYE", cseq=50)
        bye.headers[0] = ("Via", thief.via())
        thief.send(bye)
        thief.expect(401, "BYE")
        self.callee.expect_nothing(0.3)
        call.bye()
        incoming.hung_up()
        self.nothing_left(2)

    def test_a_forged_answer_is_nobodys(self):
        call, incoming = self.ringing()
        thief = self.user("103", address=self.address(9))
        request = incoming.request
        forged = Message("SIP/2.0 200 OK", [
            ("Via", re.sub("branch=[^;]*", "branch=z9hG4bKguessed", request["via"])), ("From", request["from"]), ("To", request["to"] + ";tag=x"),
            ("Call-ID", request["call-id"]), ("CSeq", request["cseq"]), ("Contact", f"<{thief.contact}>")])
        thief.send(forged)
        thief.expect_nothing(0.3)
        incoming.reply(486)
        call.refused(486)
        self.nothing_left(2)

    def test_who_has_no_password_leaves_no_leg_and_no_record(self):
        call = self.caller.invite("102", authenticate=False)
        call.refused(401)
        self.assertEqual(self.counts()["chans"], 0)
        self.nothing_left(0)


class Bodies(Races):
    def test_an_extension_we_lack_is_420(self):
        call = self.caller.invite("102", headers=[("Require", "precondition, 100rel, gruu")], authenticate=False)
        self.assertEqual(call.refused(420)["unsupported"], "precondition, gruu")
        self.nothing_left(0)

    def test_a_call_without_an_offer_gets_one_with_the_answer(self):
        call = self.caller.invite("102", body="")
        incoming = self.callee.incoming()
        self.assertEqual(incoming.request.body, b"")
        incoming.reply(200, self.callee.sdp(port=4600))
        ok = call.expect(200)
        self.assertIn("m=audio 4600", ok.sdp)
        call.remote, call.target = ok["to"], re.search("<([^>]*)>", ok["contact"])[1]
        call.acknowledge(self.caller.sdp(port=4700))
        self.assertIn("m=audio 4700", incoming.expect_request("ACK").sdp)
        call.bye()
        incoming.hung_up()
        self.nothing_left(2)

    def test_a_large_description_passes_over_tcp(self):
        caller, callee = self.user("101", transport="tcp"), self.user("103", transport="tcp")
        callee.register()
        large = self.caller.sdp() + "".join(f"a=candidate:{number} 1 udp 2130706431 192.0.2.1 {number} typ host\r\n" for number in range(1000))
        call, incoming = self.established(caller, callee, number="103", body=large)
        self.assertEqual(incoming.request.sdp.count("a=candidate"), 1000)
        call.bye()
        incoming.hung_up()
        self.nothing_left(2)


class Connections(Races):
    def test_a_caller_whose_connection_closes_while_it_rings(self):
        caller = self.user("101", transport="tcp")
        call, incoming = self.ringing(caller)
        caller.close()
        incoming.accept()  # nobody is there to hear it
        incoming.hung_up(seconds=8)
        self.nothing_left(2)

    def test_a_callee_whose_connection_closes_in_the_call(self):
        callee = self.user("103", transport="tcp")
        callee.register()
        call, incoming = self.established(self.caller, callee, number="103")
        callee.close()
        call.bye()
        self.nothing_left(2)


class Forks(Races):
    def test_fifty_phones_of_one_user(self):
        phones = [self.callee] + [self.user("102") for _ in range(49)]
        for phone in phones[1:]:
            phone.register()
        call = self.caller.invite("102")
        legs = [phone.incoming() for phone in phones]
        for leg in legs:
            leg.reply(180)
        call.expect(180)
        legs[30].accept()
        for leg in legs[:30] + legs[31:]:
            self.cancelled(leg)
        call.answered()
        call.bye()
        legs[30].hung_up()
        self.nothing_left(51)

    def refusal(self, *statuses):
        phones = [self.callee] + [self.user("102") for _ in statuses[1:]]
        for phone in phones[1:]:
            phone.register()
        call = self.caller.invite("102")
        for leg, status in zip([phone.incoming() for phone in phones], statuses):
            leg.reply(status)
        refused = call.expect((400, 699))
        call.acknowledge_refusal(refused)
        self.nothing_left(1 + len(statuses))
        return refused.status

    def test_a_challenge_says_less_than_a_busy_phone(self):
        self.assertEqual(self.refusal(407, 480, 486), 486)

    def test_a_challenge_alone_is_a_403(self):
        self.assertEqual(self.refusal(401), 403)

    def test_a_redirection_is_not_followed(self):
        self.assertEqual(self.refusal(302, 302), 410)

    def test_server_failures_are_500(self):
        self.assertEqual(self.refusal(503, 503), 500)


class Ending(Races):
    """The server stops, or its module is unloaded, in each state of a call."""

    def end_by_stop(self):
        self.assertLess(self.jackfield.stop(), 2.5)

    def end_by_unload(self):
        self.jackfield.command("module", "unload", "sip")
        self.end_by_stop()

    def test_in_every_state(self):
        for state in ("ringing", "silent", "unacknowledged", "answered", "changing", "challenged"):
            for end in (self.end_by_stop, self.end_by_unload):
                with self.subTest(state=state, end=end.__name__):
                    before = len(self.jackfield.records)
                    getattr(self, state)()
                    end()
                    records = self.jackfield.records[before:]
                    self.assertEqual(len(records), 0 if state == "challenged" else 2, records)
                self.callee.forget()
                self.jackfield.start()
                self.caller = self.user("101")

    def silent(self):
        self.caller.invite("102")
        self.callee.incoming()

    def unacknowledged(self):
        call, incoming = self.ringing()
        incoming.accept()
        call.expect(200)

    def answered(self):
        self.established()

    def changing(self):
        call, incoming = self.established()
        call.invite(self.caller.sdp(2, "sendonly"))
        incoming.reinvited()

    def challenged(self):
        self.caller.invite("102", authenticate=False).expect(401)

    def test_reload_in_a_call_changes_nothing(self):
        call, incoming = self.established()
        self.jackfield.command("reload")
        self.jackfield.command("module", "reload", "sip")
        call.invite(self.caller.sdp(2, "sendonly"))
        incoming.reinvited()
        incoming.reply(200, self.callee.sdp(2, "recvonly"))
        incoming.expect_request("ACK")
        call.answered()
        call.bye()
        incoming.hung_up()
        self.nothing_left(2)


main()
