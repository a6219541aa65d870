"""Upper registration: phones register at B, and B registers each of them at its one server A, a stock Kamailio (FEATURES BR-1 to BR-3, BR-6 to BR-8,
BR-10, BR-12 to BR-14; D19, D20)."""
import re

from jackfield_test import main, wait_for
from jackfield_test.sip import challenge
from jackfield_test.upstream import AT_A, AT_B, Upstream, stored

# Whoever is called with 8 before it is called at A, under the caller's own address there.
TO_A = {"default": {"^8\\(.*\\)$": "line/\\1;line=upper"}}


class Registration(Upstream):
    def setUp(self):
        super().setUp()
        self.far = self.kamailio(20, whole=True)

    def registers(self, name="d"):
        """The REGISTERs for that user that A took, with credentials."""
        return [request for request in self.far.requests("REGISTER") if f"sip:{name}@" in request.to_uri and request.auth_user == name]

    def test_BR_1_each_phone_is_registered_at_A_under_its_own_address_and_hidden_behind_B(self):
        self.upper({"e": stored("e")})
        relayed, kept = self.through("d", host=3), self.through("e", AT_B, host=4)
        relayed.register()
        kept.register()
        self.assertNotEqual(self.token("d"), self.token("e"))
        for name in "de":
            request = self.registers(name)[0]
            domain = self.far.address[0]
            self.assertEqual((request.uri, request.from_uri, request.to_uri), (f"sip:{domain}", f"sip:{name}@{domain}", f"sip:{name}@{domain}"))
            self.assertRegex(request.contact, rf"^<sip:[0-9a-f]{{32}}@{re.escape(self.b.address[0])}")
        for request in self.far.requests():
            for phone in (relayed, kept):
                self.assertNotIn(phone.local[0], request.text, "A saw a phone's address")

    def test_BR_1_a_relayed_challenge_and_its_answer_pass_untouched(self):
        self.upper()
        phone = self.through("d")
        first = phone.send(phone.register_request())
        refused = phone.expect(401, "REGISTER")
        self.assertEqual(len(refused.all("www-authenticate")), 1, "no challenge of B's beside it")
        offer = challenge(refused["www-authenticate"])
        self.assertEqual((offer["realm"], offer.get("qop")), ("far", "auth"))
        header = phone.credentials(refused, "REGISTER", first.uri)
        phone.send(phone.register_request(headers=[header]))
        phone.expect(200, "REGISTER")
        self.assertIn(f"Authorization: {header[1]}\r\n", self.registers()[0].text)
        self.assertNotIn(AT_A["d"], self.b.log)

    def test_BR_1_a_407_is_relayed_as_well(self):
        self.far.close()
        self.far = self.kamailio(21, proxy_challenge=True)
        self.upper()
        phone = self.through("d")
        phone.register()
        self.token("d")

    def test_BR_1_credentials_that_B_stores_are_never_shown_to_the_phone(self):
        self.upper({"d": stored("d")})
        phone = self.through("d", AT_B)
        first = phone.send(phone.register_request())
        refused = phone.expect(401, "REGISTER")
        self.assertNotEqual(challenge(refused["www-authenticate"])["realm"], "far")
        self.assertEqual(self.far.requests("REGISTER"), [], "who has not proved who he is costs A nothing")
        phone.send(phone.register_request(headers=[phone.credentials(refused, "REGISTER", first.uri)]))
        phone.expect(200, "REGISTER")
        self.token("d")
        self.through("d", "a wrong song", host=3).register(status=401)

    def test_BR_1_a_hash_is_enough(self):
        import hashlib
        ha1 = hashlib.md5(f"d:far:{AT_A['d']}".encode()).hexdigest()
        self.upper({"d": {"password": AT_B, "upper": "yes", "upper_username": "d", "upper_ha1": f"far:{ha1}"}})
        self.through("d", AT_B).register()
        self.token("d")

    def test_BR_2_A_sees_one_steady_client_whatever_the_phone_does(self):
        self.upper({"d": stored("d")})
        phone = self.through("d", AT_B)
        phone.register()
        token = self.token("d")
        for _ in range(2):
            phone.register()
        # Another phone, another Call-ID, another tag: the same to A.
        self.through("d", AT_B, host=3).register()
        self.b.kill()
        self.b.start()
        phone.register()
        self.assertEqual(self.token("d"), token)
        seen = self.far.requests("REGISTER")
        self.assertEqual(len({request.call_id for request in seen}), 1)
        self.assertEqual(len({re.search(r"From: [^\r]*tag=([^;\r]*)", request.text)[1] for request in seen}), 1)
        numbers = [request.cseq for request in seen]
        self.assertEqual(numbers, sorted(set(numbers)), "CSeq rises with each")
        for request in seen:
            self.assertNotIn("\r\nPath:", request.text)
            self.assertNotIn("\r\nRequire:", request.text)
            self.assertEqual(request.text.count("\r\nVia:"), 1)

    def test_BR_2_an_A_that_keeps_one_contact_and_ties_its_nonces_to_one_client_is_content(self):
        self.far.close()
        self.far = self.kamailio(21, bound_nonces=True, max_contacts=1)
        self.upper()
        one, two = self.through("d", host=2), self.through("d", host=3)
        for phone in (one, two, one, two):
            phone.register()
        self.token("d")

    def test_BR_2_an_A_that_compares_uri_with_the_Request_URI_is_named_in_the_log_once(self):
        self.far.close()
        self.far = self.kamailio(21, strict_uri=True)
        self.upper({"e": stored("e")})
        phone = self.through("d")
        for _ in range(2):
            phone.register(status=403)
        told = [line for line in self.b.log.splitlines() if "upper_password" in line or "outbound proxy" in line]
        self.assertEqual(len(told), 1, self.b.log[-3000:])
        # The ways out: A's domain in the phone with B as its outbound proxy; or credentials that B stores.
        self.through("d", domain=self.far.address[0]).register()
        self.through("e", AT_B, host=4).register()
        self.assertEqual(len(self.far.contacts("d")) + len(self.far.contacts("e")), 2)

    def test_BR_3_two_servers_A_are_an_error_and_the_module_does_not_start(self):
        self.upper(start=False)
        with open(f"{self.b.conf}/upperreg.conf", "a") as file:
            file.write(f"[upper]\nserver={self.address(21)}\n")
        checked = self.b.command("check", check=False)
        self.assertNotEqual(checked.returncode, 0)
        self.assertRegex(checked.stdout + checked.stderr, r"upperreg\.conf:\d+: .*server")


