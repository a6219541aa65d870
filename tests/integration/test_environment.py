"""What the server finds around it: systemd, the limits it was started with, a disk that is full, Yate's own file, keys that change."""
import os
import socket
import subprocess
import time

from jackfield_test import Case, main, wait_for
from jackfield_test.processes import Process

PASSWORD = "an old song"


class Environment(Case):
    def ready(self, server, process):
        def says_so():
            self.assertIsNone(process.status, process.output)
            return server.command("status", "--ready", check=False).returncode == 0
        wait_for("the server to be ready", says_so, 10)

    def end(self, server, process):
        server.command("stop")
        self.assertEqual(process.wait(3), 0, process.output)

    def test_systemd_hears_when_it_is_ready_reloads_lives_and_stops(self):
        server = self.server({"101": PASSWORD}, start=False)
        path = os.path.join(self.folder, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(path)
            manager.settimeout(5)
            process = Process(server._arguments("run"), self.folder, "notifying", environment={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "3000000"})
            self.assertEqual(manager.recv(4096), b"READY=1")
            self.ready(server, process)
            self.assertEqual(manager.recv(4096), b"WATCHDOG=1")
            began = time.monotonic()
            for _ in range(3):  # with each engine.timer, so each second and no less often
                self.assertEqual(manager.recv(4096), b"WATCHDOG=1")
            self.assertLess(time.monotonic() - began, 3.8)
            server.command("reload")
            told = [manager.recv(4096)]
            while told[-1] != b"READY=1":
                told.append(manager.recv(4096))
            reloading = next(text for text in told if text.startswith(b"RELOADING=1\nMONOTONIC_USEC="))
            self.assertLess(abs(int(reloading.split(b"=")[2]) - time.monotonic() * 1e6), 5e6)
            self.end(server, process)
            while told[-1] != b"STOPPING=1":
                told.append(manager.recv(4096))

    def test_without_a_watchdog_it_says_nothing_to_one(self):
        server = self.server({"101": PASSWORD}, start=False)
        path = os.path.join(self.folder, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(path)
            process = Process(server._arguments("run"), self.folder, "notifying", environment={"NOTIFY_SOCKET": path})
            self.ready(server, process)
            time.sleep(1.2)  # its second has passed
            self.end(server, process)
            manager.settimeout(1)
            self.assertEqual([manager.recv(4096), manager.recv(4096)], [b"READY=1", b"STOPPING=1"])

    def test_descriptors_are_raised_to_what_the_operator_allows_and_too_few_are_named(self):
        for hard, warned in ((4000, True), (20000, False)):
            with self.subTest(hard=hard):
                server = self.server({"101": PASSWORD}, start=False, address=self.address(2 + warned))
                script = f'ulimit -Sc 0; ulimit -Sn 300; ulimit -Hn {hard}; exec "$@"'
                process = Process(["sh", "-c", script, "sh", *server._arguments("run")], self.folder, f"limited-{hard}")
                self.ready(server, process)
                with open(f"/proc/{process.pid}/limits") as file:
                    limits = {line[:26].strip(): line[26:].split()[:2] for line in file}
                self.assertEqual(limits["Max open files"], [str(hard)] * 2)
                self.assertEqual(limits["Max core file size"][0], "0")
                self.assertEqual("event=few_descriptors" in process.output, warned)
                if warned:
                    self.assertIn("LimitNOFILE=", process.output)
                self.end(server, process)

    def test_a_registration_that_finds_no_room_on_the_disk_is_refused_in_words(self):
        server = self.server({"101": PASSWORD}, start=False)
        disk = os.path.join(self.folder, "disk")
        os.mkdir(disk)
        server.settings["regfile"]["general"] = {"file": os.path.join(disk, "bindings.conf")}
        server.write_settings()
        unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
        script = f'mount -t tmpfs -o size=256k tmpfs "{disk}" && exec "$@"'
        process = Process([*unshare, "sh", "-c", script, "sh", *server._arguments("run")], self.folder, "full")
        self.ready(server, process)
        phone = self.phone(server, "101", PASSWORD)
        phone.register()
        with open(f"/proc/{process.pid}/root{disk}/filler", "wb", buffering=0) as filler, self.assertRaises(OSError):
            while True:
                filler.write(b"x" * 4096)
        # The room that the journal has taken ahead takes many.
        for number in range(3000):
            request = phone.send(phone.register_request())
            challenge = phone.expect((401, 401), "REGISTER")
            phone.send(phone.register_request(headers=[phone.credentials(challenge, "REGISTER", request.uri)]))
            answer = phone.expect((200, 699), "REGISTER")
            if answer.status != 200:
                break
        self.assertEqual(answer.start, "SIP/2.0 500 Registration Not Saved")
        self.end(server, process)

    def modules(self, engine):
        """What a real yate.conf with this content loads."""
        server = self.server({"101": PASSWORD}, start=False, address=self.address(10 + len(self._servers)),
                             settings={"rmanager": {"general": {"addr": self.address(10 + len(self._servers))}}})
        os.remove(os.path.join(server.conf, "jackfield.conf"))
        with open(os.path.join(server.conf, "yate.conf"), "w") as file:
            file.write(engine)
        server.start()
        loaded = server.command("module", "list").stdout
        server.stop()
        return {line.split()[0] for line in loaded.splitlines() if line.split()[1] == "loaded"}

    def test_D22_modload_of_a_yate_conf_decides_about_the_modules_it_does_not_name(self):
        every = {"accfile", "sip", "regfile", "callfork", "cdrbuild", "cdrfile", "callcounters", "regexroute", "extmodule", "register", "rmanager", "upperreg", "sqlitedb", "pgsqldb"}
        self.assertEqual(self.modules("[general]\nmaxworkers=10\n"), every)
        self.assertEqual(self.modules("[modules]\ncdrfile.yate=no\n"), every - {"cdrfile"})
        self.assertEqual(self.modules("[general]\nmodload=yes\n[modules]\ncdrbuild.yate=false\n"), every - {"cdrbuild"})
        self.assertEqual(self.modules("[general]\nmodload=no\n[modules]\nysipchan.yate=yes\nregfile.yate=yes\ntonegen.yate=yes\n"), {"sip", "regfile"})

    def test_P_32_maxqueued_of_the_engine_sheds_new_work_unless_sip_conf_says_otherwise(self):
        for own, status in (({}, 503), ({"max_waiting": "100"}, 401)):
            with self.subTest(own=own):
                server = self.server({"101": PASSWORD}, modules=("sip", "regfile", "callfork", "regexroute"), address=self.address(30 + len(own)),
                                     settings={"jackfield": {"general": {"maxqueued": "1"}}, "sip": {"guard": own},
                                               "regexroute": {"default": {"^200$": "msleep 3000"}}})
                call = self.phone(server, "101", PASSWORD).invite("200")
                wait_for("the route to be waited for", lambda: ";chans=1," in server.command("status", "sip").stdout)
                other = self.phone(server, "101", PASSWORD)
                other.send(other.register_request())
                answer = other.expect((200, 699), "REGISTER")
                self.assertEqual((answer.status, bool(answer.get("Retry-After"))), (status, status == 503), answer)
                call.cancel()

    def test_a_daemon_without_a_log_file_is_warned_that_nothing_is_logged(self):
        for more, warned in (((), True), (("-l", os.path.join(self.folder, "log")), False)):
            server = self.server({"101": PASSWORD}, start=False, address=self.address(20 + warned))
            result = subprocess.run(server._arguments("-d", *more), capture_output=True, text=True, timeout=20)
            self.assertEqual(result.returncode, 0, result)
            self.assertEqual("without -l nothing is logged" in result.stderr, warned, result)
            server.command("stop")
            wait_for("the daemon to end", lambda: server.command("status", check=False).returncode != 0)

    def test_keys_of_the_engine_count_at_once_or_say_that_they_wait_for_the_next_start(self):
        server = self.server({"101": PASSWORD})
        self.assertIn("level info", server.command("debug", "sip").stdout)
        server.settings["jackfield"]["general"] = {"loglevel": "warning", "nodename": "another"}
        server.settings["jackfield"]["debug"] = {"regfile": "trace"}
        server.write_settings()
        result = server.command("reload")
        self.assertIn("[general] nodename has changed; it counts from the next start on", result.stdout + result.stderr + server.log)
        self.assertIn("level warning", server.command("debug", "sip").stdout)
        self.assertIn("level trace", server.command("debug", "regfile").stdout)
        server.settings["jackfield"]["general"] = {"loglevel": "loud"}
        server.write_settings()
        self.assertNotEqual(server.command("reload", check=False).returncode, 0)
        self.assertIn("level warning", server.command("debug", "sip").stdout)


main()
