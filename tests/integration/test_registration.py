"""Registration as RFC 3261 §10.3 has it, seen on the wire. The ids are the rows of the feature table that each test proves."""
import time

from jackfield_test import Case, main
from jackfield_test.sip import challenge

PASSWORD = "an old song"


class Registration(Case):
    def setUp(self):
        super().setUp()
        self.jackfield = self.server({"101": PASSWORD, "102": PASSWORD}, settings={"sip": {"registrar": {"expires_min": 2}}})

    def user(self, name="101", **options):
        return self.phone(self.jackfield, name, PASSWORD, **options)

    def listed(self, phone):
        """What a REGISTER without Contact answers: {contact: seconds left}."""
        return phone.register([]).contacts

    def rings(self, *phones, number="101"):
        """Calls `number` and checks that exactly these phones get the INVITE."""
        caller = self.user("102")
        call = caller.invite(number)
        calls = [phone.incoming() for phone in phones]
        for incoming in calls:
            incoming.reply(486)
            incoming.expect_request("ACK")
        call.refused(486)

    def is_offline(self, number="101"):
        self.user("102").invite(number).refused(404)

    # --- YT-1: challenge and credentials

    def test_YT_1_the_challenge_offers_md5_with_qop_and_nothing_else(self):
        phone = self.user()
        phone.send(phone.register_request())
        refused = phone.expect(401, "REGISTER")
        self.assertEqual(len(refused.all("www-authenticate")), 1)
        offer = challenge(refused["www-authenticate"])
        self.assertEqual((offer["realm"], offer["qop"], offer.get("algorithm", "MD5")), ("Yate", "auth", "MD5"))
        self.assertTrue(refused.tag)
        self.assertNotIn("contact", refused)

    def test_YT_1_a_client_without_qop_is_accepted(self):
        phone = self.user()
        request = phone.send(phone.register_request())
        credentials = phone.credentials(phone.expect(401, "REGISTER"), "REGISTER", request.uri, use_qop=False)
        phone.send(phone.register_request(headers=[credentials]))
        self.assertEqual(list(phone.expect(200, "REGISTER").contacts), [phone.contact])

    def test_YT_1_a_count_used_twice_is_stale_and_not_a_wrong_password(self):
        phone = self.user()
        request = phone.send(phone.register_request())
        credentials = phone.credentials(phone.expect(401, "REGISTER"), "REGISTER", request.uri)
        phone.send(phone.register_request(headers=[credentials]))
        phone.expect(200, "REGISTER")
        phone.send(phone.register_request(headers=[credentials]))
        refused = phone.expect(401, "REGISTER")
        self.assertEqual(challenge(refused["www-authenticate"]).get("stale", "").lower(), "true")

    def test_YT_1_the_same_nonce_serves_with_a_higher_count(self):
        phone = self.user()
        request = phone.send(phone.register_request())
        refused = phone.expect(401, "REGISTER")
        for _ in range(3):
            phone.send(phone.register_request(headers=[phone.credentials(refused, "REGISTER", request.uri)]))
            phone.expect(200, "REGISTER")

    def test_YT_1_a_retransmission_gets_the_same_answer_again(self):
        phone = self.user()
        request = phone.send(phone.register_request())
        credentials = phone.credentials(phone.expect(401, "REGISTER"), "REGISTER", request.uri)
        request = phone.send(phone.register_request(headers=[credentials]))
        first = phone.expect(200, "REGISTER")
        phone.send(request)
        self.assertEqual(phone.expect(200, "REGISTER").encode(), first.encode())

    # --- YT-2 to YT-6: several contacts

    def test_YT_2_removing_one_contact_leaves_the_others(self):
        one, two, three = self.user(), self.user(), self.user()
        for phone in one, two, three:
            phone.register()
        self.assertEqual(set(one.register(expires=0).contacts), {two.contact, three.contact})
        self.assertEqual(set(two.register([f"<{two.contact}>;expires=0"]).contacts), {three.contact})
        self.rings(three)

    def test_YT_2_removing_an_unknown_contact_is_answered_200(self):
        phone = self.user()
        self.assertEqual(phone.register(["<sip:101@192.0.2.99>;expires=0"]).contacts, {})

    def test_YT_3_a_call_reaches_the_contact_and_an_offline_user_is_404(self):
        phone = self.user()
        self.is_offline()
        phone.register()
        self.rings(phone)
        phone.unregister()
        self.is_offline()

    def test_YT_4_a_query_lists_every_contact_and_changes_nothing(self):
        one, two = self.user(), self.user()
        one.register(expires=100)
        two.register(expires=200)
        first = self.listed(one)
        self.assertEqual(set(first), {one.contact, two.contact})
        self.assertAlmostEqual(first[one.contact], 100, delta=1)
        self.assertAlmostEqual(first[two.contact], 200, delta=1)
        time.sleep(2)
        later = self.listed(two)
        self.assertAlmostEqual(later[one.contact], 98, delta=1)
        self.assertLess(later[one.contact], first[one.contact])

    def test_YT_5_the_star_clears_all_contacts(self):
        one, two = self.user(), self.user()
        one.register()
        two.register()
        self.assertEqual(one.register(["*"], expires=0).contacts, {})
        self.assertEqual(self.listed(two), {})
        self.is_offline()

    def test_YT_5_a_star_with_anything_else_is_400_and_clears_nothing(self):
        phone = self.user()
        phone.register()
        phone.register(["*"], expires=60, status=400)
        phone.register(["*"], status=400)
        phone.register(["*", f"<{phone.contact}>"], expires=0, status=400)
        self.assertEqual(list(self.listed(phone)), [phone.contact])

    def test_YT_6_three_contacts_in_one_request_are_listed_and_all_ring(self):
        phones = [self.user() for _ in range(3)]
        contacts = [f"<{phone.contact}>" for phone in phones]
        answer = phones[0].register([contacts[0], ", ".join(contacts[1:])])
        self.assertEqual(set(answer.contacts), {phone.contact for phone in phones})
        self.rings(*phones)

    # --- YT-7 to YT-9: expiry and order

    def test_YT_7_the_contacts_own_expires_beats_the_header(self):
        phone = self.user()
        answer = phone.register([f"<{phone.contact}>;expires=300"], expires=120)
        self.assertEqual(answer.contacts, {phone.contact: 300})

    def test_YT_8_an_older_request_of_the_same_call_id_changes_nothing(self):
        phone = self.user()
        phone.register(cseq=50, call_id="one-call-id", expires=300)
        phone.register(cseq=20, call_id="one-call-id", expires=100, status=500)
        self.assertGreater(self.listed(phone)[phone.contact], 290)
        phone.register(cseq=20, call_id="another-call-id", expires=100)
        self.assertLessEqual(self.listed(phone)[phone.contact], 100)

    def test_YT_9_too_short_is_423_with_the_least_that_is_granted(self):
        refused = self.user().register(expires=1, status=423)
        self.assertEqual(refused["min-expires"], "2")

    def test_YT_9_the_default_is_600_and_the_most_is_3600(self):
        phone = self.user()
        self.assertEqual(phone.register().contacts, {phone.contact: 600})
        self.assertEqual(phone.register(expires=86400).contacts, {phone.contact: 3600})

    def test_ZY_1_one_agent_holds_several_users_with_lives_of_their_own(self):
        phone = self.user("101")
        second = self.user("102")
        contact = f"<sip:102@{phone.hostport}>"   # the user 102, reached at the first one's socket
        phone.register(expires=100)
        second.register([contact], expires=200)
        phone.unregister()
        self.is_offline("101")
        self.assertEqual(list(self.listed(second)), [contact.strip("<>")])

    def test_ZY_3_an_expired_binding_is_gone_within_a_second(self):
        phone = self.user()
        begin = time.monotonic()
        phone.register(expires=2)
        self.rings(phone)
        time.sleep(max(0, begin + 3 - time.monotonic()))
        self.is_offline()
        self.assertEqual(self.listed(phone), {})


