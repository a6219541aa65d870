"""Redirections on the wire: sipp answers 302, and the call goes on to where it says, or the caller hears of it, as the key says."""
from jackfield_test import Case, main

PASSWORD = "an old song"
CHAN, CALLER, CALLED, DIRECTION, STATUS = 2, 4, 5, 9, 10
BOB_PORT = 5082


class Redirects(Case):
    transport = "udp"  # of the caller and of whom the call goes on to; sipp speaks UDP

    def start(self, contact, **general):
        """101 calls 102, who has moved to `contact`; 103 and 104 are at home."""
        self.jackfield = self.server({name: PASSWORD for name in ("101", "102", "103", "104")}, settings={"sip": {"general": general}})
        self.ann, self.carol, self.dan = (self.phone(self.jackfield, name, PASSWORD, transport=self.transport) for name in ("101", "103", "104"))
        self.carol.register()
        self.dan.register()
        self.sipp("register", self.jackfield, "102", PASSWORD, port=BOB_PORT).succeeded()
        self.bob = self.sipp("redirecting_callee", self.jackfield, "102", port=BOB_PORT, keys={"contact": contact}).listening()
        return self.ann.invite("102")

    def test_P_11_followed_to_who_answers(self):
        call = self.start("<sip:103@example.org>")
        incoming = self.carol.incoming()
        self.assertIn("sip:101@", incoming.request["from"])
        self.assertIn("m=audio 4000", incoming.request.sdp)
        incoming.reply(180)
        call.expect(180)
        incoming.accept()
        call.answered()
        self.bob.succeeded()
        call.bye()
        incoming.hung_up()
        records = self.jackfield.expect_records(3)
        self.assertEqual(len({record[1] for record in records}), 1, "one call through all its legs")
        self.assertEqual(sorted(record[STATUS] for record in records), ["answered", "answered", "outgoing"])

    def test_P_11_one_contact_after_the_other(self):
        call = self.start("<sip:104@example.org>;q=0.3, <sip:103@example.org>;q=0.9, <sip:999@example.org>;q=0.5")
        first = self.carol.incoming()
        self.dan.expect_nothing(0.2, "INVITE")
        first.reply(486)
        first.expect_request("ACK")
        second = self.dan.incoming()
        second.reply(603)
        second.expect_request("ACK")
        call.refused(603)
        self.bob.succeeded()
        self.jackfield.expect_records(4)

    def test_P_11_in_a_circle(self):
        self.start("<sip:102@example.org>, <sip:103@example.org>")
        # 102 leads to the phone that has just redirected, which is not called again.
        incoming = self.carol.incoming()
        self.carol.reply(incoming.request, 302, headers=[("Contact", "<sip:102@example.org>")], contact=False, tag="c")
        self.carol.expect("ACK")
        self.bob.succeeded()
        self.ann.expect((400, 499), "INVITE")

    def test_P_11_passed_to_the_caller(self):
        call = self.start("<sip:103@example.org;user=phone>;q=0.5", redirect="pass")
        moved = call.refused(302)
        self.assertEqual(moved["contact"], "<sip:103@example.org;user=phone>;q=0.500")
        self.bob.succeeded()
        self.carol.expect_nothing(0.2, "INVITE")

    def test_D6_refused(self):
        call = self.start("<sip:103@example.org>", redirect="no")
        call.refused(403)
        self.bob.succeeded()
        self.carol.expect_nothing(0.2, "INVITE")


class RedirectsOverTcp(Redirects):
    transport = "tcp"


main()
