"""The systemd unit that is installed: systemd finds nothing wrong with it, and the server does its work under what the unit forbids."""
import os
import re
import shutil
import subprocess
import sys
import unittest

from jackfield_test import Case, main, sandbox, wait_for
from jackfield_test.processes import Process

PASSWORD = "an old song"
UNIT = os.path.join(os.environ["JACKFIELD_BUILD"], "jackfield.service")
_MOST_EXPOSED = 15  # of systemd-analyze security, where 10 is nothing and 100 everything; 1.5 there


@unittest.skipUnless(shutil.which("systemd-analyze"), "systemd is not installed")
class Unit(Case):
    def unit_of_the_build(self):
        """The same with the built program, which is where the unit's will be installed."""
        path = os.path.join(self.folder, "jackfield.service")
        with open(UNIT, encoding="utf-8") as file:
            text = re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={os.environ['JACKFIELD_BUILD']}/bin/jackfield", file.read())
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def analyze(self, *words):
        return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, timeout=20)

    def test_systemd_finds_nothing_to_complain_of(self):
        result = self.analyze("verify", "--man=no", self.unit_of_the_build())
        self.assertEqual((result.returncode, [line for line in result.stderr.splitlines() if "jackfield" in line]), (0, []), result)

    def test_it_is_exposed_to_little(self):
        result = self.analyze("security", "--offline=true", "--no-pager", f"--threshold={_MOST_EXPOSED}", self.unit_of_the_build())
        self.assertEqual(result.returncode, 0, result.stdout)

    @unittest.skipUnless(os.uname().machine == "x86_64", "the kernel's calls have other numbers")
    def test_what_the_unit_forbids_is_forbidden_here(self):
        tries = """
import ctypes, errno, mmap, os, socket
def refused(what):
    try: what()
    except OSError as error: return errno.errorcode[error.errno]
    return "allowed"
libc = ctypes.CDLL(None, use_errno=True)
def unshare():
    if libc.unshare(0x10000000) != 0: raise OSError(ctypes.get_errno(), "")
print(refused(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)),
      refused(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)),
      refused(lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC)),
      refused(unshare), refused(lambda: os.setpriority(os.PRIO_PROCESS, 0, 5)), refused(lambda: os.chroot("/")),
      refused(lambda: os.kill(os.getpid(), 0)))
"""
        result = subprocess.run([sys.executable, sandbox.__file__, UNIT, sys.executable, "-c", tries], capture_output=True, text=True, timeout=20)
        self.assertEqual(result.stdout.split(), ["EAFNOSUPPORT", "allowed", "EPERM", "EPERM", "EPERM", "EPERM", "allowed"], result)

    @unittest.skipUnless(os.geteuid() == 0 and os.uname().machine == "x86_64", "the unit's limits are put on by root, on a kernel whose calls have these numbers")
    def test_the_server_works_under_what_the_unit_forbids(self):
        server = self.server({"101": PASSWORD, "102": PASSWORD}, start=False, modules=("sip", "regfile", "callfork", "cdrbuild", "cdrfile"))
        server.settings["cdrfile"]["general"] = {"file": os.path.join(server.state, "records.tsv")}
        server.write_settings()
        os.chmod(self.folder, 0o755)
        for folder, _, files in os.walk(server.state):
            for path in (folder, *(os.path.join(folder, name) for name in files)):
                shutil.chown(path, "nobody")
        # ProtectSystem=strict: all is read-only but the state directory.
        script = """set -e
            mount --make-rprivate /
            mount --bind "$1" "$1"
            mount -o remount,bind,ro /
            mount -o remount,bind,rw "$1"
            shift
            exec setpriv --reuid nobody --clear-groups --inh-caps -all --bounding-set -all "$@" """
        command = [sys.executable, sandbox.__file__, UNIT, *server._arguments("run")]
        process = Process(["unshare", "--mount", "--ipc", "sh", "-c", script, "sh", server.state, *command], self.folder, "sandboxed")

        def ready():
            self.assertIsNone(process.status, process.output)
            return server.command("status", "--ready", check=False).returncode == 0
        wait_for("the server to be ready", ready, 15)
        with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
            status = dict(line.split(":", 1) for line in file.read().splitlines())
        self.assertEqual({status[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}, {"0" * 16})
        self.assertEqual((status["NoNewPrivs"].strip(), status["Seccomp"].strip()), ("1", "2"))

        caller, callee = (self.phone(server, user, PASSWORD) for user in ("101", "102"))
        caller.register()
        callee.register()
        call = caller.invite("102")
        incoming = callee.incoming()
        incoming.accept()
        call.answered()
        call.bye()
        incoming.hung_up()
        server.command("reload")
        server.command("stop")
        self.assertEqual(process.wait(5), 0, process.output)
        self.assertNotIn("error", process.output)
        with open(os.path.join(server.state, "records.tsv"), encoding="utf-8") as records:
            self.assertEqual(len(records.readlines()), 2)


main()
