"""Asking why: what would become of a call (`jackfield route`) is what becomes of it, and what became of one (`jackfield explain`) is what the
peers saw, without their secrets."""
import os
import re
import socket
import stat
import textwrap

from jackfield_test import Case, main
from jackfield_test.call import Call
from jackfield_test.processes import wait_for

PASSWORD = "an 0ld s0ng"
CODES = {"busy": 486, "forbidden": 403, "noroute": 404, "offline": 404, "looping": 483, "noresource": 503, "congestion": 480}

RULES = r"""
[priorities]
route=90
[contexts]
^4...$=branch
^5...$=night
[$once]
turn=0
[$init]
speed_1=101
speed_2=102
[default]
^10\(.\)$=sip/sip:line-\1@CALLEE
^110$=-;error=busy
^111$=-;error=forbidden
^112$=-;error=busy;cause_sip=486;reason_sip=All agents are busy
^113$=-;error=congestion
^114$=-;error=looping
^120$=if ${caller}^600$=sip/sip:boss@CALLEE
^120$=sip/sip:others@CALLEE
^130$=if $(network,${address},NEAR)=sip/sip:near@CALLEE
^130$=sip/sip:far@CALLEE
^131$=if $(during,00:00-24:00)=sip/sip:day@CALLEE
^132$=if $(during,00:00-00:00)=sip/sip:never@CALLEE
^132$=sip/sip:always@CALLEE
^133$=if ${sip_x-department}^sales$=sip/sip:sales@CALLEE
^133$=sip/sip:desk@CALLEE
^134$=sip/sip:$(index,$turn,gw1,gw2,gw3)@CALLEE
^135$=jump other
^136$=include suffixes
^136$=sip/sip:${suffix}@CALLEE
^14\(.\)$=match 16\1
^16\(.\)$=sip/sip:matched-\1@CALLEE
^15\(.\)$=;called=10\1
^170$=fork sip/sip:a@CALLEE | sip/sip:b@CALLEE
^18\(.\)$=match $(speed_\1)
^18[3-9]$=-;error=noroute
^73.$=if ${caller}^101$=sip/sip:as-101@CALLEE
^73.$=-;error=forbidden
^101$=sip/sip:speed-one@CALLEE
^102$=sip/sip:speed-two@CALLEE
[other]
^135$=sip/sip:other@CALLEE
[suffixes]
.*=;suffix=from-include
[branch]
^10.$=-;error=forbidden
^2..$=sip/sip:branch-\0@CALLEE
[night]
.*=sip/sip:guard@CALLEE
"""

SCRIPT = """\
    import sys

    def say(line):
        sys.stdout.write(line + "\\n")
        sys.stdout.flush()

    say("%%>setlocal:dry_run:true")
    say("%%>install:80:call.route")
    for line in sys.stdin:
        if not line.startswith("%%>message:"):
            continue
        number, _, name, _, *fields = line.rstrip("\\n")[len("%%>message:"):].split(":")
        called = dict(field.partition("=")[::2] for field in fields)["called"]
        handled, result, more = False, "", ""
        if called.startswith("70"):
            handled, result = True, "sip/sip%zscript-" + called[2] + "@CALLEE"
        elif called.startswith("71"):
            handled, result, more = True, "-", ":error=busy"
        elif called.startswith("72"):
            more = ":called=10" + called[2]
        elif called.startswith("73"):
            more = ":caller=101"
        say("%%<message:" + number + ":" + str(handled).lower() + ":" + name + ":" + result + more)
"""


def goes(*users):
    return [f"sip:{user}@CALLEE" for user in users]


# called, what the call is beside that, and where it goes or the code it is refused with
CASES = [
    *[(f"10{n}", {}, goes(f"line-{n}")) for n in range(10)],
    ("110", {}, 486), ("111", {}, 403), ("112", {}, 486), ("113", {}, 480), ("114", {}, 483),
    ("120", {"caller": "600"}, goes("boss")), ("120", {}, goes("others")), ("120", {"caller": "6000"}, goes("others")),
    ("130", {}, goes("near")), ("131", {}, goes("day")), ("132", {}, goes("always")),
    ("133", {"headers": {"X-Department": "sales"}}, goes("sales")), ("133", {"headers": {"X-Department": "support"}}, goes("desk")), ("133", {}, goes("desk")),
    ("134", {}, goes("gw1")), ("134", {}, goes("gw2")), ("134", {}, goes("gw3")), ("134", {}, goes("gw1")),
    ("135", {}, goes("other")), ("136", {}, goes("from-include")),
    ("140", {}, goes("matched-0")), ("147", {}, goes("matched-7")),
    ("152", {}, ["CONTACT"]), ("153", {}, 404), ("158", {}, 404),
    ("170", {}, goes("a")), ("181", {}, goes("speed-one")), ("182", {}, goes("speed-two")), ("183", {}, 404), ("199", {}, 404),
    ("101", {"caller": "4001"}, 403), ("222", {"caller": "4001"}, goes("branch-222")), ("101", {"caller": "5001"}, goes("guard")), ("999", {"caller": "5001"}, goes("guard")),
    ("700", {}, goes("script-0")), ("709", {}, goes("script-9")), ("710", {}, 486),
    ("725", {}, goes("line-5")), ("720", {"caller": "4001"}, 403), ("730", {}, goes("as-101")), ("730", {"caller": "4001"}, 404),
    ("222", {"user": "104"}, goes("branch-222")), ("103", {"user": "104"}, 403),
]


