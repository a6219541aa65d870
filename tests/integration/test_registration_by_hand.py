"""BR-16: who is registered, and bindings that a person makes for what does not register itself: `jackfield registration list|add|remove`."""
from jackfield_test import Case, main

PASSWORD = "an old song"


class ByHand(Case):
    def setUp(self):
        super().setUp()
        self.jackfield = self.server({name: PASSWORD for name in ("101", "102", "door")})
        self.ann = self.phone(self.jackfield, "101", PASSWORD)
        self.ann.register(expires=600)
        # It listens and never says a word by itself.
        self.door = self.phone(self.jackfield, "door", None, address=self.address(9), port=5066)

    def registration(self, *words, check=True):
        return self.jackfield.command("registration", *words, check=check)

    def rings(self):
        call = self.ann.invite("door")
        incoming = self.door.incoming()
        incoming.accept()
        call.answered()
        call.bye()
        incoming.hung_up()
        return incoming

    def test_BR_16_the_list_says_who_is_registered_from_where_and_for_how_long(self):
        self.phone(self.jackfield, "102", PASSWORD).register(["<sip:102@10.1.2.3:5062>"], expires=300)
        listed = [line.split("\t") for line in self.registration("list").stdout.splitlines()]
        self.assertEqual([line[0] for line in listed], ["101", "102"])
        self.assertEqual(listed[0][1], self.ann.contact)
        self.assertRegex(listed[0][2], r"^(600|59\d) s$")
        self.assertEqual(listed[0][3], f"UDP {self.ann.hostport}")
        self.assertEqual((listed[1][1], listed[1][4]), ("sip:102@10.1.2.3:5062", "behind NAT"))
        self.assertEqual(self.registration("list", "102").stdout.count("\n"), 1)
        self.assertEqual(self.registration("list", "9").stdout, "nobody is registered\n")

    def test_BR_16_a_binding_by_hand_rings_never_expires_and_outlives_kill_9(self):
        contact = f"sip:door@{self.door.hostport}"
        self.assertIn("registered", self.registration("add", f"sip:door@{self.address()}", contact).stdout)
        self.assertIn("never expires", self.registration("list", "door").stdout)
        self.assertTrue(self.rings().request.uri.startswith(contact))
        self.jackfield.kill()  # the command has answered: the binding is on the disk
        self.jackfield.start()
        self.assertIn("never expires", self.registration("list", "door").stdout)
        self.ann.register(expires=600)
        self.rings()
        shown = self.registration("show", "door").stdout
        self.assertIn("never expires", shown)
        self.assertIn("reachable, as far as is known", shown)

    def test_BR_16_what_was_made_by_hand_is_removed_by_hand(self):
        contact = f"sip:door@{self.door.hostport}"
        self.registration("add", "door", f"<{contact}>")
        self.registration("add", "door", "sip:door@192.0.2.77")
        self.assertIn("1 binding removed", self.registration("remove", "door", "sip:door@192.0.2.77").stdout)
        self.rings()
        self.registration("remove", "door", "all")
        self.assertEqual(self.registration("list", "door").stdout, "nobody is registered\n")
        self.ann.invite("door").refused(404)  # as for a user whose phones are all away
        self.jackfield.kill()
        self.jackfield.start()
        self.assertEqual(self.registration("list", "door").stdout, "nobody is registered\n")

    def test_BR_16_a_contact_may_say_tcp(self):
        self.registration("add", "door", f"sip:door@{self.address(8)}:5067;transport=tcp")
        self.assertIn("no flow", self.registration("list", "door").stdout)
        call = self.ann.invite("door")
        # Nobody listens there: that it was tried by TCP is what the refusal says, at once and not after 32 s.
        self.assertIn(call.expect((400, 599), seconds=3).status, (480, 502, 503, 504))

    def test_BR_16_a_phone_beside_it_keeps_its_own_binding(self):
        self.registration("add", "101", f"sip:101@{self.door.hostport}")
        self.assertEqual(set(self.ann.register([]).contacts), {self.ann.contact, f"sip:101@{self.door.hostport}"})
        self.ann.unregister()
        self.assertEqual(list(self.ann.register([]).contacts), [f"sip:101@{self.door.hostport}"])

    def test_BR_16_what_makes_no_sense_is_refused_with_the_reason(self):
        for words, why in ((("add", "door", "nonsense"), "no SIP address"), (("add", "nobody-here", "sip:x@192.0.2.7"), "there is no such user"),
                           (("add", "door", f"sip:door@{self.address()}:5060"), "this server"), (("remove", "door", "sip:door@192.0.2.7"), "has no binding"),
                           (("add", "door"), "usage")):
            with self.subTest(words=words):
                result = self.registration(*words, check=False)
                self.assertNotEqual(result.returncode, 0)
                self.assertIn(why, result.stdout + result.stderr)


main()
