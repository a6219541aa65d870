"""Who may register for whom and who may call (decisions D1 to D4): what is decided before a leg or a record exists."""
from jackfield_test import Case, main

PASSWORD = "an old song"


class Identity(Case):
    users = {"101": {"password": PASSWORD, "alternatives": "5101"}, "102": PASSWORD}

    def start(self, general=None, users=None, **sections):
        self.jackfield = self.server(users or self.users, settings={"sip": {"general": general or {}, **sections}})
        self.callee = self.user("102")
        self.callee.register()

    def user(self, name, **options):
        return self.phone(self.jackfield, name, PASSWORD, **options)

    def completes(self, call):
        incoming = self.callee.incoming()
        incoming.accept()
        call.answered()
        call.bye()
        incoming.hung_up()

    def test_YT_10_nobody_registers_for_somebody_else(self):
        self.start()
        self.user("101").register(to_user="102", status=403)
        self.assertEqual(list(self.callee.register([]).contacts), [self.callee.contact])

    def test_YT_10_an_alternative_number_is_ones_own(self):
        self.start()
        self.user("101").register(to_user="5101")

    def test_YT_10_check_to_off_puts_the_binding_on_the_authenticated_user(self):
        self.start({"check_to": "no"})
        phone = self.user("101")
        phone.register(to_user="102")
        self.assertIn(phone.contact, phone.register([]).contacts)
        self.assertNotIn(phone.contact, self.callee.register([]).contacts)

    def test_ZY_6_a_call_without_credentials_is_challenged_and_leaves_no_record(self):
        self.start()
        stranger = self.phone(self.jackfield, "101")
        stranger.invite("102").refused(401)
        stranger.invite("999").refused(401)
        self.callee.expect_nothing(0.3, "INVITE")
        self.completes(self.user("101").invite("102"))
        self.assertEqual(len(self.jackfield.expect_records(2)), 2)

    def test_ZY_6_a_wrong_password_is_challenged_again(self):
        self.start()
        self.phone(self.jackfield, "101", "a wrong song").invite("102").refused(401)
        self.callee.expect_nothing(0.3, "INVITE")

    def test_ZY_6_the_end_of_a_call_needs_no_credentials_from_its_own_phone(self):
        self.start()
        caller = self.user("101")
        call = caller.invite("102")
        incoming = self.callee.incoming()
        incoming.accept()
        call.answered()
        call.bye()
        incoming.hung_up()

    def test_ZY_6_a_bye_from_another_place_is_challenged(self):
        self.start()
        caller = self.user("101")
        call = caller.invite("102")
        incoming = self.callee.incoming()
        incoming.accept()
        call.answered()
        call.phone = self.user("101", address=self.address(9))
        call.bye(status=401)
        self.callee.expect_nothing(0.3, "BYE")
        call.phone = caller
        call.bye()
        incoming.hung_up()

    def test_D4_with_auth_dialog_every_request_within_a_call_needs_credentials(self):
        self.start(call={"auth_dialog": "yes"})
        caller = self.user("101")
        call = caller.invite("102")
        incoming = self.callee.incoming()
        incoming.accept()
        call.answered()
        refused = incoming.bye(status=401)
        caller.expect_nothing(0.3, "BYE")
        incoming.bye(headers=[self.callee.credentials(refused, "BYE", incoming.target)])
        call.hung_up()

    def test_credentials_for_another_number_are_no_good_for_this_call(self):
        self.start()
        caller = self.user("101")
        call = caller.invite("102", authenticate=False)
        refused = call.refused(401)
        call.invite(caller.sdp(), [caller.credentials(refused, "INVITE", f"sip:999@{caller.domain}")])
        self.assertEqual(call.refused(400).start, "SIP/2.0 400 Credentials Are For Another URI")
        self.callee.expect_nothing(0.3, "INVITE")

    def test_somebody_elses_number_in_From_is_403(self):
        self.start()
        caller = self.user("101", auth_user="101")
        caller.user = "102"
        caller.invite("102").refused(403)

    def test_ZY_8_a_trusted_address_calls_without_registering(self):
        self.start({"trusted": self.address(7)})
        self.completes(self.phone(self.jackfield, "anybody", address=self.address(7)).invite("102", authenticate=False))
        self.phone(self.jackfield, "anybody", address=self.address(8)).invite("102", authenticate=False).refused(401)

    def test_a_denied_address_is_403_even_with_credentials(self):
        self.start({"deny": self.address(7) + "/32"})
        self.phone(self.jackfield, "101", PASSWORD, address=self.address(7)).invite("102", authenticate=False).refused(403)

    def test_auth_calls_off_is_yates_way(self):
        self.start({"auth_calls": "no"})
        self.completes(self.phone(self.jackfield, "anybody").invite("102", authenticate=False))


main()