class Question:
    """The control socket, so that fifty questions are not fifty processes."""

    def __init__(self, server):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(os.path.join(server.state, "control"))
        self._file = self._socket.makefile("rwb")

    def ask(self, line):
        self._file.write(line.encode() + b"\n")
        self._file.flush()
        verdict, size = self._file.readline().split()
        return verdict == b"ok", self._file.read(int(size)).decode()

    def close(self):
        self._file.close()
        self._socket.close()


class Routed(Case):
    modules = ("sip", "regfile", "callfork", "regexroute", "extmodule", "cdrbuild")

    def setUp(self):
        super().setUp()
        scripts = os.path.join(self.folder, "scripts")
        os.makedirs(scripts)
        users = {name: PASSWORD for name in ("101", "102", "103")}
        self.jackfield = self.server({**users, "104": {"password": PASSWORD, "context": "branch"}}, modules=self.modules, start=False, settings={
            "sip": {"general": {"trusted": self.address(2)}},
            "extmodule": {"general": {"scripts_dir": scripts}, "scripts": {"router": ""}}})
        self.callee = self.phone(self.jackfield, "102", PASSWORD)
        self.rules = RULES.replace("CALLEE", self.callee.hostport).replace("NEAR", self.address(2))
        with open(os.path.join(self.jackfield.conf, "regexroute.conf"), "w", encoding="utf-8") as file:
            file.write(self.rules)
        script = os.path.join(scripts, "router")
        with open(script, "w", encoding="utf-8") as file:
            file.write("#!/usr/bin/python3\n" + textwrap.dedent(SCRIPT).replace("CALLEE", self.callee.hostport.replace(":", "%z")))
        os.chmod(script, stat.S_IRWXU)

    def start(self):
        self.jackfield.start()
        self.callee.register()
        self.question = Question(self.jackfield)
        self.addCleanup(self.question.close)
        wait_for("the script to answer", lambda: "script-1" in self.question.ask("route 701")[1], 15)

    def line_of(self, rule):
        return 1 + self.rules.split("\n").index(rule.replace("CALLEE", self.callee.hostport))


class SameAnswers(Routed):
    def asked(self, called, caller, user=None, headers=None, **_):
        """Where `jackfield route` says that the call goes, or the code it is refused with."""
        words = [f"route {called} --caller {caller} --address {self.address(2)}:5060"]
        words += [f"username={user}"] if user else []
        words += [f"sip_{name.lower()}={value}" for name, value in (headers or {}).items()]
        ok, text = self.question.ask(" ".join(words))
        self.assertTrue(ok, text)
        last = [line for line in text.splitlines() if line.startswith(("goes to:", "refused:"))][-1]
        if last.startswith("refused:"):
            said = dict(re.findall(r'(\w+)=("[^"]*"|\S+)', last))
            return int(said["cause_sip"]) if "cause_sip" in said else CODES[said["error"]]
        targets = last.removeprefix("goes to: ").removeprefix("fork ").split(" | ")
        return [targets[0].removeprefix("sip/")]

    def real(self, called, caller, expected, user=None, headers=None, **_):
        """Where it really goes. A callee is busy, so that each call ends at once."""
        if user:
            call = self.callers[user].invite(called)
        else:
            if caller not in self.callers:
                self.callers[caller] = self.phone(self.jackfield, caller, address=self.address(2))
            phone = self.callers[caller]
            call = Call.outgoing(phone, f"sip:{called}@{phone.domain}")
            call.invite(phone.sdp(), list((headers or {}).items()))
        if isinstance(expected, int):
            return call.refused(expected).status
        incoming = self.callee.incoming()
        uri = incoming.request.uri
        incoming.reply(600)  # nothing else is tried
        call.refused(600)
        return [uri]

    def test_N_4_fifty_calls_go_where_jackfield_route_says(self):
        self.start()
        self.callers = {"104": self.phone(self.jackfield, "104", PASSWORD)}
        self.assertGreaterEqual(len(CASES), 50)
        for called, options, expected in CASES:
            if not isinstance(expected, int):
                expected = [self.callee.contact if uri == "CONTACT" else uri.replace("CALLEE", self.callee.hostport) for uri in expected]
            caller = options.get("user") or options.get("caller", "800")
            options = {name: value for name, value in options.items() if name != "caller"}
            with self.subTest(called=called, caller=caller, **options):
                # Asked twice: the first time changes nothing.
                self.assertEqual(self.asked(called, caller, **options), expected)
                self.assertEqual(self.asked(called, caller, **options), expected)
                self.assertEqual(self.real(called, caller, expected, **options), expected)


