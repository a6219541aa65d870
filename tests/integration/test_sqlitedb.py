"""SQLite files that cannot be used: what is said about them names the file and what to do, and nothing but that is needed to go on."""
import os
import re
import subprocess
import sys

from jackfield_test import Case, main, wait_for
from jackfield_test.processes import Process
from jackfield_test.sql import ACCOUNT, shipped

ROOT = os.geteuid() == 0


class UnusableFiles(Case):
    def setUp(self):
        super().setUp()
        self.disk = os.path.join(self.folder, "disk")
        os.mkdir(self.disk)
        self.file = os.path.join(self.disk, "test.db")

    def server_on_disk(self, mounting):
        """A server with a disk of its own, of two megabytes."""
        self.jackfield = self.server(start=False, modules=("sip", "sqlitedb", "register"),
                                     settings={"sqlitedb": {ACCOUNT: {"database": self.file, "reconnect": "100ms", "timeout": "1s"}}, "register": shipped()})
        unshare = ["unshare", "--mount"] if ROOT else ["unshare", "--user", "--map-root-user", "--mount"]
        script = f'set -e; disk="{self.disk}"; mount -t tmpfs -o size=2m tmpfs "$disk"; {mounting}; exec "$@"'
        self.process = Process([*unshare, "sh", "-c", script, "sh", *self.jackfield._arguments("run")], self.folder, "on_disk")

    def enter(self):
        """The beginning of a command that runs where the server's disk is."""
        return ["nsenter", "-t", str(self.process.pid), "-m"] + ([] if ROOT else ["-U", "--preserve-credentials"])

    def on_disk(self, *words):
        return subprocess.run([*self.enter(), *words], capture_output=True, text=True, timeout=15)

    def command(self, *words):
        return self.on_disk(*self.jackfield._arguments(*words))

    def says(self, text):
        wait_for(f"`{text}` in the log", lambda: text in self.process.output, 10)

    def is_up(self):
        wait_for("the database to be up", lambda: re.search(rf"{ACCOUNT}=.*\|up\|", self.jackfield.command("status", "sqlitedb", check=False).stdout), 10)

    def refused(self, result, *texts):
        self.assertNotEqual(result.returncode, 0, result)
        for text in texts:
            self.assertIn(text, result.stderr + result.stdout)

    def end(self):
        self.jackfield.command("stop")
        self.assertEqual(self.process.wait(5), 0, self.process.output)

    def test_a_folder_that_may_only_be_read(self):
        self.server_on_disk('mount -o remount,ro "$disk"')
        why = f"{self.file} cannot be made: Read-only file system"
        self.says(why)
        self.refused(self.command("db", "init", ACCOUNT), why, "its folder must be there and belong to the server")
        self.assertEqual(self.on_disk("mount", "-o", "remount,rw", self.disk).returncode, 0)
        self.is_up()
        self.assertEqual(self.command("db", "init", ACCOUNT).returncode, 0)
        self.end()

    def test_a_file_that_may_only_be_read(self):
        self.server_on_disk('cp /dev/null "$disk/test.db"; mount -o remount,ro "$disk"')
        why = f"{self.file} cannot be written: Read-only file system"
        self.says(why)
        self.refused(self.command("db", "init", ACCOUNT), why)
        self.assertEqual(self.on_disk("mount", "-o", "remount,rw", self.disk).returncode, 0)
        self.is_up()
        self.end()

    def test_a_full_disk_and_a_locked_file(self):
        self.server_on_disk(":")
        self.is_up()
        self.assertEqual(self.command("db", "init", ACCOUNT).returncode, 0)
        inside = f"/proc/{self.process.pid}/root{self.disk}"
        filler = os.path.join(inside, "filler")
        with open(filler, "wb", buffering=0) as file, self.assertRaises(OSError):
            while True:
                file.write(b"x" * 4096)
        with open(filler, "rb+") as file:  # room for the log's index, and for no user
            file.truncate(os.path.getsize(filler) - 8192)
        results = [self.command("user", "add", f"2{number:02}") for number in range(20)]
        self.refused(next(result for result in results if result.returncode), self.file, "full", "make room on that disk")
        os.remove(filler)
        self.assertEqual(self.command("user", "add", "101").returncode, 0)

        lock = f"import sqlite3, sys; c = sqlite3.connect({self.file!r}, isolation_level=None); c.execute('BEGIN IMMEDIATE'); print('locked', flush=True); sys.stdin.read()"
        with subprocess.Popen([*self.enter(), sys.executable, "-c", lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            self.assertEqual(other.stdout.readline(), "locked\n")
            self.refused(self.command("user", "add", "102"), f"{self.file} is locked by another program; end what writes to it")
            other.stdin.close()
        self.assertEqual(self.command("user", "add", "102").returncode, 0)
        self.end()


main()
