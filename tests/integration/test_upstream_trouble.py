"""What goes wrong with registrations through an intermediate, each as others' users reported it (DEMAND 4 to 6, N-3), and what becomes of them when A
fails, forgets or comes back (P-9, D18, D20)."""
import re
import time

from jackfield_test import main, wait_for
from jackfield_test.upstream import AT_B, LONG, Upstream, stored


def many(count):
    """The passwords of that many users at A (its `crowd`), and the same users at B with A's passwords."""
    names = [f"u{number}" for number in range(count)]
    at_a = {name: f"{name}-song-of-A" for name in names}
    return at_a, {name: {"password": AT_B, "upper": "yes", "upper_username": name, "upper_password": password} for name, password in at_a.items()}


class Devices(Upstream):
    """Several phones on one AOR."""

    def setUp(self):
        super().setUp()
        self.far = self.kamailio(20)

    def pair(self, users, password=None):
        self.upper(users)
        return [self.through("d", password, host=host) for host in (2, 3)]

    def leave_one_after_the_other(self, one, two):
        one.register()
        two.register()
        token = self.token("d")
        one.unregister()
        self.assertEqual((self.token("d"), self.here("d")), (token, [two.contact]))
        two.unregister()
        self.gone("d")

    def test_N_3_A_loses_the_contact_only_with_the_last_phone_stored_credentials(self):
        self.leave_one_after_the_other(*self.pair({"d": stored("d")}, AT_B))

    def test_N_3_A_loses_the_contact_only_with_the_last_phone_relayed_credentials(self):
        # OpenSIPS #2615: one device's un-REGISTER took them all away.
        self.leave_one_after_the_other(*self.pair({}))

    def test_DEMAND_4_phones_that_refresh_in_different_rhythms_leave_A_with_their_contact(self):
        # OpenSIPS #2368: with one phone at 120 s and another at 600 s A ended up with nothing, a dozen times a day.
        for name, users, password in (("d", {"d": stored("d")}, AT_B), ("e", {}, None)):
            with self.subTest(credentials="stored" if users else "relayed"):
                self.upper(users, address=self.address(1 if users else 7))
                quick, slow = (self.through(name, password, host=host) for host in (2, 3))
                slow.register(expires=30)
                end = time.monotonic() + 4.5
                while time.monotonic() < end:
                    quick.register(expires=2)
                    for _ in range(3):
                        self.assertEqual(len(self.far.contacts(name)), 1)
                        time.sleep(0.3)
                # The quick one falls silent: the slow one is still called.
                wait_for("the quick one's end", lambda: self.here(name) == [slow.contact], 5)
                self.assertEqual(len(self.far.contacts(name)), 1)
                self.assertGreater(next(iter(self.far.contacts(name).values())), 1)

    def test_DEMAND_4_who_leaves_and_returns_at_once_is_registered_at_A(self):
        # OpenSIPS #1804: the re-REGISTER after an un-REGISTER was absorbed, and A knew nobody for hours.
        for name, users, password in (("d", {"d": stored("d")}, AT_B), ("e", {}, None)):
            with self.subTest(credentials="stored" if users else "relayed"):
                self.upper(users, address=self.address(1 if users else 7))
                phone = self.through(name, password)
                for _ in range(3):
                    phone.register()
                    self.assertEqual(len(self.far.contacts(name)), 1)
                    phone.unregister()
                    self.assertEqual(self.far.contacts(name), {})

    def test_DEMAND_4_foreign_contacts_in_As_answer_are_no_trouble(self):
        # OpenSIPS #1516: the registration failed when A listed contacts that were not ours.
        self.at_a("d", host=10)
        phone, _ = self.pair({})
        for _ in range(2):
            self.assertEqual(list(phone.register().contacts), [phone.contact])
        phone.unregister()
        self.assertEqual(len(self.far.contacts("d")), 1, "the phone at A itself stays")

    def test_DEMAND_4_the_expiry_a_phone_is_told_is_its_own(self):
        # OpenSIPS #1309, #1314: A's contact or A's expiry came back in place of the phone's.
        one, two = self.pair({"d": stored("d")}, AT_B)
        self.assertEqual(one.register(expires=100).contacts, {one.contact: 100})
        told = two.register(expires=40).contacts
        self.assertEqual(told[two.contact], 40)
        self.assertIn(told[one.contact], (98, 99, 100))
        told = one.register([f"<{one.contact}>;expires=70"], expires=3600).contacts
        self.assertEqual(told[one.contact], 70)

    def test_DEMAND_4_a_phone_that_falls_silent_is_taken_from_A_by_the_way_it_was_registered(self):
        # OpenSIPS #3451: when its time was over a REGISTER that nobody understood came from another address than the ones before.
        for name, users, password in (("d", {"d": stored("d")}, AT_B), ("e", {}, None)):
            with self.subTest(credentials="stored" if users else "relayed"):
                self.upper(users, address=self.address(1 if users else 7))
                phone = self.through(name, password)
                phone.register(expires=2)
                before = [request for request in self.far.requests("REGISTER") if f":{name}@" in request.to_uri]
                wait_for("its end", lambda: not self.here(name), 6)
                self.gone(name, seconds=4)
                after = [request for request in self.far.requests("REGISTER") if f":{name}@" in request.to_uri][len(before):]
                self.assertEqual({request.expires for request in after} - {0}, set(), "nothing but the end is said")
                self.assertEqual({(request.call_id, request.source) for request in after} - {(before[0].call_id, before[0].source)}, set())

    def test_DEMAND_6_a_second_phone_proves_who_it_is(self):
        # OpenSIPS #3193, #2536: while the AOR was fresh a second device got in without, or with a wrong password, and took the first one's place.
        for name, users, password in (("d", {"d": stored("d")}, AT_B), ("e", {}, None)):
            with self.subTest(credentials="stored" if users else "relayed"):
                self.upper(users, address=self.address(1 if users else 7))
                first = self.through(name, password, host=2)
                first.register()
                second = self.through(name, "a wrong song", host=3)
                second.send(second.register_request())
                self.assertIn(second.expect((200, 699), "REGISTER").status, (401, 407))
                second.register(status=401)
                self.assertEqual(self.here(name), [first.contact])
                self.assertEqual(len(self.far.contacts(name)), 1)

    def test_DEMAND_6_leaving_needs_proof_too(self):
        # flexisip #22: is an un-REGISTER authenticated?
        for name, users, password in (("d", {"d": stored("d")}, AT_B), ("e", {}, None)):
            with self.subTest(credentials="stored" if users else "relayed"):
                self.upper(users, address=self.address(1 if users else 7))
                first = self.through(name, password, host=2)
                first.register()
                stranger = self.through(name, "a wrong song", host=3)
                for contacts in (["*"], [f"<{first.contact}>"]):
                    stranger.send(stranger.register_request(contacts, expires=0))
                    self.assertIn(stranger.expect((200, 699), "REGISTER").status, (401, 407))
                    stranger.register(contacts, expires=0, status=401)
                self.assertEqual((self.here(name), len(self.far.contacts(name))), ([first.contact], 1))

    def test_P_9_what_A_hears_does_not_depend_on_how_often_phones_register(self):
        phone, _ = self.pair({"d": stored("d")}, AT_B)
        phone.register(expires=600)
        before = self.far.expect(1)
        for _ in range(10):
            phone.register(expires=600)
        self.assertLessEqual(len(self.far.requests("REGISTER")) - len(before), 4, "ten refreshes are not ten at A")

    def test_P_9_A_is_refreshed_within_its_own_time_though_the_phone_is_not_due(self):
        self.far.close()
        self.far = self.kamailio(21, max_expires=4)
        self.upper({"d": stored("d")})
        phone = self.through("d", AT_B)
        granted = phone.register(expires=60).contacts[phone.contact]
        end = time.monotonic() + 6
        while time.monotonic() < end:
            self.assertEqual(len(self.far.contacts("d")), 1, f"A's 4 s ran out; the phone was given {granted} s")
            time.sleep(0.2)
            if granted <= 4:
                phone.register(expires=60)


