"""BR-17: `maxchans` is the number of legs at a time. sipp offers more calls than fit, in a ramp: who fits is served, who does not is told to come back."""
import re

from jackfield_test import Case, main

PASSWORD = "an old song"
FIT, OFFERED = 3, 12


class SessionLimit(Case):
    def test_BR_17_what_does_not_fit_is_refused_with_Retry_After_and_finds_room_later(self):
        server = self.server({"101": PASSWORD, "102": PASSWORD}, settings={"sip": {"general": {"maxchans": 2 * FIT}}})
        self.sipp("register", server, "102", PASSWORD, port=5082).succeeded()
        callee = self.sipp("callee", server, "102", port=5082, calls=OFFERED).listening()
        ramp = self.sipp("caller", server, "101", PASSWORD, port=5081, calls=OFFERED, keys={"called": "102"}, options=["-l", OFFERED, "-r", 100])
        refused = ramp.gave_up("SIP/2.0 503")
        self.assertGreater(refused, 0)
        self.assertGreaterEqual(OFFERED - refused, FIT)
        refusals = [message for message in ramp.trace.split("-----------------------------------------------") if "SIP/2.0 503" in message]
        self.assertEqual(len({re.search(r"Call-ID: (\S+)", message)[1] for message in refusals}), refused)
        for message in refusals:
            self.assertRegex(message, r"Retry-After: [1-9]")
        # A call is two legs and two records; what was refused before it had a leg has none.
        self.assertEqual(len(server.expect_records(2 * (OFFERED - refused))), 2 * (OFFERED - refused))
        self.assertEqual({record[10] for record in server.records}, {"answered"})
        self.sipp("caller", server, "101", PASSWORD, port=5083, calls=FIT, keys={"called": "102"}, options=["-l", FIT, "-r", 100]).succeeded()
        callee.process.kill()


main()
