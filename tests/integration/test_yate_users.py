"""A regfile.conf as Yate's users have it, unchanged: who may log in, which numbers ring whom, what the module says of itself."""
import os

from jackfield_test import Case, main

FILE = """\
; The office. Lines that begin with a semicolon are comments; in a value it is data.
[general]
autocreate=no
auth=50
  route = 50

[200]
password=my;secret
alternatives=9,4200

[201]
password = my;se\\
cret
alternatives=9

; a number without a phone
[202]
alternatives=4202

[203]
password=

[204]
password=my;secret
"""
PASSWORD = "my;secret"


class YateUsers(Case):
    def setUp(self):
        super().setUp()
        self.jackfield = self.server(start=False)
        with open(os.path.join(self.jackfield.conf, "regfile.conf"), "w") as file:
            file.write(FILE)
        self.jackfield.start()

    def user(self, name, password=PASSWORD):
        return self.phone(self.jackfield, name, password)

    def rings(self, number, *phones):
        """A call to `number` reaches exactly these."""
        call = self.user("204").invite(number)
        for incoming in [phone.incoming() for phone in phones]:
            incoming.reply(486)
            incoming.expect_request("ACK")
        call.refused(486)

    def test_YT_11_a_user_and_an_alternative_ring(self):
        desk, hall = self.user("200"), self.user("201")
        desk.register()
        hall.register()
        self.rings("200", desk)
        self.rings("4200", desk)
        hall.expect_nothing(0.1, "INVITE")

    def test_YT_11_an_alternative_of_two_rings_both(self):
        desk, hall = self.user("200"), self.user("201")
        desk.register()
        hall.register()
        self.rings("9", desk, hall)

    def test_YT_11_a_known_user_without_a_phone_is_offline(self):
        self.user("204").invite("202").refused(404)

    def test_YT_11_without_a_password_nobody_logs_in(self):
        # 202 has none, so every answer to the challenge is wrong; 203's is empty, and such a user is refused.
        for name, password, status in (("202", "", 401), ("202", PASSWORD, 401), ("203", "", 403), ("200", "another", 401)):
            with self.subTest(name, password=password):
                phone = self.user(name, password)
                request = phone.send(phone.register_request())
                credentials = phone.credentials(phone.expect(401, "REGISTER"), "REGISTER", request.uri)
                phone.send(phone.register_request(headers=[credentials]))
                self.assertNotIn("contact", phone.expect(status, "REGISTER"))
        self.user("204").invite("203").refused(404)

    def test_YT_11_the_status_line_is_yates(self):
        desk = self.user("200")
        desk.register()
        line = self.jackfield.command("status", "regfile").stdout.strip()
        self.assertTrue(line.startswith("name=regfile,type=misc;create=false,defined=5,users=1;200=sip/sip:200@"), line)


main()
