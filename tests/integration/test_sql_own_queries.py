"""Queries of one's own for a schema of one's own: the shape of Yate's PostgreSQL samples (one row a user, one place he is at), and tables with
other names. On PostgreSQL, which those queries are for, and where they can be said in it on SQLite."""
import time

from jackfield_test import Case, main, wait_for, yate_queries
from jackfield_test.sql import ACCOUNT, OnPostgres, OnSqlite

PASSWORD = "an old song"
EVERYTHING = ("user.auth", "user.register", "user.unregister", "engine.timer", "call.route", "call.cdr", "linetracker")


class OwnQueries:
    SCHEMA = QUERIES = None

    def setUp(self):
        super().setUp()
        keys = self.start_database()
        self.database.sql(self.SCHEMA + "; SELECT 1")
        queries = {section: dict(keys) for section, keys in self.QUERIES.items()}
        queries["general"] = {**{name: "yes" for name in EVERYTHING}, "expires": "1", **queries.get("general", {})}
        queries["default"] = {"account": ACCOUNT, "priority": "50"}
        self.jackfield = self.server(modules=("sip", "callfork", "cdrbuild", self.DATABASE_MODULE, "register"),
                                     settings={self.DATABASE_MODULE: {ACCOUNT: keys}, "register": queries, "sip": {"registrar": {"expires_min": 2}}})

    def rows(self, query):
        return [line.split("|") for line in self.database.sql(query).splitlines()]

    def user(self, name, password=PASSWORD, **options):
        return self.phone(self.jackfield, name, password, **options)

    def call(self, caller, callee):
        call = caller.invite(callee.user)
        incoming = callee.incoming()
        incoming.accept()
        call.answered()
        return call, incoming


class YateQueries(OwnQueries):
    """One binding a user: registering replaces it, un-registering empties it, a sweep forgets what has expired."""

    def location_of(self, user):
        return self.database.sql(f"SELECT location FROM users WHERE username = '{user}'")

    def test_YT_13_registration_call_record_and_count(self):
        callee, caller = self.user("101"), self.user("102")
        callee.register()
        self.assertTrue(self.location_of("101").startswith("sip/sip:101@"), self.location_of("101"))
        call, incoming = self.call(caller, callee)
        wait_for("both ends to be counted", lambda: self.rows("SELECT username, inuse FROM users ORDER BY username")[:2] == [["101", "1"], ["102", "1"]])
        call.bye()
        incoming.hung_up()
        wait_for("the counts to return", lambda: self.rows("SELECT sum(inuse) FROM users") == [["0"]])
        wait_for("both records", lambda: len(self.rows("SELECT billid FROM cdr WHERE ended")) == 2)
        self.assertEqual(sorted(self.rows("SELECT direction, caller, called, status FROM cdr")),
                         [["incoming", "102", "101", "answered"], ["outgoing", "102", "101", "answered"]])
        callee.unregister()
        self.assertEqual(self.location_of("101"), "")
        caller.invite("101").refused(404)

    def test_D8_a_phone_that_registers_again_from_another_port_stays_reachable_after_its_old_contacts_expiry(self):
        old, new, caller = self.user("101"), self.user("101"), self.user("102")
        old.register(expires=2)
        self.assertEqual(set(new.register(expires=60).contacts), {new.contact})  # the store keeps one, and the 200 says so
        time.sleep(4)  # past the old one's end, and a sweep
        self.assertIn(new.contact.split("@")[1], self.location_of("101"))
        call, incoming = self.call(caller, new)
        call.bye()
        incoming.hung_up()

    def test_D8_the_end_of_a_replaced_contact_does_not_forget_the_newer(self):
        old, new, caller = self.user("101"), self.user("101"), self.user("102")
        old.register()
        new.register()
        old.unregister()
        self.assertIn(new.contact.split("@")[1], self.location_of("101"))
        self.call(caller, new)

    def test_ZY_3_the_sweep_forgets_what_has_expired(self):
        self.user("101").register(expires=2)
        wait_for("the row to be empty", lambda: self.location_of("101") == "", 8)

    def test_D1_a_user_without_a_password_is_not_let_in(self):
        self.user("103").register(status=403)
        self.assertIn("event=no-password user=103", self.jackfield.log)

    def test_YT_18_names_with_quotes_and_backslashes(self):
        for name in ("o'ne", "back\\slash", "both'\\'"):
            with self.subTest(name=name):
                phone = self.phone(self.jackfield, "x", PASSWORD, auth_user=name)
                phone.register(to_user="x", status=403)  # known, and To is not his
        self.assertEqual(self.rows("SELECT count(*) FROM users"), [["6"]])
        injected = self.phone(self.jackfield, "101", PASSWORD, auth_user="101' OR '1'='1")
        injected.register(status=401)


class YateQueriesOnPostgres(OnPostgres, YateQueries, Case):
    SCHEMA, QUERIES = yate_queries.SCHEMA, yate_queries.POSTGRES


class YateQueriesOnSqlite(OnSqlite, YateQueries, Case):
    SCHEMA, QUERIES = yate_queries.SCHEMA, yate_queries.SQLITE


