"""The external-module protocol line by line: scripts that connect to a socket, and scripts that the server starts (COMPAT §9)."""
import datetime
import os
import socket
import stat
import subprocess
import textwrap
import time
import unittest

from jackfield_test import Case, main
from jackfield_test.processes import wait_for


class Script:
    """A script that connected; what it reads is compared byte for byte."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(5)
        self.socket.connect(path)
        self.buffer = b""

    def send(self, *lines):
        self.socket.sendall("".join(line + "\n" for line in lines).encode())

    def read(self):
        while b"\n" not in self.buffer:
            data = self.socket.recv(65536)
            if not data:
                return None
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode()

    def ask(self, line):
        self.send(line)
        return self.read()

    def close(self):
        self.socket.close()


class External(Case):
    settings = {}

    def setUp(self):
        super().setUp()
        self.path = os.path.join(self.folder, "scripts.sock")
        self.scripts = os.path.join(self.folder, "scripts")
        os.makedirs(self.scripts)
        general = {"scripts_dir": self.scripts, "timeout": 500, **self.settings}
        self.jackfield = self.server({}, modules=("extmodule",), start=False, settings={
            "extmodule": {"general": general, "listener test": {"type": "unix", "path": self.path}}})

    def connect(self):
        script = Script(self.path)
        self.addCleanup(script.close)
        return script

    def write_script(self, name, text):
        path = os.path.join(self.scripts, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/usr/bin/python3\n" + textwrap.dedent(text))
        os.chmod(path, 0o755)


class Lines(External):
    def setUp(self):
        super().setUp()
        self.jackfield.start()

    def test_YT_19_every_keyword_has_its_reply(self):
        script = self.connect()
        for line, reply in (
                ("%%>install:50:my.question", "%%<install:50:my.question:true"),
                ("%%>install:60:my.question", "%%<install:60:my.question:false"),
                ("%%>install::other:kind:a%zb", "%%<install:100:other:true"),
                ("%%>uninstall:other", "%%<uninstall:100:other:true"),
                ("%%>uninstall:other", "%%<uninstall:0:other:false"),
                ("%%>watch:my.event", "%%<watch:my.event:true"),
                ("%%>watch:my.event", "%%<watch:my.event:false"),
                ("%%>unwatch:my.event", "%%<unwatch:my.event:true"),
                ("%%>unwatch:my.event", "%%<unwatch:my.event:false"),
                ("%%>setlocal:timeout:", "%%<setlocal:timeout:500:true"),
                ("%%>setlocal:timeout:700", "%%<setlocal:timeout:700:true"),
                ("%%>setlocal:reenter:maybe", "%%<setlocal:reenter:false:false"),
                ("%%>setlocal:loaded.sip:", "%%<setlocal:loaded.sip:false:true"),
                ("%%>setlocal:nothing:", "%%<setlocal:nothing::false"),
                ("%%>nothing", "Error in: %%>nothing"),
                ("hello", "Error in: hello"),
                ("%%>message:1:x:name", "Error in: %%>message:1:x:name"),
                ("%%>message:1%a:0:name", "Error in: %%>message:1%a:0:name"),
                ("%%>message:a%zb:5:nobody.answers:r:k=v%z", "%%<message:a%zb:false:nobody.answers:r:k=v%z"),
                ("%%>quit", "%%<quit")):
            self.assertEqual(script.ask(line), reply, line)
        self.assertIsNone(script.read())

    def test_a_script_answers_what_another_asks(self):
        answering, asking = self.connect(), self.connect()
        answering.ask("%%>install:50:my.question:kind:a")
        asking.send("%%>message:q1:1700000000:my.question::kind=a:x=1:y=2")
        line = answering.read()
        self.assertRegex(line, r"^%%>message:\d+:1700000000:my.question::kind=a:x=1:y=2$")
        answering.send(f"%%<message:{line.split(':')[1]}:true:renamed:result:x=9:y")
        self.assertEqual(asking.read(), "%%<message:q1:true:renamed:result:kind=a:x=9")
        # Another kind is none of its business; a second answer to the same question goes unheard.
        answering.send(f"%%<message:{line.split(':')[1]}:true::again")
        self.assertEqual(asking.ask("%%>message:q2:1700000000:my.question::kind=b"), "%%<message:q2:false:my.question::kind=b")

    def test_a_script_is_not_asked_its_own_messages_unless_it_wants_to(self):
        script = self.connect()
        script.ask("%%>install:50:my.question")
        script.ask("%%>watch:my.question")
        self.assertEqual(script.ask("%%>message:1:5:my.question:"), "%%<message:1:false:my.question:")
        script.ask("%%>setlocal:selfwatch:true")
        script.send("%%>message:2:5:my.question:")
        self.assertEqual(script.read(), "%%<message::false:my.question:")
        self.assertEqual(script.read(), "%%<message:2:false:my.question:")
        script.ask("%%>setlocal:reenter:true")
        self.assertRegex(script.ask("%%>message:3:5:my.question:"), r"^%%>message:\d+:5:my.question:$")

    def test_a_late_script_is_passed_over_and_its_death_frees_who_waits(self):
        silent, asking = self.connect(), self.connect()
        silent.ask("%%>install:50:my.question")
        begun = time.monotonic()
        self.assertEqual(asking.ask("%%>message:1:5:my.question:"), "%%<message:1:false:my.question:")
        self.assertGreater(time.monotonic() - begun, 0.45)
        silent.ask("%%>setlocal:timeout:60000")
        asking.send("%%>message:2:5:my.question:")
        silent.read()
        silent.read()
        silent.close()
        self.assertEqual(asking.read(), "%%<message:2:false:my.question:")
        self.assertIn("connected=1", self.jackfield.command("status", "extmodule").stdout)

    def test_lines_that_are_too_long_or_broken_off_end_the_connection_and_nothing_else(self):
        script, other = self.connect(), self.connect()
        script.send("%%>output:" + "x" * 9000)
        self.assertIsNone(script.read())
        script = self.connect()
        script.ask("%%>setlocal:bufsize:65536")
        script.send("%%>setlocal:id:" + "x" * 9000)
        self.assertEqual(len(script.read()), len("%%<setlocal:id::true") + 9000)
        script.socket.sendall(b"%%>install:50:half")
        script.close()
        self.assertEqual(other.ask("%%>setlocal:timeout:"), "%%<setlocal:timeout:500:true")

    def test_lines_byte_for_byte(self):
        script = self.connect()

        def hears(sent, *replies):
            script.socket.sendall(sent)
            for reply in replies:
                line = script.read()
                self.assertEqual(line, reply)
        longest = "%%>setlocal:id:" + "x" * (8191 - len("%%>setlocal:id:"))  # one less than bufsize, without its end
        hears(longest.encode() + b"\n", "%%<setlocal:id:" + longest[15:] + ":true")
        hears(b"%%>setlocal:timeout:\r\n", "%%<setlocal:timeout:500:true")
        hears(b"\n\r\n\n%%>setlocal:timeout:\n", "%%<setlocal:timeout:500:true")  # empty lines are none
        for byte in b"%%>watch:one.byte.at.a.time\n":
            script.socket.sendall(bytes([byte]))
        self.assertEqual(script.read(), "%%<watch:one.byte.at.a.time:true")
        hears(b"%%>setlocal:reason:a%Jb%%c%z%A%_\n", "%%<setlocal:reason:a%Jb%%c%z%A%_:true")
        # Malformed ones come back as they are and change nothing.
        for wrong in ("x", "%", "%%", "%%>", "%%<", "%%>:", "%%<message:1", "%%<message:1:true:a%b", "%%<install:1:x:true", "%%>install", "%%>install:1",
                      "%%>install:x:name", "%%>install:-1:name", "%%>install:1:na%me", "%%>install:1:name:%a:b", "%%>uninstall:%", "%%>watch:%q", "%%>setlocal:%:1",
                      "%%>setlocal:id:%", "%%>debug:1:%", "%%>message", "%%>message:", "%%>message:1:", "%%>message:1:2:", "%%>message:1:2:a::b=%", "%%>Message:1:0:a:",
                      " %%>quit", "%%>quit2", "Error in: x", "\x01\x7f", "%%>message:1:99999999999999999999:a:"):
            hears(wrong.encode() + b"\n", "Error in: " + wrong)
        hears(b"%%>message:\xe4\xff:5:a.b::k\xff=\xfe\n".replace(b"\xff", b"").replace(b"\xfe", b"").replace(b"\xe4", "ä".encode()), "%%<message:ä:false:a.b::k=")
        script.socket.sendall(b"%%>message:n:5:a.b::k=\x00\x01\n")
        self.assertEqual(script.read(), "%%<message:n:false:a.b::k=%@%A")
        script.send("%%>setlocal:id:" + "x" * (8192 - 15))
        self.assertIsNone(script.read())

    def test_a_script_that_does_not_read_is_left_behind(self):
        deaf, loud = self.connect(), self.connect()
        deaf.ask("%%>watch:my.event")
        value = "x" * 8000
        for _ in range(600):
            loud.send("%%>message::5:my.event::k=" + value)
        self.assertEqual(loud.ask("%%>setlocal:timeout:"), "%%<setlocal:timeout:500:true")
        wait_for("the log to say so", lambda: "event=script-behind" in self.jackfield.log)

    def test_what_a_script_says_at_which_level_is_in_the_log(self):
        script = self.connect()
        script.send("%%>output:as it is: 100%%", "%%>debug:8:all%zright", "%%>setlocal:debugname:mine", "%%>setlocal:debuglevel:5", "%%>debug:8:too much", "%%>debug:5:enough")
        self.assertEqual([script.read(), script.read()], ["%%<setlocal:debugname:mine:true", "%%<setlocal:debuglevel:5:true"])
        wait_for("its last line", lambda: "mine: enough" in self.jackfield.log)
        self.assertIn("as it is: 100%%", self.jackfield.log)
        self.assertIn("all:right", self.jackfield.log)
        self.assertNotIn("too much", self.jackfield.log)

    def test_scripts_that_come_and_go_leave_nothing_behind(self):
        def held():
            process = f"/proc/{self.jackfield.process.pid}"
            with open(process + "/statm", encoding="ascii") as file:
                return len(os.listdir(process + "/fd")), int(file.read().split()[1]) * 4096 / 1024 / 1024

        def come_and_go(times):
            for number in range(times):
                with socket.socket(socket.AF_UNIX) as script:
                    script.settimeout(5)
                    script.connect(self.path)
                    script.sendall(b"%%>install:50:my.question\n%%>watch:\n%%>message:1:5:my.other:\n" + (b"%%>message:2:5:half" if number % 2 else b"%%>quit\n"))
                    script.recv(65536)
            wait_for("the last to be gone", lambda: "connected=0" in self.jackfield.command("status", "extmodule").stdout)
        come_and_go(200)
        files, megabytes = held()
        come_and_go(1000)
        # The last question's own connection may still be closing.
        wait_for("no more descriptors than before", lambda: held()[0] <= files)
        self.assertLess(held()[1], megabytes + 8)

    def test_two_hundred_scripts_at_once(self):
        scripts = [self.connect() for _ in range(200)]
        for number, script in enumerate(scripts):
            script.send(f"%%>install:50:question.{number}")
        for number, script in enumerate(scripts):
            self.assertEqual(script.read(), f"%%<install:50:question.{number}:true")
        for number, script in enumerate(scripts):
            scripts[number - 1].send(f"%%>message:m:5:question.{number}:")
            line = script.read()
            script.send(f"%%<message:{line.split(':')[1]}:true::{number}")
            self.assertEqual(scripts[number - 1].read(), f"%%<message:m:true:question.{number}:{number}")

    def test_only_the_owner_may_connect(self):
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)


class Breaker(External):
    settings = {"timeout": 100, "breaker": 3, "breaker_pause": 1000, "on_fail": "sip/sip:desk@192.0.2.1"}

    def test_N_12_a_script_that_is_late_too_often_is_spared_and_calls_go_where_on_fail_says(self):
        self.jackfield.start()
        silent, asking = self.connect(), self.connect()
        silent.ask("%%>install:50:call.route")
        routed = "%%<message:1:true:call.route:sip/sip%zdesk@192.0.2.1:called=1"
        for _ in range(3):
            self.assertEqual(asking.ask("%%>message:1:5:call.route::called=1"), routed)
            silent.read()
        begun = time.monotonic()
        for _ in range(20):
            self.assertEqual(asking.ask("%%>message:1:5:call.route::called=1"), routed)
        self.assertLess(time.monotonic() - begun, 0.5)
        time.sleep(1.1)
        # One question tries it again; until it is answered, others still go on without it.
        asking.send("%%>message:2:5:call.route::called=1", "%%>message:1:5:call.route::called=1")
        self.assertEqual(asking.read(), routed)
        line = silent.read()
        silent.send(f"%%<message:{line.split(':')[1]}:true::answered")
        self.assertEqual(asking.read(), "%%<message:2:true:call.route:answered:called=1")
        asking.send("%%>message:3:5:call.route::called=1", "%%>message:4:5:call.route::called=1")
        for _ in range(2):
            silent.send(f"%%<message:{silent.read().split(':')[1]}:true::again")
        self.assertEqual([asking.read()[-14:] for _ in range(2)], ["again:called=1"] * 2)


class Started(External):
    ROUTE = """
        import sys
        print("%%>install:50:call.route", flush=True)
        for line in sys.stdin:
            fields = line.rstrip("\\n").split(":")
            if fields[0] == "%%>message":
                print(f"%%<message:{fields[1]}:true::{sys.argv[1]}/" + fields[5].split("=")[1], flush=True)
        """

    def test_YT_19_a_script_is_started_with_the_server_routes_and_is_started_again_when_it_dies(self):
        self.write_script("route.py", self.ROUTE)
        self.jackfield.settings["extmodule"]["scripts"] = {"route.py": "first"}
        self.jackfield.write_settings()
        self.jackfield.start()
        asking = self.connect()

        def routed(target):
            return lambda: asking.ask("%%>message:1:5:call.route::called=7") == f"%%<message:1:true:call.route:{target}/7:called=7"
        wait_for("the script to route", routed("first"))
        pid = int(self.jackfield.command("external").stdout.split("pid=")[1].split()[0])
        os.kill(pid, 9)
        wait_for("the script to be back", lambda: f"pid={pid} " not in self.jackfield.command("external").stdout and routed("first")())
        self.jackfield.command("external", "restart", "route.py", "second")
        wait_for("the script with its new argument", routed("second"))
        self.jackfield.command("external", "stop", "route.py")
        wait_for("the script to be gone", lambda: asking.ask("%%>message:1:5:call.route::called=7") == "%%<message:1:false:call.route::called=7")
        self.assertNotEqual(self.jackfield.command("external", "stop", "route.py", check=False).returncode, 0)

    def test_what_a_script_prints_on_its_third_stream_is_in_the_log_and_it_inherits_no_other(self):
        self.write_script("noisy.py", """
            import os, sys
            print("open: " + " ".join(sorted(os.listdir("/proc/self/fd"))), file=sys.stderr, flush=True)
            sys.stdin.read()
            """)
        self.jackfield.start()
        self.jackfield.command("external", "start", "noisy.py")
        # The folder that is being read is the fourth.
        wait_for("the line", lambda: "open: 0 1 2 3" in self.jackfield.log)
        self.assertNotIn("open: 0 1 2 3 4", self.jackfield.log)

    def test_a_script_that_fails_at_once_is_started_again_after_longer_and_longer_pauses(self):
        self.write_script("broken.py", "raise SystemExit(3)")
        self.jackfield.start()
        self.jackfield.command("external", "start", "broken.py")

        def starts():
            return [datetime.datetime.fromisoformat(line.split()[0]) for line in self.jackfield.log.splitlines() if "event=script-started script=broken.py" in line]
        wait_for("five starts", lambda: len(starts()) >= 5, 15)
        times = starts()
        pauses = [(later - earlier).total_seconds() for earlier, later in zip(times, times[1:])]
        for pause, least in zip(pauses, (0.1, 0.2, 0.4, 0.8)):
            self.assertGreaterEqual(pause, least - 0.01, pauses)
        self.assertLess(pauses[0], 0.8, pauses)

    def test_programs_are_executed_with_the_server_and_by_command(self):
        self.write_script("note.py", "import sys; open(sys.argv[1], 'w').close()")
        noted = os.path.join(self.folder, "noted")
        self.jackfield.settings["extmodule"]["execute"] = {"note.py": noted + "-${nodename}"}
        self.jackfield.write_settings()
        self.jackfield.start()
        node = self.jackfield.command("runparam", "nodename").stdout.strip().removeprefix("nodename=")
        wait_for("the program of the file", lambda: os.path.exists(f"{noted}-{node}"))
        self.jackfield.command("external", "execute", "note.py", noted)
        wait_for("the program of the command", lambda: os.path.exists(noted))
        self.assertNotIn("note.py", self.jackfield.command("external").stdout)
        self.assertNotEqual(self.jackfield.command("external", "execute", "no-such.py", check=False).returncode, 0)

    def test_a_script_that_is_not_there_is_said_to_be_so(self):
        self.jackfield.start()
        refused = self.jackfield.command("external", "start", "nothing.py", check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("nothing.py does not start: No such file", refused.stdout + refused.stderr)

    def test_no_script_outlives_the_server(self):
        self.write_script("stubborn.py", """
            import signal, time
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            print("%%>setlocal:restart:true", flush=True)
            time.sleep(60)
            """)
        self.jackfield.start()
        self.jackfield.command("external", "start", "stubborn.py")
        pid = int(self.jackfield.command("external").stdout.split("pid=")[1].split()[0])
        self.jackfield.stop()
        self.assertFalse(os.path.exists(f"/proc/{pid}"))


class Doors(External):
    def test_a_socket_for_everybody_needs_a_secret(self):
        self.jackfield.settings["extmodule"]["listener tcp"] = {"addr": "0.0.0.0", "port": 5039}
        self.jackfield.write_settings()
        refused = self.jackfield.command("check", check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertRegex(refused.stdout + refused.stderr, r"extmodule\.conf:\d+.*set secret=")

    def test_the_secret_comes_first(self):
        address = self.address(3)
        self.jackfield.settings["extmodule"]["listener tcp"] = {"addr": address, "port": 5039, "secret": "open sesame", "fail_delay": 50}
        self.jackfield.write_settings()
        self.jackfield.start()
        for first, reply in (("%%>install:50:x", "%%<auth:false"), ("%%>auth:open", "%%<auth:false"), ("%%>auth:open sesame", "%%<auth:true")):
            with socket.create_connection((address, 5039), timeout=5) as script:
                script.sendall((first + "\n%%>setlocal:timeout:\n").encode())
                lines = script.makefile()
                self.assertEqual(lines.readline().rstrip("\n"), reply)
                self.assertEqual(lines.readline(), "%%<setlocal:timeout:500:true\n" if reply.endswith("true") else "")
        self.assertNotIn("sesame", self.jackfield.log)
        self.assertRegex(self.jackfield.log, r"event=wrong-secret script=tcp/\d+ address=127\.0\.0\.1:\d+ delay_ms=100")
        self.assertIn("jackfield_extmodule_wrong_secrets_count 2", self.jackfield.command("status", "--metrics").stdout)

    def test_strangers_without_the_secret_keep_no_script_out(self):
        address = self.address(3)
        self.jackfield.settings["extmodule"]["listener tcp"] = {"addr": address, "port": 5039, "secret": "open sesame", "secret_timeout": 1000}
        self.jackfield.write_settings()
        self.jackfield.start()
        strangers = [socket.create_connection((address, 5039), timeout=5) for _ in range(16)]
        for stranger in strangers:
            self.addCleanup(stranger.close)
        with socket.create_connection((address, 5039), timeout=5) as one_more:  # of the same address
            self.assertEqual(one_more.recv(100), b"")
        with socket.create_connection((address, 5039), timeout=5, source_address=(self.address(4), 0)) as script:
            script.sendall(b"%%>auth:open sesame\n")
            self.assertEqual(script.recv(100), b"%%<auth:true\n")
            self.assertEqual(strangers[0].recv(100), b"")  # it had its second
            script.sendall(b"%%>setlocal:timeout:\n")
            self.assertEqual(script.recv(100), b"%%<setlocal:timeout:500:true\n")

    @unittest.skipUnless(os.geteuid() == 0, "only root can become another user")
    def test_other_accounts_of_this_machine_need_trust_or_a_secret(self):
        address = self.address(3)
        listeners = {5039: {}, 5040: {"trust": "any"}, 5041: {"trust": "nobody"}, 5042: {"secret": "open sesame"}}
        for port, keys in listeners.items():
            self.jackfield.settings["extmodule"][f"listener at{port}"] = {"addr": address, "port": port, **keys}
        self.jackfield.write_settings()
        self.jackfield.start()
        ask = ("import socket, sys; s = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5)\n"
               "try: s.sendall(b'%%>auth:open sesame\\n%%>setlocal:timeout:\\n%%>quit\\n'); print(s.makefile().read())\n"
               "except OSError: pass")

        def answer(port, **user):
            return subprocess.run(["python3", "-c", ask, address, str(port)], capture_output=True, text=True, timeout=20, check=True, **user).stdout
        nobody = {"user": 65534, "group": 65534, "extra_groups": []}
        self.assertEqual(answer(5039, **nobody).strip(), "")
        self.assertRegex(self.jackfield.log, r"event=script-refused listener=at5039 address=127\.0\.0\.1:\d+ user=65534 reason=.only root")
        for port, user in ((5039, {}), (5040, nobody), (5041, nobody), (5042, nobody)):
            self.assertIn("%%<setlocal:timeout:500:true", answer(port, **user))
        self.assertIn("everybody with an account on this machine may command the server through port 5040", self.jackfield.command("check").stdout)


main()
