#!/usr/bin/python3
"""Prints calls as they happen. Run it by hand: watch_calls.py /run/jackfield/scripts, the path of a listener, or HOST:PORT."""
import sys

import jackfield

script = jackfield.Script(sys.argv[1])


def show(what: str, message: jackfield.Message) -> None:
    print(what, message["id"], message["caller"], "->", message["called"], message["reason"], flush=True)


@script.watch("call.execute")
def executed(message: jackfield.Message):
    show("calls  ", message)


@script.watch("call.answered")
def answered(message: jackfield.Message):
    show("answers", message)


@script.watch("chan.hangup")
def hung_up(message: jackfield.Message):
    show("ends   ", message)


script.run()
