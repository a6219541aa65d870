"""Who may include what (README, "The tree"). Where the build's flags can refuse a header, the test tries it with the flags of a real
source file and expects the compiler to refuse; libraries of the system are on everybody's path, so those are looked for in the text."""
import json
import os
import re
import shlex
import subprocess
import unittest

SOURCE, BUILD = os.environ["JACKFIELD_SOURCE"], os.environ["JACKFIELD_BUILD"]

# Libraries that have one home: header pattern, and the only folders that may include it.
HOMES = {
    r"openssl/": ("modules/lib/digest/", "modules/sip/stack/"),
    r"(ini\.h|INIReader\.h)$": ("engine/src/settings/",),
    r"spdlog/": ("engine/src/log/",),
    r"prometheus/": ("engine/src/metrics",),
    r"boost/dll": ("engine/src/loader/",),
    r"boost/container": ("modules/sip/registrar/",),
    r"CLI/": ("engine/src/main/",),
    r"histedit\.h": ("engine/src/main/",),
    r"systemd/": ("engine/src/",),
    r"(libpq|postgresql/)": ("modules/pgsqldb/",),
    r"sqlite3": ("modules/sqlitedb/",),
}
# The SIP stack knows clocks and timers, not the bus.
NOT_IN_STACK = r"jackfield/(bus|message|messages/.*|module|settings|channel|journal)\.h$"


def compile_command(path):
    """The preprocessor's arguments for that source file as the build has them."""
    for entry in commands:
        if os.path.relpath(entry["file"], SOURCE).startswith(path):
            words = shlex.split(entry["command"])
            if os.path.basename(words[0]) == "ccache":
                words = words[1:]
            flags = [w for w in words[1:] if w.startswith(("-I", "-D", "-std", "-isystem"))]
            return [words[0], *flags]
    raise AssertionError(f"the build compiles nothing below {path}")


def sources(*folders):
    for folder in folders:
        for path, _, names in os.walk(os.path.join(SOURCE, folder)):
            for name in names:
                if name.endswith((".h", ".cpp", ".in")):
                    yield os.path.relpath(os.path.join(path, name), SOURCE)


def includes(path):
    with open(os.path.join(SOURCE, path), encoding="utf-8") as file:
        return re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', file.read(), re.MULTILINE)


with open(os.path.join(BUILD, "compile_commands.json"), encoding="utf-8") as _file:
    commands = json.load(_file)
MODULES = [name for name in sorted(os.listdir(os.path.join(SOURCE, "modules")))
           if os.path.exists(os.path.join(SOURCE, "modules", name, "module.cpp"))]


class Includes(unittest.TestCase):
    def finds(self, path, header):
        command = [*compile_command(path), "-E", "-x", "c++", "-", "-o", os.devnull]
        result = subprocess.run(command, input=f'#include "{header}"\n', capture_output=True, text=True, cwd=BUILD)
        if result.returncode and f"{header}: No such file" not in result.stderr:
            self.fail(f"{header} from {path}: {result.stderr}")
        return result.returncode == 0

    def test_what_is_allowed_is_found(self):
        for module in MODULES:
            self.assertTrue(self.finds(f"modules/{module}/", "jackfield/bus.h"), module)
        self.assertTrue(self.finds("modules/sip/", "sip/message.h"))
        self.assertTrue(self.finds("modules/lib/sip/", "sip/uri.h"))
        self.assertTrue(self.finds("engine/src/", "jackfield/bus.h"))

    def test_a_module_includes_no_sibling(self):
        for module in MODULES:
            for sibling in MODULES:
                if sibling != module:
                    own = f"{sibling}/module.cpp"
                    self.assertFalse(self.finds(f"modules/{module}/", own), f"{module} sees {own}")

    def test_a_module_includes_nothing_of_the_engines_sources(self):
        for module in MODULES:
            for header in ("core.h", "watchdog.h", "settings/ini_reader.h"):
                if not os.path.exists(os.path.join(SOURCE, "modules", module, header)):
                    self.assertFalse(self.finds(f"modules/{module}/", header), f"{module} sees engine/src/{header}")

    def test_the_libraries_include_nothing_else_of_ours(self):
        for library in ("net", "sip", "sdp", "digest", "sql"):
            for header in ("jackfield/bus.h", "jackfield/clock.h", "core.h", "stack/transport.h"):
                self.assertFalse(self.finds(f"modules/lib/{library}/", header), f"lib/{library} sees {header}")

    def test_the_engine_includes_no_module_and_no_library_of_theirs(self):
        for header in ("sip/message.h", "digest/digest.h", "regfile/settings.h", "stack/transport.h"):
            self.assertFalse(self.finds("engine/src/", header), f"the engine sees {header}")

    def test_nobody_climbs_out_of_a_folder(self):
        for path in sources("engine", "modules"):
            for header in includes(path):
                self.assertNotIn("..", header.split("/"), f"{path} includes {header}")

    def test_every_library_has_one_home(self):
        for path in sources("engine", "modules"):
            for header in includes(path):
                for pattern, homes in HOMES.items():
                    if re.match(pattern, header):
                        self.assertTrue(path.startswith(homes), f"{path} includes {header}, whose home is {' or '.join(homes)}")

    def test_the_stack_knows_no_bus(self):
        for path in sources("modules/sip/stack"):
            for header in includes(path):
                self.assertNotRegex(header, NOT_IN_STACK, f"{path} includes {header}")

    def test_the_engine_names_no_module(self):
        for path in sources("engine/src"):
            with open(os.path.join(SOURCE, path), encoding="utf-8") as file:
                code = re.sub(r"//.*", "", file.read())
            for module in ("regfile", "cdrfile", "cdrbuild", "callfork"):
                self.assertFalse(re.search(rf'"{module}"', code), f"{path} names the module {module}")


unittest.main()