class Answers(Routed):
    def test_N_4_route_shows_who_was_asked_and_each_rule_with_its_line(self):
        self.start()
        answer = self.jackfield.command("route", "120", "--caller", "600", "--address", self.address(2), "sip_x-note=two words").stdout
        self.assertRegex(answer, r"regexroute:90  handled")
        rule = r"^120$=if ${caller}^600$=sip/sip:boss@CALLEE"
        self.assertIn(f"regexroute.conf:{self.line_of(rule)} [default] {rule.replace('CALLEE', self.callee.hostport)}\n", answer)
        other = r"^114$=-;error=looping"
        self.assertIn(f"regexroute.conf:{self.line_of(other)} [default] {other}  (does not hold)\n", answer)
        self.assertIn('sip_x-note="two words"', answer)
        self.assertRegex(answer, r"cdrbuild:50  not asked")
        self.assertTrue(answer.endswith(f"goes to: sip/sip:boss@{self.callee.hostport}\n"), answer)
        # A rehearsed call is none that happened, and an account's secrets are nobody's business.
        answer = self.jackfield.command("route", "222", "username=104", "--caller", "104").stdout
        self.assertRegex(answer, r"user.auth  handled -> \*\*\*")
        self.assertIn("context=branch", answer)
        self.assertNotIn(PASSWORD, answer)
        self.assertNotEqual(self.jackfield.command("explain", "104", check=False).returncode, 0)

    def test_N_4_time_rules_are_asked_for_the_time_that_is_named(self):
        with open(os.path.join(self.jackfield.conf, "regexroute.conf"), "w", encoding="utf-8") as file:
            file.write("[default]\n^1$=if $(during,08:00-18:00,mon-fri)=sip/sip:desk@192.0.2.20\n^1$=sip/sip:machine@192.0.2.20\n")
        for time, target in (("2026-11-20T12:00", "desk"), ("2026-11-20T18:00", "machine"), ("2026-11-21T12:00", "machine")):
            answer = self.jackfield.command("route", "1", "--caller", "2", "--time", time, "--offline").stdout
            self.assertIn(f"goes to: sip/sip:{target}@192.0.2.20\n", answer)
        refused = self.jackfield.command("route", "1", "--time", "noon", "--offline", check=False)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("`noon` is no time", refused.stderr)

    def test_N_4_offline_asks_the_files_alone_and_touches_nothing(self):
        answer = self.jackfield.command("route", "105", "--caller", "600", "--offline").stdout
        self.assertIn(f"goes to: sip/sip:line-5@{self.callee.hostport}\n", answer)
        self.assertIn("without a server these modules were not asked: sip, callfork, extmodule, cdrbuild", answer)
        self.assertIn("refused: error=offline", self.jackfield.command("route", "152", "--caller", "600", "--offline").stdout)
        self.assertEqual(os.listdir(self.jackfield.state), [])
        with open(os.path.join(self.jackfield.conf, "regexroute.conf"), "a", encoding="utf-8") as file:
            file.write("[default]\n\\(=broken\n")
        broken = self.jackfield.command("route", "105", "--offline", check=False)
        self.assertEqual(broken.returncode, 3)
        self.assertRegex(broken.stderr, r"regexroute\.conf:\d+")

    def test_N_4_offline_knows_the_connections_that_the_server_would_have(self):
        carrier = {"type": "trunk", "protocol": "sip", "server": "192.0.2.1", "allowed": "192.0.2.1", "dial_pattern": "^0"}
        server = self.server({"101": PASSWORD}, modules=("sip", "regfile", "accfile"), start=False, settings={
            "accfile": {"carrier": {**carrier, "enabled": "yes"}, "other": {**carrier, "enabled": "no", "weight": 200}}})
        answer = server.command("route", "0301234", "--caller", "101", "username=101", "--offline").stdout
        self.assertIn("goes to: line/0301234\n", answer)
        self.assertIn("line=carrier", answer)
        self.assertIn("these modules were not asked: sip\n", answer)
        self.assertEqual(os.listdir(server.state), [])

    def test_a_script_that_does_not_say_that_it_changes_nothing_is_not_asked(self):
        self.start()
        with open(os.path.join(self.folder, "scripts", "router"), encoding="utf-8") as file:
            text = file.read()
        with open(os.path.join(self.folder, "scripts", "router"), "w", encoding="utf-8") as file:
            file.write(text.replace("dry_run:true", "dry_run:false"))
        self.jackfield.command("external", "restart", "router")
        wait_for("the new script", lambda: "router was not asked" in self.question.ask("route 701")[1], 15)
        self.assertIn("refused: error=noroute", self.question.ask("route 701")[1])


