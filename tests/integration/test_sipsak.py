"""sipsak asks what it is and registers."""
import subprocess

from jackfield_test import Case, main


class Sipsak(Case):
    def sipsak(self, *arguments):
        return subprocess.run(["sipsak", "-vv", *arguments], capture_output=True, text=True, timeout=15)

    def test_options_is_answered_200(self):
        self.server()
        result = self.sipsak("-s", f"sip:{self.address()}")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("SIP/2.0 200", result.stdout)

    def test_register_with_digest(self):
        jackfield = self.server({"101": "an-old-song"})
        contact = f"sip:101@{self.address(2)}:5099"
        result = self.sipsak("-U", "-s", f"sip:101@{self.address()}", "-u", "101", "-a", "an-old-song", "-C", contact, "-x", "120")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        contacts = self.phone(jackfield, "101", "an-old-song").register([]).contacts
        self.assertEqual(list(contacts), [contact])


main()
