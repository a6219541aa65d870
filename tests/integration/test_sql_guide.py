"""What share/doc/databases.md says, done as it says it, on the shipped conf.d: the commands, then a phone that registers."""
import os
import re
import shutil

from jackfield_test import Case, main
from jackfield_test.sql import ACCOUNT, OnPostgres, OnSqlite

SOURCE = os.environ["JACKFIELD_SOURCE"]
with open(os.path.join(SOURCE, "share", "doc", "databases.md"), encoding="utf-8") as _file:
    GUIDE = _file.read()


class Guide:
    def test_its_commands_lead_to_a_phone_that_registers(self):
        server = self.server({"101": "an old song"}, start=False)
        for name in os.listdir(os.path.join(SOURCE, "conf.d")):
            if name not in ("sip.conf", "regfile.conf", "cdrfile.conf"):
                shutil.copy(os.path.join(SOURCE, "conf.d", name), server.conf)
        self.write_account(server)
        printed = {}
        for line in re.search(rf"```sh {self.LANGUAGE}\n(.*?)```", GUIDE, re.DOTALL)[1].splitlines():
            words = line.split()
            self.assertEqual(words[0], "jackfield")
            printed[line] = server.command(*words[1:]).stdout
        self.assertIn(" 0 errors", printed["jackfield check"])
        server.start()
        password = re.search(r"Password: (\S+)", printed["jackfield user add 201"])[1]
        self.phone(server, "201", password).register()
        self.phone(server, "101", "an old song").register()  # who is in the file stays there


class GuideOnSqlite(OnSqlite, Guide, Case):
    LANGUAGE = "sqlite"

    def write_account(self, server):
        pass  # the shipped one


class GuideOnPostgres(OnPostgres, Guide, Case):
    LANGUAGE = "postgresql"

    def write_account(self, server):
        self.assertRegex(GUIDE, rf"```ini pgsqldb.conf\n\[{ACCOUNT}\]\nhost=")
        with open(os.path.join(server.conf, "pgsqldb.conf"), "w", encoding="utf-8") as file:
            file.write(f"[{ACCOUNT}]\n" + "".join(f"{key}={value}\n" for key, value in self.start_database().items()))


main()
