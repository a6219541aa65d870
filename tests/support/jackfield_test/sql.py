"""The two databases a test runs on: classes derived from OnSqlite and from OnPostgres hold the same tests.

    class Registrations: …tests, with self.database and self.settings…
    class RegistrationsOnSqlite(OnSqlite, Registrations, Case): pass
    class RegistrationsOnPostgres(OnPostgres, Registrations, Case): pass
"""
import os
import re
import sqlite3

ACCOUNT = "jackfield"


def shipped():
    """The sections of conf.d/register.conf with the lines that are in force, for a server's settings."""
    sections, lines = {}, []
    with open(os.path.join(os.environ["JACKFIELD_SOURCE"], "conf.d", "register.conf"), encoding="utf-8") as file:
        text = re.sub(r"\\\n\s*", "", file.read())
    for line in text.splitlines():
        if match := re.match(r"\[(.*)\]", line):
            lines = sections.setdefault(match[1], {})
        elif line and not line.startswith(";"):
            key, _, value = line.partition("=")
            lines[key] = value
    return sections


class SqliteFile:
    """A file that the server writes and the test reads."""

    def __init__(self, path):
        self.path = path

    def sql(self, text):
        """What the last statement gives, as psql prints it: columns separated by `|`, a line for each row."""
        with sqlite3.connect(self.path, timeout=10) as connection:
            *first, last = [part for part in text.split(";") if part.strip()]
            for part in first:
                connection.execute(part)
            rows = connection.execute(last).fetchall()
        connection.close()
        return "\n".join("|".join("" if cell is None else str(cell) for cell in row) for row in rows)


class OnSqlite:
    DATABASE_MODULE = "sqlitedb"
    IS_POSTGRES = False

    def start_database(self):
        """Answers the account's keys."""
        path = os.path.join(self.folder, "test.db")
        self.database = SqliteFile(path)
        return {"database": path}


class OnPostgres:
    DATABASE_MODULE = "pgsqldb"
    IS_POSTGRES = True

    def start_database(self):
        self.database = self.postgres(fsync=False)
        return self.database.settings
