"""SQL in every field of SIP that reaches a query: it stays data, on SQLite and PostgreSQL, with the shipped queries and with Yate's own (YT-18)."""
import re
import time
import urllib.parse

from jackfield_test import Case, Message, main, wait_for, yate_queries
from jackfield_test.sql import ACCOUNT, OnPostgres, OnSqlite, add_user, shipped

PASSWORD = "an old song"
EVERYTHING = ("user.auth", "user.register", "user.unregister", "engine.timer", "call.route", "call.cdr", "linetracker")

HOSTILE = (
    "' OR '1'='1", "'; DROP TABLE users; --", "\\'; DELETE FROM users; --", "'||(SELECT max(username) FROM users)||'", "x' UNION SELECT 'sip/sip:evil@127.0.0.1",
    "101'/*", "$$; DROP TABLE users; $$", "${username}'; DROP TABLE users", "$(password)", "%27; DROP TABLE users; --", "\u02bc; DROP TABLE users; --", "\udcbf' OR 1=1 --",
    "1; UPDATE users SET username='gone'", "E'\\x27", '"; DROP TABLE users; --')


def in_uri(text):
    """As the user part of a URI may have it, unless it has what would end that part."""
    return urllib.parse.quote(text, safe="'();*+$,&=-_.!~", errors="surrogateescape")


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def change(header, pattern, by):
    """A change of the first header of that name: what matches becomes by(hostile)."""
    def apply(message, hostile):
        for index, (name, value) in enumerate(message.headers):
            if name.lower() == header.lower():
                message.headers[index] = (name, re.sub(pattern, lambda _: by(hostile), value, count=1))
                return
        raise AssertionError(f"no {header} in\n{message}")
    return apply


def add(header, by):
    return lambda message, hostile: message.headers.append((header, by(hostile)))


# Of any request.
COMMON = {
    "From display name": change("From", r"^", lambda h: quoted(h) + " "),
    "From tag": change("From", r"tag=.*", lambda h: "tag=" + h),
    "To display name": change("To", r"^", lambda h: quoted(h) + " "),
    "Call-ID": change("Call-ID", r".*", lambda h: h),
    "Via branch": change("Via", r"branch=.*", lambda h: "branch=z9hG4bK" + h),
    "Via host": change("Via", r"UDP [^;]*", lambda h: "UDP " + h),
    "User-Agent": add("User-Agent", lambda h: h),
    "Contact user": change("Contact", r"sip:[^@]*@", lambda h: f"sip:{in_uri(h)}@"),
    "Contact user, as it is": change("Contact", r"sip:[^@]*@", lambda h: f"sip:{h}@"),
    "Contact URI parameter": change("Contact", r">", lambda h: f";x={in_uri(h)}>"),
    "Contact display name": change("Contact", r"^", lambda h: quoted(h) + " "),
    "Supported": add("Supported", lambda h: h),
    "digest username": change("Authorization", r'username="[^"]*"', lambda h: "username=" + quoted(h)),
    "digest username, as it is": change("Authorization", r'username="[^"]*"', lambda h: f'username="{h}"'),
    "digest realm": change("Authorization", r'realm="[^"]*"', lambda h: "realm=" + quoted(h)),
    "digest nonce": change("Authorization", r'nonce="[^"]*"', lambda h: "nonce=" + quoted(h)),
    "digest uri": change("Authorization", r'uri="[^"]*"', lambda h: "uri=" + quoted(h)),
    "digest cnonce": change("Authorization", r'cnonce="[^"]*"', lambda h: "cnonce=" + quoted(h)),
    "digest nc": change("Authorization", r'nc=[^,]*', lambda h: "nc=" + h),
    "digest response": change("Authorization", r'response="[^"]*"', lambda h: "response=" + quoted(h)),
    "digest opaque": change("Authorization", r"$", lambda h: ", opaque=" + quoted(h)),
}
REGISTER = {
    **COMMON,
    "To user": change("To", r"sip:[^@]*@", lambda h: f"sip:{in_uri(h)}@"),
    "instance": change("Contact", r"$", lambda h: ";+sip.instance=" + quoted(f"<{h}>")),
    "instance and reg-id": change("Contact", r"$", lambda h: f';+sip.instance="<urn:x>";reg-id={h}'),
    "q": change("Contact", r"$", lambda h: ";q=" + h),
    "Contact's expires": change("Contact", r"$", lambda h: ";expires=" + h),
    "Expires": add("Expires", lambda h: h),
    "Path": add("Path", lambda h: f"<sip:{in_uri(h)}@127.0.0.1;lr>"),
}
INVITE = {
    **COMMON,
    "From user": change("From", r"sip:[^@]*@", lambda h: f"sip:{in_uri(h)}@"),
    "To user": change("To", r"sip:[^@]*@", lambda h: f"sip:{in_uri(h)}@"),
    "Subject": add("Subject", lambda h: h),
    "Diversion": add("Diversion", lambda h: f"<sip:{in_uri(h)}@127.0.0.1>;reason={h}"),
    "P-Asserted-Identity": add("P-Asserted-Identity", lambda h: f"{quoted(h)} <sip:{in_uri(h)}@127.0.0.1>"),
}