class Memory(Upstream):
    """DEMAND 5, OpenSIPS #1319: A was restarted with an empty memory."""

    def crowd(self, count, *, relayed=False, **general):
        """So many users with a phone each, which share a socket; those with stored credentials will not be back by themselves for a while."""
        at_a, at_b = many(count)
        self.far = self.kamailio(20, users={}, crowd=count)
        self.upper({} if relayed else at_b, general=general)
        self.socket = self.phone(self.b, "nobody", AT_B)
        self.passwords = at_a if relayed else dict.fromkeys(at_a, AT_B)
        self.ids = {name: self.socket.new_id() for name in at_a}
        granted = {name: self.registers(name) for name in at_a}
        self.assertEqual(self.far.registered(), count)
        return granted

    def registers(self, name):
        """That user's phone does; what it is granted."""
        phone = self.socket
        phone.user = phone.auth_user = name
        phone.password = self.passwords[name]
        phone.contact = f"sip:{name}@{phone.hostport}"
        return phone.register(expires=3600, call_id=self.ids[name]).contacts[phone.contact]

    def forgets(self):
        self.far.stop()
        self.far.start()
        self.assertEqual(self.far.registered(), 0)

    def test_N_3_all_that_B_holds_credentials_for_are_back_within_30_s(self):
        count = 10000 if LONG else 300
        self.crowd(count)
        self.forgets()
        begin = time.monotonic()
        self.b.command("upperreg", "resync")
        wait_for(f"{count} users at A again", lambda: self.far.registered() == count, 30)
        self.assertLess(time.monotonic() - begin, 30)
        self.assertEqual(int(re.search(r"(?m)^jackfield_sip_bindings_count (\d+)", self.b.command("status", "--metrics").stdout)[1]), count)

    def test_N_3_the_loss_is_noticed_without_a_command(self):
        self.crowd(20, probe_interval="1")
        self.forgets()
        wait_for("all at A again", lambda: self.far.registered() == 20, 15)

    def test_N_3_relayed_phones_are_back_with_their_next_refresh_which_is_soon(self):
        count, relay_expires = (1000, 120) if LONG else (8, 4)
        granted = self.crowd(count, relayed=True, relay_expires=str(relay_expires))
        self.assertLessEqual(max(granted.values()), relay_expires)
        self.forgets()
        # Each comes, as phones do, when half of what it was granted is over.
        begin = time.monotonic()
        for number, name in enumerate(granted):
            time.sleep(max(0.0, begin + relay_expires / 2 * number / count - time.monotonic()))
            self.registers(name)
        self.assertEqual(self.far.registered(), count)
        self.assertLess(time.monotonic() - begin, relay_expires)


