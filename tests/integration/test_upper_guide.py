"""What share/doc/upper-thru.md says, done as it says it: its files and commands, with Kamailios as A and phones at the addresses of its examples."""
import os
import re
import subprocess

from jackfield_test import Case, main, wait_for

PASSWORD = "an-old-song"
AT_A = {"a": "far-secret-of-a", "d": "far-secret-of-d", "e": "far-secret-of-e", "f": "far-secret-of-f"}
with open(os.path.join(os.environ["JACKFIELD_SOURCE"], "share", "doc", "upper-thru.md"), encoding="utf-8") as _file:
    GUIDE = _file.read()


class Guide(Case):
    def setUp(self):
        super().setUp()
        self.far = self.kamailio(20, users=AT_A, auth_calls=True)
        self.b = self.server({name: PASSWORD for name in ("101", "81", "91")}, start=False)
        self.does("once")

    def here(self, text):
        """The page's addresses are this test's."""
        return re.sub(r"192\.0\.2\.(\d+)", lambda match: self.address(int(match[1])), text)

    def does(self, block):
        """The commands of that block; what they print."""
        printed = ""
        for line in re.search(rf"```sh {block}\n(.*?)```", GUIDE, re.DOTALL)[1].splitlines():
            words = self.here(line).split()
            self.assertEqual(words[0], "jackfield")
            result = subprocess.run(self.b._arguments(*words[1:]), capture_output=True, text=True, timeout=20)
            self.assertEqual(result.returncode, 0, f"{line}\n{result.stdout}{result.stderr}")
            printed += result.stdout
        return printed

    def writes(self, name, block):
        """That block goes to the end of the file it names."""
        text = re.search(rf"```ini {re.escape(name)} {block}\n(.*?)```", GUIDE, re.DOTALL)[1]
        with open(os.path.join(self.b.conf, name), "a", encoding="utf-8") as file:
            file.write(self.here(text))

    def through(self, user, password=None, host=2, **options):
        phone = self.phone(self.b, user, password or AT_A[user], address=self.address(host), **options)
        phone.register()
        return phone

    def colleague(self):
        phone = self.phone(self.far.address, "a", AT_A["a"], address=self.address(9))
        phone.register()
        return phone

    def talk(self, call, callee):
        incoming = callee.incoming(seconds=5)
        incoming.reply(200, callee.sdp())
        call.answered()
        incoming.expect_request("ACK")
        call.bye()
        incoming.hung_up()

    def test_upper_with_the_phones_own_passwords(self):
        self.b.start()
        self.writes("upperreg.conf", "upper")
        self.does("reload")
        d = self.through("d")
        self.assertEqual(len(self.far.contacts("d")), 1)
        self.talk(self.colleague().invite("d"), d)
        listed = self.does("list")
        for part in ("d\t", self.far.address[0], "registered", next(iter(self.far.contacts("d"))).split(":")[1].split("@")[0]):
            self.assertIn(part, listed)

    def test_upper_with_passwords_that_B_holds_and_resync(self):
        self.writes("upperreg.conf", "upper")
        self.writes("regfile.conf", "upper")
        self.b.start()
        e = self.through("e", "a-password-of-ours")
        self.talk(self.colleague().invite("e"), e)
        self.far.stop()
        self.far.start()
        self.does("resync")
        wait_for("e to be at A again", lambda: self.far.contacts("e"), 30)

    def test_who_may(self):
        self.writes("upperreg.conf", "upper")
        self.writes("regfile.conf", "may")
        self.does("rules")
        self.writes("regexroute.conf", "may")
        self.b.start()
        self.through("81", PASSWORD, host=3)
        self.phone(self.b, "91", PASSWORD, address=self.address(4)).register(status=403)
        self.through("f", "another-of-ours")
        self.assertEqual(self.far.contacts("f"), {})
        self.assertIn("f\t", self.b.command("registration", "list").stdout)

    def test_thru(self):
        self.far.close()
        self.far = self.kamailio(20, users=AT_A, domain="a1.example")
        names = self.dns(53, hosts={"a1.example": self.far.address[0], "elsewhere.example": self.address(22)})
        self.writes("upperreg.conf", "thru")
        with open(os.path.join(self.b.conf, "sip.conf"), "a", encoding="utf-8") as file:
            file.write(f"[general]\ndns_servers={names.server}\n")
        self.b.start()
        d = self.through("d", domain="a1.example")
        self.talk(self.phone(self.far.address, "a", None, address=self.address(9)).invite("d"), d)
        self.talk(self.through("101", PASSWORD, host=3).invite("d"), d)
        self.phone(self.b, "d", AT_A["d"], address=self.address(4), domain="elsewhere.example").register(status=403)

    def test_calls_to_A(self):
        self.does("rules")
        self.writes("upperreg.conf", "upper")
        self.writes("regfile.conf", "upper")
        self.b.start()
        e = self.through("e", "a-password-of-ours", host=3)
        d = self.through("d", host=4)
        colleague = self.colleague()
        e.invite("a").refused(404)
        self.writes("regexroute.conf", "upper")
        self.b.command("reload")
        self.talk(e.invite("8a"), colleague)
        # B answers A's question for e, and d's phone answers it itself.
        self.talk(d.invite("8a"), colleague)


main()
