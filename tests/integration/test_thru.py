"""Thru registration: the domain of a phone's own address names its server A; B stands between and is no open relay (FEATURES BR-4 to BR-6, BR-8,
P-20; D19 to D21). A1 and A2 are stock Kamailios with users of the same names."""
import time

from jackfield_test import main, wait_for
from jackfield_test.upstream import AT_A, AT_B, Upstream

A1, A2 = "a1.example", "a2.example"
ELSEWHERE = "elsewhere.example"


class Thru(Upstream):
    def setUp(self):
        super().setUp()
        self.a1 = self.far = self.kamailio(20, domain=A1, realm=A1, whole=True)
        self.a2 = self.kamailio(21, domain=A2, realm=A2, port=5062, users={name: f"{name} at A2" for name in AT_A})
        self.names = self.dns(53, hosts={"one.example": self.a1.address[0], "two.example": self.a2.address[0], ELSEWHERE: self.address(22)},
                              srv=[(f"_sip._udp.{A1}", "one.example", 5060, 1, 1), (f"_sip._udp.{A2}", "two.example", 5062, 1, 1)])

    def start(self, domains=f"{A1},{A2}", users=None, **options):
        self.thru(domains, users, names=self.names, **options)

    def at(self, domain, name, host=2, password=None):
        return self.through(name, password or (AT_A[name] if domain == A1 else f"{name} at A2"), host=host, domain=domain)


class Registration(Thru):
    def test_BR_4_each_phone_lands_at_the_server_its_address_names(self):
        self.start()
        d, e = self.at(A1, "d", 2), self.at(A2, "e", 3)
        d.register()
        e.register()
        self.token("d", self.a1)
        self.token("e", self.a2)
        self.assertEqual((self.a1.contacts("e"), self.a2.contacts("d")), ({}, {}))
        request = self.a1.requests("REGISTER")[-1]
        self.assertEqual((request.uri, request.to_uri, request.from_uri), (f"sip:{A1}", f"sip:d@{A1}", f"sip:d@{A1}"))
        self.assertNotIn(d.local[0], request.text)

    def test_BR_4_a_server_that_compares_uri_with_the_Request_URI_is_content(self):
        self.a1.close()
        self.a1 = self.far = self.kamailio(20, domain=A1, realm=A1, strict_uri=True)
        self.start()
        self.at(A1, "d").register()
        self.token("d")

    def test_BR_5_a_server_that_is_away_delays_nobody_elses_phones(self):
        self.start()
        self.a1.answers("silent")
        d, e = self.at(A1, "d", 2), self.at(A2, "e", 3)
        d.send(d.register_request())
        begin = time.monotonic()
        e.register()
        self.assertLess(time.monotonic() - begin, 1.0)
        self.token("e", self.a2)
        self.assertIn(d.expect((300, 699), "REGISTER", seconds=6).status, (408, 503, 504))

    def test_BR_6_both_modes_end_with_the_phone(self):
        self.start()
        d = self.at(A1, "d")
        answer = d.register(expires=3600)
        self.assertEqual(list(answer.contacts), [d.contact])
        self.assertEqual(self.here(f"d@{A1}"), [d.contact])
        d.unregister()
        self.assertEqual(self.here(), [])
        self.gone("d")

    def test_P_20_the_same_name_in_two_domains_is_two_users(self):
        self.start()
        one, two = self.at(A1, "d", 2), self.at(A2, "d", 3)
        one.register()
        two.register()
        self.assertNotEqual(self.token("d", self.a1), self.token("d", self.a2))
        self.assertEqual((self.here(f"d@{A1}"), self.here(f"d@{A2}")), ([one.contact], [two.contact]))
        self.assertEqual(list(one.register([]).contacts), [one.contact])
        # Each is called by its own server only.
        self.call_from_a(self.phone(self.a1.address, "a", None, address=self.address(9)), "d", one)
        self.call_from_a(self.phone(self.a2.address, "a", None, address=self.address(9)), "d", two)
        one.unregister()
        self.assertEqual((self.here(f"d@{A1}"), self.here(f"d@{A2}")), ([], [two.contact]))
        self.token("d", self.a2)

    def test_D21_a_bare_number_finds_such_a_phone_where_exactly_one_domain_has_it(self):
        self.start(users={"101": AT_B})
        one, two = self.at(A1, "d", 2), self.at(A2, "d", 3)
        one.register()
        ann = self.phone(self.b, "101", AT_B, address=self.address(4))
        self.talk(ann.invite("d"), one)
        two.register()
        self.assertIn(ann.invite("d").expect((400, 699)).status, (404, 484, 485))