class Injection:
    """USERS and the rest are what must be there afterwards as it was before."""

    def setUp(self):
        super().setUp()
        keys = self.start_database()
        self.jackfield = self.server(start=False, modules=("sip", "callfork", "cdrbuild", self.DATABASE_MODULE, "register"),
                                     settings={self.DATABASE_MODULE: {ACCOUNT: keys}, "register": self.queries(),
                                               "sip": {"general": {"check_from": "no"}, "guard": {"overload": "0", "exempt": "127.0.0.0/8"}}})
        self.make_tables()
        self.jackfield.start()
        self.callee, self.caller = self.phone(self.jackfield, "101", PASSWORD), self.phone(self.jackfield, "102", PASSWORD)
        self.callee.register()
        self.before = self.state()

    def state(self):
        tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename" if self.IS_POSTGRES \
            else "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
        return self.database.sql(self.USERS), self.database.sql(tables).replace("jackfield_applied\n", "")

    def expect_untouched(self):
        self.assertEqual(self.state(), self.before)
        if self.IS_POSTGRES:
            refused = [line for line in self._server.log.splitlines() if "ERROR:" in line and 'relation "jackfield_applied" does not exist' not in line]
            self.assertEqual(refused, [])
        self.assertNotIn("syntax error", self.jackfield.log)
        self.assertNotIn("event=record-refused", self.jackfield.log)

    def credentials(self, phone, method, uri):
        """One challenge serves many requests."""
        if not phone._offer:
            probe = phone.send(phone.register_request([]))
            phone.credentials(phone.expect(401, "REGISTER"), "REGISTER", probe.uri)
            phone._count = 0
        name, value = phone.credentials(self._challenge(phone), method, uri)
        return ("Authorization", value)

    @staticmethod
    def _challenge(phone):
        offer = phone._offer
        fields = ", ".join(f'{key}="{value}"' for key, value in offer.items())
        return Message("SIP/2.0 401 Unauthorized", [("WWW-Authenticate", "Digest " + fields)])

    def final_answer(self, phone, seconds=0.4):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            answer = phone.receive(left)
            if answer is not None and answer.is_response and answer.status >= 200:
                return answer
        return None

    def try_fields(self, fields, make, see):
        """Every hostile text in every field of what make() gives."""
        answered = 0
        for field, apply in fields.items():
            for hostile in HOSTILE:
                message = make()
                apply(message, hostile)
                self.caller.send(message)
                answer = self.final_answer(self.caller)
                if answer is None:
                    self.caller._offer = None  # perhaps it did not hear of the nonce
                    continue
                answered += 1
                with self.subTest(field=field, hostile=hostile):
                    see(field, message, answer)
        self.assertGreater(answered, len(fields) * len(HOSTILE) / 2)

    def test_YT_18_REGISTER(self):
        def make():
            message = self.caller.register_request(call_id=self.caller.new_id(), expires=60)
            message.headers.append(self.credentials(self.caller, "REGISTER", message.uri))
            return message

        def see(field, message, answer):
            if field in ("digest username", "digest username, as it is", "digest realm", "digest nonce", "digest response", "To user"):
                self.assertNotEqual(answer.status, 200)
        self.try_fields(REGISTER, make, see)
        self.expect_untouched()
        self.caller._offer = None
        self.caller.register(["*"], expires=0)
        self.expect_only_users()
        # What was said arrives as it was said.
        for hostile in HOSTILE:
            if "\udcbf" not in hostile:
                self.caller.register(headers=[("User-Agent", hostile)])
                self.expect_device(hostile)

    def test_YT_18_INVITE_and_its_records(self):
        def make():
            uri = f"sip:nobody@{self.caller.domain}"
            message = self.caller.request("INVITE", uri, body=self.caller.sdp(), headers=[
                ("Contact", f"<{self.caller.contact}>"), ("Content-Type", "application/sdp"), self.credentials(self.caller, "INVITE", uri)])
            return message

        def see(field, message, answer):
            self.assertGreaterEqual(answer.status, 300)
            ack = Message(message.start.replace("INVITE", "ACK"), [("Via", message["via"]), ("From", message["from"]), ("To", answer["to"]),
                                                                   ("Call-ID", message["call-id"]), ("CSeq", message["cseq"].replace("INVITE", "ACK"))])
            self.caller.send(ack)
        self.try_fields(INVITE, make, see)
        # Who is called is what the route is asked for.
        for hostile in HOSTILE:
            uri = f"sip:{in_uri(hostile)}@{self.caller.domain}"
            message = self.caller.request("INVITE", uri, body=self.caller.sdp(), headers=[
                ("Contact", f"<{self.caller.contact}>"), ("Content-Type", "application/sdp"), self.credentials(self.caller, "INVITE", uri)])
            self.caller.send(message)
            answer = self.final_answer(self.caller, 3)
            self.assertIsNotNone(answer, hostile)
            see("Request-URI", message, answer)
            self.assertIn(answer.status, (400, 404), hostile)  # nobody has such a name, nor can he where it is no text
        wait_for("all records to be written", lambda: "backlog=0,refused=0" in self.jackfield.command("status", "register").stdout, 10)
        self.expect_untouched()

    def test_YT_18_an_answered_call_of_a_hostile_caller_is_recorded_as_it_was(self):
        hostile = "o'ne'; DROP TABLE users; --"
        phone = self.phone(self.jackfield, in_uri(hostile), PASSWORD, auth_user="102")
        call = phone.invite("101", headers=[("User-Agent", hostile), ("Subject", hostile)])
        incoming = self.callee.incoming()
        incoming.accept()
        call.answered()
        call.bye(headers=[("Reason", f"SIP;cause=200;text={quoted(hostile)}")])
        incoming.hung_up()
        wait_for("both records", lambda: self.database.sql(self.ENDED) == "2")
        self.assertEqual(set(self.database.sql(self.CALLERS).splitlines()), {hostile})
        self.expect_untouched()


