"""Spoiled SIP messages at a running server, from strangers and from the phones of calls that stand: it reports nothing, grows no further,
and serves as before. Found something? It prints the last packets and the line that plays them again."""
import base64
import os
import re
import socket
import sys

from jackfield_test import Case, main, wait_for
from jackfield_test.mutator import Mutator, torture_messages

LONG = os.environ.get("JACKFIELD_TEST_LENGTH") == "long"
SEED = int(os.environ.get("JACKFIELD_TEST_SEED", "1"))
PACKETS = 1_000_000 if LONG else 20_000
ROUND = 2_000         # packets at one call
UNREAD = 40           # at most as many as a socket's buffer holds
GROWTH = 64 << 20     # what allocators, and the quarantine of a sanitizer that is told so, may keep
PASSWORD = "an old song"
REPORTS = ("AddressSanitizer", "ThreadSanitizer", "LeakSanitizer", "runtime error:")


class MutatedPackets(Case):
    def setUp(self):
        super().setUp()
        os.environ["ASAN_OPTIONS"] = "quarantine_size_mb=16"
        users = {user: PASSWORD for user in ("101", "102", "201", "202")}
        self.jackfield = self.server(users, settings={"sip": {
            "general": {"linger": "1s"}, "call": {"maxcall": "10s"}, "guard": {"exempt": "127.0.0.0/8", "overload": 0, "scanners": ""}}})
        self.torture = torture_messages()
        self.assertEqual(len(self.torture), 48)
        self.stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(self.stranger.close)
        self.stranger.bind((self.address(9), 0))
        self.last = []

    def memory(self):
        with open(f"/proc/{self.jackfield.process.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) << 10 for line in file if line.startswith("VmRSS"))

    def legs(self):
        return int(re.search(r"name=sip,.*?;chans=(\d+)", self.jackfield.command("status").stdout)[1])

    def phones(self, *names):
        phones = [self.phone(self.jackfield, name, PASSWORD, address=self.address(2 + number)) for number, name in enumerate(names)]
        for phone in phones:
            phone.register()
        return phones

    def call(self, caller, callee):
        call = caller.invite(callee.user)
        incoming = callee.incoming()
        incoming.reply(180)
        incoming.accept()
        call.answered()
        return call, incoming

    def recorded(self):
        """Two phones with a call that stands, and what they have sent for it."""
        caller, callee = self.phones("101", "102")
        refused, ended = caller.invite("102"), callee.incoming()
        ended.reply(486)
        ended.expect_request("ACK")
        refused.refused(486)
        call, incoming = self.call(caller, callee)
        for method in "INFO", "UPDATE", "OPTIONS", "MESSAGE", "REFER":
            headers = [("Refer-To", f"<sip:202@{self.address()}>")] if method == "REFER" else []
            call.phone.send(call._message(method, headers, caller.sdp() if method == "UPDATE" else b""))
        sent = [data for phone in (caller, callee) for direction, data in phone.trace if direction == "sent"]
        return (caller, callee), sent, call

    def forget(self, phones):
        for phone in phones:
            phone.close()
            self._phones.remove(phone)

    def read(self):
        """Waits until the server has read what was sent."""
        probe = self.stranger.getsockname()
        self.probes = getattr(self, "probes", 0) + 1
        text = (f"OPTIONS sip:{self.address()} SIP/2.0\r\nVia: SIP/2.0/UDP {probe[0]}:{probe[1]};branch=z9hG4bKprobe{self.probes}\r\n"
                f"From: <sip:x@{probe[0]}>;tag=1\r\nTo: <sip:{self.address()}>\r\nCall-ID: probe-{self.probes}@test\r\nCSeq: 1 OPTIONS\r\n"
                "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n").encode()
        wanted = f"probe-{self.probes}@test".encode()
        self.stranger.settimeout(0.5)
        for _ in range(20):
            self.stranger.sendto(text, self.jackfield.address)
            try:
                while wanted not in self.stranger.recv(65535):
                    pass
                return
            except TimeoutError:
                if not self.jackfield.running:
                    break
        raise AssertionError("the server answers no more" if self.jackfield.running else "the server has ended")

    def play(self, seed):
        phones, sent, call = self.recorded()
        mutator = Mutator(seed)
        corpus = sent * 2 + self.torture
        for number in range(1, ROUND + 1):
            packet = mutator.mutate(mutator.random.choice(corpus), corpus)
            self.last.append(packet)
            source = mutator.random.randrange(4)
            if source < 2:
                phones[source].send(packet)
            else:
                self.stranger.sendto(packet, self.jackfield.address)
            if number % UNREAD == 0:
                self.read()
                del self.last[:-2 * UNREAD]
                for phone in phones:
                    while phone._wire.receive(0):
                        pass
        call.phone.send(call._message("BYE", cseq=(1 << 31) - 1))  # higher than any that was made up
        self.read()
        self.forget(phones)

    def test_no_report_bounded_memory_and_service_as_before(self):
        rounds = PACKETS // ROUND
        warm = rounds // 4
        try:
            for number in range(rounds):
                if number == warm:
                    before = self.memory()
                self.play(SEED + number)
            after = self.memory()
            caller, callee = self.phones("201", "202")
            call, incoming = self.call(caller, callee)
            call.bye()
            incoming.hung_up()
        except Exception:
            print(f"replay: JACKFIELD_TEST_SEED={SEED + number} python3 test_mutated_packets.py; the last packets, base64:", file=sys.stderr)
            for packet in self.last:
                print(base64.b64encode(packet).decode(), file=sys.stderr)
            raise
        for report in REPORTS:
            self.assertNotIn(report, self.jackfield.log)
        self.assertLess(after, before + GROWTH)
        # A call that a spoiled message has led away from its phones ends with its session, half an hour later.
        wait_for("the legs to be gone", lambda: self.legs() <= rounds // 2, 40)
        print(f"{rounds * ROUND} packets, seed {SEED}: {before >> 20} MB after a quarter of them, {after >> 20} MB after all, {self.legs()} legs left")


main()
