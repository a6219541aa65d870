"""Spoils SIP messages, by a seed: what a fuzzer does within the program, for one that runs."""
import os
import random
import re

_TORTURE = os.path.join(os.environ["JACKFIELD_SOURCE"], "tests", "support", "rfc4475", "messages.h")
_TOKENS = os.path.join(os.environ["JACKFIELD_SOURCE"], "tests", "fuzz", "sip.dict")
_LITERAL = r'R"\(.*?\)"|"(?:[^"\\]|\\.)*"'
_BLANK = r"(?:\s|//[^\n]*)*"
_ENTRY = re.compile(rf'\{{"3\.[\d.]+", "\w+", Verdict::\w+, \d+,{_BLANK}(?:{_LITERAL}),{_BLANK}((?:(?:{_LITERAL})\s*)+)\}}', re.DOTALL)
_NUMBERS = (b"0", b"-1", b"1", b"255", b"65536", b"2147483648", b"4294967295", b"4294967296", b"18446744073709551616", b"9" * 40, b"", b"1e9")
_METHODS = (b"INVITE", b"ACK", b"BYE", b"CANCEL", b"OPTIONS", b"REGISTER", b"PRACK", b"UPDATE", b"INFO", b"MESSAGE", b"SUBSCRIBE", b"NOTIFY",
            b"REFER", b"PUBLISH", b"invite", b"X" * 300)


def _plain(literal):
    if literal.startswith("R"):
        return literal[3:-2]
    return literal[1:-1].encode().decode("unicode_escape")


def torture_messages():
    """RFC 4475's messages as they are on the wire (but longreq, which is made up of repetitions), from the table that the unit
    tests have their verdicts from."""
    with open(_TORTURE, encoding="utf-8") as file:
        entries = _ENTRY.findall(file.read())
    messages = []
    for literals in entries:
        text = "".join(_plain(literal) for literal in re.findall(_LITERAL, literals, re.DOTALL))
        wire = re.sub(r"\\x([0-9a-fA-F]{2})", lambda match: chr(int(match[1], 16)), text.replace("\n", "\r\n")).encode("latin-1")
        body = len(wire.partition(b"\r\n\r\n")[2])
        messages.append(wire.replace(b"@LEN@", str(body).encode()))
    return messages


class Mutator:
    """mutate() spoils a message in one to four ways."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        with open(_TOKENS, encoding="utf-8") as file:
            self._tokens = [_plain(line.strip()).encode("latin-1") for line in file if line.startswith('"')]
        self._ways = (self._flip, self._flip, self._cut, self._repeat, self._insert_token, self._insert_token, self._insert_bytes, self._number,
                      self._number, self._drop_line, self._repeat_line, self._swap_lines, self._swap_values, self._method, self._splice,
                      self._truncate, self._long, self._line_end)

    def mutate(self, message, others):
        data = bytearray(message)
        for _ in range(self.random.choice((1, 1, 1, 2, 2, 3, 4))):
            data = self.random.choice(self._ways)(data, others)
        return bytes(data[:65000])

    def _at(self, data):
        return self.random.randrange(len(data) + 1)

    def _slice(self, data, most=64):
        begin = self._at(data)
        return slice(begin, min(len(data), begin + self.random.randint(1, most)))

    def _flip(self, data, _):
        for _ in range(self.random.randint(1, 6)):
            if data:
                data[self.random.randrange(len(data))] = self.random.choice((self.random.randrange(256), 0, 0x20, 0x22, 0x3b, 0x2c, 0xff, 0x40))
        return data

    def _cut(self, data, _):
        del data[self._slice(data)]
        return data

    def _repeat(self, data, _):
        part = data[self._slice(data)]
        at = self._at(data)
        data[at:at] = part * self.random.choice((1, 1, 2, 30))
        return data

    def _insert_token(self, data, _):
        at = self._at(data)
        data[at:at] = self.random.choice(self._tokens)
        return data

    def _insert_bytes(self, data, _):
        at = self._at(data)
        data[at:at] = self.random.randbytes(self.random.randint(1, 16))
        return data

    def _number(self, data, _):
        found = list(re.finditer(rb"\d+", data))
        if found:
            where = self.random.choice(found)
            data[where.start():where.end()] = self.random.choice(_NUMBERS)
        return data

    def _lines(self, data):
        return data.split(b"\r\n")

    def _drop_line(self, data, _):
        lines = self._lines(data)
        del lines[self.random.randrange(len(lines))]
        return bytearray(b"\r\n".join(lines))

    def _repeat_line(self, data, _):
        lines = self._lines(data)
        line = self.random.choice(lines)
        at = self.random.randrange(len(lines))
        lines[at:at] = [line] * self.random.choice((1, 1, 3, 300))
        return bytearray(b"\r\n".join(lines))

    def _swap_lines(self, data, _):
        lines = self._lines(data)
        a, b = self.random.randrange(len(lines)), self.random.randrange(len(lines))
        lines[a], lines[b] = lines[b], lines[a]
        return bytearray(b"\r\n".join(lines))

    def _swap_values(self, data, others):
        """The value of a header of another message."""
        lines, strange = self._lines(data), self._lines(self.random.choice(others))
        at = self.random.randrange(len(lines))
        lines[at] = lines[at].partition(b":")[0] + b":" + self.random.choice(strange).partition(b":")[2]
        return bytearray(b"\r\n".join(lines))

    def _method(self, data, _):
        old, method = bytes(data.partition(b" ")[0]), self.random.choice(_METHODS)
        changed = method + data[len(old):]
        return bytearray(changed.replace(b" " + old + b"\r\n", b" " + method + b"\r\n") if self.random.random() < 0.8 else changed)

    def _splice(self, data, others):
        other = self.random.choice(others)
        return data[:self._at(data)] + other[self._at(other):]

    def _truncate(self, data, _):
        return data[:self._at(data)]

    def _long(self, data, _):
        at = self._at(data)
        data[at:at] = self.random.choice((b"a", b";", b",", b"%41", b"<", b"\"", b" ", b"\r\n ", b"(", b"\0")) * self.random.choice((100, 2000, 15000))
        return data

    def _line_end(self, data, _):
        return data.replace(b"\r\n", self.random.choice((b"\n", b"\r", b"\r\r\n", b"\r\n\r\n")), self.random.randint(1, 3))
