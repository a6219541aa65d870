"""A phone that answers every call as RFC 3261 asks for over UDP, however much the network loses: what came again is answered again
(§17.2), and a 200 is repeated until its ACK comes (§13.3.1.4).

    with Answering(phone, ring=0.2) as callee:
        ...
    callee.calls: one AnsweredCall for each
"""
import heapq
import itertools
import threading
import time
from dataclasses import dataclass

_T1, _T2 = 0.5, 4.0


@dataclass
class AnsweredCall:
    invite: object
    answer: bytes = b""      # the last response to the INVITE
    answered: float = 0.0    # monotonic; 0: still ringing
    acknowledged: bool = False
    ended: bool = False      # by the caller's BYE
    given_up: bool = False   # no ACK within 64 * T1


class Answering:
    def __init__(self, phone, *, ring=0.2):
        self._phone, self._ring = phone, ring
        self._calls = {}     # by Call-ID
        self._due = []       # (when, order, what to do)
        self._order = itertools.count()
        self._running = True
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._running = False
        self._thread.join()

    @property
    def calls(self):
        return list(self._calls.values())

    def _run(self):
        while self._running:
            wait = min(0.2, max(0.0, self._due[0][0] - time.monotonic())) if self._due else 0.2
            message = self._phone.receive(wait)
            if message is not None:
                self._take(message)
            while self._due and self._due[0][0] <= time.monotonic():
                heapq.heappop(self._due)[2]()

    def _after(self, seconds, action):
        heapq.heappush(self._due, (time.monotonic() + seconds, next(self._order), action))

    def _take(self, message):
        call = self._calls.get(message["call-id"])
        if message.method == "INVITE" and call is None:
            call = self._calls[message["call-id"]] = AnsweredCall(message)
            self._respond(call, 180)
            self._after(self._ring, lambda: self._answer(call))
        elif message.method == "INVITE":
            self._phone.send(call.answer)
        elif message.method == "ACK" and call is not None:
            call.acknowledged = True
        elif message.method == "BYE" and call is not None:
            call.ended = True
            self._phone.reply(message, 200)
        elif message.method and message.method != "ACK":
            self._phone.reply(message, 481)

    def _respond(self, call, status):
        body = self._phone.sdp() if status == 200 else b""
        call.answer = self._phone.reply(call.invite, status, tag="b" + call.invite["call-id"][:8], body=body).encode()

    def _answer(self, call):
        call.answered = time.monotonic()
        self._respond(call, 200)
        self._after(_T1, lambda: self._repeat(call, _T1))

    def _repeat(self, call, interval):
        if call.acknowledged or call.ended:
            return
        if time.monotonic() - call.answered > 64 * _T1:
            call.given_up = True
            return
        self._phone.send(call.answer)
        interval = min(2 * interval, _T2)
        self._after(interval, lambda: self._repeat(call, interval))
