"""The program as people and their mistakes use it: words it does not know, closed descriptors, full disks, signals at the wrong time."""
import os
import shutil
import signal
import subprocess
import time

from jackfield_test import Case, main
from jackfield_test.processes import Process, wait_for
from jackfield_test.program import PROGRAM

PASSWORD = "an old song"


def run(*arguments, folder=None):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL, cwd=folder)


class Program(Case):
    def test_words_and_options_it_does_not_know_are_refused_and_nothing_is_done(self):
        server = self.server({"101": PASSWORD}, start=False)
        folders = ("-c", server.conf, "-w", server.state)
        for words in (("run", "user", "add", "102"), ("run", "--bogus"), ("check", "--bogus"), ("check", "more"), ("version", "--bogus"),
                      ("stop", "now"), ("module", "bogus"), ("-z",), ("settings",)):
            with self.subTest(words=words):
                result = run(*folders, *words)
                self.assertEqual(result.returncode, 2, result)
                self.assertIn("--help", result.stderr)
        self.assertEqual(os.listdir(server.state), [])

    def test_the_programs_options_may_stand_behind_a_modules_command(self):
        server = self.server({"101": PASSWORD}, start=False)
        self.assertEqual(run("user", "list", "-c", server.conf, "-w", server.state).stdout, "101\tpassword\n")
        relative = run("user", "list", "-c", os.path.relpath(server.conf, self.folder), "-w", "state", folder=self.folder)
        self.assertEqual(relative.stdout, "101\tpassword\n")

    def test_help_explains_every_command_and_does_nothing_else(self):
        server = self.server({"101": PASSWORD}, start=False)
        self.assertIn("--password-stdin", server.command("user", "add", "--help").stdout)
        self.assertEqual(server.command("user", "list").stdout, "101\tpassword\n")
        for command in ("run", "check", "settings", "help", "status", "reload", "stop", "version", "debug", "module"):
            self.assertIn(f"jackfield {command}", run(command, "--help").stdout)
            self.assertEqual(run("help", command).stdout, run(command, "--help").stdout)

    def test_a_running_server_is_found_by_its_own_file_even_when_that_has_errors(self):
        server = self.server({"101": PASSWORD}, start=False)
        server.settings["jackfield"]["general"] = {"statedir": "../state"}
        server.write_settings()
        process = Process([PROGRAM, "-c", server.conf], self.folder, "by-its-file")
        wait_for("the server to be ready", lambda: run("-c", server.conf, "status", "--ready").returncode == 0)
        server.settings["jackfield"]["general"]["loglevel"] = "loud"
        server.write_settings()
        self.assertIn("name=engine", run("-c", server.conf, "status").stdout)
        self.assertEqual(run("-c", server.conf, "reload").returncode, 1)
        self.assertIn("Bindings written", run("-c", server.conf, "regfile", "export").stdout)
        self.assertEqual(run("-c", server.conf, "stop").returncode, 0)
        self.assertEqual(process.wait(2), 0)

    def test_closed_descriptors_are_not_taken_by_its_files(self):
        server = self.server({"101": PASSWORD}, start=False)
        arguments = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *server._arguments("run", "-vvv")]
        process = Process(arguments, self.folder, "closed")
        wait_for("the server to be ready", lambda: server.command("status", "--ready", check=False).returncode == 0)
        self.phone(server, "101", PASSWORD).register()
        for number in range(3):
            self.assertEqual(os.readlink(f"/proc/{process.pid}/fd/{number}"), "/dev/null")
        with open(os.path.join(server.state, "lock")) as lock:
            self.assertEqual(lock.readline(), f"{process.pid}\n")
        process.kill()
        server.start()
        self.assertEqual(len(self.phone(server, "101", PASSWORD).register([]).contacts), 1)

    def test_SIGHUP_while_it_starts_does_not_end_it(self):
        server = self.server({f"u{i}": PASSWORD for i in range(20000)}, start=False)
        process = Process(server._arguments("run"), self.folder, "storm")
        wait_for("it to have its state directory", lambda: os.path.exists(os.path.join(server.state, "lock")))
        end = time.monotonic() + 20
        while server.command("status", "--ready", check=False).returncode != 0:
            self.assertIsNone(process.status, process.output)
            self.assertLess(time.monotonic(), end)
            process.signal(signal.SIGHUP)
        self.assertEqual(server.command("stop").returncode, 0)
        self.assertEqual(process.wait(5), 0)

    def test_a_log_on_a_full_disk_costs_lines_of_the_log_only(self):
        server = self.server({"101": PASSWORD}, start=False)
        process = Process(server._arguments("run", "-l", "/dev/full"), self.folder, "full")
        wait_for("the server to be ready", lambda: process.status is not None or server.command("status", "--ready", check=False).returncode == 0)
        self.phone(server, "101", PASSWORD).register()
        self.assertEqual(server.command("stop").returncode, 0)
        self.assertEqual(process.wait(2), 0)

    def test_an_export_that_fails_says_why_and_ends_with_1(self):
        server = self.server({"101": PASSWORD})
        path = os.path.join(server.state, "regfile-bindings.conf")
        os.makedirs(os.path.join(path, "in the way"))
        result = server.command("regfile", "export", check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn(path, result.stderr)
        shutil.rmtree(path)
        self.assertEqual(server.command("regfile", "export").returncode, 0)

    def test_telephony_counts_where_sip_conf_says_nothing(self):
        # With room left, an INVITE without credentials is challenged; without, refused at once.
        for own, status in (({}, 503), ({"maxchans": 10}, 401)):
            with self.subTest(own=own):
                server = self.server({"101": PASSWORD, "102": PASSWORD}, address=self.address(10 + len(own)),
                                     settings={"jackfield": {"telephony": {"maxchans": 2}}, "sip": {"general": own}})
                caller, callee = self.phone(server, "101", PASSWORD), self.phone(server, "102", PASSWORD)
                callee.register()
                call = caller.invite("102")
                callee.incoming().accept()
                call.answered()
                caller.invite("102", authenticate=False).refused(status)

    def test_records_have_the_format_that_the_file_names(self):
        server = self.server({"101": PASSWORD, "102": PASSWORD},
                             settings={"cdrfile": {"general": {"format": "${caller}\t${called}\t${status}\t${cdrid}"}}})
        caller, callee = self.phone(server, "101", PASSWORD), self.phone(server, "102", PASSWORD)
        callee.register()
        call = caller.invite("102")
        incoming = callee.incoming()
        incoming.reply(486)
        incoming.expect_request("ACK")
        call.refused(486)
        self.assertEqual({tuple(record[:2]) for record in server.expect_records(2)}, {("101", "102")})


main()