class OtherNames(OwnQueries):
    """Tables, columns and divisions as somebody already has them."""
    SCHEMA = """
        CREATE TABLE "the people" (nick TEXT PRIMARY KEY, "pass word" TEXT);
        CREATE TABLE places (who TEXT PRIMARY KEY, at_ TEXT, gone_at BIGINT);
        CREATE TABLE texts (name TEXT PRIMARY KEY, body TEXT);
        CREATE TABLE journal (n TEXT, what TEXT);
        INSERT INTO "the people" VALUES ('101', 'an old song'), ('102', 'an old song');
        INSERT INTO texts VALUES ('route', 'SELECT at_ AS goes_to FROM places WHERE who=''${called}'' AND gone_at>''${now}''')"""
    QUERIES = {
        "user.auth": {"query": "SELECT \"pass word\" AS secret, nick AS \"x nick\" FROM \"the people\" WHERE nick='${username}'", "result": "secret"},
        "user.register": {"query": "INSERT INTO places VALUES ('${username}','${data}','${expires_at}') ON CONFLICT (who) DO UPDATE SET at_=excluded.at_,gone_at=excluded.gone_at"},
        "user.unregister": {"query": "DELETE FROM places WHERE who='${username}'"},
        "engine.timer": {"query": "DELETE FROM places WHERE gone_at<='${now}'"},
        "call.route": {"query": "@SELECT body FROM texts WHERE name='route'", "result": "goes_to"},
        "call.cdr": {"query": "INSERT INTO journal VALUES ('${cdrid}', 'call of ${caller} to ${called}: ${status}')"},
        "linetracker": {"cdr_initialize": "INSERT INTO journal VALUES ('${cdrid}', 'up')"},
    }

    def test_YT_18_a_schema_with_other_names_and_a_query_that_the_database_holds(self):
        callee, caller = self.user("101"), self.user("102")
        callee.register()
        call, incoming = self.call(caller, callee)
        call.bye()
        incoming.hung_up()
        wait_for("the records", lambda: len(self.rows("SELECT what FROM journal")) == 4)
        self.assertEqual(sorted(what for what, in self.rows("SELECT what FROM journal")), ["call of 102 to 101: answered"] * 2 + ["up"] * 2)


class HuntGroup(OwnQueries):
    """Several rows are targets to be tried one after another (`fallback`)."""
    SCHEMA = """
        CREATE TABLE users (username TEXT PRIMARY KEY, password TEXT, location TEXT);
        CREATE TABLE hunt (number TEXT, place INTEGER, member TEXT);
        INSERT INTO users VALUES ('101', 'an old song', NULL), ('102', 'an old song', NULL), ('103', 'an old song', NULL);
        INSERT INTO hunt VALUES ('500', 1, '101'), ('500', 2, '102')"""
    QUERIES = {
        "general": {"fallback": "yes", "stoperror": "rejected", "call.cdr": "no", "linetracker": "no", "engine.timer": "no"},
        "user.auth": {"query": "SELECT password FROM users WHERE username='${username}'", "result": "password"},
        "user.register": {"query": "UPDATE users SET location='${data}' WHERE username='${username}'"},
        "user.unregister": {"query": "UPDATE users SET location=NULL WHERE username='${username}'"},
        "call.route": {"query": "SELECT location FROM users JOIN hunt ON member=username WHERE number='${called}' ORDER BY place", "result": "location"},
    }

    def setUp(self):
        super().setUp()
        self.first, self.second, self.caller = self.user("101"), self.user("102"), self.user("103")
        self.first.register()
        self.second.register()

    def refuse(self, status):
        incoming = self.first.incoming()
        incoming.reply(status)
        incoming.expect_request("ACK")

    def test_YT_13_the_next_row_rings_when_the_one_before_has_refused(self):
        call = self.caller.invite("500")
        self.refuse(486)
        incoming = self.second.incoming()
        incoming.accept()
        call.answered()
        call.bye()
        incoming.hung_up()

    def test_the_last_refusal_is_the_callers(self):
        call = self.caller.invite("500")
        self.refuse(480)
        incoming = self.second.incoming()
        incoming.reply(486)
        incoming.expect_request("ACK")
        call.refused(486)

    def test_stoperror_ends_it(self):
        call = self.caller.invite("500")
        self.refuse(406)
        call.refused(406)
        self.second.expect_nothing(0.3, "INVITE")

    def test_an_answered_call_that_ends_rings_nobody_else(self):
        call = self.caller.invite("500")
        incoming = self.first.incoming()
        incoming.accept()
        call.answered()
        incoming.bye()
        call.hung_up()
        self.second.expect_nothing(0.3, "INVITE")


class HuntGroupOnSqlite(OnSqlite, HuntGroup, Case):
    pass


class HuntGroupOnPostgres(OnPostgres, HuntGroup, Case):
    pass


class OtherNamesOnSqlite(OnSqlite, OtherNames, Case):
    pass


class OtherNamesOnPostgres(OnPostgres, OtherNames, Case):
    pass


main()