class Binding(Upstream):
    """BR-6: B's own binding, and what it tells the phone."""

    def setUp(self):
        super().setUp()
        self.far = self.kamailio(20, max_expires=90)

    def test_BR_6_what_A_grants_counts_and_its_other_contacts_are_not_the_phones(self):
        self.upper({"d": stored("d")})
        for host in (10, 11):  # two more phones of d, at A itself
            self.at_a("d", host=host)
        for password, host in ((AT_B, 2),):
            phone = self.through("d", password, host=host)
            answer = phone.register(expires=3600)
            self.assertEqual(list(answer.contacts), [phone.contact])
            self.assertTrue(0 < answer.contacts[phone.contact] <= 90, answer)
        self.assertEqual(len(self.far.contacts("d")), 3)
        self.assertEqual(self.here("d"), [phone.contact])
        self.assertRegex(self.b.command("status", "sip").stdout + self.b.command("registration", "list").stdout, r"\b(90|8\d) s")

    def test_BR_6_the_shortest_wish_wins(self):
        self.upper({"d": stored("d")}, registrar={"expires_max": 60})
        phone = self.through("d", AT_B)
        self.assertLessEqual(phone.register(expires=3600).contacts[phone.contact], 60)
        self.assertLessEqual(phone.register(expires=30).contacts[phone.contact], 30)

    def test_BR_6_without_As_consent_there_is_no_binding(self):
        self.upper()
        self.through("d", "a wrong song").register(status=401)
        self.far.answers("403")
        phone = self.through("e", host=3)
        phone.register(status=403)
        self.assertEqual(self.here(), [])

    def test_BR_6_a_refusal_of_a_refresh_ends_the_binding(self):
        self.upper()
        phone = self.through("d")
        phone.register()
        self.assertEqual(self.here("d"), [phone.contact])
        self.far.answers("403")
        phone.send(phone.register_request())
        phone.expect((400, 499), "REGISTER")
        wait_for("the binding to end", lambda: not self.here("d"))

    def test_BR_6_the_binding_leaves_with_the_phone_and_with_its_time(self):
        self.upper({"d": stored("d")})
        phone = self.through("d", AT_B)
        phone.register()
        self.token("d")
        phone.unregister()
        self.assertEqual(self.here("d"), [])
        self.gone("d")
        phone.register(expires=2)
        self.token("d")
        wait_for("the binding to expire", lambda: not self.here("d"), 6)
        self.gone("d", seconds=4)

    def test_BR_6_who_asks_what_is_registered_is_told_of_his_own_phones(self):
        self.upper()
        self.at_a("d", host=10)
        phone = self.through("d")
        phone.register()
        self.assertEqual(list(phone.register([]).contacts), [phone.contact])
        self.through("d", "a wrong song", host=3).register([], status=401)


