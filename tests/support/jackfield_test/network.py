"""Private networks for peers that do not work on loopback, and for a server behind NAT.

The whole test moves into a network namespace of its own (as root, or by a user namespace), so nothing it makes is visible outside
or can be left behind. Inside, a Namespace is one more computer.
"""
import contextlib
import ctypes
import os
import subprocess
import sys

from .processes import Process, wait_for

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_MARK = "JACKFIELD_TEST_NETWORK"


def enter_private_network():
    """Starts this program again in an empty network. Call it first thing in a test file that needs Namespace."""
    if os.environ.get(_MARK):
        run("ip", "link", "set", "lo", "up")
        return
    unshare = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]
    if subprocess.run([*unshare, "true"], capture_output=True).returncode:
        sys.exit("This test needs network namespaces: run it as root, or allow user namespaces to users "
                 "(sysctl kernel.unprivileged_userns_clone=1). A container needs CAP_SYS_ADMIN and CAP_NET_ADMIN.")
    os.environ[_MARK] = "1"
    os.execvp(unshare[0], [*unshare, sys.executable, "-B", *sys.argv])


def run(*arguments):
    result = subprocess.run(arguments, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: {result.stderr.strip()}")
    return result.stdout


def _setns(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        if _libc.setns(fd, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns " + path)
    finally:
        os.close(fd)


class Namespace:
    """A computer in the test's network, without any link until join() gives it one."""

    def __init__(self, name, folder):
        self.name = name
        here = os.readlink("/proc/self/ns/net")
        self._holder = Process(["unshare", "--net", "sleep", "infinity"], folder, "namespace-" + name)
        self._path = f"/proc/{self._holder.pid}/ns/net"
        wait_for(f"namespace {name}", lambda: os.readlink(self._path) != here)
        self.run("ip", "link", "set", "lo", "up")

    @property
    def pid(self):
        return self._holder.pid

    def command(self, *arguments):
        """The arguments that run a program in here."""
        return ["nsenter", "--net=" + self._path, "--", *arguments]

    def run(self, *arguments):
        return run(*self.command(*arguments))

    @contextlib.contextmanager
    def inside(self):
        """Sockets opened in this block belong to the namespace, for as long as they live."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            _setns(self._path)
            yield self
        finally:
            _libc.setns(home, _CLONE_NEWNET)
            os.close(home)

    def route(self, destination, gateway):
        self.run("ip", "route", "add", destination, "via", gateway)

    def close(self):
        self._holder.kill()


def join(left, left_address, right, right_address):
    """A cable between two namespaces; the addresses are written with their prefix, 192.0.2.1/24."""
    interfaces = (f"to-{right.name}"[:15], f"to-{left.name}"[:15])
    left.run("ip", "link", "add", interfaces[0], "type", "veth", "peer", "name", interfaces[1])
    left.run("ip", "link", "set", interfaces[1], "netns", str(right.pid))
    for space, interface, address in ((left, interfaces[0], left_address), (right, interfaces[1], right_address)):
        space.run("ip", "address", "add", address, "dev", interface)
        space.run("ip", "link", "set", interface, "up")


class Lan:
    """A switch that namespaces are plugged into: one network, each with its address. `home` holds the switch and has an address of
    its own, 192.0.2.1 unless told otherwise."""

    def __init__(self, home, network="192.0.2", host=1):
        self._home = home
        self._network = network
        self.address = f"{network}.{host}"
        home.run("ip", "link", "add", "lan", "type", "bridge")
        home.run("ip", "address", "add", self.address + "/24", "dev", "lan")
        home.run("ip", "link", "set", "lan", "up")

    def plug(self, namespace, host):
        """Gives the namespace network.host and a default route to the switch's own address."""
        port = f"port{host}"
        self._home.run("ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", str(namespace.pid))
        self._home.run("ip", "link", "set", port, "master", "lan", "up")
        address = f"{self._network}.{host}"
        namespace.run("ip", "address", "add", address + "/24", "dev", "eth0")
        namespace.run("ip", "link", "set", "eth0", "up")
        namespace.route("default", self.address)
        return address
