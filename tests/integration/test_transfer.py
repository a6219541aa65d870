"""Blind transfer by baresip: the phone's own command, three phones, and the records of what became of the call (P-11)."""
from jackfield_test import Case, enter_private_network, main, wait_for

enter_private_network()

BILLID = 1


class Transfer(Case):
    users = {"101": "an-old-song", "102": "a-new-song", "103": "no-song"}

    def setUp(self):
        super().setUp()
        self.jackfield, self.phones = self.office(self.users)

    def call(self):
        self.phones["101"].dial("102")
        self.phones["102"].expect("CALL_INCOMING")
        self.phones["102"].accept()
        for name in ("101", "102"):
            self.phones[name].expect("CALL_ESTABLISHED")

    def transferred(self, by, party):
        by.command("transfer", "103")
        event = self.phones["103"].expect("CALL_INCOMING")
        self.assertTrue(event["peeruri"].startswith(f"sip:{party.name[-3:]}@"), event)
        self.phones["103"].accept()
        self.phones["103"].expect("CALL_ESTABLISHED")
        by.expect("CALL_CLOSED")
        # The party's phone hears where the sound now comes from.
        wait_for("the party's re-INVITE", lambda: "INVITE sip:" + party.name[-3:] in party.trace)
        self.phones["103"].hang_up()
        party.expect("CALL_CLOSED")
        records = self.jackfield.expect_records(3)
        self.assertEqual(len({record[BILLID] for record in records}), 1, "one billid for all legs of the call")

    def test_P_11_the_caller_transfers(self):
        self.call()
        self.transferred(self.phones["101"], self.phones["102"])

    def test_P_11_the_called_transfers(self):
        self.call()
        self.transferred(self.phones["102"], self.phones["101"])

    def test_P_11_a_transfer_to_nobody_is_reported(self):
        self.call()
        self.phones["101"].command("transfer", "999")
        wait_for("the NOTIFY that says so", lambda: "404 Not Found" in self.phones["101"].trace)
        self.phones["102"].expect("CALL_CLOSED")   # baresip then hangs up by itself; other phones go on with the call


main()
