"""What a newcomer does first (D23): scripts/run in a clean checkout, two phones set up with nothing but what it printed, one call.
The program itself is the one the other tests use; in the first suite of `scripts/test --long` scripts/run builds it from that checkout."""
import os
import re
import shutil
import signal
import socket
import subprocess

from jackfield_test import Case, Lan, enter_private_network, main, wait_for
from jackfield_test.processes import Process

enter_private_network()

# Once, not under each sanitizer too.
BUILDS = os.environ.get("JACKFIELD_TEST_LENGTH") == "long" and os.path.basename(os.environ["JACKFIELD_BUILD"]) == "release"


class FirstStart(Case):
    def setUp(self):
        super().setUp()
        self.checkout = os.path.join(self.folder, "checkout")
        self.copy_what_git_would_keep(os.environ["JACKFIELD_SOURCE"], self.checkout)
        self.home = self.namespace("server")
        self.lan = Lan(self.home)
        self.runs = 0

    @staticmethod
    def copy_what_git_would_keep(source, target):
        command = ["git", "-C", source, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(command, capture_output=True, check=True).stdout.decode()
        for name in names.split("\0"):
            if name and os.path.exists(os.path.join(source, name)):
                os.makedirs(os.path.dirname(os.path.join(target, name)), exist_ok=True)
                shutil.copy2(os.path.join(source, name), os.path.join(target, name))

    def start(self, build=False):
        """scripts/run, until it has printed its welcome; returns that. `build`: nothing is handed in that was built before."""
        self.runs += 1
        command = self.home.command(*(["env", "-u", "JACKFIELD_BUILD"] if build else []), os.path.join(self.checkout, "scripts", "run"))
        run = Process(command, self.folder, f"run-{self.runs}")
        self.addCleanup(run.kill)

        def printed():
            if run.status is not None:
                raise AssertionError(f"scripts/run ended with {run.status}:\n{run.output}")
            return "Ctrl-C stops the server" in run.output and run.output[run.output.index("What a phone asks for"):]
        return run, wait_for("scripts/run's welcome", printed, 1500 if build else 15)

    def stop(self, run):
        run.signal(signal.SIGINT)
        self.assertEqual(run.wait(5), 0, run.output)

    def test_two_phones_set_up_from_what_is_printed_call_each_other(self):
        run, welcome = self.start(build=BUILDS)
        self.assertEqual(os.path.exists(os.path.join(self.checkout, "build", "release", "bin", "jackfield")), BUILDS)
        server = re.search(r"server +(\S+)", welcome)[1]
        port = re.search(r"port +(\d+), UDP and TCP", welcome)[1]
        users = dict(re.findall(r"user +(\S+), password (\S+)", welcome))
        self.assertEqual((server, port, list(users)), (self.lan.address, "5060", ["101", "102"]), welcome)
        self.assertNotIn("0.0.0.0", welcome)
        phones = {}
        for host, (user, password) in enumerate(users.items(), start=10):
            namespace = self.namespace("phone-" + user)
            address = self.lan.plug(namespace, host)
            phones[user] = self.baresip(namespace, address, f"<sip:{user}@{server}:{port}>;auth_pass={password}", "baresip-" + user)
            phones[user].registered()
        phones["101"].dial("102")
        phones["102"].expect("CALL_INCOMING")
        phones["102"].accept()
        phones["101"].expect("CALL_ESTABLISHED")
        phones["101"].hang_up()
        phones["102"].expect("CALL_CLOSED")
        self.stop(run)
        with open(os.path.join(self.checkout, ".jackfield", "state", "calls.tsv"), encoding="utf-8") as file:
            self.assertEqual(len(file.readlines()), 2, "one record for each leg of the call")
        subprocess.run(["git", "-C", self.checkout, "init", "--quiet"], check=True)
        ignored = subprocess.run(["git", "-C", self.checkout, "check-ignore", ".jackfield/conf.d/regfile.conf"], capture_output=True)
        self.assertEqual(ignored.returncode, 0, "what holds passwords must be ignored by git")

        # The second start finds the users, keeps their secret, and says how to set a new one.
        run, welcome = self.start()
        for password in users.values():
            self.assertNotIn(password, welcome)
        command = re.search(r"scripts/run user passwd 101", welcome)[0].split()
        result = subprocess.run(self.home.command(os.path.join(self.checkout, command[0]), *command[1:]), capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)
        fresh = re.search(r"Password: (\S+)", result.stdout)[1]
        with self.home.inside():
            phone = self.phone((server, int(port)), "101", fresh)
        wait_for("the new password to be accepted", lambda: self.accepted(phone))
        self.stop(run)

    @staticmethod
    def accepted(phone):
        try:
            return phone.register()
        except AssertionError:
            return None

    def test_a_taken_port_is_named_and_the_next_one_used(self):
        with self.home.inside():
            holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            holder.bind(("0.0.0.0", 5060))
        self.addCleanup(holder.close)
        run, welcome = self.start()
        self.assertRegex(run.output, rf"Port 5060 is taken by \S+ \(process {os.getpid()}\)")
        self.assertRegex(welcome, r"port +5061, UDP and TCP")
        self.stop(run)


main()
