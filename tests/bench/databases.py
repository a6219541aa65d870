"""Users and bindings in SQL, for the servers that are compared: made anew for each run, so that every run begins alike."""
import contextlib
import hashlib
import sqlite3

_ROLE = "bench"
_KAMAILIO_TABLES = "/usr/share/kamailio/postgres/{}-create.sql"  # of the package kamailio-postgres-modules
_FIRST = 1000000


def prepare(postgres):
    postgres.sql(f"CREATE ROLE {_ROLE} LOGIN SUPERUSER PASSWORD '{_ROLE}'")


def _new_database(postgres, name):
    postgres.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    postgres.sql(f"CREATE DATABASE {name}")


def for_kamailio(postgres, users):
    """Answers where Kamailio finds it."""
    _new_database(postgres, "kamailio")
    for module in ("standard", "usrloc", "auth_db"):
        with open(_KAMAILIO_TABLES.format(module), encoding="utf-8") as file:
            postgres.sql(file.read(), database="kamailio")
    postgres.sql(f"INSERT INTO subscriber (username, domain, password) SELECT 'u' || i, '127.0.0.1', 's' || i FROM "
                 f"generate_series({_FIRST}, {_FIRST + users - 1}) i; ANALYZE", database="kamailio")
    return f"postgres://{_ROLE}:{_ROLE}@{postgres.address}:{postgres.port}/kamailio"


def keys_on_postgres(postgres):
    """Of an account of Jackfield's on an empty database."""
    _new_database(postgres, "jackfield")
    return {"host": postgres.address, "port": postgres.port, "database": "jackfield", "user": _ROLE, "password": _ROLE}


def add_users_to_postgres(postgres, users):
    postgres.sql(f"INSERT INTO users (username, ha1_md5, ha1_realm) SELECT 'u' || i, md5('u' || i || ':bench:s' || i), 'bench' FROM "
                 f"generate_series({_FIRST}, {_FIRST + users - 1}) i; ANALYZE", database="jackfield")


def add_users_to_sqlite(path, users):
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany("INSERT INTO users (username, ha1_md5, ha1_realm) VALUES (?, ?, 'bench')",
                               ((f"u{i}", hashlib.md5(f"u{i}:bench:s{i}".encode()).hexdigest()) for i in range(_FIRST, _FIRST + users)))
