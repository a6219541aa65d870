"""The lines that Yate's script libraries write and read, in their order, byte for byte (COMPAT §9, D24): over a socket and, as a started
script, over its standard streams."""
import os
import re
import socket
import textwrap

from jackfield_test import Case, main
from jackfield_test.processes import wait_for

# A started script that hands its streams to whoever listens: the test plays it.
_BRIDGE = """\
    #!/usr/bin/python3
    import os, signal, socket, sys, threading
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it goes when its input ends, and until then hands everything on
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(sys.argv[1])
    def out():
        while data := peer.recv(65536):
            os.write(1, data)
        os._exit(0)
    threading.Thread(target=out, daemon=True).start()
    while data := os.read(0, 65536):
        peer.sendall(data)
    """


class Peer:
    """The script's end. What the server says must come exactly so; {ID} stands for an id of the server's, which it is asked by."""

    def __init__(self, connection):
        connection.settimeout(10)
        self._socket, self._lines = connection, connection.makefile("rb")
        self.id = None

    def says(self, *lines):
        for line in lines:
            self._socket.sendall((line.replace("{ID}", self.id or "") + "\n").encode())

    def hears(self, test, *lines):
        for line in lines:
            heard = self._lines.readline()
            pattern = re.escape(line).replace(re.escape("{ID}"), "(?P<id>[0-9]+)") + "\n"
            match = re.fullmatch(pattern, heard.decode())
            test.assertTrue(match, f"expected {line!r}, heard {heard!r}")
            self.id = match.groupdict().get("id", self.id)

    def over(self, test):
        test.assertEqual(self._lines.readline(), b"")

    def close(self):
        self._lines.close()
        self._socket.close()


