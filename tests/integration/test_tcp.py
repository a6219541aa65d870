"""Phones on TCP: registration, calls between transports, and bindings that die with their connection."""
from jackfield_test import Case, main, wait_for

PASSWORD = "an old song"


class Tcp(Case):
    def setUp(self):
        super().setUp()
        self.jackfield = self.server({"101": PASSWORD, "102": PASSWORD})

    def user(self, name, transport="tcp"):
        return self.phone(self.jackfield, name, PASSWORD, transport=transport)

    def completes(self, caller, callee):
        call = caller.invite(callee.user)
        incoming = callee.incoming()
        self.assertTrue(incoming.request["via"].startswith("SIP/2.0/" + callee.transport))
        incoming.accept()
        call.answered()
        incoming.bye()
        call.hung_up()

    def test_both_on_tcp(self):
        callee = self.user("102")
        callee.register()
        self.completes(self.user("101"), callee)

    def test_udp_calls_tcp_and_tcp_calls_udp(self):
        one, two = self.user("101", "udp"), self.user("102", "tcp")
        one.register()
        two.register()
        self.completes(one, two)
        self.completes(two, one)

    def test_two_messages_in_one_segment_and_one_in_two(self):
        phone = self.user("101")
        first, second = phone.register_request(), phone.register_request()
        data = first.encode() + second.encode()
        phone.send(data[:100])
        phone.expect_nothing(0.1)
        phone.send(data[100:])
        self.assertEqual([phone.expect(401)["cseq"] for _ in range(2)], [first["cseq"], second["cseq"]])

    def test_a_binding_dies_with_its_connection(self):
        phone, other = self.user("101"), self.user("101", "udp")
        phone.register()
        other.register()
        phone.close()
        wait_for("the binding of the closed connection to go", lambda: list(other.register([]).contacts) == [other.contact])

    def test_a_keep_alive_is_answered(self):
        phone = self.user("101")
        phone._wire.send(b"\r\n\r\n")
        self.assertEqual(phone._wire.receive(2), b"\r\n")


class IPv6(Case):
    def test_register_and_call(self):
        for transport in ("udp", "tcp"):
            with self.subTest(transport=transport):
                port = 20000 + sum(map(ord, self.id() + transport)) % 9000
                jackfield = self.server({"101": PASSWORD, "102": PASSWORD}, address="::1", port=port)
                caller = self.phone(jackfield, "101", PASSWORD, transport=transport)
                callee = self.phone(jackfield, "102", PASSWORD, transport=transport)
                callee.register()
                call = caller.invite("102")
                incoming = callee.incoming()
                self.assertIn("[::1]:", incoming.request["contact"])
                incoming.accept()
                call.answered()
                call.bye()
                incoming.hung_up()


main()
