"""Between calls: attended transfer by sipp and pickup, which baresip 1.0.0 has not, a fork with a record for each leg, identity, and
text messages; at the other ends phones of our own that show every message."""
from jackfield_test import Case, main
from jackfield_test.sip import parameter

PASSWORD = "an old song"
CHAN, DIRECTION, STATUS = 2, 9, 10


class BetweenCalls(Case):
    transports = {}  # of the phones; the others speak UDP

    def setUp(self):
        super().setUp()
        self.jackfield = self.server({name: PASSWORD for name in ("101", "102", "103", "104")})
        self.ann, self.bob, self.carol = (self.phone(self.jackfield, name, PASSWORD, transport=self.transports.get(name, "udp")) for name in ("101", "102", "103"))
        for phone in (self.ann, self.bob, self.carol):
            phone.register()

    def established(self, caller, callee):
        call = caller.invite(callee.user)
        incoming = callee.incoming()
        incoming.accept()
        call.answered()
        return call, incoming

    def joined(self, one, other):
        """The two far ends agree on a session: one is asked for its offer, which is the server's choice, and the other answers it."""
        for asked, second in ((one, other), (other, one)):
            request = asked.phone.receive(0.5)
            if request is not None:
                break
        else:
            self.fail("neither was asked for an offer")
        self.assertEqual((request.method, request.body), ("INVITE", b""))
        asked.request = request
        asked.reply(200, asked.phone.sdp(version=2, port=4100))
        self.assertIn("m=audio 4100", second.reinvited().sdp)
        second.reply(200, second.phone.sdp(version=2, port=4200))
        second.expect_request("ACK")
        self.assertIn("m=audio 4200", asked.expect_request("ACK").sdp)


class Transfers(BetweenCalls):
    def test_P_11_attended_transfer(self):
        first, bobs = self.established(self.ann, self.bob)
        second, carols = self.established(self.ann, self.carol)
        replaces = f"{second.call_id}%3Bto-tag%3D{parameter(second.remote, 'tag')}%3Bfrom-tag%3D{parameter(second.local, 'tag')}"
        self.ann.send(first._message("REFER", [("Refer-To", f"<sip:103@{self.ann.domain}?Replaces={replaces}>"), ("Contact", f"<{self.ann.contact}>")]))
        self.ann.expect(202, "REFER", call_id=first.call_id)
        notify = first.expect_request("NOTIFY")
        self.assertIn(b"SIP/2.0 200 OK", notify.body)
        self.ann.reply(notify, 200)
        self.joined(bobs, carols)
        first.hung_up()
        second.hung_up()
        bobs.bye()
        carols.hung_up()
        self.jackfield.expect_records(4)

    def test_P_11_attended_transfer_by_sipp(self):
        server = self.server({name: PASSWORD for name in ("102", "103")}, address=self.address(2),
                             settings={"sip": {"general": {"trusted": self.address(3), "transfer": "yes"}}})
        bob, carol = (self.phone(server, name, PASSWORD) for name in ("102", "103"))
        for phone in bob, carol:
            phone.register()
        transferor = self.sipp("attended", server, "101", address=self.address(3), keys={"first": "102", "second": "103"},
                                 options=["-cid_str", "attended-%u-%p"])
        bobs = bob.incoming()
        bobs.accept()
        carols = carol.incoming()
        carols.accept()
        self.joined(bobs, carols)
        transferor.succeeded()
        bobs.bye()
        carols.hung_up()

    def test_P_11_a_ringing_call_is_picked_up(self):
        call = self.ann.invite("102")
        ringing = self.bob.incoming()
        ringing.reply(180)
        call.expect(180)
        tags = f"to-tag={parameter(ringing.remote, 'tag')};from-tag={parameter(ringing.local, 'tag')}"
        dan = self.phone(self.jackfield, "104", PASSWORD)
        pickup = dan.invite("102", headers=[("Replaces", f"{ringing.call_id};{tags}")])
        cancel = ringing.expect_request("CANCEL")
        self.assertIn("cause=200", cancel["reason"])
        self.bob.reply(cancel, 200)
        ringing.reply(487)
        ringing.expect_request("ACK")
        pickup.answered()
        call.answered()
        self.joined(call, pickup)
        call.bye()
        pickup.hung_up()

    def test_P_11_somebody_without_credentials_picks_up_nothing(self):
        call = self.ann.invite("102")
        ringing = self.bob.incoming()
        ringing.reply(180)
        tags = f"to-tag={parameter(ringing.remote, 'tag')};from-tag={parameter(ringing.local, 'tag')}"
        stranger = self.phone(self.jackfield, "104")
        stranger.invite("102", headers=[("Replaces", f"{ringing.call_id};{tags}")]).refused(401)
        ringing.reply(486)
        call.refused(486)