class Explained(Routed):
    def secrets(self, phone):
        """Passwords, and every digest response that this phone sent."""
        found = {PASSWORD}
        for direction, data in phone.trace:
            found |= set(re.findall(r'response="([0-9a-f]+)"', data.decode())) if direction == "sent" else set()
        self.assertGreater(len(found), 1)
        return found

    def test_N_4_a_call_is_explained_from_its_first_message_to_its_last(self):
        self.start()
        caller = self.phone(self.jackfield, "101", PASSWORD)
        call = caller.invite("105")
        incoming = self.callee.incoming()
        incoming.reply(180)
        sdp = self.callee.sdp() + "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0IG1lZGlhIGtleQ==|2^20\r\n"
        incoming.reply(200, sdp)
        call.answered()
        incoming.expect_request("ACK")
        call.bye()
        incoming.hung_up()

        def text():
            answer = self.jackfield.command("explain", call.call_id, check=False).stdout
            return answer if "chan.hangup" in answer and answer.count("BYE sip:") == 2 else None
        story = wait_for("the whole call to be recorded", text)
        for what in ("<- UDP " + caller.hostport, "-> UDP " + self.callee.hostport, "INVITE sip:105@", "INVITE sip:line-5@", "SIP/2.0 180 Ringing", "SIP/2.0 200 OK",
                     "call.preroute", "call.execute  handled", "call.answered", "regfile", incoming.call_id):
            self.assertIn(what, story)
        self.assertRegex(story, r"(?s)call\.route  handled -> sip/sip:line-5@.*?regexroute:90  handled\n +[^\n]*regexroute\.conf:\d+ \[default\]")
        order = [story.index(what) for what in ("INVITE sip:105@", "call.preroute", "call.route", "call.execute", "INVITE sip:line-5@", "BYE sip:")]
        self.assertEqual(order, sorted(order))
        self.assertIn("response=***", story)
        self.assertIn("inline:***", story)
        self.assertNotIn("c2VjcmV0", story)
        for secret in self.secrets(caller):
            self.assertNotIn(secret, story)
        # The same by the other names it goes by.
        billid = re.match(r"call (\S+):", story)[1]
        self.assertEqual(self.jackfield.command("explain", billid).stdout, story)
        self.assertEqual(self.jackfield.command("explain", incoming.call_id).stdout, story)
        self.assertIn(f"explain {billid}", self.jackfield.command("explain", "101").stdout)

    def test_N_4_a_refused_registration_is_explained_without_its_secrets(self):
        self.start()
        guesser = self.phone(self.jackfield, "103", "a wrong guess")
        guesser.register(status=401)
        story = self.jackfield.command("explain", f"103@{self.jackfield.address[0]}").stdout
        self.assertEqual(story.count("REGISTER sip:"), 2)
        self.assertEqual(story.count("SIP/2.0 401 "), 2)
        self.assertRegex(story, r"user\.auth  handled -> \*\*\*")
        self.assertIn("user.authfail", story)
        self.assertIn("wrong password", story)
        for secret in self.secrets(guesser) | {"a wrong guess"}:
            self.assertNotIn(secret, story)
        unknown = self.jackfield.command("explain", "nobody", check=False)
        self.assertEqual(unknown.returncode, 1)
        self.assertIn("nothing is known of `nobody`", unknown.stderr)

    def test_nothing_is_kept_where_the_configuration_says_so(self):
        self.jackfield.settings["jackfield"]["recorder"] = {"calls": 0, "registrations": 0}
        self.jackfield.write_settings()
        with open(os.path.join(self.jackfield.conf, "regexroute.conf"), "w", encoding="utf-8") as file:
            file.write(self.rules)
        self.start()
        refused = self.jackfield.command("explain", "102", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("[recorder]", refused.stderr)


main()
