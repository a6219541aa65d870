"""What README.md says, done as it says it: its module is built from its text and routes a call; its commands exist."""
import os
import re
import subprocess

from jackfield_test import Case, main

SOURCE, BUILD = os.environ["JACKFIELD_SOURCE"], os.environ["JACKFIELD_BUILD"]
with open(os.path.join(SOURCE, "README.md"), encoding="utf-8") as _file:
    README = _file.read()
PASSWORD = "an old song"


def run(*command):
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise AssertionError(f"{' '.join(command)} ended with {result.returncode}:\n{result.stdout}{result.stderr}")
    return result.stdout


class Readme(Case):
    def text_of(self, language):
        return re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)[1]

    def test_its_module_builds_and_sends_calls_for_0_to_the_operator(self):
        prefix, module = os.path.join(self.folder, "prefix"), os.path.join(self.folder, "operator")
        run("cmake", "--install", BUILD, "--prefix", prefix)
        os.makedirs(module)
        for language, name in (("cpp", "operator.cpp"), ("cmake", "CMakeLists.txt")):
            with open(os.path.join(module, name), "w", encoding="utf-8") as file:
                file.write(self.text_of(language))
        server = self.server({"101": PASSWORD, "102": PASSWORD}, start=False, program=os.path.join(prefix, "bin", "jackfield"))
        for line in self.text_of("sh").splitlines():
            command = re.sub(r"\bPREFIX\b", prefix, line.replace("bin/jackfield", f"bin/jackfield -c {server.conf}"))
            run("sh", "-c", f"cd {module} && {command}")
        server.start()

        called, caller = self.phone(server, "101", PASSWORD), self.phone(server, "102", PASSWORD)
        called.register()
        call = caller.invite("0")
        incoming = called.incoming()
        incoming.accept()
        call.answered()
        call.bye()
        incoming.hung_up()

    def test_every_script_it_names_explains_itself(self):
        for script in sorted(set(re.findall(r"\./scripts/(\w+)", README))):
            self.assertIn("Usage: scripts/" + script, run(os.path.join(SOURCE, "scripts", script), "--help"))

    def test_every_command_it_names_is_one(self):
        server = self.server({"101": PASSWORD})
        for words in sorted(set(re.findall(r"\./scripts/run ([a-z]+(?: [a-z]+(?:\.[a-z]+)?)?(?: 10\d)?(?: --caller 10\d)?)", README))):
            with self.subTest(command=words):
                self.assertTrue(server.command(*words.split()).stdout.strip() or words in ("check", "reload", "console"))  # with nothing to say

    def test_every_folder_and_file_it_names_is_there(self):
        tree = re.search(r"## The tree\n\n(.*?)\n\n", README, re.DOTALL)[1]
        for line in tree.splitlines():
            first, *more = re.split(r"  +", line.strip())[0].split()
            for name in (first, *(os.path.join(os.path.dirname(first.rstrip("/")), other) for other in more)):
                self.assertTrue(os.path.isdir(os.path.join(SOURCE, name)), name)
        for path in re.findall(r"\]\(([a-z][^)]*)\)", README):
            if "://" not in path:
                self.assertTrue(os.path.exists(os.path.join(SOURCE, path.split("#")[0])), path)


main()