class Away(Upstream):
    """A does not answer."""

    def setUp(self):
        super().setUp()
        self.far = self.kamailio(20)

    def test_N_3_phones_are_told_the_truth_and_come_back_when_A_does(self):
        self.upper({"d": stored("d")})
        phone, relayed = self.through("d", AT_B, host=2), self.through("e", host=3)
        self.far.stop()
        # Each waits for A, and is not told of a registration that is none.
        phone.register(status=504)
        relayed.send(relayed.register_request())
        self.assertIn(relayed.expect((300, 699), "REGISTER", seconds=5).status, (500, 504))
        self.assertEqual(self.here(), [])
        self.far.start()

        def back(which):
            try:
                which.register()
            except AssertionError:
                time.sleep(0.5)
                return False
            return True
        wait_for("d", lambda: back(phone), 15)
        wait_for("e", lambda: back(relayed), 15)
        self.token("d")
        self.token("e")

    def test_N_3_a_refresh_that_A_does_not_hear_costs_no_phone_its_binding_at_once(self):
        self.upper({"d": stored("d")})
        phone = self.through("d", AT_B)
        phone.register(expires=600)
        self.far.stop()
        self.b.command("upperreg", "resync")
        time.sleep(1)
        self.assertEqual(self.here("d"), [phone.contact])
        self.far.start()
        self.token("d", seconds=15)

    def test_D18_parking_and_homing_apply_to_A(self):
        spare = self.kamailio(21, domain=self.far.address[0])
        self.upper({"d": stored("d")}, {"homing": "options", "homing_interval": "1", "qualify": "1", "domain": self.far.address[0]}, far=[self.far, spare])
        phone = self.through("d", AT_B)
        phone.register()
        token = self.token("d")
        self.far.stop()
        # OPTIONS find out; the phone has nothing to do with it.
        self.assertEqual(self.token("d", spare, seconds=10), token, "the contact stays the same")
        # Calls from the spare one reach the phone.
        caller = self.phone(spare.address, "a", None, address=self.address(9))
        self.call_from_a(caller, "d", phone)
        self.far.start()
        wait_for("d to be at home again", lambda: self.far.contacts("d"), 15)
        self.assertEqual(self.token("d"), token)
        self.call_from_a(self.phone(self.far.address, "a", None, address=self.address(9)), "d", phone)

    def test_kill_9_of_B_costs_A_no_contact_and_B_no_phone(self):
        self.upper({"d": stored("d")})
        phone, relayed = self.through("d", AT_B, host=2), self.through("e", host=3)
        phone.register()
        relayed.register()
        tokens = self.token("d"), self.token("e")
        self.b.kill()
        self.b.start()
        self.assertEqual(set(self.here()), {phone.contact, relayed.contact})
        a = self.at_a("a")
        self.call_from_a(a, "d", phone)
        self.call_from_a(a, "e", relayed)
        phone.register()
        relayed.register()
        self.assertEqual((self.token("d"), self.token("e")), tokens)

    def test_N_3_a_server_that_only_holds_the_files_says_nothing_to_A(self):
        # OpenSIPS #2559: the passive node of a cluster sent un-REGISTERs of its own. Stopping B takes no phone away from A either:
        # its phones will be back within the time they were given.
        self.upper({"d": stored("d")})
        self.through("d", AT_B).register()
        count = len(self.far.requests("REGISTER"))
        self.b.command("check")
        self.b.stop()
        self.assertEqual([request.expires for request in self.far.requests("REGISTER")[count:]], [])


main()
