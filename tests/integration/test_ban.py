"""Wrong passwords ban their source and hurt nobody else: not who is registered behind the same address, not who was only challenged."""
from jackfield_test import Case, main, wait_for

PASSWORD = "an old song"
AFTER = 5


class Bans(Case):
    def setUp(self):
        super().setUp()
        # Loopback is exempt by default: here it plays the Internet.
        self.guard = {"exempt": "192.0.2.1", "ban_after": AFTER, "ban_time": 60, "delay": 0}
        self.jackfield = self.server({"101": PASSWORD, "102": PASSWORD}, settings={"sip": {"guard": self.guard}})

    def user(self, name, host=1, password=PASSWORD, **options):
        return self.phone(self.jackfield, name, password, address=self.address(host), **options)

    def guess(self, host, times, **options):
        """Wrong passwords from that address until the answer to one is 403."""
        guesser = self.user("101", host, "guess", **options)
        for count in range(1, times + 1):
            answer = self.attempt(guesser)
            if answer == 403:
                return count
            self.assertEqual(answer, 401)
        return None

    @staticmethod
    def attempt(phone):
        first = phone.send(phone.register_request())
        refused = phone.expect(401, "REGISTER")
        phone.send(phone.register_request(headers=[phone.credentials(refused, "REGISTER", first.uri)]))
        return phone.expect((200, 499), "REGISTER").status

    def unanswered(self, phone):
        phone.send(phone.register_request())
        phone.expect_nothing(0.3)

    def test_N_13_a_guesser_is_banned_whatever_port_he_uses_and_lifted_by_command(self):
        self.assertEqual(self.guess(9, 2 * AFTER), AFTER)
        self.unanswered(self.user("101", 9))
        self.user("101", 2).register()
        self.assertIn(self.address(9), self.jackfield.command("ban", "list").stdout)
        self.assertIn(f"address={self.address(9)}:", self.jackfield.log)
        self.jackfield.command("ban", "remove", self.address(9))
        self.user("101", 9).register()
        self.assertEqual(self.jackfield.command("ban", "list").stdout, "nobody is banned\n")

    def test_N_13_bans_outlive_kill_9(self):
        self.guess(9, AFTER)
        self.jackfield.command("ban", "add", self.address(8), "1h", "by", "hand")
        self.jackfield.kill()  # the command has answered: the ban is on the disk
        self.jackfield.start()
        listed = self.jackfield.command("ban", "list").stdout
        self.assertIn(self.address(9), listed)
        self.assertIn("by hand", listed)
        self.unanswered(self.user("101", 9))
        self.unanswered(self.user("101", 8))
        self.user("101", 2).register()

    def test_N_13_good_and_bad_phones_behind_one_address(self):
        good, bad_one = self.user("102", 9), self.user("101", 9, "mistyped")
        good.register()
        for _ in range(2 * AFTER):  # one phone with a wrong password bans no office
            self.assertEqual(self.attempt(bad_one), 401)
        self.assertEqual(self.guess(9, 10 * AFTER), 8 * AFTER)
        self.unanswered(bad_one)
        self.unanswered(self.user("102", 9))
        good.register()  # who was registered goes on
        caller = self.user("101", 2)
        call = caller.invite("102")
        incoming = good.incoming()
        incoming.accept()
        call.answered()
        incoming.bye()
        call.hung_up()

    def test_N_13_good_and_bad_sipp_behind_one_address(self):
        good = self.sipp("register", self.jackfield, "102", PASSWORD, address=self.address(9), port=5082, calls=60, options=["-r", "15"])
        wait_for("the first registration", lambda: "SIP/2.0 200" in good.trace)
        bad = self.sipp("guesser", self.jackfield, "101", "guess", address=self.address(9), port=5083, calls=12 * AFTER, options=["-r", "40"])
        wait_for("the ban", lambda: self.address(9) in self.jackfield.command("ban", "list").stdout, 10)
        self.unanswered(self.user("102", 9))  # at another port, whoever it says it is
        good.succeeded()  # each of its registrations, before the ban and after
        bad.process.wait(16)
        self.user("102", 2).register([])  # and nobody elsewhere was hurt

    def test_N_13_a_challenge_is_no_failure(self):
        phone = self.user("101", 9)
        for _ in range(20 * AFTER):
            phone.send(phone.register_request())
            phone.expect(401, "REGISTER")
        phone.register()

    def test_N_13_a_banned_source_cannot_connect(self):
        self.assertEqual(self.guess(9, AFTER, transport="tcp"), AFTER)
        late = self.user("101", 9, transport="tcp")
        late.expect_nothing(0.3)
        self.assertTrue(late._wire.closed)

    def test_the_command_says_how_it_is_used(self):
        for words in (("ban", "--help"), ("help", "ban")):
            self.assertIn("ban list | add ADDRESS", self.jackfield.command(*words).stdout)

    def test_trusted_sources_cannot_be_banned(self):
        self.jackfield.settings["sip"]["general"]["trusted"] = self.address(9)
        self.jackfield.write_settings()
        self.jackfield.command("reload")
        self.assertIsNone(self.guess(9, 3 * AFTER))
        refused = self.jackfield.command("ban", "add", self.address(9), check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("never banned", refused.stderr)

    def test_the_answer_to_wrong_passwords_takes_longer_each_time(self):
        self.jackfield.settings["sip"]["guard"]["delay"] = 1000
        self.jackfield.write_settings()
        self.jackfield.command("reload")
        guesser = self.user("101", 9, "guess")
        self.assertEqual(self.attempt(guesser), 401)
        first = guesser.send(guesser.register_request())
        refused = guesser.expect(401, "REGISTER")
        guesser.send(guesser.register_request(headers=[guesser.credentials(refused, "REGISTER", first.uri)]))
        guesser.expect_nothing(0.5)
        guesser.expect(401, "REGISTER", seconds=5)


main()
