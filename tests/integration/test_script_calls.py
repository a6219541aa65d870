"""Scripts on a socket that make a call of their own (role channel, COMPAT §9): what they say and hear, and what a real phone sees of it."""
import os
import socket

from jackfield_test import Case, main
from jackfield_test.processes import wait_for

PASSWORD = "an old song"


class Script:
    def __init__(self, path, *lines):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(10)
        self._socket.connect(path)
        self._lines = self._socket.makefile()
        self.say(*lines)

    def say(self, *lines):
        self._socket.sendall("".join(line + "\n" for line in lines).encode())

    def hear(self):
        """The next line, None at the end."""
        line = self._lines.readline()
        return line.rstrip("\n") if line else None

    def ask(self, line):
        self.say(line)
        return self.hear()

    def close(self):
        self._lines.close()
        self._socket.close()


def parameters(line):
    return dict(field.replace("%z", ":").split("=", 1) for field in line.split(":")[5:])


class Roles(Case):
    listeners = {"listener any": {}, "listener channels": {"role": "channel"}, "listener globals": {"role": "global"}}

    def setUp(self):
        super().setUp()
        self.jackfield = self.server({"102": PASSWORD, "103": PASSWORD}, modules=("sip", "regfile", "extmodule"), settings={"extmodule": {
            section: {"type": "unix", "path": self.path(section), **keys} for section, keys in self.listeners.items()}})

    def path(self, section):
        return os.path.join(self.folder, section.split()[1] + ".sock")

    def connect(self, listener, *lines):
        script = Script(self.path("listener " + listener), *lines)
        self.addCleanup(script.close)
        return script

    def callee(self, user="102"):
        phone = self.phone(self.jackfield, user, PASSWORD)
        phone.register()
        return phone


class Lines(Roles):
    def test_YT_19_the_first_line_says_which_role_without_a_reply(self):
        for listener, first, goes_on in (
                ("any", "%%>connect:global", True), ("any", "%%>connect:channel", True), ("any", "%%>connect:channel:mine/1", True), ("any", None, True),
                ("any", "%%>connect:play:x/1", False), ("any", "%%>connect:record:x/1:audio", False), ("any", "%%>connect:", False), ("any", "%%>connect", False),
                ("any", "%%>connect:nobody", False), ("any", "%%>connect:channel:%", False),
                ("channels", "%%>connect:channel", True), ("channels", None, True), ("channels", "%%>connect:global", False),
                ("globals", "%%>connect:global", True), ("globals", None, True), ("globals", "%%>connect:channel", False)):
            with self.subTest(listener=listener, first=first):
                script = self.connect(listener, *([first] if first else []))
                try:
                    answer = script.ask("%%>setlocal:id:")
                except (BrokenPipeError, ConnectionResetError):
                    answer = None
                named = "mine/1" if first == "%%>connect:channel:mine/1" else ""
                self.assertEqual(answer, f"%%<setlocal:id:{named}:true" if goes_on else None)

    def test_a_role_is_taken_once(self):
        script = self.connect("any", "%%>setlocal:id:")
        self.assertEqual(script.hear(), "%%<setlocal:id::true")
        script.say("%%>connect:channel")
        self.assertIsNone(script.hear())

    def test_what_a_role_may_set(self):
        channel, everybody = self.connect("channels"), self.connect("globals")
        for script, line, reply in (
                (channel, "%%>setlocal:disconnected:true", "true:true"), (everybody, "%%>setlocal:disconnected:true", "false:false"),
                (channel, "%%>setlocal:restart:true", "false:false"), (everybody, "%%>setlocal:restart:true", "true:true"),
                (channel, "%%>setlocal:setdata:", "true:true"), (everybody, "%%>setlocal:maxqueue:0", "0:true"),
                (everybody, "%%>setlocal:debugname:first", "first:true"), (everybody, "%%>setlocal:debugname:second", "first:false"),
                (everybody, "%%>setlocal:config.modules.sip:", "yes:true"), (everybody, "%%>setlocal:config.modules:", ":true"),
                (everybody, "%%>setlocal:config.modules.nothing:", ":false"), (everybody, "%%>setlocal:config.modules.sip:no", "no:false"),
                (everybody, "%%>setlocal:config:", ":false"), (everybody, "%%>setlocal:config.:", ":false")):
            self.assertEqual(script.ask(line), f"%%<{line[3:].rsplit(':', 1)[0]}:{reply}", line)


