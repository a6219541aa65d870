"""Twenty calls a second over a network that loses one packet in twenty: every call ends, on both sides, with a record."""
import csv
import glob
import os
import re

from jackfield_test import Case, enter_private_network, main, wait_for
from jackfield_test.answering import Answering
from jackfield_test.network import run

enter_private_network()

LONG = os.environ.get("JACKFIELD_TEST_LENGTH") == "long"
RATE, SECONDS = 20, 600 if LONG else 5
CALLS = RATE * SECONDS
LOST = 0.05
PASSWORD = "a new song"
CALLED, DIRECTION, STATUS = 5, 9, 10


class PacketLoss(Case):
    def setUp(self):
        super().setUp()
        self.jackfield = self.server({"102": PASSWORD}, settings={"sip": {"general": {"trusted": self.address(2)}}})
        self.callee = self.phone(self.jackfield, "102", PASSWORD, address=self.address(3))
        self.callee.register(expires=SECONDS + 120)
        run("iptables", "-A", "INPUT", "-p", "udp", "-m", "statistic", "--mode", "random", "--probability", str(LOST), "-j", "DROP")
        self.addCleanup(run, "iptables", "-F", "INPUT")

    def call(self):
        """What sipp made of its calls: successful ones, and failed ones by the reason it had."""
        caller = self.sipp("patient_caller", self.jackfield, "101", address=self.address(2), port=5081, calls=CALLS, keys={"called": "102"}, options=(
            "-r", RATE, "-timeout", f"{SECONDS + 60}s", "-recv_timeout", 33000, "-max_log_size", 4_000_000, "-trace_stat", "-stf", "statistics", "-fd", 1))
        caller.succeeded(SECONDS + 60)
        path, = glob.glob(os.path.join(self.folder, caller.name, "statistics"))
        with open(path, encoding="utf-8") as file:
            last = list(csv.DictReader(file, delimiter=";"))[-1]
        failed = {name[:-3]: int(count) for name, count in last.items() if re.fullmatch(r"Failed.*\(C\)", name or "") and name != "FailedCall(C)" and int(count)}
        return int(last["SuccessfulCall(C)"]), failed

    def dropped(self):
        """Packets, and how many of them were lost."""
        lines = run("iptables", "-vnxL", "INPUT").splitlines()
        return int(lines[2].split()[0])

    def left(self):
        line = next(line for line in self.jackfield.command("status").stdout.splitlines() if line.startswith("name=sip,"))
        return {name: int(re.search(rf"\b{name}=(\d+)", line)[1]) for name in ("chans", "dialogs", "transactions")}

    def test_every_call_ends_with_a_record_on_both_sides(self):
        with Answering(self.callee) as callee:
            self.assertEqual(self.call(), (CALLS, {}))
            wait_for("every BYE to have come", lambda: all(call.ended for call in callee.calls), 40)
        self.assertEqual(len(callee.calls), CALLS)
        self.assertEqual([call.invite["call-id"] for call in callee.calls if call.given_up], [], "answers that nobody acknowledged")
        self.assertGreater(self.dropped(), CALLS / 5, "the network was to lose packets")
        wait_for("no leg and no dialog to be left", lambda: not any((self.left()[name] for name in ("chans", "dialogs"))), 40)

        records = self.jackfield.expect_records(2 * CALLS)
        for direction in "incoming", "outgoing":
            rows = [record for record in records if record[DIRECTION] == direction]
            self.assertEqual(len(rows), CALLS, direction)
            self.assertEqual({(row[CALLED], row[STATUS]) for row in rows}, {("102", "answered")})
        print(f"{CALLS} calls, {self.dropped()} packets lost, {len(records)} records")


main()
