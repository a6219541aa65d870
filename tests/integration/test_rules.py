"""Calls routed by regexroute between registered phones, and what happens when its file changes under them."""
import os

from jackfield_test import Case, main
from jackfield_test.call import Call

PASSWORD = "an old song"


class Rules(Case):
    def setUp(self):
        super().setUp()
        self.jackfield = self.server({name: PASSWORD for name in ("101", "102", "103")}, modules=("sip", "regfile", "callfork", "regexroute"), start=False)
        self.callee = self.phone(self.jackfield, "102", PASSWORD)
        self.rules = os.path.join(self.jackfield.conf, "regexroute.conf")
        self.write("[priorities]\nroute=90\n"
                   "[extra]\ncall.route=110,called,unreachable\n"
                   "[default]\n"
                   "^5=-;error=busy;cause_sip=486;reason_sip=All agents are busy\n"
                   "^7\\(...\\)$=if $(registered,\\1)=-;error=busy\n"
                   "^7=-;error=forbidden\n"
                   "^9\\(...\\)$=;called=\\1;osip_X-Department=$(upper,sales);callername=A ${callername} B\n"
                   f"[unreachable]\n^103$=sip/sip:mailbox@{self.callee.hostport};osip_X-For=\\0\n")
        self.jackfield.start()
        self.callee.register()
        self.caller = self.phone(self.jackfield, "101", PASSWORD)

    def write(self, text):
        with open(self.rules, "w", encoding="utf-8") as file:
            file.write(text)

    def rings(self, number):
        call = self.caller.invite(number)
        incoming = self.callee.incoming()
        incoming.reply(486)
        call.refused(486)
        return incoming.request

    def test_YT_19_a_rewritten_number_reaches_the_user_with_what_the_rule_set(self):
        invite = self.rings("9102")
        self.assertEqual(invite["x-department"], "SALES")
        self.assertEqual(invite.uri, self.callee.contact)

    def test_BR_10_a_display_name_is_not_read_as_a_rule(self):
        call = Call.outgoing(self.caller, f"sip:9102@{self.caller.domain}")
        call.local = f'"$(runid) ${{called}}" {call.local}'
        call.invite(self.caller.sdp())
        call.answer_challenge()
        incoming = self.callee.incoming()
        incoming.reply(486)
        call.refused(486)
        self.assertIn('"A $(runid) ${called} B"', incoming.request["from"])

    def test_BR_15_a_rule_answers_with_a_status_and_words_of_its_own(self):
        self.assertEqual(self.caller.invite("555").refused(486).start, "SIP/2.0 486 All agents are busy")

    def test_a_user_who_is_not_registered_has_his_calls_taken_elsewhere(self):
        self.assertEqual(self.rings("103")["x-for"], "103")

    def test_BR_15_a_rule_asks_whether_a_user_is_registered(self):
        self.caller.invite("7102").refused(486)
        self.caller.invite("7103").refused(403)
        self.caller.invite("7999").refused(403)
        self.callee.unregister()
        self.caller.invite("7102").refused(403)
        self.callee.register()
        self.jackfield.kill()  # what the store kept is known again
        self.jackfield.start()
        self.caller.invite("7102").refused(486)

    def test_N_5_a_broken_file_is_refused_with_its_line_and_the_rules_in_force_stay(self):
        with open(self.rules, encoding="utf-8") as file:
            good = file.read()
        for _ in range(3):
            self.write(good + "[default]\n\\(=broken\n")
            refused = self.jackfield.command("reload", check=False)
            self.assertNotEqual(refused.returncode, 0)
            self.assertRegex(refused.stdout + refused.stderr, r"regexroute\.conf:\d+")
            self.rings("9102")
            self.write(good)
            self.jackfield.command("reload")
            self.rings("9102")


main()
