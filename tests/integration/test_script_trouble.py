"""Scripts in trouble and in a hurry, while calls come in: stopped, killed, flooding and deaf ones (N-12), and files that change under load (N-5)."""
import os
import re
import signal
import socket
import textwrap
import threading
import time

from jackfield_test import Case, main
from jackfield_test.processes import wait_for
from jackfield_test.steady_calls import SteadyCalls

_ROUTER = """\
    #!/usr/bin/python3
    import sys
    print("%%>install:50:call.route", flush=True)
    for line in sys.stdin:
        fields = line.rstrip("\\n").split(":")
        if fields[0] == "%%>message":
            print(f"%%<message:{fields[1]}:true::-:error=busy", flush=True)
    """
BY_SCRIPT, BY_RULES = 486, 480  # who decided
TIMES = 20 if os.environ.get("JACKFIELD_TEST_LENGTH") == "long" else 1


class Trouble(Case):
    """A script at priority 50 refuses each call as busy, rules at 100 as not answering: the answer tells who decided."""
    general = {}

    def setUp(self):
        super().setUp()
        self.scripts = os.path.join(self.folder, "scripts")
        self.path = os.path.join(self.folder, "scripts.sock")
        os.makedirs(self.scripts)
        self.write_script("router.py", _ROUTER)
        self.jackfield = self.server({}, modules=("sip", "regexroute", "extmodule"), start=False, settings={
            "sip": {"general": {"addr": self.address(), "trusted": "127.0.0.0/8"}, "guard": {"overload": 0}},
            "regexroute": {"default": {".*": "-;error=noanswer"}},
            "extmodule": {"general": {"scripts_dir": self.scripts, **self.general}, "scripts": {"router.py": ""},
                          "listener test": {"type": "unix", "path": self.path}}})
        self.jackfield.start()
        wait_for("the script's handler", lambda: "handlers=1" in self.jackfield.command("external").stdout)

    def write_script(self, name, text):
        path = os.path.join(self.scripts, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(text))
        os.chmod(path, 0o755)

    def router(self):
        return int(re.search(r"router\.py pid=(\d+)", self.jackfield.command("external").stdout)[1])

    def calls(self, rate=100):
        return SteadyCalls(self.jackfield.address, self.address(5), rate=rate)

    def connect(self):
        script = socket.socket(socket.AF_UNIX)
        script.settimeout(10)
        script.connect(self.path)
        self.addCleanup(script.close)
        return script

    def memory(self):
        with open(f"/proc/{self.jackfield.process.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024  # MB


class Stopped(Trouble):
    general = {"timeout": 300, "breaker": 5, "breaker_pause": 500}

    def test_N_12_while_a_script_is_stopped_calls_go_on_without_it_within_the_deadline_and_with_it_afterwards(self):
        with self.calls() as calls:
            calls.settled(50)
            for _ in range(TIMES):
                stopped = time.monotonic()
                os.kill(self.router(), signal.SIGSTOP)
                calls.settled(200)
                continued = time.monotonic()
                os.kill(self.router(), signal.SIGCONT)
                wait_for("the script to be asked again", lambda: {call.status for call in calls.over()[-20:]} == {BY_SCRIPT}, 10)
                over = calls.over()
                # Between the two are questions that were asked already when it was stopped, and those that it answers late.
                self.assertEqual({call.status for call in over if stopped + 0.5 < call.begun < continued - 0.5}, {BY_RULES})
            done = calls.done()
        self.assertEqual({call.status for call in done[:30]}, {BY_SCRIPT})
        self.assertLess(max(call.seconds for call in done), 5.0)
        self.assertIn("event=script-spared", self.jackfield.log)


class Killed(Trouble):
    general = {"timeout": 2000}

    def test_N_12_a_script_that_is_killed_in_mid_line_again_and_again_leaves_no_call_without_an_answer(self):
        self.write_script("router.py", _ROUTER.replace("print(f", "sys.stdout.write(f").replace("error=busy\", flush=True)", "error=b\"); sys.stdout.flush(); print('usy', flush=True)"))
        self.jackfield.command("external", "restart", "router.py")
        with self.calls() as calls:
            for _ in range(5 if TIMES == 1 else 12):
                calls.settled(30)
                pid = wait_for("the script to run", lambda: "router.py pid=" in self.jackfield.command("external").stdout and self.router(), 40)
                os.kill(pid, signal.SIGKILL)
            done = calls.done()
        self.assertLessEqual({call.status for call in done}, {BY_SCRIPT, BY_RULES})
        self.assertIn(BY_SCRIPT, {call.status for call in done})


class Floods(Trouble):
    general = {"timeout": 2000}

    def test_a_script_that_only_writes_stops_itself_and_holds_nobody_up(self):
        loud = self.connect()
        loud.setblocking(False)
        line = b"%%>message:x:5:nobody.answers::k=" + b"v" * 2000 + b"\n"
        sent = 0
        with self.calls() as calls:
            before = self.memory()
            end = time.monotonic() + 3
            rest = b""
            while time.monotonic() < end:
                try:
                    rest = rest or line * 20
                    written = loud.send(rest)
                    rest = rest[written:]
                    sent += written
                except BlockingIOError:
                    time.sleep(0.01)
            done = calls.done()
        self.assertEqual({call.status for call in done}, {BY_SCRIPT})
        # It has read no answer: what was taken from it is what its answers may wait, and the sockets' own buffers.
        self.assertLess(sent, 8 * 1024 * 1024)
        self.assertLess(self.memory() - before, 40)
        # As soon as it reads, it is listened to again.
        loud.settimeout(10)
        answers = 0
        while answers < sent // len(line) - 20:
            answers += loud.recv(1 << 20).count(b"\n")

    def test_a_script_that_watches_everything_and_floods_costs_neither_calls_nor_memory(self):
        watching = self.connect()
        watching.sendall(b"%%>watch:\n%%>setlocal:selfwatch:true\n")
        flooding = self.connect()
        with self.calls() as calls:
            before = self.memory()
            for _ in range(3000):
                flooding.sendall(b"%%>message::5:my.event::k=" + b"v" * 4000 + b"\n")
            done = calls.done()
            after = self.memory()
        self.assertEqual({call.status for call in done}, {BY_SCRIPT})
        self.assertLess(after - before, 40)
        self.assertIn("event=script-behind", self.jackfield.log)

    def test_floods_in_both_directions_lose_nothing_and_hold_no_call_up(self):
        count, pairs = 1000 * TIMES, 4
        asking = [self.connect() for _ in range(pairs)]
        answering = [self.connect() for _ in range(pairs)]
        for number, script in enumerate(answering):
            script.sendall(f"%%>setlocal:maxqueue:0\n%%>setlocal:timeout:60000\n%%>install:50:flood.{number}\n".encode())

        def answer(script):
            with script.makefile("rb") as lines:
                for line in lines:
                    if line.startswith(b"%%>message:"):
                        script.sendall(b"%%<message:" + line.split(b":")[1] + b":true::ok:seen=yes\n")

        def ask(number, script):
            for each in range(count):
                script.sendall(f"%%>message:{each}:5:flood.{number}::k={'v' * 200}\n".encode())
        with self.calls() as calls:
            for number in range(pairs):
                threading.Thread(target=answer, args=(answering[number],), daemon=True).start()
                threading.Thread(target=ask, args=(number, asking[number]), daemon=True).start()
            for number, script in enumerate(asking):
                with script.makefile("rb") as lines:
                    heard = [lines.readline().decode() for _ in range(count)]
                self.assertEqual(heard[-1], f"%%<message:{count - 1}:true:flood.{number}:ok:k={'v' * 200}:seen=yes\n")
                self.assertEqual([line.split(":")[1] for line in heard], [str(each) for each in range(count)])
            done = calls.done()
        self.assertEqual({call.status for call in done}, {BY_SCRIPT})
        for script in answering:
            script.shutdown(socket.SHUT_RDWR)  # their threads end

    def test_ten_thousand_handlers_are_all_a_script_gets_and_all_go_with_it(self):
        script = self.connect()
        script.sendall(b"".join(b"%%%%>install:50:message.%d\n" % number for number in range(10010)))
        lines = script.makefile()
        granted = [lines.readline().rstrip("\n").rsplit(":", 1)[1] for _ in range(10010)]
        self.assertEqual((granted.count("true"), granted[-10:]), (10000, ["false"] * 10))
        with self.calls() as calls:
            calls.settled(20)
            lines.close()
            script.close()
            wait_for("its end", lambda: "handlers=10000" not in self.jackfield.command("external").stdout)
            self.assertEqual({call.status for call in calls.done()}, {BY_SCRIPT})

    def test_a_script_that_answers_twice_and_what_it_was_not_asked_changes_nothing(self):
        twice, asking = self.connect(), self.connect()
        twice.sendall(b"%%>install:50:my.question\n")
        lines, answers = twice.makefile(), asking.makefile()
        lines.readline()
        for number in range(50):
            asking.sendall(b"%%%%>message:%d:5:my.question:\n" % number)
            question = lines.readline().split(":")[1]
            twice.sendall(f"%%<message:{question}:true::first\n%%<message:{question}:true::second\n%%<message:9{question}:true::third\n%%<message::true::x\n".encode())
            self.assertEqual(answers.readline(), f"%%<message:{number}:true:my.question:first\n")
        self.assertIn("waiting=0", self.jackfield.command("status", "extmodule").stdout)


class Reload(Trouble):
    @staticmethod
    def text(path):
        with open(path, encoding="utf-8") as file:
            return file.read()

    def test_N_5_good_and_broken_files_alternate_under_calls_and_none_fails(self):
        conf = self.jackfield.conf
        rules, external = os.path.join(conf, "regexroute.conf"), os.path.join(conf, "extmodule.conf")
        good = {path: self.text(path) for path in (rules, external)}
        broken = {rules: (good[rules] + "^1=x\n\\(=broken\n", r"regexroute\.conf:4"), external: (good[external] + "[general]\ntimeout=soon\n", r"extmodule\.conf:\d+")}
        with self.calls() as calls:
            for path in (rules, external) * 2 * TIMES:
                text, where = broken[path]
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
                refused = self.jackfield.command("reload", check=False)
                self.assertNotEqual(refused.returncode, 0)
                self.assertRegex(refused.stdout + refused.stderr, where)
                with open(path, "w", encoding="utf-8") as file:
                    file.write(good[path])
                self.jackfield.command("reload")
            os.kill(self.router(), signal.SIGKILL)  # from here on the rules decide: they are the good ones
            done = calls.done()
        self.assertLessEqual({call.status for call in done}, {BY_SCRIPT, BY_RULES})
        self.assertEqual(done[0].status, BY_SCRIPT)


main()