class Calls(Upstream):
    def setUp(self):
        super().setUp()
        self.far = self.kamailio(20, whole=True)

    def site_with_d(self, keys=None, **options):
        self.upper({"d": stored("d")}, keys, **options)
        self.d = self.through("d", AT_B, host=3)
        self.d.register()
        self.a = self.at_a("a")

    def test_BR_7_a_client_of_A_calls_a_phone_of_B_and_each_end_may_hang_up(self):
        self.site_with_d()
        self.call_from_a(self.a, "d", self.d)
        call = self.a.invite("d", authenticate=False)
        incoming = self.d.incoming()
        incoming.reply(200, self.d.sdp())
        call.answered()
        incoming.expect_request("ACK")
        incoming.bye()
        call.hung_up()
        # The callee learns who calls, the caller's description arrives as it is.
        self.assertIn("sip:a@", incoming.request["from"])
        self.assertIn("m=audio 4000 RTP/AVP 0 101", incoming.request.sdp)

    def test_BR_7_all_phones_of_the_user_ring_and_nobody_elses(self):
        self.upper({"d": stored("d"), "e": stored("e")})
        one, two, other = self.through("d", AT_B, host=3), self.through("d", AT_B, host=4), self.through("e", AT_B, host=5)
        for phone in (one, two, other):
            phone.register()
        a = self.at_a("a")
        call = a.invite("d", authenticate=False)
        first, second = one.incoming(), two.incoming()
        second.reply(180)
        first.reply(200, one.sdp())
        call.answered()
        first.expect_request("ACK")
        two.reply(two.expect("CANCEL", call_id=second.call_id), 200)
        second.reply(487)
        other.expect_nothing(0.2, "INVITE")
        call.bye()
        first.hung_up()

    def test_BR_7_A_forks_one_call_to_two_users_and_both_ring(self):
        self.upper({"d": stored("d"), "e": stored("e")})
        d, e = self.through("d", AT_B, host=3), self.through("e", AT_B, host=4)
        d.register()
        e.register()
        self.token("d")
        self.token("e")
        call = self.at_a("a").invite("d+e", authenticate=False)
        at_d, at_e = d.incoming(), e.incoming()
        for incoming in (at_d, at_e):
            incoming.reply(180)
        at_e.reply(200, e.sdp())
        call.answered()
        at_e.expect_request("ACK")
        d.reply(d.expect("CANCEL", call_id=at_d.call_id), 200)
        at_d.reply(487)
        call.bye()
        at_e.hung_up()

    def test_BR_8_without_a_rule_nothing_goes_to_A(self):
        self.site_with_d()
        self.d.invite("a").refused(404)
        self.assertEqual(self.far.requests("INVITE"), [])

    def test_BR_8_a_rule_sends_the_call_to_A_as_the_phones_own_with_stored_credentials(self):
        self.far.close()
        self.far = self.kamailio(21, whole=True, auth_calls=True)
        self.site_with_d(rules=TO_A)
        incoming = self.talk(self.d.invite("8a"), self.a)
        self.assertIn(f"sip:d@{self.far.address[0]}", incoming.request["from"])
        invites = self.far.requests("INVITE")
        self.assertEqual([request.auth_user for request in invites], ["<null>", "d"])
        self.assertRegex(invites[-1].contact, rf"<sip:{self.token('d')}@")
        for request in invites:
            self.assertNotIn(self.d.local[0], request.text.split("\r\n\r\n")[0])

    def test_BR_8_a_rule_sends_the_call_to_A_with_what_the_phone_itself_answers(self):
        self.far.close()
        self.far = self.kamailio(21, whole=True, auth_calls=True)
        self.upper(rules=TO_A)
        phone = self.through("d", host=3)
        phone.register()
        a = self.at_a("a")
        call = phone.invite("8a", authenticate=False)
        refused = call.expect(407)
        self.assertEqual(challenge(refused["proxy-authenticate"])["realm"], "far")
        self.assertEqual(len(refused.all("proxy-authenticate") + refused.all("www-authenticate")), 1)
        call.acknowledge_refusal(refused)
        header = phone.credentials(refused, "INVITE", call.request.uri)
        call.invite(call.request.body, [header])
        self.talk(call, a)
        self.assertIn(f"Proxy-Authorization: {header[1]}\r\n", self.far.requests("INVITE")[-1].text)
        # The challenge that was passed on is no call: one record for each leg of the one that was.
        self.assertEqual({record[10] for record in self.b.expect_records(2)}, {"answered"})
        self.assertEqual(len(self.b.records), 2)

    def test_BR_10_only_A_and_who_is_listed_reaches_what_B_told_A(self):
        self.site_with_d({"upper_sources": self.address(30)})
        token = self.token("d")
        listed = self.phone(self.b, "pbx", None, address=self.address(30))
        self.talk(listed.invite(token), self.d)
        stranger = self.phone(self.b, "pbx", None, address=self.address(31))
        self.assertIn(stranger.invite(token).expect((400, 499)).status, (401, 403, 404))
        self.d.expect_nothing(0.2, "INVITE")
        # A user of B's own finds nobody under that number either.
        self.d.invite(token).refused(404)

    def test_BR_10_a_rule_by_address_refuses_with_403(self):
        rules = {"default": {"${ip_host}^" + re.escape(self.address(20)).replace(r"\.", ".") + "$": "-;error=forbidden"}}
        self.site_with_d(rules=rules)
        call = self.a.invite("d", authenticate=False)
        self.assertEqual(call.expect((400, 699)).status, 403)
        self.d.expect_nothing(0.2, "INVITE")

    def test_BR_13_BR_14_each_side_speaks_with_B_alone(self):
        self.site_with_d(rules=TO_A)
        incoming = self.call_from_a(self.a, "d", self.d)
        self.talk(self.d.invite("8a"), self.a)
        for direction, data in self.d.trace:
            head = data.split(b"\r\n\r\n")[0].decode()
            if direction == "received":
                self.assertNotIn(self.a.local[0], head)
                self.assertNotIn("Record-Route", head)
        self.assertEqual(len(incoming.request.all("via")), 1)
        self.assertIn(self.b.address[0], incoming.request["via"])
        at_a = [request for request in self.far.requests("INVITE") if request.from_uri.startswith("sip:d@")]
        self.assertEqual(at_a[-1].text.count("\r\nVia:"), 1)
        self.assertNotIn(self.d.local[0], at_a[-1].text.split("\r\n\r\n")[0])
        ids = {data.split(b"Call-ID: ")[1].split(b"\r\n")[0] for _, data in self.d.trace if b"INVITE" in data.split(b"\r\n")[0]}
        self.assertEqual(ids & {request.call_id.encode() for request in self.far.requests("INVITE")}, set())


