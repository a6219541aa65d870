#!/usr/bin/python3
"""A whole registrar in a script: users with passwords from a file of lines NAME:PASSWORD, their registrations in memory, and calls to
where they are registered. Enable it in place of regfile.

    [scripts]
    registrar.py=/etc/jackfield/users"""
import sys
import time

import jackfield

script = jackfield.Script()
with open(sys.argv[1], encoding="utf-8") as file:
    passwords = dict(line.rstrip("\n").split(":", 1) for line in file if ":" in line and not line.startswith("#"))
bindings: dict[str, tuple[str, float]] = {}  # one for each user: the newest


@script.handle("user.auth", priority=50)
def auth(message: jackfield.Message):
    return passwords.get(message["username"])


@script.handle("user.register", priority=50)
def register(message: jackfield.Message):
    if message["username"] not in passwords:
        return False
    bindings[message["username"]] = (message["data"], time.time() + int(message["expires"] or 600))
    return True


@script.handle("user.unregister", priority=50)
def unregister(message: jackfield.Message):
    return bindings.pop(message["username"], None) is not None


@script.handle("call.route", priority=50)
def route(message: jackfield.Message):
    if message["called"] not in passwords:
        return False
    data, until = bindings.get(message["called"], ("", 0.0))
    if until > time.time():
        return data
    message["error"] = "offline"
    return "-"


script.run()