class NoOpenRelay(Thru):
    """D21."""

    def test_D21_another_domain_is_refused_without_a_question_or_a_packet(self):
        stranger = self.phone((self.address(22), 5060), "nobody", None, address=self.address(22), port=5060)
        self.start()
        before = self.names.questions()
        self.through("d", domain=ELSEWHERE).register(status=403)
        self.through("d", host=3, domain="192.0.2.66").register(status=403)
        stranger.expect_nothing(0.5)
        self.assertEqual(self.names.questions(ELSEWHERE), 0)
        self.assertEqual(self.names.questions(), before)

    def test_D21_suffixes_name_all_that_end_so(self):
        self.start("*.example")
        self.at(A1, "d").register()
        self.token("d")
        self.through("d", host=3, domain="a1.example.net").register(status=403)

    def test_D21_everybody_is_a_configuration_error(self):
        self.start("*", start=False)
        checked = self.b.command("check", check=False)
        self.assertNotEqual(checked.returncode, 0)
        self.assertRegex(checked.stdout + checked.stderr, r"upperreg\.conf:\d+: .*thru_domains")

    def test_D21_As_refusals_count_against_the_phone_like_ours(self):
        self.start(users={"101": AT_B}, guard={"exempt": "192.0.2.1", "ban_after": 3, "delay": 0})
        guesser = self.at(A1, "d", 3, password="guess")
        for _ in range(3):
            guesser.send(guesser.register_request())
            refused = guesser.expect((400, 499), "REGISTER")
            if refused.status == 403:
                break
            guesser.send(guesser.register_request(headers=[guesser.credentials(refused, "REGISTER", f"sip:{A1}")]))
            guesser.expect((400, 499), "REGISTER")
        wait_for("the ban", lambda: self.address(3) in self.b.command("ban", "list").stdout)
        self.at(A1, "d", 4).register()

    def test_D21_calls_to_a_contact_of_ours_come_from_its_server_only(self):
        self.start()
        d = self.at(A1, "d")
        d.register()
        token = self.token("d")
        for host in (30, 21):  # a stranger, and the address of the other server
            stranger = self.phone(self.b, "a", None, address=self.address(host), domain=self.b.address[0])
            self.assertIn(stranger.invite(token, authenticate=False).expect((400, 499)).status, (401, 403, 404))
        d.expect_nothing(0.2, "INVITE")
        self.call_from_a(self.phone(self.a1.address, "a", None, address=self.address(9)), "d", d)

    def test_D20_a_relayed_phone_needs_no_challenge_of_ours_for_its_own_requests(self):
        self.start(users={"101": AT_B})
        ann = self.phone(self.b, "101", AT_B, address=self.address(4))
        ann.register()
        d = self.at(A1, "d")
        d.register()
        # Said without credentials, as of somebody who is known by where he registered from.
        uri, headers = f"sip:101@{self.b.address[0]}", [("Content-Type", "text/plain")]
        d.send(d.request("MESSAGE", uri, headers=headers, body="lunch?"))
        text = ann.expect("MESSAGE", seconds=5)
        self.assertEqual(text.body, b"lunch?")
        ann.reply(text, 200)
        d.expect(200, "MESSAGE")
        # The same words from another socket are nobody's.
        stranger = self.at(A1, "d", 5)
        stranger.send(stranger.request("MESSAGE", uri, headers=headers, body="lunch?"))
        self.assertIn(stranger.expect((200, 699), "MESSAGE", seconds=5).status, (401, 403, 407))
        ann.expect_nothing(0.2, "MESSAGE")


class Calls(Thru):
    def test_BR_8_without_a_rule_a_call_to_As_domain_goes_nowhere(self):
        self.start()
        d = self.at(A1, "d")
        d.register()
        self.assertIn(d.invite("a", authenticate=False).expect((400, 699)).status, (403, 404))
        self.assertEqual(self.a1.requests("INVITE"), [])

    def test_BR_8_a_rule_sends_it_to_the_callers_own_server(self):
        self.a1.close()
        self.a1 = self.far = self.kamailio(20, domain=A1, realm=A1, whole=True, auth_calls=True)
        self.start(rules={"default": {"^\\(.*\\)$": "upper/\\1"}})
        d = self.at(A1, "d")
        d.register()
        a = self.at_a("a", self.a1)
        call = d.invite("a", authenticate=False)
        refused = call.expect(407)
        call.acknowledge_refusal(refused)
        call.invite(call.request.body, [d.credentials(refused, "INVITE", call.request.uri)])
        incoming = self.talk(call, a)
        self.assertIn(f"sip:d@{A1}", incoming.request["from"])


main()
