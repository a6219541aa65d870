"""P-26: the console over TCP (COMPAT section 10), byte for byte, and `jackfield console` at a terminal and from a pipe. Every transcript of
share/doc/console.md is played against a server."""
import fcntl
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
import time

from jackfield_test import case
from jackfield_test.processes import wait_for
from jackfield_test.program import PROGRAM

GUIDE = os.path.join(os.environ["JACKFIELD_SOURCE"], "share", "doc", "console.md")
COMMANDS = os.path.join(os.environ["JACKFIELD_SOURCE"], "engine", "src", "control", "commands.cpp")
MODULES = ("sip", "regfile", "callfork", "cdrbuild", "rmanager")


class Client:
    """One connection to a listener."""

    def __init__(self, address, port):
        self.socket = socket.create_connection((address, port), timeout=10)
        self.received = b""

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def read(self, seconds=10.0):
        """What comes next, b"" at the end."""
        self.socket.settimeout(seconds)
        data = self.socket.recv(65536)
        self.received += data
        return data

    def expect(self, end, seconds=10.0):
        """All bytes up to and with `end`, which must come."""
        end = end if isinstance(end, bytes) else end.encode()
        deadline = time.monotonic() + seconds
        while end not in self.received:
            try:
                if not self.read(max(0.01, deadline - time.monotonic())):
                    raise AssertionError(f"expected {end!r}, the connection ended after {self.received!r}")
            except TimeoutError:
                raise AssertionError(f"expected {end!r}, received {self.received!r}") from None
        cut = self.received.index(end) + len(end)
        got, self.received = self.received[:cut], self.received[cut:]
        return got

    def line(self):
        return self.expect(b"\r\n")[:-2].decode()

    def answer(self):
        """The next line that is not streamed."""
        while (line := self.line()).startswith("%%<"):
            pass
        return line

    def ended(self, seconds=10.0):
        try:
            while self.read(seconds):
                pass
        except ConnectionResetError:
            pass
        return self.received

    def close(self):
        self.socket.close()


