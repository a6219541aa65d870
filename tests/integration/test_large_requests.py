"""Requests that do not fit a datagram go by TCP to servers, and over its flow to a phone (D17, RFC 3261 §18.1.1, RFC 3428 §8)."""
import socket
import time

from jackfield_test import Case, main
from jackfield_test.sip import Message

PASSWORD = "an old song"
PORT = 5090
LONG = "x" * 1500


class LargeRequests(Case):
    def setUp(self):
        super().setUp()
        elsewhere = f"sip/sip:200@{self.address(9)}:{PORT}"
        self.jackfield = self.server({"101": PASSWORD, "102": PASSWORD}, modules=("sip", "regfile", "callfork", "regexroute"),
                                     settings={"regexroute": {"default": {"^200$": elsewhere}}})
        self.ann, self.bob = self.phone(self.jackfield, "101", PASSWORD), self.phone(self.jackfield, "102", PASSWORD)
        self.bob.register()

    def listen(self, kind):
        """The server that 200 is at has this kind of socket."""
        one = socket.socket(socket.AF_INET, kind)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((self.address(9), PORT))
        one.settimeout(5)
        if kind == socket.SOCK_STREAM:
            one.listen()
        self.addCleanup(one.close)
        return one

    def accepted(self, listener):
        connection, _ = listener.accept()
        connection.settimeout(5)
        self.addCleanup(connection.close)
        return connection

    @staticmethod
    def message_on(connection):
        data = b""
        while True:
            data += connection.recv(65535)
            head, end, body = data.partition(b"\r\n\r\n")
            if end and len(body) >= int(Message.parse(head + end)["content-length"]):
                return Message.parse(data)

    @staticmethod
    def answer(request, status):
        fields = [(name, value) for name in ("Via", "From", "To", "Call-ID", "CSeq") for value in request.all(name.lower())]
        return Message(f"SIP/2.0 {status} Because", fields).encode()

    def invite(self, number, text):
        return self.ann.invite(number, body=self.ann.sdp() + f"a=x-long:{text}\r\n")

    def text(self, number, text):
        """A MESSAGE, up to where it is accepted."""
        uri, kind = f"sip:{number}@{self.ann.domain}", ("Content-Type", "text/plain")
        self.ann.send(self.ann.request("MESSAGE", uri, headers=[kind], body=text))
        refused = self.ann.expect(401, "MESSAGE")
        self.ann.send(self.ann.request("MESSAGE", uri, headers=[kind, self.ann.credentials(refused, "MESSAGE", uri)], body=text))

    def test_P_2_an_invite_by_tcp(self):
        listener = self.listen(socket.SOCK_STREAM)
        call = self.invite("200", LONG)
        connection = self.accepted(listener)
        invite = self.message_on(connection)
        self.assertEqual(invite.method, "INVITE")
        self.assertTrue(invite["via"].startswith("SIP/2.0/TCP "))
        self.assertIn(";transport=tcp>", invite["contact"])
        connection.sendall(self.answer(invite, 486))
        call.refused(486)

    def test_P_2_by_udp_after_all_where_nobody_listens(self):
        server = self.listen(socket.SOCK_DGRAM)
        began = time.monotonic()
        call = self.invite("200", LONG)
        data, where = server.recvfrom(65535)
        self.assertLess(time.monotonic() - began, 3)
        self.assertGreater(len(data), 1300)
        invite = Message.parse(data)
        self.assertTrue(invite["via"].startswith("SIP/2.0/UDP "))
        server.sendto(self.answer(invite, 486), where)
        call.refused(486)

    def test_P_2_a_short_one_by_udp(self):
        self.listen(socket.SOCK_STREAM)
        server = self.listen(socket.SOCK_DGRAM)
        call = self.invite("200", "short")
        data, where = server.recvfrom(65535)
        server.sendto(self.answer(Message.parse(data), 486), where)
        call.refused(486)

    def test_D17_to_a_phone_over_its_flow(self):
        call = self.invite("102", LONG)
        incoming = self.bob.incoming()
        self.assertTrue(incoming.request["via"].startswith("SIP/2.0/UDP "))
        self.assertGreater(len(incoming.request.encode()), 1300)
        incoming.reply(486)
        incoming.expect_request("ACK")
        call.refused(486)

    def test_RFC_3428_a_text_message_by_tcp(self):
        listener = self.listen(socket.SOCK_STREAM)
        self.text("200", LONG)
        connection = self.accepted(listener)
        message = self.message_on(connection)
        self.assertEqual((message.method, message.body.decode()), ("MESSAGE", LONG))
        connection.sendall(self.answer(message, 202))
        self.ann.expect(202, "MESSAGE")

    def test_RFC_3428_or_not_at_all(self):
        server = self.listen(socket.SOCK_DGRAM)
        self.text("200", LONG)
        self.ann.expect(513, "MESSAGE")
        server.settimeout(0.2)
        self.assertRaises(TimeoutError, server.recv, 65535)

    def test_RFC_3428_to_a_phone_over_its_flow(self):
        self.text("102", LONG)
        message = self.bob.expect("MESSAGE")
        self.assertEqual(message.body.decode(), LONG)
        self.bob.reply(message, 200)
        self.ann.expect(200, "MESSAGE")


main()
