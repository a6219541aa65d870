"""A server that root starts becomes the user it is told to be: no capability, no way back, and still able to work."""
import os
import subprocess
import unittest

from jackfield_test import Case, main

PASSWORD = "an old song"
USER = "nobody"


@unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")
class Privileges(Case):
    def setUp(self):
        super().setUp()
        os.chmod(self.folder, 0o755)

    def test_it_serves_as_the_user_without_capabilities(self):
        jackfield = self.server({"101": PASSWORD}, settings={"jackfield": {"general": {"user": USER}}}, modules=("sip", "regfile"))
        with open(f"/proc/{jackfield.process.pid}/status") as file:
            status = dict(line.split(":", 1) for line in file.read().splitlines())
        user = subprocess.run(["id", "-u", USER], capture_output=True, text=True).stdout.strip()
        self.assertEqual(set(status["Uid"].split()), {user})
        self.assertEqual({status[name].strip() for name in ("CapPrm", "CapEff", "CapAmb")}, {"0" * 16})
        self.assertEqual(status["NoNewPrivs"].strip(), "1")
        for thread in os.listdir(f"/proc/{jackfield.process.pid}/task"):
            self.assertEqual(os.stat(f"/proc/{jackfield.process.pid}/task/{thread}").st_uid, int(user))
        # Bindings survive kill -9: what root made in the state directory is the user's now.
        phone = self.phone(jackfield, "101", PASSWORD)
        phone.register()
        jackfield.command("reload")
        jackfield.kill()
        jackfield.start()
        self.assertEqual(list(phone.register([]).contacts), [phone.contact])

    def test_nothing_is_given_away_that_has_another_name_elsewhere(self):
        """Whoever writes in the state directory must not get root's files by linking them there."""
        jackfield = self.server({"101": PASSWORD}, settings={"jackfield": {"general": {"user": USER}}}, modules=("sip", "regfile"), start=False)
        folder = os.path.join(jackfield.state, "inner")
        os.makedirs(folder, exist_ok=True)
        secret, plain = os.path.join(self.folder, "secret"), os.path.join(folder, "plain")
        for path in (secret, plain):
            with open(path, "w") as file:
                file.write("x")
        os.link(secret, os.path.join(folder, "hard"))
        os.symlink(secret, os.path.join(folder, "soft"))
        jackfield.start()
        self.assertEqual(os.stat(secret).st_uid, 0)
        self.assertNotEqual(os.stat(plain).st_uid, 0)
        self.assertNotEqual(os.stat(folder).st_uid, 0)

    def test_a_user_that_does_not_exist_is_refused_at_the_start(self):
        jackfield = self.server({"101": PASSWORD}, settings={"jackfield": {"general": {"user": "no-such-user"}}}, start=False)
        with self.assertRaisesRegex(AssertionError, "there is no user `no-such-user`"):
            jackfield.start()

    def test_root_without_user_is_told(self):
        self.assertIn("event=runs_as_root", self.server({"101": PASSWORD}).log)


main()
