"""What share/doc/connections.md says, done as it says it: its commands, against a Kamailio and phones at the addresses of its examples. And
what `connection add --type inbound` prints for the other side, in a Kamailio and in a server that reads Yate's files."""
import contextlib
import os
import re
import sqlite3
import subprocess

from jackfield_test import Case, main
from jackfield_test.processes import Process, wait_for

PASSWORD = "an old song"
with open(os.path.join(os.environ["JACKFIELD_SOURCE"], "share", "doc", "connections.md"), encoding="utf-8") as _file:
    GUIDE = _file.read()


class Guide(Case):
    def setUp(self):
        super().setUp()
        self.jackfield = self.server({"101": PASSWORD}, start=False)
        self.printed = {}
        self.does("once")
        self.jackfield.start()
        self.ann = self.phone(self.jackfield, "101", PASSWORD)
        self.ann.register()

    def does(self, block):
        """The commands of that block, with this test's addresses in place of the page's."""
        for line in re.search(rf"```sh {block}\n(.*?)```", GUIDE, re.DOTALL)[1].splitlines():
            piped = re.fullmatch(r"echo (\S+) \| (jackfield .*)", line)
            words = (piped[2] if piped else line).split()
            self.assertEqual(words[0], "jackfield")
            words = [re.sub(r"192\.0\.2\.(\d+)", lambda match: self.address(int(match[1])), word) for word in words[1:]]
            result = subprocess.run(self.jackfield._arguments(*words), input=piped[1] + "\n" if piped else "", capture_output=True, text=True, timeout=20)
            self.assertEqual(result.returncode, 0, f"{line}\n{result.stdout}{result.stderr}")
            self.printed[line.split("|")[-1].strip().split(" --")[0]] = result.stdout

    def online(self, name):
        wait_for(f"{name} to be online", lambda: re.search(rf"{name}=[^|]*\|online", self.jackfield.command("status", "sip accounts").stdout), 8)

    def talk(self, call, far):
        incoming = far.incoming(seconds=6)
        incoming.accept()
        call.answered()
        call.bye()
        incoming.hung_up()
        return incoming

    def test_a_registration_step_by_step(self):
        provider = self.kamailio(10, users={"4930123456": "far-secret"})
        self.does("registration")
        self.online("provider")
        self.assertIn("registration", self.jackfield.command("connection", "list").stdout)
        friend = self.phone(provider.address, "4930123456", "far-secret", address=self.address(8))
        provider.answers("", callee=f"sip:{friend.hostport}")
        self.talk(self.ann.invite("0555"), friend)
        provider.answers("")
        self.talk(self.phone(provider.address, "anybody", None, address=self.address(7)).invite("4930123456"), self.ann)
        # And the switches, with the trunk they take away.
        self.does("trunk")
        self.does("switches")
        self.online("provider")
        expires = [request.expires for request in provider.expect(5)]
        self.assertEqual([value for value in expires if value == 0], [0])
        self.assertNotIn("office", self.jackfield.command("connection", "list").stdout)

    def test_a_trunk_step_by_step(self):
        far = self.phone(self.jackfield, "far", None, address=self.address(20), port=5060)
        self.does("trunk")
        self.talk(self.ann.invite("7555"), far)
        self.talk(far.invite("101"), self.ann)

    def printed_for(self, heading):
        """What the page's inbound command prints below that heading."""
        said = self.printed["jackfield connection add branch"]
        return re.search(rf"^--- {heading}[^\n]*\n(.*?)(?=^--- |\Z)", said, re.DOTALL | re.MULTILINE)[1]

    def test_an_inbound_connection_step_by_step_with_a_phone(self):
        self.does("inbound")
        password = re.search(r"^Password: (\S+)$", self.printed["jackfield connection add branch"], re.MULTILINE)[1]
        pbx = self.phone(self.jackfield, "branch-pbx", password, address=self.address(9))
        pbx.register()
        self.assertTrue(self.talk(self.ann.invite("8555"), pbx).request.uri.startswith("sip:8555@"))
        self.talk(pbx.invite("101"), self.ann)

    def test_an_inbound_connection_with_what_it_prints_for_Yate(self):
        self.does("inbound")
        branch = self.server({"201": PASSWORD}, address=self.address(30), start=False)
        with open(os.path.join(branch.conf, "jackfield.conf"), "a") as file:
            file.write("accfile=yes\n")
        with open(os.path.join(branch.conf, "accfile.conf"), "w") as file:
            file.write(self.printed_for("Yate"))
        branch.start()
        wait_for("the branch to have registered", lambda: "branch=branch-pbx|online" in branch.command("status", "sip accounts").stdout, 8)
        bob = self.phone(branch, "201", PASSWORD, address=self.address(30))
        bob.register()
        # Out of here, the number is what the branch routes by; into here, the branch's users call by its line.
        call = self.ann.invite("8201")
        call.refused(404)  # the branch has no user 8201: it was asked for that very number

    def test_an_inbound_connection_with_what_it_prints_for_Kamailio(self):
        self.does("inbound")
        text = self.printed_for("Kamailio")
        columns, values = re.search(r"INSERT INTO uacreg \(([^)]*)\)\s*VALUES \(([^)]*)\)", text).groups()
        row = dict(zip(re.split(r",\s*", columns), (value.strip("'") for value in re.split(r",\s*", values))))
        self.assertEqual(row["auth_proxy"], f"sip:{self.address(1)}")
        folder = os.path.join(self.folder, "uac")
        os.makedirs(folder)
        address = self.address(31)
        names = ["id", "l_uuid", "l_username", "l_domain", "r_username", "r_domain", "realm", "auth_username", "auth_password", "auth_ha1", "auth_proxy",
                 "expires", "flags", "reg_delay", "contact_addr", "socket"]
        numbers = {"id": 1, "expires": 300, "flags": 0, "reg_delay": 0}
        kinds = [f"{name}({'int,auto' if name == 'id' else 'int' if name in numbers else 'string,null'})" for name in names]
        escaped = lambda value: str(value).replace("\\", "\\\\").replace(":", "\\:")
        cells = [escaped(numbers.get(name, row.get(name, "").replace("YOUR-ADDRESS", address))) for name in names]
        with open(os.path.join(folder, "uacreg"), "w") as file:
            file.write(" ".join(kinds) + "\n" + ":".join(cells) + "\n")
        with open(os.path.join(folder, "version"), "w") as file:
            file.write("table_name(string) table_version(int)\nuacreg:5\n")
        lines = "\n".join(line for line in text.splitlines() if line.startswith(("loadmodule", "modparam"))).replace("YOUR-ADDRESS", address)
        config = os.path.join(folder, "kamailio.cfg")
        with open(config, "w") as file:
            file.write(f'#!KAMAILIO\nlog_stderror=yes\nfork=yes\nchildren=2\nauto_aliases=no\ndns=no\nlisten=udp:{address}:5060\n'
                       'loadmodule "kex.so"\nloadmodule "tm.so"\nloadmodule "rr.so"\nloadmodule "sl.so"\nloadmodule "pv.so"\nloadmodule "db_text.so"\n'
                       f'{lines}\nmodparam("uac", "reg_db_url", "text://{folder}")\nmodparam("uac", "reg_timer_interval", 1)\n'
                       'request_route { sl_send_reply("486", "Busy Here"); exit; }\n')
        kamailio = Process(["kamailio", "-f", config, "-m", "64", "-M", "8", "-DD", "-E", "-P", os.path.join(folder, "pid"), "-Y", folder], folder, "kamailio-uac")
        self.addCleanup(kamailio.stop)
        try:
            wait_for("the Kamailio to register", lambda: address in self.jackfield.command("registration", "show", "branch-pbx", check=False).stdout, 12)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{kamailio.output[-4000:]}") from None
        self.ann.invite("8555").refused(486)

    def test_accounts_from_a_database(self):
        far = self.kamailio(10, users={"4930": "far-secret"})
        server = self.server({}, address=self.address(40), start=False, modules=("sip", "regfile", "register", "sqlitedb"))
        with open(os.path.join(server.conf, "register.conf"), "w") as file:
            file.write(re.search(r"```ini register.conf\n(.*?)```", GUIDE, re.DOTALL)[1])
        database = os.path.join(server.state, "accounts.db")
        with open(os.path.join(server.conf, "sqlitedb.conf"), "w") as file:
            file.write(f"[jackfield]\ndatabase={database}\n")

        def sql(text):
            with contextlib.closing(sqlite3.connect(database, timeout=10)) as connection, connection:
                return connection.execute(text).fetchall()
        sql("CREATE TABLE accounts (account TEXT, username TEXT, password TEXT, server TEXT, enabled INTEGER, status TEXT)")
        sql(f"INSERT INTO accounts VALUES ('one', '4930', 'far-secret', '{far.address[0]}', 1, NULL)")
        server.start()
        wait_for("the database to say online", lambda: sql("SELECT status FROM accounts") == [("online",)], 10)
        self.assertIn(",one(sip)=true", server.command("status", "register").stdout)
        count = len(far.requests("REGISTER"))
        sql("UPDATE accounts SET enabled=0")
        wait_for("the un-REGISTER", lambda: far.requests("REGISTER")[-1].expires == 0, 10)
        wait_for("the database to say offline", lambda: sql("SELECT status FROM accounts") == [("offline",)], 10)
        self.assertLessEqual(len(far.requests("REGISTER")), count + 2)  # in between, the same row every second sent nothing


main()
