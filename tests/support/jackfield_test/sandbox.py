"""What a systemd unit's hardening asks of the kernel, without systemd: run as a program, it applies it to itself and becomes the command.

    python3 sandbox.py UNIT COMMAND…

From the unit come the system calls (SystemCallFilter=, whose sets `systemd-analyze syscall-filter` lists), families of addresses,
MemoryDenyWriteExecute=, RestrictNamespaces=, NoNewPrivileges= and the umask. The file system (ProtectSystem=), the user and his capabilities are
the business of who starts this.
"""
import ctypes
import errno
import os
import re
import socket
import struct
import subprocess
import sys

_NUMBERS = "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_LOAD, _EQUAL, _BITS, _ANSWER = 0x20, 0x15, 0x45, 0x06  # LD+W+ABS, JMP+JEQ+K, JMP+JSET+K, RET+K
_CLONE_NEW = 0x7E020080  # every CLONE_NEW… flag
_PROT_WRITE, _PROT_EXEC = 2, 4


def read_unit(path):
    """{key: [value, …]}; an empty value takes back what came before it."""
    keys = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            if match := re.match(r"(\w+)=(.*)", line):
                keys.setdefault(match[1], []).append(match[2].strip())
    return keys


def calls_of(name):
    """The system calls of a set, or the call itself."""
    if not name.startswith("@"):
        return {name}
    listing = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True).stdout
    return set().union(*(calls_of(word) for word in (line.strip() for line in listing.splitlines()[1:]) if word and not word.startswith("#")))


def allowed_calls(unit):
    """As systemd reads it: the first line that is not negated makes a list of what is allowed, ~ takes away from it."""
    allowed = calls_of("@default")
    for line in unit["SystemCallFilter"]:
        names = set().union(*(calls_of(word) for word in line.removeprefix("~").split()))
        allowed = allowed - names if line.startswith("~") else allowed | names
    return allowed


def numbers():
    with open(_NUMBERS, encoding="ascii") as file:
        return {match[1]: int(match[2]) for match in re.finditer(r"#define __NR_(\w+) (\d+)", file.read())}


def program_of(unit):
    """The filter, as instructions of the kernel's machine."""
    known = numbers()
    out = []

    def step(code, value, if_true=0, if_false=0):
        out.append(struct.pack("HBBI", code, if_true, if_false, value))

    def refuse(error):
        step(_ANSWER, _ERRNO | error)

    def argument(index):
        step(_LOAD, 16 + 8 * index)  # its low half

    def only_for(call, length):
        """The next `length` instructions are for that call, which leave with the number loaded again or not at all."""
        step(_EQUAL, known[call], 0, length)

    step(_LOAD, 0)
    if unit.get("MemoryDenyWriteExecute") == ["yes"]:
        for call in ("mprotect", "pkey_mprotect"):
            only_for(call, 4)
            argument(2), step(_BITS, _PROT_EXEC, 0, 1), refuse(errno.EPERM), step(_LOAD, 0)
        only_for("mmap", 5)
        argument(2), step(_BITS, _PROT_EXEC, 0, 2), step(_BITS, _PROT_WRITE, 0, 1), refuse(errno.EPERM), step(_LOAD, 0)
    if unit.get("RestrictNamespaces") == ["yes"]:
        for call in ("clone", "unshare"):
            only_for(call, 4)
            argument(0), step(_BITS, _CLONE_NEW, 0, 1), refuse(errno.EPERM), step(_LOAD, 0)
        only_for("setns", 1)
        refuse(errno.EPERM)
        only_for("clone3", 1)
        refuse(errno.ENOSYS)  # its flags are in memory; the C library then takes clone
    families = [getattr(socket, name) for name in unit["RestrictAddressFamilies"][-1].split()]
    only_for("socket", len(families) + 3)
    argument(0)
    for index, family in enumerate(families):
        step(_EQUAL, family, len(families) - index)
    refuse(errno.EAFNOSUPPORT), step(_LOAD, 0)
    for call in sorted(allowed_calls(unit) & known.keys()):
        step(_EQUAL, known[call], 0, 1), step(_ANSWER, _ALLOW)
    refuse(errno.EPERM)
    return b"".join(out)


def enter(unit):
    libc = ctypes.CDLL(None, use_errno=True)

    def control(*values):
        if libc.prctl(*(ctypes.c_ulong(value) for value in values), *([ctypes.c_ulong(0)] * (5 - len(values)))) != 0:
            raise OSError(ctypes.get_errno(), f"prctl{values}")

    os.umask(int(unit["UMask"][-1], 8))
    program = ctypes.create_string_buffer(program_of(unit))
    filter_ = ctypes.create_string_buffer(struct.pack("HxxxxxxP", (len(program) - 1) // 8, ctypes.addressof(program)))
    control(38, 1)  # PR_SET_NO_NEW_PRIVS
    control(22, 2, ctypes.addressof(filter_))  # PR_SET_SECCOMP: a filter; the program's exec goes through it, too


if __name__ == "__main__":
    enter(read_unit(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])
