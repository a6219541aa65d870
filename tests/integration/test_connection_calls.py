"""Calls out and in over connections: servers that are silent, refuse or are gone, credentials, and names that stand for several machines."""
import time

from jackfield_test import Case, main

PASSWORD = "an old song"
MODULES = ("sip", "regfile", "accfile", "callfork", "cdrbuild", "cdrfile", "regexroute")
TIMEOUT = 1.0  # s, of an INVITE without any answer


class ConnectionCalls(Case):
    def start(self, connection, hosts=(10, 11, 12), general=None, rules=None):
        """101 at home; everything else goes out by the connection `up`, whose servers are phones of ours on these hosts."""
        self.far = [self.phone((self.address(), 5060), "1234", "secret", address=self.address(host), port=5060) for host in hosts]
        account = {"enabled": "yes", "type": "trunk", "allowed": self.address(10), "invite_total_timeout": int(TIMEOUT * 1000),
                   "servers": ", ".join(self.address(host) for host in hosts), **connection}
        self.jackfield = self.server({"101": PASSWORD}, modules=MODULES, settings={
            "sip": {"general": general or {}}, "accfile": {"up": account},
            "regexroute": {"default": rules or {".*": "line/\\0;line=up"}}})
        self.ann = self.phone(self.jackfield, "101", PASSWORD)
        self.ann.register()
        return self.jackfield

    def talk(self, call, far):
        """The call is answered there, and ends."""
        incoming = far.incoming()
        incoming.accept()
        call.answered()
        call.bye()
        incoming.hung_up()
        return incoming

    def test_EL_2_EL_4_silent_then_503_then_answered(self):
        self.start({})
        begin = time.monotonic()
        call = self.ann.invite("5551234")
        first = self.far[0].incoming()
        second = self.far[1].incoming(seconds=10)
        self.assertGreaterEqual(time.monotonic() - begin, TIMEOUT)
        self.assertNotEqual(first.call_id, second.call_id)
        second.reply(503)
        second.expect_request("ACK")
        third = self.far[2].incoming()
        self.assertNotIn(third.call_id, (first.call_id, second.call_id))
        self.assertEqual(third.request.sdp, first.request.sdp)
        third.accept()
        call.answered()
        call.bye()
        third.hung_up()
        records = self.jackfield.expect_records(2)
        self.assertEqual(sorted(record[9] for record in records), ["incoming", "outgoing"], "one call")

    def test_D18_late_answers_are_ended(self):
        self.start({})
        call = self.ann.invite("5551234")
        first = self.far[0].incoming()
        second = self.far[1].incoming(seconds=10)
        second.reply(180)
        call.expect(180)
        # The first one wakes up: it rings, is cancelled, and picks up all the same.
        first.reply(180)
        cancel = self.far[0].expect("CANCEL")
        self.far[0].reply(cancel, 200)
        first.accept()
        first.hung_up()
        second.accept()
        call.answered()
        call.bye()
        second.hung_up()

    def test_EL_2_refusals_of_the_called_one_move_nothing(self):
        self.start({})
        for code in (403, 486):
            call = self.ann.invite("5551234")
            incoming = self.far[0].incoming()
            incoming.reply(code)
            incoming.expect_request("ACK")
            call.refused(code)
        call = self.ann.invite("5551234")
        incoming = self.far[0].incoming()
        incoming.reply(183)
        call.expect(183)
        incoming.reply(503)
        incoming.expect_request("ACK")
        call.refused(500)
        self.far[1].expect_nothing(0.2)

    def test_EL_2_nobody_listens_there(self):
        self.start({"invite_total_timeout": 20000})
        self.far.pop(0).close()
        call = self.ann.invite("5551234")
        self.talk(call, self.far[0])  # ICMP says so at once

    def test_ZY_6_credentials_for_the_call_and_its_end(self):
        self.start({"type": "trunk", "username": "jack", "password": "secret"})
        call = self.ann.invite("5551234")
        first = self.far[0].incoming()
        challenge = ("Proxy-Authenticate", 'Digest realm="far", nonce="one", qop="auth", algorithm=MD5')
        first.reply(407, headers=[challenge])
        first.expect_request("ACK")
        proved = self.far[0].incoming()
        self.assertEqual(proved.call_id, first.call_id)
        self.assertIn('username="jack"', proved.request["proxy-authorization"])
        proved.accept()
        call.answered()
        call.bye()
        bye = proved.hung_up()
        self.assertIn("nc=00000002", bye["proxy-authorization"])

    def test_SP_12_SP_5_in_by_the_connections_address_only(self):
        self.start({"inb:context": "provider"})
        self.jackfield.settings["regexroute"]["default"] = {"${in_line}^up$": f"sip/{self.ann.contact}", ".*": "-;error=forbidden"}
        self.jackfield.write_settings()
        self.jackfield.command("reload")
        call = self.far[0].invite("101", authenticate=False)
        self.talk(call, self.ann)
        self.talk(self.far[1].invite("101", authenticate=False), self.ann)  # a server of its is its own too
        stranger = self.phone(self.jackfield, "1234", address=self.address(50))
        stranger.invite("101").refused(401)

    def test_EL_12_P_3_a_name_is_a_list_of_its_own(self):
        names = self.dns(hosts={f"m{host}.far.example": self.address(host) for host in (10, 11, 12)},
                           naptr=[("far.example", 10, 10, "s", "SIP+D2T", "_other._tcp.far.example"), ("far.example", 10, 5, "s", "SIP+D2U", "_sip._udp.far.example")],
                           srv=[("_sip._udp.far.example", f"m{host}.far.example", 5060, host, 0) for host in (10, 11, 12)])
        self.start({"servers": "far.example"}, general={"dns_servers": names.server})
        call = self.ann.invite("5551234")
        for far in self.far[:2]:
            incoming = far.incoming(seconds=10)
            incoming.reply(503)
            incoming.expect_request("ACK")
        self.talk(call, self.far[2])

    def test_P_3_a_host_name_without_a_connection(self):
        names = self.dns(hosts={"m10.far.example": self.address(10), "m11.far.example": self.address(11)},
                           srv=[("_sip._udp.far.example", "m10.far.example", 5060, 1, 0), ("_sip._udp.far.example", "m11.far.example", 5060, 2, 0)])
        self.start({}, general={"dns_servers": names.server}, rules={"^5": "sip/sip:1234@far.example", ".*": "sip/sip:1234@nowhere.example"})
        call = self.ann.invite("5551234")
        incoming = self.far[0].incoming()
        self.assertEqual(incoming.request.uri, "sip:1234@far.example")
        incoming.reply(503)
        incoming.expect_request("ACK")
        self.talk(call, self.far[1])
        asked = names.questions()
        call = self.ann.invite("5551234")
        self.talk(call, self.far[0])
        self.assertEqual(names.questions(), asked, "what was answered is kept")
        self.ann.invite("6").refused(404)
        asked = names.questions("nowhere.example")
        self.ann.invite("6").refused(404)
        self.assertEqual(names.questions("nowhere.example"), asked, "and so is that there is nothing")

    def test_P_3_silent_name_servers_cost_the_deadline_and_no_more(self):
        self.start({}, general={"dns_servers": f"{self.address(99)}:5353", "dns_timeout": 1000}, rules={".*": "sip/sip:1234@far.example"})
        begin = time.monotonic()
        self.ann.invite("5").refused(404, seconds=10)
        self.assertLess(time.monotonic() - begin, 8)


main()
