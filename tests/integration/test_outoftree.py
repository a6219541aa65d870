"""What `cmake --install` puts in place is enough to build a module, load it and hear it answer."""

import os
import subprocess
import tempfile
import time
from pathlib import Path

SOURCE = Path(__file__).parent / "outoftree"
BUILD = Path(os.environ["JACKFIELD_BUILD"])


def run(*command, **options):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    assert result.returncode == 0, f"{command} failed ({result.returncode}):\n{result.stdout}{result.stderr}"
    return result.stdout


def until_ready(jackfield, server):
    for _ in range(600):
        assert server.poll() is None, f"the server ended: {server.stderr.read()}"
        if subprocess.run([*jackfield, "status", "--ready"], capture_output=True).returncode == 0:
            return
        time.sleep(0.05)
    raise AssertionError("the server was not ready within 30 s")


def main():
    with tempfile.TemporaryDirectory(prefix="jackfield-outoftree-") as name:
        home = Path(name)
        # To a place that then moves: nothing in the installed tree may remember where it was made.
        run("cmake", "--install", BUILD, "--prefix", home / "first")
        prefix = home / "moved"
        (home / "first").rename(prefix)

        run("cmake", "-S", SOURCE, "-B", home / "build", f"-DCMAKE_PREFIX_PATH={prefix}", "-DCMAKE_BUILD_TYPE=Debug")
        run("cmake", "--build", home / "build")
        run("cmake", "--install", home / "build")
        assert list(prefix.glob("lib/**/jackfield/modules/hello.so")), "the module was not installed where the server looks"
        pc = next(prefix.glob("lib/**/pkgconfig"))
        flags = run("pkg-config", "--cflags", "jackfield", env={**os.environ, "PKG_CONFIG_PATH": str(pc)})
        assert "include" in flags and "-DBOOST_ASIO_NO_DEPRECATED" in flags, flags

        conf = home / "conf"
        conf.mkdir()
        jackfield = [str(prefix / "bin/jackfield"), "-c", str(conf), "-w", str(home / "state")]
        assert "needs" not in run(*jackfield, "module", "enable", "hello")
        assert (conf / "jackfield.conf").read_text() == "[modules]\nhello=yes\n"
        assert ";greeting=Hello" in run(*jackfield, "settings", "hello")
        assert "hello: greets" in run(*jackfield, "help", "hello")
        run(*jackfield, "check")

        server = subprocess.Popen(jackfield, stderr=subprocess.PIPE, text=True)
        try:
            until_ready(jackfield, server)
            assert run(*jackfield, "hello") == "Hello, Jackfield!\n"
            (conf / "hello.conf").write_text("[general]\ngreeting=Good evening\n")
            run(*jackfield, "reload", "hello")
            assert run(*jackfield, "hello") == "Good evening, Jackfield!\n"
            run(*jackfield, "stop")
            assert server.wait(10) == 0
        finally:
            if server.poll() is None:
                server.kill()
            server.communicate()


if __name__ == "__main__":
    main()
