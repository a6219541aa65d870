"""Scripts for Jackfield in Python 3, without dependencies. A script is started by the server ([scripts] of extmodule.conf) or
connects to one of its sockets ([listener …]).

    import jackfield
    script = jackfield.Script()

    @script.handle("call.route", priority=50)
    async def route(message):
        return f"sip/sip:{message['called']}@192.0.2.10"

    script.run()

A handler answers a str: handled, that is the return value; True: handled; False or None: the next handler is asked. What it sets in the
message or deletes from it is sent back. It may await, also other messages: `answer = await script.dispatch("user.auth", username="101")`.
"""
from __future__ import annotations

import asyncio
import inspect
import os
import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from typing import Union

__all__ = ["Message", "ProtocolError", "Script", "escape", "unescape"]

Result = Union[str, bool, None]
Handler = Callable[["Message"], Union[Result, Awaitable[Result]]]
Watcher = Callable[["Message"], Union[None, Awaitable[None]]]

_LONGEST_LINE = 1024 * 1024


class ProtocolError(Exception):
    """The server said something that is not understood, refused something, or is gone."""


def escape(text: str, name: bool = False) -> str:
    """Escapes what separates fields and lines; in a parameter's name the = too."""
    out = []
    for char in text:
        if char == "%":
            out.append("%%")
        elif ord(char) < 32 or char == ":" or (name and char == "="):
            out.append("%" + chr(ord(char) + 64))
        else:
            out.append(char)
    return "".join(out)


def unescape(text: str) -> str:
    """Takes escapes back; raises ProtocolError for a % that begins none."""
    parts = text.split("%")
    out = [parts[0]]
    rest = iter(parts[1:])
    for part in rest:
        if part == "" and (after := next(rest, None)) is not None:  # %%: what follows it was split off, too
            out.append("%" + after)
        elif part and ("A" <= part[0] <= "_" or part[0] in "z}"):
            out.append(chr(ord(part[0]) - 64) + part[1:])
        else:
            raise ProtocolError(f"%{part[:1]} is no escape")
    return "".join(out)


class Message(dict):
    """A message: its parameters are the items of the dict, all of them str."""

    def __init__(self, name: str, parameters: dict[str, str] | None = None, *, retval: str = "", created: int = 0, handled: bool = False):
        super().__init__(parameters or {})
        self.name = name
        self.retval = retval
        self.created = created  #: seconds since 1970
        self.handled = handled  #: of an answer, and of what a watcher sees

    def __missing__(self, name: str) -> str:
        return ""

    def __repr__(self) -> str:
        return f"Message({self.name!r}, {dict(self)!r}, retval={self.retval!r}, handled={self.handled})"


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _parameters(fields: list[str]) -> dict[str, str]:
    read = {}
    for field in fields:
        name, equals, value = field.partition("=")
        if equals:
            read[unescape(name)] = unescape(value)
    return read


