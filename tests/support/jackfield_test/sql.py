"""The two databases a test runs on: classes derived from OnSqlite and from OnPostgres hold the same tests.

    class Registrations: …tests, with self.database and self.settings…
    class RegistrationsOnSqlite(OnSqlite, Registrations, Case): pass
    class RegistrationsOnPostgres(OnPostgres, Registrations, Case): pass
"""
import hashlib
import itertools
import os
import re
import sqlite3
import sys
import zlib

from .postgres import Postgres

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


def add_user(database, name, password, realm="Yate", **columns):
    """A row of the shipped table of users, made without a command."""
    row = {"username": name, "ha1_md5": hashlib.md5(f"{name}:{realm}:{password}".encode()).hexdigest(), "ha1_realm": realm, **columns}
    values = ", ".join("'" + str(value).replace("'", "''") + "'" for value in row.values())
    database.sql(f"INSERT INTO users ({', '.join(row)}) VALUES ({values})")


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


class PostgresDatabase:
    """One database of a server that the tests of a class share."""

    def __init__(self, server, name):
        self._server, self._name = server, name
        server.sql(f"CREATE DATABASE {name}", database="postgres")

    def sql(self, text):
        return self._server.sql(text, database=self._name)

    @property
    def settings(self):
        return {**self._server.settings, "database": self._name}


class OnPostgres:
    DATABASE_MODULE = "pgsqldb"
    IS_POSTGRES = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        number = zlib.crc32(f"{cls.__module__}.{cls.__qualname__} {os.path.basename(sys.argv[0])}".encode())
        cls._server = Postgres(f"127.{1 + number % 254}.{number >> 8 & 255}.{20 + (number >> 16) % 200}", fsync=False)
        cls.addClassCleanup(cls._server.close)
        cls._server.start()
        cls._numbers = itertools.count(1)

    def start_database(self):
        self.database = PostgresDatabase(self._server, f"test_{next(self._numbers)}")
        return self.database.settings