class ShippedQueries(Injection):
    USERS = "SELECT username, ha1_md5, ha1_realm, enabled FROM users ORDER BY username"
    ENDED = "SELECT count(*) FROM calls WHERE ended = 1"
    CALLERS = "SELECT caller FROM calls"

    def queries(self):
        return shipped()

    def make_tables(self):
        self.jackfield.command("db", "init", ACCOUNT)
        for user in ("101", "102", "103"):
            add_user(self.database, user, PASSWORD)

    def expect_only_users(self):
        self.assertEqual(self.database.sql("SELECT DISTINCT username FROM bindings"), "101")

    def expect_device(self, text):
        self.assertEqual(self.database.sql("SELECT device FROM bindings WHERE username = '102'"), text)


class YatesQueries(Injection):
    USERS = "SELECT username, password, inuse FROM users ORDER BY username"
    ENDED = "SELECT count(*) FROM cdr WHERE ended"
    CALLERS = "SELECT caller FROM cdr"

    def queries(self):
        queries = {section: dict(keys) for section, keys in (yate_queries.POSTGRES if self.IS_POSTGRES else yate_queries.SQLITE).items()}
        return {**queries, "general": {name: "yes" for name in EVERYTHING}, "default": {"account": ACCOUNT}}

    def make_tables(self):
        self.database.sql(yate_queries.SCHEMA + "; SELECT 1")

    def expect_only_users(self):
        self.assertEqual(self.database.sql("SELECT username FROM users WHERE location IS NOT NULL"), "101")

    def expect_device(self, text):
        self.assertIn("102@", self.database.sql("SELECT location FROM users WHERE username = '102'"))


class ShippedQueriesOnSqlite(OnSqlite, ShippedQueries, Case):
    pass


class ShippedQueriesOnPostgres(OnPostgres, ShippedQueries, Case):
    pass


class YatesQueriesOnSqlite(OnSqlite, YatesQueries, Case):
    pass


class YatesQueriesOnPostgres(OnPostgres, YatesQueries, Case):
    pass


main()
