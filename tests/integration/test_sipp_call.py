"""The first call, played by sipp: two users of regfile.conf register with digest and one calls the other; the record tells it."""
from jackfield_test import Case, main

TIME, BILLID, CHAN, ADDRESS, CALLER, CALLED, BILLTIME, RINGTIME, DURATION, DIRECTION, STATUS, REASON = range(12)


class SippCall(Case):
    users = {"101": "an old song", "102": "a new song"}

    def test_registered_users_call_and_the_record_tells_it(self):
        server = self.server(self.users)
        self.sipp("register", server, "102", self.users["102"], port=5082).succeeded()
        self.sipp("register", server, "101", self.users["101"], port=5081).succeeded()
        callee = self.sipp("callee", server, "102", port=5082)
        caller = self.sipp("caller", server, "101", self.users["101"], port=5081, keys={"called": "102"})
        caller.succeeded()
        callee.succeeded()

        incoming, outgoing = sorted(server.expect_records(2), key=lambda record: record[DIRECTION])
        self.assertEqual([incoming[DIRECTION], outgoing[DIRECTION]], ["incoming", "outgoing"])
        self.assertEqual(incoming[BILLID], outgoing[BILLID])
        self.assertRegex(incoming[BILLID], r"^\d+-\d+$")
        for record in incoming, outgoing:
            self.assertEqual((record[CALLER], record[CALLED], record[STATUS]), ("101", "102", "answered"))
            self.assertRegex(record[CHAN], r"^sip/\d+$")
            # The callee rings for 200 ms, then the caller holds the call for 300 ms.
            self.assertGreaterEqual(float(record[RINGTIME]), 0.15)
            self.assertGreaterEqual(float(record[BILLTIME]), 0.25)
            self.assertAlmostEqual(float(record[DURATION]), float(record[RINGTIME]) + float(record[BILLTIME]), delta=0.1)
        self.assertEqual(incoming[ADDRESS], f"{self.address()}:5081")
        self.assertEqual(outgoing[ADDRESS], f"{self.address()}:5082")

    def test_a_wrong_password_never_registers(self):
        server = self.server(self.users)
        phone = self.phone(server, "101", "a wrong song")
        phone.register(status=401)
        right = self.phone(server, "101", self.users["101"])
        self.assertEqual(list(right.register().contacts), [right.contact])


main()