class Script:
    """`address`: None to speak over standard input and output, "host:port", or the path of a Unix socket. `secret` is that of the listener.
    `role` on a socket: "global", or "channel" for a script that makes one call of its own with a call.execute."""

    def __init__(self, address: str | None = None, *, secret: str = "", role: str = "global"):
        self._address, self._secret, self._role = address, secret, role
        self._handlers: dict[str, tuple[int, tuple[str, str] | None, Handler]] = {}
        self._call: Handler | None = None
        self._watchers: dict[str, Watcher] = {}
        self._starting: list[Callable[[], Awaitable[None]]] = []
        self._waiting: dict[str, asyncio.Future] = {}
        self._next_id = 0
        self._writer: asyncio.StreamWriter | None = None
        self._tasks: set[asyncio.Task] = set()

    def handle(self, name: str, priority: int = 100, only: tuple[str, str] | None = None) -> Callable[[Handler], Handler]:
        """Decorates the handler of a message; lower priorities are asked first. `only=("username", "101")`: messages with just that."""
        def decorate(handler: Handler) -> Handler:
            if name in self._handlers:
                raise ValueError(f"{name} has a handler already")
            self._handlers[name] = (priority, only, handler)
            return handler
        return decorate

    def call(self, handler: Handler) -> Handler:
        """Decorates what takes the call that this script was started for (`external/nodata/SCRIPT`). It gets the call.execute; True: the
        script is the caller's other end, named as `setlocal("id", …)` said. What it sends meanwhile is sent on once the two are connected."""
        self._call = handler
        return handler

    def watch(self, name: str = "") -> Callable[[Watcher], Watcher]:
        """Decorates what is told of every message of that name after its dispatch; an empty name is every message."""
        def decorate(watcher: Watcher) -> Watcher:
            self._watchers[name] = watcher
            return watcher
        return decorate

    def on_start(self, function: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """Decorates what runs once the handlers are installed."""
        self._starting.append(function)
        return function

    async def dispatch(self, name: str, retval: str = "", **parameters: str) -> Message:
        """Sends a message and waits for its answer: the message as handlers left it."""
        self._next_id += 1
        key = str(self._next_id)
        return await self._ask("message:" + key, f"%%>message:{key}:{int(time.time())}:{escape(name)}:{escape(retval)}", parameters)

    def enqueue(self, name: str, retval: str = "", **parameters: str) -> None:
        """Sends a message whose answer nobody wants."""
        self._send(f"%%>message::{int(time.time())}:{escape(name)}:{escape(retval)}", parameters)

    async def setlocal(self, name: str, value: str = "") -> str:
        """Sets, or with an empty value asks, what the server keeps for this script: timeout, restart, reenter, engine.version, …"""
        value, known = await self._ask(f"setlocal:{escape(name)}", f"%%>setlocal:{escape(name)}:{escape(value)}")
        if not known:
            raise ProtocolError(f"setlocal {name}: refused")
        return value

    def log(self, text: str, level: int = 8) -> None:
        """A line in the server's log: 0 is the worst, 8 is information, 9 and above are for finding faults."""
        self._send(f"%%>debug:{level}:{escape(text)}")

    def quit(self) -> None:
        """Ends the script; the server does not start it again."""
        self._send("%%>quit")

    def run(self) -> None:
        """Runs until the server closes or quit()."""
        try:
            asyncio.run(self.serve())
        except KeyboardInterrupt:
            pass

    async def serve(self) -> None:
        """As run(), inside a loop of your own."""
        reader, self._writer = await self._connect()
        serving = asyncio.ensure_future(self._read(reader))
        try:
            if self._secret and not await self._ask("auth", f"%%>auth:{escape(self._secret)}"):
                raise ProtocolError("the server refused the secret")
            if self._address is not None:
                self._send(f"%%>connect:{self._role}")
            for name, (priority, only, _) in self._handlers.items():
                condition = f":{escape(only[0])}:{escape(only[1])}" if only else ""
                if not await self._ask(f"install:{escape(name)}", f"%%>install:{priority}:{escape(name)}{condition}"):
                    raise ProtocolError(f"the handler of {name} was refused")
            for name in self._watchers:
                await self._ask(f"watch:{escape(name)}", f"%%>watch:{escape(name)}")
            for function in self._starting:
                await function()
            await serving
        finally:
            serving.cancel()
            for future in self._waiting.values():
                future.cancel()
            self._writer.close()

    # What follows is the protocol.

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._address is None:
            loop = asyncio.get_running_loop()
            reader = asyncio.StreamReader(limit=_LONGEST_LINE)
            await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
            # What a handler prints by mistake must not be taken for the protocol.
            output = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
            sys.stdout = sys.stderr
            transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, output)
            return reader, asyncio.StreamWriter(transport, protocol, None, loop)
        if "/" in self._address:
            return await asyncio.open_unix_connection(self._address, limit=_LONGEST_LINE)
        host, _, port = self._address.rpartition(":")
        return await asyncio.open_connection(host.strip("[]"), int(port), limit=_LONGEST_LINE)

    def _send(self, line: str, parameters: dict[str, str] | None = None, gone: list[str] = []) -> None:
        if self._writer is None:
            raise ProtocolError("the script is not connected yet: send from handlers or from on_start")
        for name, value in (parameters or {}).items():
            line += f":{escape(name, True)}={escape(str(value))}"
        for name in gone:
            line += f":{escape(name, True)}"
        self._writer.write((line + "\n").encode("utf-8", "surrogateescape"))

    async def _ask(self, key: str, line: str, parameters: dict[str, str] | None = None):
        if key in self._waiting:
            raise ProtocolError(f"{key} is asked already")
        future = self._waiting[key] = asyncio.get_running_loop().create_future()
        try:
            self._send(line, parameters)
            return await future
        finally:
            del self._waiting[key]

    def _answer(self, key: str, value) -> None:
        future = self._waiting.get(key)
        if future and not future.done():
            future.set_result(value)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            try:
                self._line(line.decode("utf-8", "surrogateescape").rstrip("\r\n"))
            except (ProtocolError, IndexError, ValueError) as error:
                print(f"not understood: {line!r}: {error}", file=sys.stderr, flush=True)
        for future in list(self._waiting.values()):
            if not future.done():
                future.set_exception(ProtocolError("the server closed the connection"))

    def _line(self, line: str) -> None:
        fields = line.split(":")
        keyword, fields = fields[0], fields[1:]
        if keyword == "%%>message":
            message = Message(unescape(fields[2]), _parameters(fields[4:]), retval=unescape(fields[3]), created=int(fields[1]))
            self._start(self._handle(fields[0], message))
        elif keyword == "%%<message":
            message = Message(unescape(fields[2]), _parameters(fields[4:]), retval=unescape(fields[3]), handled=fields[1] == "true")
            if fields[0]:
                self._answer("message:" + fields[0], message)
            else:
                watcher = self._watchers.get(message.name) or self._watchers.get("")
                if watcher:
                    self._start(self._tell(watcher, message))
        elif keyword in ("%%<install", "%%<uninstall"):
            self._answer(f"{keyword[3:]}:{fields[1]}", fields[2] == "true")
        elif keyword in ("%%<watch", "%%<unwatch"):
            self._answer(f"{keyword[3:]}:{fields[0]}", fields[1] == "true")
        elif keyword == "%%<setlocal":
            self._answer(f"setlocal:{fields[0]}", (unescape(fields[1]), fields[2] == "true"))
        elif keyword == "%%<auth":
            self._answer("auth", fields[0] == "true")
        elif keyword not in ("%%<quit", "%%<connect"):
            raise ProtocolError("no such keyword")

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)  # the loop itself keeps no reference
        task.add_done_callback(self._tasks.discard)

    async def _handle(self, key: str, message: Message) -> None:
        before = dict(message)
        name = message.name
        result: Result = None
        try:
            handler = self._handlers[name][2] if name in self._handlers else self._call
            result = handler(message) if handler else False
            if inspect.isawaitable(result):
                result = await result
        except Exception:  # a fault in one handler is no reason to leave the others, or the caller, alone
            traceback.print_exc()
            result, message = False, Message(name, before, retval=message.retval)
        if isinstance(result, str):
            message.retval = result
        handled = isinstance(result, str) or bool(result)
        changed = {key: value for key, value in message.items() if before.get(key) != str(value)}
        gone = [key for key in before if key not in message]
        renamed = message.name if message.name != name else ""
        self._send(f"%%<message:{key}:{_boolean(handled)}:{escape(renamed)}:{escape(message.retval)}", changed, gone)

    async def _tell(self, watcher: Watcher, message: Message) -> None:
        try:
            result = watcher(message)
            if inspect.isawaitable(result):
                await result
        except Exception:
            traceback.print_exc()