class Libraries(Case):
    def setUp(self):
        super().setUp()
        self.path = os.path.join(self.folder, "scripts.sock")
        self.bridge = os.path.join(self.folder, "bridge.py")
        with open(self.bridge, "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(_BRIDGE))
        os.chmod(self.bridge, 0o755)
        self.jackfield = self.server({}, modules=("extmodule",), settings={
            "jackfield": {"general": {"nodename": "here"}},
            "extmodule": {"listener open": {"type": "unix", "path": self.path}}})
        self.other = self.over_socket()

    def over_socket(self):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self.path)
        peer = Peer(connection)
        self.addCleanup(peer.close)
        return peer

    def over_streams(self):
        path = os.path.join(self.folder, "bridge.sock")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            listener.settimeout(10)
            self.jackfield.command("external", "start", self.bridge, path)
            peer = Peer(listener.accept()[0])
        os.unlink(path)
        self.addCleanup(peer.close)
        return peer

    # libyate.php: positions between colons, all parameters of a message in its acknowledgement, Str2bool is true for "true" only.
    def play_php(self, script, socket_role):
        if socket_role:
            script.says("%%>connect:global")  # no reply
        script.says("%%>setlocal:trackparam:php.php", "%%>setlocal:timeout:5000", "%%>install:90:call.route", "%%>install::my.test:kind:a%zb",
                    "%%>watch:chan.hangup", "%%>setlocal:engine.nodename:")
        script.hears(self, "%%<setlocal:trackparam:php.php:true", "%%<setlocal:timeout:5000:true", "%%<install:90:call.route:true",
                     "%%<install:100:my.test:true", "%%<watch:chan.hangup:true", "%%<setlocal:engine.nodename:here:true")
        # Asked, it gives everything back, and once it says so without having handled it.
        self.other.says("%%>message:o1:1700000000:call.route::called=5:caller=a%zb:empty=")
        script.hears(self, "%%>message:{ID}:1700000000:call.route::called=5:caller=a%zb:empty=:handlers=php.php%z90")
        script.says("%%<message:{ID}:true:call.route:tone/dial:called=5:caller=a%zb:empty=:handlers=php.php%z90")
        self.other.hears(self, "%%<message:o1:true:call.route:tone/dial:called=5:caller=a%zb:empty=:handlers=php.php%z90")
        self.other.says("%%>message:o2:1700000000:my.test:r:kind=a%zb")
        script.hears(self, "%%>message:{ID}:1700000000:my.test:r:kind=a%zb:handlers=php.php%z100")
        script.says("%%<message:{ID}:false:my.test:r:kind=a%zb:handlers=php.php%z100")
        self.other.hears(self, "%%<message:o2:false:my.test:r:kind=a%zb:handlers=php.php%z100")
        # It asks with an id as PHP's uniqid makes them, and watches.
        script.says("%%>message:1804289383655d1f2b8d6e71.52360117:1700000000:app.job::job=cleanup:done=75%%:path=/bin%z/usr/bin")
        script.hears(self, "%%<message:1804289383655d1f2b8d6e71.52360117:false:app.job::job=cleanup:done=75%%:path=/bin%z/usr/bin")
        self.other.says("%%>message::1700000000:chan.hangup::id=x/1")
        script.hears(self, "%%<message::false:chan.hangup::id=x/1")
        script.says("%%>output:PHP says: hello", "%%>uninstall:my.test", "%%>unwatch:chan.hangup", "%%>quit")
        script.hears(self, "%%<uninstall:100:my.test:true", "%%<unwatch:chan.hangup:true", "%%<quit")
        script.over(self)
        wait_for("what it said", lambda: "PHP says: hello" in self.jackfield.log)

    def test_YT_19_the_lines_of_the_library_for_php_over_a_socket(self):
        self.play_php(self.over_socket(), True)

    def test_YT_19_the_lines_of_the_library_for_php_over_its_streams(self):
        self.play_php(self.over_streams(), False)

    # Yate.pm: as many fields as each keyword has; a watcher is known by the empty id; what a handler returns is the return value.
    def play_perl(self, script):
        script.says("%%>install:10:my.question", "%%>install:10:my.question", "%%>watch:", "%%>setlocal:restart:true", "%%>setlocal:restart:")
        script.hears(self, "%%<install:10:my.question:true", "%%<install:10:my.question:false", "%%<watch::true", "%%<setlocal:restart:true:true",
                     "%%<setlocal:restart:true:true")
        self.other.says("%%>message:o1:1700000000:my.question:given:k=v")
        script.hears(self, "%%>message:{ID}:1700000000:my.question:given:k=v")
        script.says("%%<message:{ID}:true:my.question:answer 1:k=v:new=1")
        self.other.hears(self, "%%<message:o1:true:my.question:answer 1:k=v:new=1")
        script.hears(self, "%%<message::true:my.question:answer 1:k=v:new=1")  # it watches everything
        script.says("%%>message:5f3a:1700000000:other.name:ret:k=")
        script.hears(self, "%%<message:5f3a:false:other.name:ret:k=")
        script.says("%%>unwatch:", "%%>setlocal:restart:false", "%%>quit")
        script.hears(self, "%%<unwatch::true", "%%<setlocal:restart:false:true", "%%<quit")
        script.over(self)

    def test_YT_19_the_lines_of_the_library_for_perl_over_a_socket(self):
        self.play_perl(self.over_socket())

    def test_YT_19_the_lines_of_the_library_for_perl_over_its_streams(self):
        self.play_perl(self.over_streams())

    # libyate.py: over its streams only; splits every parameter at = without looking whether there is one.
    def test_YT_19_the_lines_of_the_library_for_python(self):
        script = self.over_streams()
        script.says("%%>install:60:call.route:called:1%%", "%%>watch:my.event")
        script.hears(self, "%%<install:60:call.route:true", "%%<watch:my.event:true")
        self.other.says("%%>message:o1:1700000000:call.route::called=1%%:none:also=", "%%>message:o2:1700000000:call.route::called=1")
        self.other.hears(self, "%%<message:o2:false:call.route::called=1")  # not what the filter says
        script.hears(self, "%%>message:{ID}:1700000000:call.route::called=1%%:also=")
        script.says("%%<message:{ID}:true:call.route:sip/sip%zx@192.0.2.1:called=1%%:also=:added=yes")
        self.other.hears(self, "%%<message:o1:true:call.route:sip/sip%zx@192.0.2.1:called=1%%:also=:added=yes")
        self.other.says("%%>message::1700000000:my.event::a=:b=%%")
        script.hears(self, "%%<message::false:my.event::a=:b=%%")
        script.says("%%>message:7:0:my.event::a=1", "nonsense", "%%>message:7:now:my.event:", "%%<message:12345:true::x", "%%>quit")
        script.hears(self, "%%<message:7:false:my.event::a=1", "Error in: nonsense", "Error in: %%>message:7:now:my.event:", "%%<quit")
        script.over(self)


main()
