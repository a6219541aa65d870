"""Who floods is dropped unread, whoever else is behind his address is served, and scanners find nothing (P-29)."""
import socket

from jackfield_test import Case, main

PASSWORD = "an old song"


class Flood(Case):
    def setUp(self):
        super().setUp()
        self.jackfield = self.server({"101": PASSWORD, "102": PASSWORD},
                                     settings={"sip": {"guard": {"exempt": "192.0.2.1", "flood_rate": 20, "flood_burst": 40}}})

    def flood(self, host, count):
        """Sends that many OPTIONS from one port and returns how many were answered."""
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(sender.close)
        sender.bind((self.address(host), 0))
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        host, port = sender.getsockname()
        for number in range(count):
            sender.sendto((f"OPTIONS sip:{self.address()} SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{number};rport\r\n"
                           f"From: <sip:x@{host}>;tag=1\r\nTo: <sip:{self.address()}>\r\nCall-ID: {number}@{host}\r\nCSeq: 1 OPTIONS\r\n"
                           "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n").encode(), self.jackfield.address)
        sender.settimeout(1)
        answered = 0
        try:
            while sender.recv(65535):
                answered += 1
        except TimeoutError:
            return answered

    def metric(self, name):
        text = self.jackfield.command("status", "--metrics").stdout
        return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))

    def test_P_29_a_flood_is_dropped_and_everyone_else_served(self):
        behind = self.phone(self.jackfield, "101", PASSWORD, address=self.address(9))
        behind.register()
        answered = self.flood(9, 2000)
        self.assertGreater(answered, 30)
        self.assertLess(answered, 200)
        self.assertGreater(self.metric('jackfield_sip_dropped_messages_total{reason="flood"}'), 1500)
        behind.register()
        self.phone(self.jackfield, "102", PASSWORD, address=self.address(8)).register()
        self.assertEqual(self.jackfield.log.count("event=flood"), 1)

    def test_P_29_exempt_sources_are_not_limited(self):
        self.jackfield.settings["sip"]["guard"]["exempt"] = self.address(9)
        self.jackfield.write_settings()
        self.jackfield.command("reload")
        self.assertEqual(self.flood(9, 300), 300)

    def test_P_29_scanners_get_no_answer(self):
        phone = self.phone(self.jackfield, "101", PASSWORD)
        for method in ("OPTIONS", "REGISTER", "INVITE"):
            phone.send(phone.request(method, f"sip:100@{self.address()}", headers=[("User-Agent", "Friendly-Scanner")]))
        phone.expect_nothing(0.3)
        phone.register()


main()