class RegistrationSettings(Case):
    def test_YT_1_a_listener_that_asks_for_sha_256_offers_it_first(self):
        server = self.server({"101": PASSWORD}, settings={"sip": {"general": {"digest": "SHA-256,MD5"}}})
        phone = self.phone(server, "101", PASSWORD)
        request = phone.send(phone.register_request())
        refused = phone.expect(401, "REGISTER")
        self.assertEqual([challenge(v).get("algorithm") for v in refused.all("www-authenticate")], ["SHA-256", "MD5"])
        phone.send(phone.register_request(headers=[phone.credentials(refused, "REGISTER", request.uri)]))
        phone.expect(200, "REGISTER")

    def test_YT_1_an_old_nonce_is_stale(self):
        server = self.server({"101": PASSWORD}, settings={"sip": {"general": {"nonce_lifetime": 1}}})
        phone = self.phone(server, "101", PASSWORD)
        request = phone.send(phone.register_request())
        credentials = phone.credentials(phone.expect(401, "REGISTER"), "REGISTER", request.uri)
        time.sleep(2.2)
        phone.send(phone.register_request(headers=[credentials]))
        refused = phone.expect(401, "REGISTER")
        self.assertEqual(challenge(refused["www-authenticate"]).get("stale", "").lower(), "true")
        phone.register()

    def test_YT_6_max_contacts_1_keeps_the_newest(self):
        server = self.server({"101": PASSWORD, "102": PASSWORD}, settings={"sip": {"registrar": {"max_contacts": 1}}})
        one, two = self.phone(server, "101", PASSWORD), self.phone(server, "101", PASSWORD)
        one.register()
        self.assertEqual(list(two.register().contacts), [two.contact])
        self.phone(server, "102", PASSWORD).invite("101")
        two.incoming().reply(486)
        one.expect_nothing(0.3, "INVITE")

    def test_YT_7_yate_expires_lets_the_header_win(self):
        server = self.server({"101": PASSWORD}, settings={"sip": {"registrar": {"yate_expires": "yes"}}})
        phone = self.phone(server, "101", PASSWORD)
        answer = phone.register([f"<{phone.contact}>;expires=300"], expires=120)
        self.assertEqual(answer.contacts, {phone.contact: 120})


main()
