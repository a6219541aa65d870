"""The commit that `jackfield version` shows is written by each build, and only when it is another: an object and a program more, at most."""
import os
import re
import subprocess
import tempfile
import unittest

SCRIPT = os.path.join(os.environ["JACKFIELD_SOURCE"], "cmake", "WriteCommit.cmake")


class Commit(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.source, self.file = folder.name, os.path.join(folder.name, "commit.cpp")

    def git(self, *words):
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CEILING_DIRECTORIES": os.path.dirname(self.source)}
        who = ("-c", "user.name=test", "-c", "user.email=test@example.org")
        return subprocess.run(["git", *who, *words], cwd=self.source, env=environment, capture_output=True, text=True, check=True).stdout.strip()

    def write(self):
        environment = {**os.environ, "GIT_CEILING_DIRECTORIES": os.path.dirname(self.source)}
        subprocess.run(["cmake", f"-DSOURCE={self.source}", f"-DFILE={self.file}", "-P", SCRIPT], env=environment, check=True)
        with open(self.file, encoding="ascii") as file:
            return file.read()

    def test_it_is_the_one_the_tree_is_at_and_the_file_is_left_alone_otherwise(self):
        self.assertIn('return "unknown"', self.write())
        self.git("init", "-q")
        for _ in range(2):
            self.git("commit", "-q", "--allow-empty", "-m", "one more", "--date", "now")
            self.assertIn(f'return "{self.git("rev-parse", "--short", "HEAD")}"', self.write())
            os.utime(self.file, (1, 1))
            self.write()
            self.assertEqual(os.stat(self.file).st_mtime, 1)
            self.git("commit", "-q", "--amend", "--allow-empty", "-m", "another")


class Quiet(unittest.TestCase):
    def test_a_build_with_nothing_else_to_do_says_nothing_of_it(self):
        with open(os.path.join(os.environ["JACKFIELD_BUILD"], "build.ninja"), encoding="utf-8") as file:
            step = re.search(r"COMMAND = .*WriteCommit\.cmake.*\n +DESC = (.*)", file.read())[1]
        common = os.path.join(os.environ["JACKFIELD_SOURCE"], "scripts", "lib", "common.sh")
        shown = [subprocess.run(["bash", "-c", '. "$0" && printf "[1/3] %s\\n" "$1" | show_build', common, line], capture_output=True, text=True, check=True).stdout
                 for line in (step, "Building")]
        self.assertEqual(shown, ["", "[1/3] Building\n"])


unittest.main()
