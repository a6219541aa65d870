#!/usr/bin/python3
"""Routes calls by a table: lines PREFIX,TARGET, the longest prefix wins; what follows the prefix replaces {} in the target.

    [scripts]
    route_by_table.py=/etc/jackfield/routes.csv

The table is read again when it changes."""
import csv
import os
import sys

import jackfield

script = jackfield.Script()
path = sys.argv[1]
table: dict[str, str] = {}
read_at = None


def routes() -> dict[str, str]:
    global table, read_at
    changed = os.stat(path).st_mtime_ns
    if changed != read_at:
        with open(path, newline="", encoding="utf-8") as file:
            table = {row[0].strip(): row[1].strip() for row in csv.reader(file) if len(row) >= 2 and not row[0].startswith("#")}
        read_at = changed
    return table


@script.handle("call.route", priority=50)
def route(message: jackfield.Message):
    called = message["called"]
    for length in range(len(called), 0, -1):
        if target := routes().get(called[:length]):
            return target.replace("{}", called[length:])
    return None


script.run()
