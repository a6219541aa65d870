"""The Python library and the examples that come with it (share/scripts), each doing its work between real phones."""
import asyncio
import contextlib
import http.server
import io
import os
import socket
import subprocess
import sys
import textwrap
import threading
import urllib.error
import urllib.parse
import urllib.request

from jackfield_test import Case, main
from jackfield_test.processes import Process, wait_for

SHARE = os.path.join(os.environ["JACKFIELD_SOURCE"], "share", "scripts")
sys.path.insert(0, SHARE)
import jackfield  # noqa: E402

PASSWORD = "an old song"


class Scripts(Case):
    def serve(self, scripts=None, sip=None, **settings):
        self.path = os.path.join(self.folder, "scripts.sock")
        return self.server({}, modules=("sip", "callfork", "extmodule"), settings={"sip": sip or {}, "extmodule": {
            "listener test": {"type": "unix", "path": self.path}, "scripts": scripts or {}, **settings}})

    def file(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(text))
        return path

    def handlers_are_there(self, server, count):
        wait_for("the script's handlers", lambda: f"handlers={count}" in server.command("external").stdout)


class Examples(Scripts):
    def test_YT_19_registrar_users_register_and_call_each_other(self):
        users = self.file("users", f"""\
            101:{PASSWORD}
            102:{PASSWORD}
            """)
        server = self.serve({"registrar.py": users})
        self.handlers_are_there(server, 4)
        caller, callee = self.phone(server, "101", PASSWORD), self.phone(server, "102", PASSWORD)
        self.phone(server, "101", "a wrong song").register(status=401)
        caller.invite("102").refused(404)
        callee.register()
        call = caller.invite("102")
        incoming = callee.incoming()
        incoming.accept()
        call.answered()
        call.bye()
        incoming.hung_up()
        callee.unregister()
        caller.invite("102").refused(404)

    def test_route_by_table_the_longest_prefix_wins_and_a_changed_table_counts(self):
        phone_address = self.address(9)
        table = self.file("routes.csv", f"""\
            # prefix, target
            0,sip/sip:far-{{}}@{phone_address}:5090
            030,sip/sip:near-{{}}@{phone_address}:5090
            """)
        server = self.serve({"route_by_table.py": table})
        self.handlers_are_there(server, 1)
        asking = asyncio.run(self.ask_routes(("0891", "03012", "5")))
        self.assertEqual(asking, [f"sip/sip:far-891@{phone_address}:5090", f"sip/sip:near-12@{phone_address}:5090", ""])
        self.file("routes.csv", "5,tone/{}\n")
        self.assertEqual(asyncio.run(self.ask_routes(("03012", "51"))), ["", "tone/1"])

    async def ask_routes(self, numbers):
        script = jackfield.Script(self.path)
        answers = []

        @script.on_start
        async def ask():
            for number in numbers:
                answers.append((await script.dispatch("call.route", called=number)).retval)
            script.quit()
        await script.serve()
        return answers

    def test_route_by_http_asks_the_web_server_and_falls_back_when_that_fails_or_dawdles(self):
        asked, release = [], threading.Event()
        self.addCleanup(release.set)

        class Routes(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                question = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
                asked.append(question)
                called = question["called"]
                if called == "slow":
                    release.wait(20)
                status, text = {"missing": (404, "no such number"), "broken": (500, "sip/sip:wrong@192.0.2.9"), "lines": (200, "sip/a\nsip/b"),
                                "nothing": (200, "")}.get(called, (200, f"sip/sip:{called}@192.0.2.7\n"))
                with contextlib.suppress(OSError):  # who asked may have gone
                    self.send_response(status)
                    self.end_headers()
                    self.wfile.write(text.encode())

            def log_message(self, *_):
                pass
        web = http.server.ThreadingHTTPServer((self.address(4), 0), Routes)
        threading.Thread(target=web.serve_forever, daemon=True).start()
        self.addCleanup(web.server_close)
        self.addCleanup(web.shutdown)
        server = self.serve({"route_by_http.py": f"http://{self.address(4)}:{web.server_port}/route 2 sip/sip:operator@192.0.2.1"})
        self.handlers_are_there(server, 1)
        fallback = "sip/sip:operator@192.0.2.1"
        self.assertEqual(asyncio.run(self.ask_routes(("5 & 6", "missing", "nothing", "broken", "lines", "slow"))),
                         ["sip/sip:5 & 6@192.0.2.7", "", "", fallback, fallback, fallback])
        self.assertEqual(asked[0], {"called": "5 & 6"})
        web.shutdown()
        web.server_close()
        self.assertEqual(asyncio.run(self.ask_routes(("5",))), [fallback])
        wait_for("the reason in the log", lambda: "status 500" in server.log and "Connection refused" in server.log)

    def test_ban_guessers_shuts_out_who_guesses(self):
        users = self.file("users", f"101:{PASSWORD}\n102:{PASSWORD}\n")
        server = self.serve({"registrar.py": users, "ban_guessers.mjs": "3 60 600"}, sip={"guard": {"ban_after": 0, "delay": 0, "exempt": self.address(9)}})
        self.handlers_are_there(server, 4)
        wait_for("it to watch", lambda: "watchers=1" in server.command("external").stdout, 10)
        guesser, honest = self.address(7), self.address(8)
        names = [f"10{number % 2 + 1}" for number in range(4)]
        for name in names:
            self.phone(server, name, "a wrong song", address=guesser).register(status=401)
        wait_for("the ban", lambda: guesser in server.command("ban", "list").stdout)
        self.assertIn("4 wrong passwords", server.command("ban", "list").stdout)
        self.assertNotIn(honest, server.command("ban", "list").stdout)
        self.phone(server, "101", PASSWORD, address=honest).register()

    def test_click_to_call_rings_one_phone_and_then_calls_the_other(self):
        users = self.file("users", f"101:{PASSWORD}\n102:{PASSWORD}\n")
        server = self.serve({"registrar.py": users})
        self.handlers_are_there(server, 4)
        mine, yours = self.phone(server, "101", PASSWORD), self.phone(server, "102", PASSWORD)
        mine.register()
        yours.register()
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        page = f"http://127.0.0.1:{port}"
        clicking = Process([os.path.join(SHARE, "click_to_call.mjs"), self.path, port], self.folder, "click_to_call")
        self.addCleanup(clicking.kill)

        def click(headers=None, **form):
            request = urllib.request.Request(page + "/call", urllib.parse.urlencode(form).encode(), headers or {})
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                return error.code, error.read().decode()
        wait_for("the page", lambda: self.page(page))
        self.assertIn("<form", self.page(page))
        status, text = click(**{"from": "101", "to": "102"})
        self.assertEqual(status, 200, text)
        ringing = mine.incoming()
        ringing.accept()
        called = yours.incoming()
        self.assertIn("sip:101@", called.request["from"])
        called.reply(200, yours.sdp())  # its offer, since the server had none to make
        ringing.reinvited()
        ringing.reply(200, mine.sdp(version=2))
        ringing.expect_request("ACK")
        called.expect_request("ACK")
        ringing.bye()
        called.hung_up()
        self.assertEqual(click(**{"from": "109", "to": "102"})[0], 404)
        self.assertEqual(click(**{"from": "101"})[0], 400)
        self.assertEqual(click({"Origin": "http://elsewhere.example"}, **{"from": "101", "to": "102"})[0], 403)
        self.assertEqual(click({"Host": "elsewhere.example"}, **{"from": "101", "to": "102"})[0], 403)

    @staticmethod
    def page(url):
        with contextlib.suppress(OSError):
            with urllib.request.urlopen(url, timeout=10) as answer:
                return answer.read().decode()
        return ""

    def test_watch_calls_says_who_calls_whom(self):
        users = self.file("users", f"101:{PASSWORD}\n102:{PASSWORD}\n")
        server = self.serve({"registrar.py": users})
        self.handlers_are_there(server, 4)
        caller, callee = self.phone(server, "101", PASSWORD), self.phone(server, "102", PASSWORD)
        callee.register()
        with subprocess.Popen([os.path.join(SHARE, "watch_calls.py"), self.path], stdout=subprocess.PIPE, text=True) as watching:
            wait_for("it to watch", lambda: "watchers=3" in server.command("external").stdout)
            call = caller.invite("102")
            callee.incoming().reply(486)
            call.refused(486)
            lines = [watching.stdout.readline().split() for _ in range(2)]
            watching.terminate()
        self.assertEqual(lines[0][0:1] + lines[0][2:5], ["calls", "101", "->", "102"])
        self.assertEqual(lines[1][0], "ends")


class Library(Scripts):
    def test_escapes_are_those_of_the_protocol(self):
        for text, written in (("a:b%c\n", "a%zb%%c%J"), ("%%", "%%%%"), ("%:", "%%%z"), ("", ""), ("ä€", "ä€")):
            self.assertEqual(jackfield.escape(text), written)
            self.assertEqual(jackfield.unescape(written), text)
        self.assertEqual(jackfield.escape("a=b", True), "a%}b")
        for wrong in ("%", "a%", "%a"):
            self.assertRaises(jackfield.ProtocolError, jackfield.unescape, wrong)

    def test_a_script_of_role_channel_calls_a_phone(self):
        server = self.serve({"registrar.py": self.file("users", f"102:{PASSWORD}\n")})
        self.handlers_are_there(server, 4)
        phone = self.phone(server, "102", PASSWORD)
        phone.register()
        answers = []

        async def play():
            script = jackfield.Script(self.path, role="channel")

            @script.on_start
            async def start():
                await script.setlocal("id", "robot/1")
                route = await script.dispatch("call.route", called="102", caller="900")
                answers.append(await script.dispatch("call.execute", **{**route, "callto": route.retval}))
            await script.serve()  # until its call has ended
        calling = threading.Thread(target=asyncio.run, args=(play(),))
        calling.start()
        incoming = phone.incoming(10)
        incoming.reply(486)
        calling.join(10)
        self.assertFalse(calling.is_alive())
        self.assertEqual((answers[0].handled, answers[0]["id"], answers[0]["called"]), (True, "robot/1", "102"))

    def test_a_handler_answers_changes_deletes_fails_and_waits(self):
        self.serve()
        results = {}

        async def play():
            answering, asking = jackfield.Script(self.path), jackfield.Script(self.path)

            @answering.handle("change", priority=10)
            async def change(message):
                await asyncio.sleep(0.01)
                message["x"] = "2:3"
                del message["y"]
                message.name = "changed"
                return "done"

            @answering.handle("only", only=("kind", "a"))
            def only(message):
                return message["kind"] == "a"

            @answering.handle("fails")
            def fails(message):
                message["x"] = "half done"
                raise RuntimeError("on purpose")

            @answering.on_start
            async def answer():
                results["version"] = await answering.setlocal("engine.version")
                try:
                    await answering.setlocal("nothing")
                except jackfield.ProtocolError:
                    results["refused"] = True
                running = asyncio.ensure_future(asking.serve())
                await running
                answering.quit()

            @asking.on_start
            async def ask():
                results["change"] = await asking.dispatch("change", x="1", y="1")
                results["only"] = [(await asking.dispatch("only", kind=kind)).handled for kind in "ab"]
                results["fails"] = await asking.dispatch("fails", x="1")
                asking.quit()
            await answering.serve()
        with contextlib.redirect_stderr(io.StringIO()) as errors:
            asyncio.run(asyncio.wait_for(play(), 10))
        self.assertIn("RuntimeError: on purpose", errors.getvalue())
        change = results["change"]
        self.assertEqual((change.name, change.retval, change.handled, dict(change)), ("changed", "done", True, {"x": "2:3"}))
        self.assertEqual(results["only"], [True, False])
        self.assertEqual((results["fails"].handled, dict(results["fails"])), (False, {"x": "1"}))
        self.assertTrue(results["version"] and results["refused"])


class OwnCalls(Scripts):
    """Calls that have a script of their own."""
    ROUTES = """\
        #!/usr/bin/env python3
        import sys
        sys.path.insert(0, %(library)r)
        import jackfield
        script = jackfield.Script()

        @script.handle("user.auth", priority=50)
        def auth(message):
            return "an old song"

        @script.handle("call.route", priority=50)
        def route(message):
            return "external/" + message["called"].replace("-", "/", 1) + ".py " + message["caller"]
        script.run()
        """
    GREETER = """\
        #!/usr/bin/env python3
        import asyncio, os, sys
        sys.path.insert(0, %(library)r)
        import jackfield
        script = jackfield.Script()

        @script.on_start
        async def start():
            await script.setlocal("id", "greeter/" + sys.argv[1])

        @script.call
        async def called(message):
            script.enqueue("call.ringing", id="greeter/" + sys.argv[1], targetid=message["id"])
            if message["caller"] == "101":
                asyncio.get_running_loop().call_later(0.2, lambda: script.enqueue("call.drop", id=message["id"], reason="busy"))
            return message["caller"] != "109"
        script.run()
        """

    NODE = """\
        #!/usr/bin/env node
        import { Script } from "%(library)s/jackfield.mjs";
        const script = new Script();
        script.onStart(() => script.setlocal("id", "node/1"));
        script.call((message) => {
          script.enqueue("call.ringing", { id: "node/1", targetid: message.parameters.get("id") });
          setTimeout(() => script.enqueue("call.drop", { id: message.parameters.get("id"), reason: "busy" }), 100);
          return true;
        });
        await script.run();
        """

    def setUp(self):
        super().setUp()
        library = {"library": SHARE}
        for name, text in (("routes.py", self.ROUTES), ("greeter.py", self.GREETER), ("node.py", self.NODE)):
            os.chmod(self.file(name, text % library), 0o755)
        self.jackfield = self.serve({"routes.py": ""}, general={"scripts_dir": self.folder})
        self.handlers_are_there(self.jackfield, 2)

    def user(self, name):
        return self.phone(self.jackfield, name, PASSWORD)

    def running(self):
        return self.jackfield.command("status", "extmodule").stdout.count("greeter.py#")

    def test_YT_19_a_script_rings_the_caller_and_hangs_up(self):
        call = self.user("101").invite("nodata-greeter")
        call.expect(180)
        call.refused(486)
        wait_for("its script to be gone", lambda: self.running() == 0)

    def test_a_script_in_javascript_does_the_same(self):
        os.rename(os.path.join(self.folder, "node.py"), os.path.join(self.folder, "node.mjs"))
        os.symlink("node.mjs", os.path.join(self.folder, "node.py"))  # what the rule of these tests calls it
        call = self.user("101").invite("nodata-node")
        call.expect(180, seconds=10)
        call.refused(486)

    def test_the_end_of_the_call_ends_its_script(self):
        call = self.user("102").invite("nodata-greeter")
        call.expect(180)
        self.assertEqual(self.running(), 1)
        self.assertIn("greeter/102", self.jackfield.command("external").stdout + self.jackfield.command("status").stdout)
        call.cancel()
        wait_for("its script to be gone", lambda: self.running() == 0)

    def test_a_script_that_does_not_take_the_call_or_is_not_there_or_would_have_to_speak(self):
        self.user("109").invite("nodata-greeter").refused(404)
        self.user("101").invite("nodata-nobody").refused(500)
        self.user("101").invite("play-greeter").refused(415)
        self.assertEqual(self.running(), 0)


class JavaScript(Scripts):
    """The same library in JavaScript: one script answers over its standard streams, another asks over a socket."""
    ANSWERING = """\
        #!/usr/bin/env node
        import { Script } from "%(library)s";
        const script = new Script();
        console.log("printed by mistake");
        script.handle("change", async (message) => {
          await new Promise((resolve) => setTimeout(resolve, 10));
          message.parameters.set("x", "2:3%%");
          message.parameters.delete("y");
          message.name = "changed";
          return "done";
        }, { priority: 10 });
        script.handle("only", (message) => message.parameters.get("kind") === "a", { only: ["kind", "a"] });
        script.handle("fails", (message) => { message.parameters.set("x", "half done"); throw new Error("on purpose"); });
        await script.run();
        """
    ASKING = """\
        import { Script, escape, unescape } from "%(library)s";
        const script = new Script(process.argv[2]);
        const seen = [];
        script.watch("fails", (message) => seen.push(message.name));
        script.onStart(async () => {
          const show = (message) => [message.name, message.retval, message.handled, ...message.parameters].join(" ");
          console.log(show(await script.dispatch("change", { x: 1, y: 1 })));
          for (const kind of ["a", "b"]) console.log((await script.dispatch("only", { kind })).handled);
          console.log(show(await script.dispatch("fails", { x: 1 })));
          console.log(await script.setlocal("timeout", "700"));
          await script.setlocal("nothing").catch((error) => console.log(error.message));
          console.log(unescape(escape("a:b%%c\\n=", true)) === "a:b%%c\\n=", escape("=:", true));
          try { unescape("a%%"); } catch (error) { console.log(error.message); }
          script.quit();
        });
        await script.run();
        """

    def test_it_answers_and_asks_as_the_one_in_python_does(self):
        library = os.path.join(SHARE, "jackfield.mjs")
        os.chmod(self.file("answering.mjs", self.ANSWERING % {"library": library}), 0o755)
        asking = self.file("asking.mjs", self.ASKING % {"library": library})
        server = self.serve({os.path.join(self.folder, "answering.mjs"): ""})
        self.handlers_are_there(server, 3)
        result = subprocess.run(["node", asking, self.path], capture_output=True, text=True, timeout=15, check=False)
        self.assertEqual(result.stdout.splitlines(), [
            "changed done true x,2:3%", "true", "false", "fails  false x,1", "700", "setlocal nothing: refused", "true %}%z", "% is no escape"], result.stderr)
        self.assertIn("printed by mistake", server.log)
        self.assertIn("on purpose", server.log)


main()