class Console(case.Case):
    def console(self, sections=None, users=None, modules=MODULES, **options):
        """A server whose rmanager listens on address(1), on the ports 5038, 5039, … of the sections."""
        sections = sections or {"general": {}}
        ports = {name: 5038 + number for number, name in enumerate(sections)}
        rmanager = {name: {"addr": self.address(), "port": ports[name], **keys} for name, keys in sections.items()}
        server = self.server(users or {}, settings={"rmanager": rmanager}, modules=modules, **options)
        return server

    def client(self, port=5038):
        client = Client(self.address(), port)
        self.addCleanup(client.close)
        return client

    # --- the protocol

    def test_P_26_telnet_bytes_header_and_levels_byte_for_byte(self):
        self.console({"open": {}, "user": {"password": "sesame", "telnet": "no", "header": "hello", "fail_delay": 50},
                      "guest": {"password": "sesame", "userpass": "crumb", "telnet": "no", "header": "", "goodbye": "", "fail_delay": 50}})
        greeting = self.client().expect(b".\r\n")
        self.assertEqual(greeting[:9], b"\xff\xfb\x01\xff\xfb\x03\xff\xfd\x1f")
        self.assertEqual(greeting[9:36], b"\b" * 9 + b" " * 9 + b"\b" * 9)
        self.assertRegex(greeting[36:].decode(), r"^Jackfield \S+ ready on \S+\.\r\n$")

        user = self.client(5039)
        user.send("drop all\r\nmachine on\nstop\nauth wrong\nauth sesame\ndrop nobody\nnonsense\nquit\n")
        self.assertEqual([user.answer() for _ in range(9)],
                         ["hello", "`drop` needs `auth PASSWORD` first", "%%=machine:on", "%%=*:fail=noauth:stop", "%%=auth:fail=badpass",
                          "%%=auth:success", "%%=drop:fail:nobody", "%%=syntax:nonsense", "%%=quit"])
        self.assertEqual(user.ended(), b"")

        guest = self.client(5040)
        guest.send("status\nauth crumb\nstatus engine\nreload\nauth sesame\nauth crumb\nreload\nquit\n")
        self.assertEqual(guest.expect(b"first\r\n"), b"`status` needs `auth PASSWORD` first\r\n")
        self.assertEqual(guest.expect(b"%%-status\r\n").split(b"\r\n")[:2], [b"You are user now", b"%%+status:engine"])
        self.assertEqual(guest.ended(), b"`reload` needs `auth PASSWORD` first\r\nYou are administrator now\r\nYou are administrator now\r\nreloaded\r\n")

    def test_P_26_machine_mode_streams_every_dispatched_message_and_no_password(self):
        server = self.console(users={"101": "sehr-geheim"})
        watcher = self.client()
        watcher.send("machine on\n")
        watcher.expect("%%=machine:on\r\n")
        self.phone(server, "101", "sehr-geheim").register()
        auth = watcher.expect(b"user.register:")
        self.assertIn(b"%%<message::true:user.auth:***:", auth)
        server.command("user", "passwd", "101", "noch-geheimer", check=False)
        server.command("control", "sip/1", "password=noch-geheimer", check=False)
        watcher.expect(b"%%<message::false:chan.control")
        watcher.expect(b"\r\n")
        watcher.send("output on\n")
        watcher.expect("%%=output:on\r\n")
        watcher.send("machine off\nlogview\nquit\n")
        seen = auth + watcher.ended()
        for secret in (b"sehr-geheim", b"noch-geheimer"):
            self.assertNotIn(secret, seen)

    def test_P_26_completion_for_programs_and_for_people(self):
        self.console()
        client = self.client()
        client.expect(".\r\n")
        client.send("sta\t")
        self.assertEqual(client.line(), "status")
        client.send("tus ov\t")
        self.assertEqual(client.line(), "overview")
        client.send("erview \x15module re\t")
        self.assertEqual(client.line(), "reload")
        client.send("load s\t")
        self.assertEqual(client.line(), "sip")
        client.send("\x15ban \x15help au\x15au\t")
        self.assertEqual(client.line(), "auth")
        client.send("\x15regf\t")  # a module's
        self.assertEqual(client.line(), "regfile")
        person = self.client()
        person.expect(".\r\n")
        person.send(b"\xff\xfd\x01")  # a telnet client agrees that we echo
        person.expect("> ")
        person.send("upt\t")
        self.assertEqual(person.expect("uptime "), b"uptime ")
        person.send("\r")
        self.assertIn(b"Uptime: 0 00:", person.expect("> "))
        person.send("\x1b[A")
        self.assertEqual(person.expect("uptime "), b"uptime ")
        person.send("\x15\x04")
        self.assertTrue(person.ended().endswith(b"Goodbye!\r\n"))

    def test_P_26_keys_close_quit_and_reload(self):
        server = self.console({"general": {"telnet": "no", "header": ""}})
        closing, leaving = self.client(), self.client()
        closing.send("\x1c")
        self.assertEqual(closing.line(), "reloaded")
        closing.send("status engi\x03")
        self.assertEqual(closing.ended(), b"Goodbye!\r\n")
        leaving.send("uptime\n\x04")
        self.assertTrue(leaving.ended().endswith(b"kernel 0 s\r\nGoodbye!\r\n"))
        self.assertIn("event=reload result=done", server.log)

    # --- what hostile or broken clients do

    def test_P_26_floods_long_lines_and_silent_readers_hold_up_nobody(self):
        server = self.console({"general": {"telnet": "no", "header": "", "unread_timeout": 1000}})
        long_line, flood, silent, fine = (self.client() for _ in range(4))
        long_line.send("x" * 5000)
        self.assertEqual(long_line.ended(), b"Goodbye!\r\n")
        silent.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sender = threading.Thread(target=self._send_until_refused, args=(silent, b"help\n" * 10000))
        sender.start()
        answered = threading.Thread(target=self._send_until_refused, args=(flood, b"echo a\n" * 50000 + b"quit\n"))
        answered.start()
        fine.send("uptime\n")
        self.assertTrue(fine.line().startswith("Uptime: "))
        self.assertEqual(flood.ended(), b"a\r\n" * 50000 + b"Goodbye!\r\n")
        wait_for("the silent client to be dropped", lambda: "its answers are not read" in server.log, 15)
        silent.close()
        sender.join()
        answered.join()
        self.assertEqual(server.command("status", "rmanager").stdout.count("=admin|"), 1)

    @staticmethod
    def _send_until_refused(client, data):
        try:
            client.send(data)
        except OSError:
            pass

    def test_P_26_200_clients_at_once_each_get_their_own_answers(self):
        server = self.console({"general": {"telnet": "no", "header": "", "maxconnections": 200}})
        clients = [self.client() for _ in range(200)]
        wait_for("200 connections", lambda: "connections=200" in server.command("status", "rmanager").stdout)
        one_more = self.client()
        self.assertEqual(one_more.ended(), b"")
        for number, client in enumerate(clients):
            client.send(f"echo {number}\nmachine on\necho {number} again\n")
        for number, client in enumerate(clients):
            self.assertEqual([client.answer() for _ in range(3)], [str(number), "%%=machine:on", f"{number} again"])
        for client in clients:
            client.close()
        wait_for("no connection", lambda: "connections=0" in server.command("status", "rmanager").stdout)

    def test_P_26_wrong_passwords_are_slow_counted_and_end_the_connection(self):
        server = self.console({"general": {"telnet": "no", "header": "", "password": "right", "fail_delay": 200}})
        client = self.client()
        begin = time.monotonic()
        client.send("auth a\nauth b\nauth c\nauth right\nstop\n")
        self.assertEqual(client.ended(), b"The password is wrong\r\n" * 3 + b"Goodbye!\r\n")
        self.assertGreater(time.monotonic() - begin, 1.3)  # 0.2, 0.4, 0.8
        self.assertIn("jackfield_rmanager_failed_passwords_count 3", server.command("status", "--metrics").stdout)
        self.assertNotIn("right", server.log)

    def test_P_26_a_listener_for_others_without_passwords_is_refused_with_its_line(self):
        server = self.server({}, settings={"rmanager": {"general": {"addr": "0.0.0.0"}}}, modules=MODULES, start=False)
        checked = server.command("check", check=False)
        self.assertEqual(checked.returncode, 3)
        self.assertIn("rmanager.conf:2: error: [general] addr: whoever reaches 0.0.0.0 would command this server", checked.stdout)

    @case.unittest.skipUnless(os.geteuid() == 0, "only root can become another user")
    def test_P_26_what_changes_something_needs_an_administrator_whatever_users_may_say(self):
        """An expression that lets every line pass still lets nobody change anything; what only looks is answered, and logged."""
        server = self.console({"general": {"telnet": "no", "header": "", "password": "right", "user_regexp": "."}}, users={"101": "geheim-101"},
                              modules=(*MODULES, "accfile", "extmodule"))
        with open(COMMANDS, encoding="utf-8") as file:
            own = re.findall(r'^    \{"(\w+)", "[^"]*", "[^"]*", true,', file.read(), re.MULTILINE)
        self.assertIn("stop", own)
        changing = [*own, "events clear", "external start x", "external stop x", "external restart x", "external execute x", "ban add 192.0.2.9", "ban remove 192.0.2.9",
                    "registration add 101 sip:101@192.0.2.9", "registration remove 101 all", "connection register x", "connection unregister x", "accounts reload", "accounts login", "accounts logout x", "regfile export"]
        client = self.client()
        for command in changing:
            with self.subTest(command=command):
                client.send(f"{command}\n")
                self.assertEqual(client.line(), "this changes something, and needs the level admin")
        client.send("machine on\nexternal start x\nban add 192.0.2.9\nmachine off\n")
        self.assertEqual([client.answer() for _ in range(4)], ["%%=machine:on", "%%=*:fail=noauth:external start x", "%%=*:fail=noauth:ban add 192.0.2.9", "machine is off"])
        for command, answer in (("ban list", "nobody is banned"), ("accounts", "there are no accounts"), ("external info", "no script runs"), ("connection list", "there are no connections")):
            client.send(f"{command}\n")
            self.assertIn(answer, client.line())
            self.assertRegex(server.log, f"event=command address=\\S+ level=user line=.?{command}")
        client.send("auth right\nban add 192.0.2.9 600\n")
        self.assertEqual([client.line() for _ in range(2)], ["You are administrator now", "192.0.2.9 is banned for 600 s"])

    def test_P_26_user_prefix_and_an_anchored_expression_open_commands_to_users(self):
        server = self.console({"general": {"telnet": "no", "header": "", "password": "right", "user_prefix": "ban list, module", "user_regexp": "^connection (list|show)"}})
        client = self.client()
        client.send("ban list\nconnection list\nban add 192.0.2.9\nmodule list\n xconnection list\n")
        self.assertEqual([client.line() for _ in range(5)],
                         ["nobody is banned", "there are no connections", "`ban` needs `auth PASSWORD` first", "this changes something, and needs the level admin",
                          "`xconnection` needs `auth PASSWORD` first"])
        self.assertNotIn("line=\"ban add", server.log)

    def test_P_26_route_and_explain_are_completed(self):
        server = self.console(users={"101": "geheim-101"})
        self.phone(server, "101", "geheim-101").register()
        client = self.client()
        client.expect(".\r\n")
        client.send("route 10\t")
        self.assertEqual(client.line(), "101")
        client.send("1 --c\t")
        self.assertEqual(client.line(), "--caller")
        client.send("aller \t")
        self.assertIn("101", client.line().split("\t"))
        client.send("101 \t")
        self.assertEqual(client.line(), "--address\t--time")
        client.send("\x15explain 1\t")
        self.assertIn("101", client.line().split("\t"))
        client.send("01 -\t")
        self.assertEqual(client.line(), "--all")

    def test_P_26_other_users_of_this_machine_are_not_trusted_without_a_password(self):
        server = self.console({"owner": {"telnet": "no", "header": ""}, "any": {"telnet": "no", "header": "", "trust": "any"}})
        ask = "import socket, sys; s = socket.create_connection((sys.argv[1], int(sys.argv[2]))); s.sendall(b'module list\\nquit\\n'); print(s.makefile().read())"

        def answer(port, **user):
            return subprocess.run(["python3", "-c", ask, self.address(), str(port)], capture_output=True, text=True, timeout=20, **user).stdout
        self.assertIn("`module` needs `auth PASSWORD` first", answer(5038, user=65534, group=65534, extra_groups=[]))
        self.assertIn("event=not_trusted", server.log)
        self.assertIn("rmanager     loaded", answer(5038))
        self.assertIn("rmanager     loaded", answer(5039, user=65534, group=65534, extra_groups=[]))
        self.assertIn("everybody with an account on this machine", server.command("check").stdout)

    @case.unittest.skipUnless(os.geteuid() == 0, "only root can become another user")
    def test_P_26_who_has_gone_before_he_was_looked_at_is_nobody_either(self):
        server = self.console({"general": {"telnet": "no", "header": ""}})
        # Of a socket that is closed already the kernel says that it is root's.
        race = ("import socket, sys\n"
                "for _ in range(300):\n"
                "    s = socket.create_connection((sys.argv[1], 5038)); s.sendall(b'stop 7\\n'); s.close()\n")
        os.kill(server.process.pid, signal.SIGSTOP)  # all of them are there, and gone, before the first is accepted
        try:
            subprocess.run(["python3", "-c", race, self.address()], timeout=20, user=65534, group=65534, extra_groups=[], check=False,
                           stderr=subprocess.DEVNULL)
        finally:
            os.kill(server.process.pid, signal.SIGCONT)
        client = self.client()
        client.send("uptime\n")
        self.assertTrue(client.line().startswith("Uptime"))
        self.assertNotIn("event=command", server.log)

    def test_P_26_a_module_that_unloads_itself_takes_its_clients_along(self):
        server = self.console({"general": {"telnet": "no", "header": ""}})
        client = self.client()
        client.send("module unload rmanager\n")
        client.ended()
        self.assertNotIn("rmanager     loaded", server.command("module", "list").stdout)
        server.command("module", "load", "rmanager")
        again = self.client()
        again.send("uptime\n")
        self.assertTrue(again.line().startswith("Uptime"))

    def test_P_26_stop_says_the_exit_code_and_restart_asks_the_supervisor(self):
        server = self.server({}, modules=("rmanager",), settings={"rmanager": {"general": {"addr": self.address()}}}, start=False)
        supervisor = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(supervisor.close)
        path = os.path.join(self.folder, "notify")
        supervisor.bind(path)
        for words, environment, code in ((("stop", "7"), {}, 7), (("restart", "now"), {"NOTIFY_SOCKET": path}, 75)):
            with open(os.path.join(self.folder, "log"), "a") as log, \
                    subprocess.Popen(server._arguments("run"), env={**os.environ, **environment}, stdout=log, stderr=log) as process:
                wait_for("the server to be ready", lambda: server.command("status", "--ready", check=False).returncode == 0)
                if not environment:
                    self.assertEqual(server.command("restart", check=False).returncode, 1)
                    self.assertIn("usage: restart [now]", server.command("restart", "later", check=False).stderr)
                subprocess.run(self.arguments(server), input=" ".join(words) + "\n", text=True, timeout=20, check=True, capture_output=True)
                self.assertEqual(process.wait(10), code)

    # --- jackfield console

    def arguments(self, server):
        return [PROGRAM, "-c", server.conf, "-w", server.state, "console"]

    def test_P_26_console_from_a_pipe(self):
        server = self.server({"101": "pw"})
        done = subprocess.run(self.arguments(server), input="version\n\nmodule list\nregistration show 101\n", capture_output=True, text=True, timeout=20)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertTrue(done.stdout.startswith("Jackfield "))
        self.assertNotIn("\r", done.stdout)
        refused = subprocess.run(self.arguments(server), input="drop nobody\nmake coffee\nquit\nversion", capture_output=True, text=True, timeout=20)
        self.assertEqual((refused.returncode, refused.stdout), (1, ""))
        self.assertEqual(refused.stderr, "Could not drop nobody: no driver knows it\nCannot understand: make coffee\n")
        server.stop()
        nobody = subprocess.run(self.arguments(server), input="version\n", capture_output=True, text=True, timeout=20)
        self.assertEqual(nobody.returncode, 4)
        self.assertIn("no server answers on", nobody.stderr)

    def test_P_26_console_from_a_pipe_shows_what_is_streamed_while_nobody_types(self):
        server = self.server({"101": "pw"})
        with subprocess.Popen(self.arguments(server), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            process.stdin.write("output on\nmachine on\n")
            process.stdin.flush()
            self.assertEqual([process.stdout.readline() for _ in range(2)], ["output is on\n", "%%=machine:on\n"])
            server.command("reload")
            lines = []
            while not any("event=reload result=done" in line for line in lines) or not any("%%<message::" in line for line in lines):
                lines.append(process.stdout.readline())
                self.assertTrue(lines[-1], lines)
            process.stdin.close()
            self.assertEqual(process.wait(10), 0)

    def test_P_26_console_at_a_terminal_completes_remembers_and_ends(self):
        server = self.server({"101": "pw"})
        home = os.path.join(self.folder, "home")
        os.makedirs(home)
        first = Person(self, self.arguments(server), home)
        first.expect("jackfield> ")
        first.type("upt\t")
        first.expect("ime ")
        first.type("\r")
        first.expect("Uptime: 0 00:")
        first.expect("jackfield> ")
        first.type("stat\tover\tsip\r")
        first.expect("name=sip,")
        first.type("auth secret\r")
        first.expect("Cannot understand")
        first.type("output on\r")
        first.expect("output is on")
        first.type("half a li")
        first.expect("half a li")
        server.command("reload")
        first.expect("event=reload")   # above what is being typed
        first.expect("half a li")
        first.type("\x15\x04")
        self.assertEqual(first.status(), 0)
        history = os.path.join(home, ".jackfield_history")
        self.assertEqual(os.stat(history).st_mode & 0o777, 0o600)
        with open(history, encoding="utf-8") as file:
            kept = file.read()
        self.assertIn("uptime", kept)
        self.assertNotIn("secret", kept)

        second = Person(self, self.arguments(server), home)
        second.expect("jackfield> ")
        second.type("\x1b[A\x1b[A\x1b[A")
        second.expect("uptime")
        second.type("\x15")
        server.stop()
        self.assertEqual(second.status(), 4)  # the server has gone

    # --- the guide

    def test_P_26_every_transcript_of_the_guide(self):
        server = self.console({"general": {"telnet": "no", "header": "", "goodbye": "", "alias:peers": "status overview sip $() echo \\1"}},
                              users={"101": "pw", "102": "pw"})
        phone = self.phone(server, "101", "pw")
        ringing = threading.Event()
        stop = threading.Event()

        def answer_calls():
            while not stop.is_set():
                request = phone.receive(0.1)
                if request is None or request.is_response:
                    continue
                if request.method == "INVITE":
                    phone.reply(request, 180, tag="t")
                    ringing.set()
                elif request.method == "CANCEL":
                    phone.reply(request, 200)
        answering = threading.Thread(target=answer_calls)
        answering.start()
        try:
            self._play_guide(server, phone)
        finally:
            stop.set()
            answering.join()

    def _play_guide(self, server, phone):
        with open(GUIDE, encoding="utf-8") as file:
            text = file.read().replace("192.0.2.10:5060", phone.hostport)
        played = set()
        for kind, block in re.findall(r"^```(console|machine)\n(.*?)^```", text, re.M | re.S):
            client = self.client()
            if kind == "machine":
                client.send("machine on\n")
                self.assertEqual(client.answer(), "%%=machine:on")
            for part in re.split(r"^> ", block, flags=re.M)[1:]:
                command, *expected = part.rstrip("\n").split("\n")
                played.add(command.split()[0])
                marker = f"end of {command}"
                client.send(f"{command}\necho {marker}\n")
                got = []
                while command != "quit" or not got:
                    line = client.answer()
                    if line == marker:
                        break
                    got.append(line)
                pattern = "".join("(?:.*\n)*" if line == "…" else re.escape(line).replace("…", ".*") + "\n" for line in expected)
                self.assertTrue(re.fullmatch(pattern, "".join(line + "\n" for line in got)),
                                f"the guide says that `{command}` is answered\n{expected}, and it was\n{got}")
        with open(COMMANDS, encoding="utf-8") as file:
            known = set(re.findall(r'^    \{"(\w+)", "', file.read(), re.M))
        self.assertGreater(len(known), 25)
        listed = "\n" + subprocess.run(self.arguments(server), input="help\n", capture_output=True, text=True, timeout=20).stdout
        for verb in sorted(known | {"auth", "alias"}):
            self.assertIn(f"\n  {verb} ", listed)
            self.assertTrue(verb in played or f"`{verb}" in text, f"the guide says nothing about `{verb}`")


class Person:
    """`jackfield console` at a terminal of its own."""

    def __init__(self, test, arguments, home):
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            os.environ.update(HOME=home, TERM="vt100", LC_ALL="C.UTF-8")
            os.execv(arguments[0], arguments)
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
        self.seen = ""
        self.ended = None
        test.addCleanup(self.close)

    def type(self, keys):
        os.write(self.terminal, keys.encode())

    def expect(self, text, seconds=10.0):
        """That text, whatever moves the cursor in between."""
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            if time.monotonic() > deadline or not select.select([self.terminal], [], [], deadline - time.monotonic())[0]:
                raise AssertionError(f"expected {text!r}, the terminal shows {self.seen!r}")
            try:
                data = os.read(self.terminal, 65536).decode(errors="replace")
            except OSError:
                raise AssertionError(f"expected {text!r}, the console ended after {self.seen!r}") from None
            self.seen += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", data)
        self.seen = self.seen[self.seen.index(text) + len(text):]

    def status(self, seconds=10.0):
        def over():
            try:
                while select.select([self.terminal], [], [], 0)[0] and os.read(self.terminal, 65536):
                    pass
            except OSError:
                pass
            if self.ended is None:
                pid, status = os.waitpid(self.process, os.WNOHANG)
                if pid:
                    self.ended = os.waitstatus_to_exitcode(status)
            return self.ended is not None
        wait_for("the console to end", over, seconds)
        return self.ended

    def close(self):
        if self.ended is None:
            os.kill(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)
        os.close(self.terminal)


if __name__ == "__main__":
    case.main()
