"""One dialog of a scripted phone, from either end."""
import itertools
import re

from .sip import Message, parameter


def _uri(value):
    match = re.search(r"<([^>]*)>", value)
    return match[1] if match else value.split(";")[0].strip()


class Call:
    def __init__(self, phone, call_id, local, remote, target, route=()):
        self.phone = phone
        self.call_id = call_id
        self.local = local      # our From or To value, with its tag
        self.remote = remote    # theirs
        self.target = target    # Request-URI of our next request
        self.route = list(route)
        self.request = None     # the INVITE in question
        self._cseq = itertools.count(1)

    # --- outgoing

    @classmethod
    def outgoing(cls, phone, uri):
        return cls(phone, phone.new_id(), f"<sip:{phone.user}@{phone.domain}>;tag={phone.new_id()}", f"<{uri}>", uri)

    def _message(self, method, headers=(), body=b"", cseq=None, branch=None):
        body = body.encode() if isinstance(body, str) else body
        fields = [("Via", self.phone.via(branch)), ("Max-Forwards", "70"), *[("Route", r) for r in self.route],
                  ("From", self.local), ("To", self.remote), ("Call-ID", self.call_id), ("CSeq", f"{cseq or next(self._cseq)} {method}")]
        if method in ("INVITE", "UPDATE"):
            fields += [("Contact", f"<{self.phone.contact}>"), ("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS")]
        if body:
            fields.append(("Content-Type", "application/sdp"))
        return Message(f"{method} {self.target} SIP/2.0", [*fields, *headers], body)

    def invite(self, body, headers=()):
        """An INVITE, or a re-INVITE once the dialog stands."""
        self._headers = tuple(headers)
        self.request = self.phone.send(self._message("INVITE", headers, body))

    def answer_challenge(self):
        refused = self.expect((100, 699))
        while refused.status < 200:
            refused = self.expect((100, 699))
        if refused.status not in (401, 407):
            raise AssertionError(f"{self.phone.user} expected a challenge to its INVITE, received:\n{refused}")
        self.acknowledge_refusal(refused)
        credentials = self.phone.credentials(refused, "INVITE", self.request.uri)
        self.invite(self.request.body, [*self._headers, credentials])

    def expect(self, what, seconds=3.0):
        """A response to our INVITE."""
        return self.phone.expect(what, "INVITE", call_id=self.call_id, seconds=seconds)

    def expect_request(self, method, seconds=3.0):
        return self.phone.expect(method, call_id=self.call_id, seconds=seconds)

    def acknowledge_refusal(self, response):
        """The ACK to a final response that is not a 2xx belongs to the INVITE's transaction (RFC 3261 §17.1.1.3)."""
        ack = Message(f"ACK {self.request.uri} SIP/2.0", [
            ("Via", self.request["via"]), ("Max-Forwards", "70"), ("From", self.request["from"]), ("To", response["to"]),
            ("Call-ID", self.call_id), ("CSeq", self.request["cseq"].replace("INVITE", "ACK"))])
        self.phone.send(ack)

    def refused(self, status, seconds=5.0):
        """Waits for that final response, acknowledges it and returns it."""
        response = self.expect(status, seconds)
        self.acknowledge_refusal(response)
        return response

    def answered(self, seconds=5.0):
        """Waits for the 200, acknowledges it and returns it; from then on the dialog stands."""
        response = self.expect(200, seconds)
        self.remote = response["to"]
        self.target = _uri(response["contact"])
        self.route = list(reversed(response.all("record-route")))
        self.acknowledge()
        return response

    def acknowledge(self, body=b""):
        cseq = int(self.request["cseq"].split()[0])
        self.phone.send(self._message("ACK", body=body, cseq=cseq))

    def cancel(self):
        """CANCEL the pending INVITE and see it confirmed: 200 to CANCEL, 487 to INVITE."""
        self.phone.send(Message(f"CANCEL {self.request.uri} SIP/2.0", [
            ("Via", self.request["via"]), ("Max-Forwards", "70"), ("From", self.request["from"]), ("To", self.request["to"]),
            ("Call-ID", self.call_id), ("CSeq", self.request["cseq"].replace("INVITE", "CANCEL"))]))
        self.phone.expect(200, "CANCEL", call_id=self.call_id)
        return self.refused(487)

    # --- incoming

    @classmethod
    def incoming(cls, phone, request):
        call = cls(phone, request["call-id"], f"{request['to']};tag={phone.new_id()}", request["from"], _uri(request["contact"]),
                   request.all("record-route"))
        call.request = request
        return call

    def reply(self, status, body=b"", headers=(), request=None):
        return self.phone.reply(request or self.request, status, tag=parameter(self.local, "tag"), body=body, headers=headers)

    def accept(self, body=None):
        """200 with SDP, and the ACK to it."""
        self.reply(200, self.phone.sdp() if body is None else body)
        return self.expect_request("ACK")

    def reinvited(self, seconds=3.0):
        """The next re-INVITE of the other end; answer it with reply()."""
        self.request = self.expect_request("INVITE", seconds)
        return self.request

    # --- either

    def bye(self, status=200, headers=()):
        self.phone.send(self._message("BYE", headers))
        return self.phone.expect(status, "BYE", call_id=self.call_id)

    def hung_up(self, seconds=3.0):
        """Waits for the other end's BYE and answers it."""
        request = self.expect_request("BYE", seconds)
        self.phone.reply(request, 200)
        return request