class Calls(Roles):
    def test_YT_19_a_script_calls_a_phone_hears_it_ring_and_that_it_is_busy(self):
        phone = self.callee()
        script = self.connect("any", "%%>connect:channel", "%%>setlocal:id:caller/1", "%%>setlocal:disconnected:true",
                              "%%>install:90:call.ringing:targetid:caller/1", "%%>message:c1:0:call.route::called=102:caller=900")
        self.assertEqual(script.hear(), "%%<setlocal:id:caller/1:true")
        self.assertEqual(script.hear(), "%%<setlocal:disconnected:true:true")
        self.assertEqual(script.hear(), "%%<install:90:call.ringing:true")
        route = script.hear()
        self.assertRegex(route, r"^%%<message:c1:true:call\.route:sip/")
        script.say(f"%%>message:c2:0:call.execute::callto={route.split(':')[4]}:caller=900:called=102")
        incoming = phone.incoming()
        self.assertIn("sip:900@", incoming.request["from"])
        execute = script.hear()
        self.assertRegex(execute, r"^%%<message:c2:true:call\.execute:")
        said = parameters(execute)
        self.assertEqual((said["id"], said["module"], said["direction"]), ("caller/1", "external", "incoming"))
        self.assertTrue(said["peerid"].startswith("sip/") and said["billid"])
        self.assertIn("channel=caller/1", self.jackfield.command("external").stdout)
        incoming.reply(180)
        ringing = script.hear()
        self.assertRegex(ringing, r"^%%>message:\d+:\d+:call\.ringing:")
        self.assertEqual((parameters(ringing)["id"], parameters(ringing)["peerid"]), (said["peerid"], "caller/1"))
        script.say(f"%%<message:{ringing.split(':')[1]}:true::")
        incoming.reply(486)
        ended = script.hear()
        self.assertRegex(ended, r"^%%>message:\d+:\d+:chan\.disconnected:")
        self.assertEqual((parameters(ended)["id"], parameters(ended)["reason"]), ("caller/1", "busy"))
        script.say(f"%%<message:{ended.split(':')[1]}:false::")
        self.assertIsNone(script.hear())  # its call is over, and so is it
        self.assertNotIn("caller/1", self.jackfield.command("status").stdout)

    def test_YT_19_a_script_that_hears_of_the_end_takes_its_call_elsewhere(self):
        first, second = self.callee("102"), self.callee("103")
        script = self.connect("channels", "%%>setlocal:disconnected:true")
        self.assertEqual(script.hear(), "%%<setlocal:disconnected:true:true")

        def execute(called):
            route = script.ask(f"%%>message:r:0:call.route::called={called}:caller=900")
            return f"%%>message:e:0:call.execute::callto={route.split(':')[4]}:caller=900:called={called}"
        channel = parameters(script.ask(execute("102")))["id"]
        first.incoming().reply(486)
        ended = script.hear()
        self.assertRegex(ended, r"^%%>message:\d+:\d+:chan\.disconnected:")
        self.assertTrue(script.ask(execute("103")).startswith("%%<message:e:true:"))
        script.say(f"%%<message:{ended.split(':')[1]}:true::")
        second.incoming().reply(180)
        self.assertIn(f"channel={channel}", self.jackfield.command("external").stdout)
        script.say(f"%%>message:d:0:call.drop::id={channel}:reason=cancelled")
        second.expect("CANCEL")

    def test_YT_19_who_begins_a_call_under_a_name_of_his_own_hears_of_it_by_that_name(self):
        phone = self.callee()
        script = self.connect("globals", "%%>install:90:call.answered:targetid:ctc/1")
        self.assertEqual(script.hear(), "%%<install:90:call.answered:true")
        route = script.ask("%%>message:c1:0:call.route::called=102:caller=900")
        execute = script.ask(f"%%>message:c2:0:call.execute::callto={route.split(':')[4]}:id=ctc/1:caller=900:called=102:target=nobody")
        self.assertTrue(execute.startswith("%%<message:c2:true:"), execute)
        phone.incoming().reply(200, phone.sdp())
        answered = script.hear()
        self.assertRegex(answered, r"^%%>message:\d+:\d+:call\.answered:")
        self.assertEqual((parameters(answered)["id"], parameters(answered)["targetid"]), (parameters(execute)["id"], "ctc/1"))
        script.say(f"%%<message:{answered.split(':')[1]}:true::")

    def test_the_end_of_the_script_is_the_end_of_its_call(self):
        phone = self.callee()
        script = self.connect("channels")
        route = script.ask("%%>message:c1:0:call.route::called=102:caller=900")
        execute = script.ask(f"%%>message:c2:0:call.execute::callto={route.split(':')[4]}:caller=900:called=102")
        self.assertRegex(parameters(execute)["id"], r"^external/\d+$")
        incoming = phone.incoming()
        incoming.reply(180)
        script.close()
        phone.expect("CANCEL")

    def test_a_call_that_cannot_be_made_may_be_tried_again(self):
        phone = self.callee()
        script = self.connect("channels")
        refused = script.ask("%%>message:c1:0:call.execute::callto=nobody/knows:caller=900")
        self.assertRegex(refused, r"^%%<message:c1:false:call\.execute:")
        channel = parameters(refused)["id"]
        route = script.ask("%%>message:c2:0:call.route::called=102:caller=900")
        execute = script.ask(f"%%>message:c3:0:call.execute::callto={route.split(':')[4]}:caller=900:called=102")
        self.assertEqual((execute.split(":")[2], parameters(execute)["id"]), ("true", channel))
        phone.incoming().reply(486)
        self.assertIsNone(script.hear())

    def test_the_operator_ends_it(self):
        script = self.connect("channels")
        channel = parameters(script.ask("%%>message:c1:0:call.execute::callto=nobody/knows"))["id"]
        dropping = self.connect("globals")
        self.assertTrue(dropping.ask(f"%%>message:d:0:call.drop::id={channel}:reason=pickup").startswith("%%<message:d:true:"))
        self.assertIsNone(script.hear())


class Limits(Roles):
    def test_there_are_as_many_such_calls_as_max_calls_says(self):
        self.jackfield.settings["extmodule"]["general"] = {"max_calls": 1}
        self.jackfield.write_settings()
        self.jackfield.command("reload")
        first, second = self.connect("channels"), self.connect("channels")
        execute = "%%>message:c1:0:call.execute::callto=nobody/knows"
        self.assertIn("id", parameters(first.ask(execute)))
        refused = parameters(second.ask(execute))
        self.assertEqual(refused.get("error"), "congestion")
        self.assertNotIn("id", refused)
        first.close()
        wait_for("the first to be gone", lambda: "id" in parameters(second.ask(execute)))


main()
