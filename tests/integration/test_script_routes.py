"""Calls that sipp makes, routed by a script, by rules, and by both: the script rewrites the number and the rules know the way (YT-19)."""
import os
import textwrap

from jackfield_test import Case, main
from jackfield_test.processes import wait_for

PASSWORD = "an old song"
CALLS = 10
CALLER, CALLED, DIRECTION, STATUS = 4, 5, 9, 10


class Routes(Case):
    def test_YT_19_calls_find_their_way_by_a_script_by_rules_and_by_both(self):
        script = os.path.join(self.folder, "routes.py")
        callee = f"{self.address()}:5082"
        with open(script, "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(f"""\
                #!/usr/bin/python3
                import sys
                sys.path.insert(0, {os.path.join(os.environ["JACKFIELD_SOURCE"], "share", "scripts")!r})
                import jackfield
                script = jackfield.Script()

                @script.handle("call.route", priority=50)
                def route(message):
                    kind, number = message["called"][:1], message["called"][1:]
                    if kind == "1":
                        return f"sip/sip:{{number}}@{callee}"
                    if kind == "3":
                        message["called"] = "2" + number
                    return False
                script.run()
                """))
        os.chmod(script, 0o755)
        server = self.server({"101": PASSWORD}, modules=("sip", "regfile", "cdrbuild", "cdrfile", "regexroute", "extmodule"), settings={
            "regexroute": {"default": {"^2\\(...\\)$": f"sip/sip:\\1@{callee}"}}, "extmodule": {"scripts": {script: ""}}})
        wait_for("the script's handler", lambda: "handlers=1" in server.command("external").stdout)
        for kind in ("1", "2", "3"):
            answering = self.sipp("callee", server, "102", port=5082, calls=CALLS).listening()
            calling = self.sipp("caller", server, "101", PASSWORD, port=5081, calls=CALLS, keys={"called": kind + "102"}, options=["-r", "20"])
            calling.succeeded()
            answering.succeeded()
        # For each call a record of either leg, and nobody else was called.
        records = server.expect_records(6 * CALLS)
        self.assertEqual({(record[CALLER], record[STATUS]) for record in records}, {("101", "answered")})
        dialled = sorted(record[CALLED] for record in records if record[DIRECTION] == "incoming")
        self.assertEqual(dialled, ["1102"] * CALLS + ["2102"] * CALLS + ["3102"] * CALLS)
        self.assertNotIn("event=script-late", server.log)


main()