class Permission(Upstream):
    def setUp(self):
        super().setUp()
        self.far = self.kamailio(20)

    def test_BR_12_who_may_not_is_registered_at_B_alone(self):
        self.upper({"d": stored("d"), "e": {**stored("e"), "upper": "no"}})
        for host, name in enumerate("de", start=3):
            self.through(name, AT_B, host=host).register()
        self.token("d")
        self.assertEqual(self.far.registered(), 1)
        self.assertEqual(len(self.here()), 2)

    def test_BR_12_or_is_rejected(self):
        self.upper({"d": stored("d"), "e": {**stored("e"), "upper": "no"}}, {"refused": "reject"})
        self.through("d", AT_B, host=3).register()
        self.through("e", AT_B, host=4).register(status=403)
        self.assertEqual(len(self.here()), 1)

    def test_BR_12_by_rule(self):
        rules = {"extra": {"user.upstream": "10,username,who may"}, "who may": {"^e$": "-;error=forbidden", "^f$": ";upper=no"}}
        self.upper({name: stored(name) for name in "def"}, rules=rules)
        for host, name in enumerate("def", start=3):
            self.through(name, AT_B, host=host).register(status=403 if name == "e" else 200)
        self.token("d")
        self.assertEqual(self.far.registered(), 1)
        self.assertEqual(len(self.here()), 2)


main()
