"""Each type of connection as entry and exit (SP-5): who may come in by it, whose phones ring, and how a number leaves by it."""
import re

from jackfield_test import Case, main
from jackfield_test.processes import wait_for

PASSWORD = "an old song"
MODULES = ("sip", "regfile", "accfile", "callfork", "cdrbuild", "cdrfile")


class Types(Case):
    def site(self, accounts, general=None, **sections):
        self.jackfield = self.server({"101": PASSWORD, "102": PASSWORD}, modules=MODULES,
                                     settings={"sip": {"general": general or {}}, "accfile": accounts, **sections})
        return self.jackfield

    def user(self, name="101"):
        phone = self.phone(self.jackfield, name, PASSWORD)
        phone.register()
        return phone

    def talk(self, call, far, seconds=5.0):
        """The call is answered there, and ends."""
        incoming = far.incoming(seconds=seconds)
        incoming.accept()
        call.answered()
        call.bye()
        incoming.hung_up()
        return incoming

    def online(self, name="far"):
        wait_for(f"{name} to be online", lambda: re.search(rf"{name}=[^|]*\|online", self.jackfield.command("status", "sip accounts").stdout), 8)


class Inbound(Types):
    def add(self, *options):
        """The connection `office`, made as people do; its password."""
        self.site({})
        said = self.jackfield.command("connection", "add", "office", "--type", "inbound", "--username", "pbx", "--host", self.address(), *options).stdout
        self.said = said
        return re.search(r"^Password: (\S+)$", said, re.MULTILINE)[1]

    def test_SP_13_the_generated_password_registers_and_is_nowhere_in_the_files(self):
        password = self.add()
        pbx = self.phone(self.jackfield, "pbx", password, address=self.address(9))
        pbx.register()
        self.assertGreaterEqual(len(password), 16)
        with open(self.jackfield.conf + "/accfile.conf") as file:
            self.assertNotIn(password, file.read())
        self.phone(self.jackfield, "pbx", "a wrong song", address=self.address(8)).register(status=401)

    def test_SP_13_calls_both_ways_keep_the_number(self):
        password = self.add("--dial-pattern", "^4930")
        ann = self.user("101")
        pbx = self.phone(self.jackfield, "pbx", password, address=self.address(9))
        pbx.register()
        # In: under a number of the other side's own, to any user here; it is challenged as every user is.
        call = pbx.invite("101")
        incoming = self.talk(call, ann)
        # Out: the number that was called stands in the Request-URI, whatever the contact's user is.
        outgoing = self.talk(ann.invite("4930555"), pbx)
        self.assertRegex(outgoing.request.uri, r"^sip:4930555@" + re.escape(pbx.hostport))

    def test_SP_13_the_other_side_calls_under_any_number_and_registers_under_any_name(self):
        password = self.add()
        ann = self.user("101")
        pbx = self.phone(self.jackfield, "0301234", password, address=self.address(9), auth_user="pbx")
        pbx.register()  # To: sip:0301234
        incoming = self.talk(pbx.invite("101"), ann)
        self.assertIn("sip:0301234@", incoming.request["from"])

    def test_SP_13_a_text_goes_to_the_contact_and_keeps_its_number(self):
        password = self.add("--dial-pattern", "^4930")
        ann = self.user("101")
        pbx = self.phone(self.jackfield, "pbx", password, address=self.address(9))
        pbx.register()
        request = ann.send(ann.request("MESSAGE", f"sip:4930555@{ann.domain}", headers=[("Content-Type", "text/plain")], body="lunch?"))
        refused = ann.expect(401, "MESSAGE")
        headers = [("Content-Type", "text/plain"), ann.credentials(refused, "MESSAGE", request.uri)]
        ann.send(ann.request("MESSAGE", f"sip:4930555@{ann.domain}", body="lunch?", headers=headers))
        text = pbx.expect("MESSAGE", seconds=6)
        self.assertTrue(text.uri.startswith("sip:4930555@" + pbx.hostport), text.uri)
        self.assertEqual(text.body, b"lunch?")
        pbx.reply(text, 200)
        ann.expect(200, "MESSAGE", seconds=6)

    def test_SP_13_without_credentials_nobody_comes_in(self):
        self.add()
        stranger = self.phone(self.jackfield, "pbx", None, address=self.address(9))
        stranger.invite("101").refused(401)

    def test_SP_13_the_registration_survives_kill_9(self):
        password = self.add("--dial-pattern", ".")
        pbx = self.phone(self.jackfield, "pbx", password, address=self.address(9))
        pbx.register()
        self.jackfield.kill()
        self.jackfield.start()
        wait_for("the connection to be there again", lambda: "office" in self.jackfield.command("connection", "list").stdout)
        ann = self.user("101")
        outgoing = self.talk(ann.invite("4930555"), pbx)
        self.assertTrue(outgoing.request.uri.startswith("sip:4930555@"))

    def test_SP_13_a_new_registration_takes_the_place_of_the_old_one(self):
        password = self.add("--dial-pattern", ".")
        old, new = (self.phone(self.jackfield, "pbx", password, address=self.address(host)) for host in (9, 10))
        old.register()
        self.assertEqual(list(new.register().contacts), [new.contact])
        self.talk(self.user().invite("4930555"), new)
        old.expect_nothing(0.2, "INVITE")

    def test_SP_13_nobody_registered_is_said_to_the_caller(self):
        self.add("--dial-pattern", ".")
        self.user().invite("4930555").refused(404)  # as for a user whose phones are all away

    def test_SP_7_SP_13_with_an_owner_his_phones_ring_for_every_number(self):
        password = self.add("--owner", "101")
        ann = self.user("101")
        pbx = self.phone(self.jackfield, "pbx", password, address=self.address(9))
        self.talk(pbx.invite("004930999"), ann)