class OverTcp:
    transports = {"101": "tcp", "102": "tcp", "103": "tcp"}
    test_P_11_attended_transfer_by_sipp = None  # has no phone of these


class Mixed(OverTcp):
    transports = {"101": "tcp", "103": "tcp"}


class TransfersOverTcp(OverTcp, Transfers):
    pass


class TransfersMixed(Mixed, Transfers):
    pass


class Forks(BetweenCalls):
    def test_P_10_each_leg_of_a_fork_has_its_record(self):
        other = self.phone(self.jackfield, "102", PASSWORD)
        other.register()
        call = self.ann.invite("102")
        first, second = self.bob.incoming(), other.incoming()
        first.reply(180)
        second.reply(180)
        call.expect(180)
        second.accept()
        call.answered()
        cancel = first.expect_request("CANCEL")
        self.bob.reply(cancel, 200)
        first.reply(487)
        first.expect_request("ACK")
        call.bye()
        second.hung_up()
        records = self.jackfield.expect_records(3)
        self.assertEqual(sorted(record[DIRECTION] for record in records), ["incoming", "outgoing", "outgoing"])
        self.assertTrue(all(record[CHAN].startswith("sip/") for record in records), records)
        self.assertEqual(sorted(record[STATUS] for record in records if record[DIRECTION] == "outgoing"), ["answered", "ringing"])


class Messages(BetweenCalls):
    def test_ZY_9_a_text_message_reaches_the_phone_and_its_answer_comes_back(self):
        request = self.ann.request("MESSAGE", f"sip:102@{self.ann.domain}", headers=[("Content-Type", "text/plain")], body="lunch?")
        self.ann.send(request)
        refused = self.ann.expect(401, "MESSAGE")
        again = self.ann.request("MESSAGE", f"sip:102@{self.ann.domain}", body="lunch?",
                                 headers=[("Content-Type", "text/plain"), self.ann.credentials(refused, "MESSAGE", request.uri)])
        self.ann.send(again)
        message = self.bob.expect("MESSAGE")
        self.assertEqual(message.body, b"lunch?")
        self.assertEqual(message["content-type"], "text/plain")
        self.bob.reply(message, 200)
        self.ann.expect(200, "MESSAGE")

    def test_P_34_an_asserted_identity_of_a_user_is_removed(self):
        call = self.ann.invite("102", headers=[("P-Asserted-Identity", "<sip:1@bank.example>"), ("Diversion", "<sip:2@h>"), ("X-Kept", "yes")])
        incoming = self.bob.incoming()
        self.assertIsNone(incoming.request.get("p-asserted-identity"))
        self.assertIsNone(incoming.request.get("diversion"))
        self.assertEqual(incoming.request.get("x-kept"), None)  # a B2BUA: other headers are for routing, which says what goes on
        incoming.reply(486)
        call.refused(486)


class MessagesOverTcp(OverTcp, Messages):
    pass


class MessagesMixed(Mixed, Messages):
    pass


main()
