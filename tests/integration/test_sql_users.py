"""Phones, calls and their records with users in SQL: the shipped register.conf on the schema of share/sql, on SQLite and on PostgreSQL."""
import re
import time

from jackfield_test import Case, main, wait_for
from jackfield_test.sql import ACCOUNT, OnPostgres, OnSqlite, shipped


class SqlUsers:
    def setUp(self):
        super().setUp()
        keys = self.start_database()
        self.jackfield = self.server(start=False, modules=("sip", "callfork", "cdrbuild", self.DATABASE_MODULE, "register"),
                                     settings={self.DATABASE_MODULE: {ACCOUNT: keys}, "register": shipped(), "sip": {"registrar": {"expires_min": 2}}})
        self.jackfield.command("db", "init", ACCOUNT)

    def add(self, *users, **limits):
        for user in users:
            options = ["--calls", str(limits[user])] if user in limits else []
            added = self.jackfield.command("user", "add", user, *options)
            self.passwords = {**getattr(self, "passwords", {}), user: re.search(r"Password: (\S+)", added.stdout)[1]}

    def user(self, name, **options):
        return self.phone(self.jackfield, name, self.passwords[name], **options)

    def rows(self, query):
        text = self.database.sql(query)
        return [line.split("|") for line in text.splitlines()]

    def call(self, caller, callee):
        call = caller.invite(callee.user)
        incoming = callee.incoming()
        incoming.accept()
        call.answered()
        return call, incoming

    def in_use(self):
        return {name: int(count) for name, count in self.rows("SELECT username, inuse FROM users_in_use")}

    # --- the schema and its commands

    def test_the_schema_is_made_once_and_brought_up_to_date(self):
        again = self.jackfield.command("db", "init", ACCOUNT, check=False)
        self.assertEqual(again.returncode, 1)
        self.assertIn("jackfield db upgrade", again.stderr)
        self.assertIn("version 2", self.jackfield.command("db", "upgrade", ACCOUNT).stdout)
        self.assertEqual(self.rows("SELECT count(*) FROM jackfield_schema"), [["2"]])
        nowhere = self.jackfield.command("db", "init", "elsewhere", check=False)
        self.assertEqual(nowhere.returncode, 1)
        self.assertIn("elsewhere", nowhere.stderr)

    def test_tables_of_an_older_version_get_what_is_new_and_keep_what_is_in_them(self):
        self.database.sql("INSERT INTO users (username) VALUES ('101'); DROP INDEX bindings_connection; CREATE INDEX bindings_node ON bindings (nodename); "
                          "DELETE FROM jackfield_schema WHERE version > 1")
        upgraded = self.jackfield.command("db", "upgrade", ACCOUNT).stdout
        self.assertIn("002-connections", upgraded)
        self.assertNotIn("001", upgraded)
        self.assertEqual(self.rows("SELECT username FROM users"), [["101"]])

    def test_YT_18_check_says_how_the_values_of_each_query_go_to_the_database(self):
        checked = self.jackfield.command("db", "check").stdout.splitlines()
        self.assertIn("[user.auth] query: 1 values bound", checked)
        self.assertEqual([line for line in checked if not line.endswith(" values bound")], [])
        self.assertEqual(len(checked), 15)
        queries = self.jackfield.settings["register"]
        queries["user.auth"]["query"] = "SELECT nothing FROM users WHERE username = '${username}'"
        queries["engine.timer"]["query"] = "SELECT 1 FROM users WHERE username LIKE 'x${now}%' AND number = '${now}'"
        if self.IS_POSTGRES:
            queries["user.unregister"]["query"] = "SELECT CAST(now() + INTERVAL '${expires}' AS TEXT)"
        self.jackfield.write_settings()
        refused = self.jackfield.command("db", "check", check=False)
        self.assertEqual(refused.returncode, 1)
        said = dict(line.split(": ", 1) for line in refused.stdout.splitlines())
        self.assertRegex(said["[user.auth] query"], "^refused: .*nothing")
        self.assertEqual(said["[engine.timer] query"], "1 values bound, others escaped within longer texts")
        if self.IS_POSTGRES:
            self.assertRegex(said["[user.unregister] query"], "^values are escaped within the text, for with parameters: syntax error")
        self.assertEqual(self.rows("SELECT count(*) FROM users"), [["0"]])  # nothing was run

    def test_user_add_passwd_list_and_remove(self):
        self.add("101", "o'ne", **{"o'ne": 2})
        listed = self.jackfield.command("user", "list").stdout
        self.assertIn("101\thashed password\n", listed)
        self.assertIn("o'ne\thashed password, 2 calls at once\n", listed)
        self.assertEqual(self.jackfield.command("user", "add", "101", check=False).returncode, 1)
        self.assertNotIn(self.passwords["101"], self.database.sql("SELECT ha1_md5, ha1_sha256, ha1_realm FROM users"))
        self.jackfield.start()
        phone = self.user("101")
        phone.register()
        changed = self.jackfield.command("user", "passwd", "101").stdout
        newer = self.phone(self.jackfield, "101", re.search(r"Password: (\S+)", changed)[1])
        newer.register()
        self.jackfield.command("user", "remove", "101")
        self.assertEqual(self.rows("SELECT count(*) FROM bindings WHERE username = '101'"), [["0"]])
        self.assertEqual(self.jackfield.command("user", "passwd", "101", check=False).returncode, 1)

    def test_user_is_about_the_file_where_the_database_authenticates_nobody(self):
        settings = shipped()
        settings["general"]["user.auth"] = "no"
        server = self.server({"101": "an old song"}, start=False, address=self.address(2), modules=("sip", "regfile", self.DATABASE_MODULE, "register"),
                             settings={self.DATABASE_MODULE: self.jackfield.settings[self.DATABASE_MODULE], "register": settings})
        self.assertEqual(server.command("user", "list").stdout, "101\tpassword\n")
        self.assertIn("jackfield user", server.command("help", "user").stdout)

    # --- registration

    def test_YT_13_a_phone_registers_with_its_password_and_no_other(self):
        self.add("101")
        self.jackfield.start()
        self.user("101").register()
        self.assertEqual(self.rows("SELECT username, nodename <> '', expires > 0 FROM bindings")[0][0], "101")
        wrong = self.phone(self.jackfield, "101", "a new song")
        wrong.register(status=401)

    def test_YT_6_several_phones_of_a_user_and_YT_5_all_of_them_at_once(self):
        self.add("101")
        self.jackfield.start()
        one, two = self.user("101"), self.user("101")
        one.register()
        self.assertEqual(set(two.register().contacts), {one.contact, two.contact})
        self.assertEqual(self.rows("SELECT count(*) FROM bindings"), [["2"]])
        self.assertEqual(one.unregister().contacts.keys(), {two.contact})
        self.assertEqual(self.rows("SELECT count(*) FROM bindings"), [["1"]])
        two.register(["*"], expires=0)
        self.assertEqual(self.rows("SELECT count(*) FROM bindings"), [["0"]])

    def test_D8_a_restart_keeps_bindings_with_their_flow(self):
        self.add("101", "102")
        self.jackfield.start()
        phone = self.user("101")
        phone.register(expires=300)
        self.jackfield.kill()
        self.jackfield.start()
        listed = phone.register([]).contacts
        self.assertEqual(list(listed), [phone.contact])
        self.assertLessEqual(listed[phone.contact], 300)
        self.call(self.user("102"), phone)

    def test_a_connection_that_did_not_survive_the_server_is_no_binding(self):
        self.add("101", "102")
        self.jackfield.start()
        phone = self.user("101", transport="tcp")
        phone.register()
        self.assertEqual(self.rows("SELECT count(*) FROM bindings"), [["1"]])
        self.jackfield.kill()
        self.jackfield.start()
        wait_for("the row to be gone", lambda: self.rows("SELECT count(*) FROM bindings") == [["0"]])
        self.user("102").invite("101").refused(404)

    def test_an_expired_row_is_neither_routed_to_nor_kept(self):
        self.jackfield.settings["register"]["general"]["expires"] = "1"
        self.jackfield.write_settings()
        self.add("101", "102")
        self.jackfield.start()
        phone = self.user("101")
        phone.register(expires=2)
        self.database.sql("UPDATE bindings SET expires = 1; SELECT 1")
        self.user("102").invite("101").refused(404)
        wait_for("the sweep", lambda: self.rows("SELECT count(*) FROM bindings") == [["0"]])

    # --- calls

    def test_D11_a_user_rings_on_all_phones(self):
        self.add("101", "102")
        self.jackfield.start()
        one, two, caller = self.user("101"), self.user("101"), self.user("102")
        one.register()
        two.register()
        call = caller.invite("101")
        first, second = one.incoming(), two.incoming()
        second.reply(180)
        first.accept()
        call.answered()
        self.assertEqual(two.expect("CANCEL").method, "CANCEL")
        call.bye()
        first.hung_up()

    def test_YT_16_a_call_over_the_limit_of_the_called_user_is_busy_and_counts_return(self):
        self.add("101", "102", "103", "104", **{"101": 1})
        self.jackfield.start()
        phones = {name: self.user(name) for name in ("101", "102", "103", "104")}
        phones["101"].register()
        call, incoming = self.call(phones["102"], phones["101"])
        wait_for("the call to be counted", lambda: self.in_use()["101"] == 1)
        refused = phones["103"].invite("101").refused(486)
        self.assertIn("All lines of the called user are in use", refused.start)
        # Nor may he call out beside it; others may.
        refused = phones["101"].invite("104").refused(486)
        self.assertIn("All lines of the caller are in use", refused.start)
        call.bye()
        incoming.hung_up()
        wait_for("the counts to return", lambda: not any(self.in_use().values()))
        call, incoming = self.call(phones["103"], phones["101"])
        call.bye()
        incoming.hung_up()

    def test_YT_16_over_limit_may_be_503(self):
        self.jackfield.settings["register"]["call.route"]["over_limit"] = "noresource"
        self.jackfield.write_settings()
        self.add("101", "102", "103", **{"101": 1})
        self.jackfield.start()
        phones = {name: self.user(name) for name in ("101", "102", "103")}
        phones["101"].register()
        self.call(phones["102"], phones["101"])
        wait_for("the call to be counted", lambda: self.in_use()["101"] == 1)
        phones["103"].invite("101").refused(503)

    def test_YT_16_five_calls_counted_and_none_after_kill_9(self):
        self.add("101", *[f"20{i}" for i in range(5)])
        self.jackfield.start()
        phone = self.user("101")
        phone.register()
        for i in range(5):
            self.call(self.user(f"20{i}"), phone)
        wait_for("five calls", lambda: self.in_use()["101"] == 5)
        self.jackfield.kill()
        self.assertEqual(self.in_use()["101"], 5)
        self.jackfield.start()
        wait_for("none after the restart", lambda: not any(self.in_use().values()))
        wait_for("the records to be closed", lambda: self.rows("SELECT count(*) FROM calls WHERE ended = 0") == [["0"]])
        self.assertEqual(self.rows("SELECT count(*) FROM calls WHERE status = 'lost'"), [["10"]])

    def test_YT_17_a_record_for_each_leg_with_its_end(self):
        self.add("101", "102")
        self.jackfield.start()
        callee, caller = self.user("101"), self.user("102")
        callee.register()
        call, incoming = self.call(caller, callee)
        time.sleep(1.2)
        call.bye()
        incoming.hung_up()
        wait_for("both records", lambda: self.rows("SELECT count(*) FROM calls WHERE ended = 1") == [["2"]])
        for direction, caller_, called, status, billtime in self.rows("SELECT direction, caller, called, status, billtime FROM calls ORDER BY direction"):
            self.assertEqual((caller_, called, status), ("102", "101", "answered"))
            self.assertTrue(1.1 < float(billtime) < 2.5, billtime)
        self.assertEqual(len({billid for billid, in self.rows("SELECT billid FROM calls")}), 1)

    def test_D16_a_server_that_is_stopped_writes_the_end_of_its_calls_first(self):
        self.add("101", "102")
        self.jackfield.start()
        callee = self.user("101")
        callee.register()
        self.call(self.user("102"), callee)
        self.assertLess(self.jackfield.stop(), 2)
        self.assertEqual(self.rows("SELECT DISTINCT status, reason, ended FROM calls"), [["answered", "shutdown", "1"]])
        self.assertFalse(any(self.in_use().values()))

    def test_an_unknown_number_and_an_offline_user(self):
        self.add("101", "102")
        self.jackfield.start()
        caller = self.user("102")
        caller.invite("101").refused(404)
        caller.invite("999").refused(404)


class SqlUsersOnSqlite(OnSqlite, SqlUsers, Case):
    pass


class SqlUsersOnPostgres(OnPostgres, SqlUsers, Case):
    pass


main()