class Trunk(Types):
    def trunk(self, **keys):
        return {"type": "trunk", "server": self.address(9), "allowed": self.address(9), **keys}

    def far(self, host=9):
        return self.phone(self.jackfield, "far", None, address=self.address(host), port=5060)

    def test_SP_11_SP_14_a_trunk_never_registers_and_calls_go_both_ways(self):
        self.site({"far": self.trunk(dial_pattern="^00")})
        ann, far = self.user(), self.far()
        outgoing = self.talk(ann.invite("004930555"), far)
        self.assertTrue(outgoing.request.uri.startswith("sip:004930555@" + self.address(9)))
        self.talk(far.invite("101"), ann)
        self.assertEqual([m for direction, m in far.trace if direction == "received" and m.startswith(b"REGISTER")], [])
        self.assertNotIn("registered", self.jackfield.command("connection", "list").stdout)

    def test_SP_11_options_tell_whether_a_trunk_is_reachable(self):
        self.site({"far": self.trunk(qualify="1")})
        far = self.far()
        far.reply(far.expect("OPTIONS", seconds=5), 200, tag="x")
        self.online()
        self.assertNotIn("registered", self.jackfield.command("connection", "show", "far").stdout)

    def test_SP_12_who_is_not_in_the_list_does_not_come_in(self):
        self.site({"far": self.trunk()})
        self.user()
        stranger = self.far(8)
        call = stranger.invite("101", authenticate=False)
        self.assertIn(call.expect((400, 499)).status, (401, 403))
        self.assertEqual(self.jackfield.records, [])

    def test_SP_12_networks_are_listed_too(self):
        network = ".".join(self.address().split(".")[:3])
        self.site({"far": self.trunk(allowed=f"192.0.2.1, {network}.8/30")})
        ann = self.user()
        self.talk(self.far(11).invite("101"), ann)
        self.assertIn(self.far(12).invite("101", authenticate=False).expect((400, 499)).status, (401, 403))

    def test_SP_7_the_owners_phones_ring_all_of_them_for_every_number(self):
        self.site({"far": self.trunk(owner="101")})
        ann, also_ann = self.user(), self.user()
        far = self.far()
        call = far.invite("a-did-nobody-knows")
        first, second = ann.incoming(seconds=5), also_ann.incoming(seconds=5)
        second.reply(180)
        first.accept()
        call.answered()
        also_ann.reply(also_ann.expect("CANCEL", call_id=second.call_id), 200)
        second.reply(487)
        call.bye()
        first.hung_up()

    def test_SP_14_nine_numbers_and_three_connections(self):
        self.site({"far": {}, "b-rest": self.trunk(dial_pattern=".", weight="1000"),
                   "z-abroad": {**self.trunk(dial_pattern="^00", weight="10"), "server": self.address(10), "allowed": self.address(10)},
                   "a-home": {**self.trunk(dial_pattern="^0[1-9]", weight="20"), "server": self.address(11), "allowed": self.address(11)}})
        ann = self.user()
        rest, abroad, home = (self.far(host) for host in (9, 10, 11))
        for number, expected in (("00491", abroad), ("0049302", abroad), ("00", abroad), ("0301", home), ("0171", home), ("09", home),
                                 ("110", rest), ("4930", rest), ("5", rest)):
            call = ann.invite(number)
            incoming = expected.incoming(seconds=5)
            self.assertTrue(incoming.request.uri.startswith(f"sip:{number}@"), incoming.request.uri)
            incoming.reply(486)
            call.refused(486)


class Registration(Types):
    def test_SP_5_SP_7_ZY_6_calls_both_ways_over_a_registration_with_its_credentials(self):
        far = self.kamailio(users={"4930": "far secret", "sip-friend": "x"}, auth_calls=True)
        self.site({"far": {"type": "registration", "server": far.address[0], "username": "4930", "password": "far secret", "interval": "60",
                           "dial_pattern": "^9", "owner": "101"}})
        ann = self.user()
        self.online()
        friend = self.phone(far.address, "sip-friend", "x", address=self.address(8))
        friend.register()
        far.answers("", callee=f"sip:{friend.hostport}")
        self.talk(ann.invite("9555"), friend)
        invites = far.requests("INVITE")
        self.assertEqual([request.auth_user for request in invites], ["<null>", "4930"])
        self.assertEqual(invites[1].cseq, invites[0].cseq + 1)
        self.assertTrue(invites[0].uri.startswith("sip:9555@"), invites)
        # And in: the far end calls the contact we registered, and the owner's phone rings.
        far.answers("")
        self.talk(friend.invite("4930"), ann)


if __name__ == "__main__":
    main()
