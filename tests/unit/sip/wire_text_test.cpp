#include "wire_text.h"

#include <doctest/doctest.h>

using namespace jackfield;
using namespace jackfield::sip;

namespace {

std::string with_header(std::string_view header, std::string_view body = {}) {
  return "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n" + std::string(header) + "\r\nCall-ID: a1@h\r\n\r\n" + std::string(body);
}

}  // namespace

TEST_CASE("what a message is about is told from its first lines") {
  const auto is = [](std::string_view bytes, Recorded kind, std::string_view call_id) {
    const auto found = peek(bytes);
    return found.kind == kind && found.call_id == call_id;
  };
  CHECK(is("REGISTER sip:x SIP/2.0\r\nCall-ID: a@b\r\nCSeq: 1 REGISTER\r\n\r\n", Recorded::registration, "a@b"));
  CHECK(is("INVITE sip:x SIP/2.0\r\ni:  a@b \r\n\r\n", Recorded::call, "a@b"));
  CHECK(is("SIP/2.0 200 OK\r\nCSEQ: 17   REGISTER\r\ncall-id : a@b\r\n\r\n", Recorded::registration, "a@b"));
  CHECK(is("SIP/2.0 180 Ringing\nContact: <sip:x>\nI: q\nCSeq: 1 INVITE\n\n", Recorded::call, "q"));
  CHECK(is("BYE sip:x SIP/2.0\r\n\r\nCall-ID: of-the-body\r\n", Recorded::call, ""));
  CHECK(is("OPTIONS sip:x SIP/2.0\r\nCall-ID: a\r\n\r\n", Recorded::nothing, ""));
  CHECK(peek("SIP/2.0 200 OK\r\nCSeq: 1 OPTIONS\r\nCall-ID: a\r\n\r\n").kind == Recorded::nothing);
  for (const std::string_view nothing : {"", "\r\n\r\n", "INVITE sip:x SIP/2.0", "SIP/2.0 200 OK\r\nCSeq: 1\r\n\r\n", "SIP/2.0 200 OK\r\n", "SIP/2.0 200 OK\r\nC"})
    CHECK(peek(nothing).kind == Recorded::nothing);
}

TEST_CASE("N-4 digest responses are masked however they are written") {
  for (const std::string_view header : {
           "Authorization: Digest username=\"101\", response=\"5ecre7\", nc=00000001",
           "Authorization: Digest username=\"101\", response = \"5ecre7\"",
           "AUTHORIZATION : DIGEST RESPONSE=\"5ecre7\",qop=auth",
           "Proxy-Authorization: Digest username=\"101\",response=5ecre7,nc=00000001",
           "Authorization: Digest username=\"101\",\r\n  response=\"5ecre7\",\r\n\tnc=00000001",
           "Authorization: Digest username=\"101\", response\r\n =\"5ecre7\"",
           "Authorization:\r\n Digest username=\"101\", response=\"5ecre7\"",
           "Authorization: Digest response=\"5ecre7",
           "Authentication-Info: nextnonce=\"1\", rspauth=\"5ecre7\"",
           "Authorization: Basic 5ecre7",
           "Authorization: Bearer 5ecre7,\r\n 5ecre7",
           "Contact: <sip:101:5ecre7@192.0.2.7:5060>",
       }) {
    const auto text = shown_message(with_header(header));
    CHECK_MESSAGE(text.find("5ecre7") == std::string::npos, text);
    CHECK(text.find("***") != std::string::npos);
    CHECK(text.find("Call-ID: a1@h\n") != std::string::npos);
  }
}

TEST_CASE("N-4 keys of media are masked, everything else is shown as it is") {
  const auto text = shown_message(with_header("Contact: <sip:101@192.0.2.7:5060>", "v=0\r\nk=clear:5ecre7\r\na=crypto:1 AES inline:5ecre7|2^20;inline:5ecre7\r\na=sendrecv\r\n"));
  CHECK(text ==
        "REGISTER sip:example.com SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\nContact: <sip:101@192.0.2.7:5060>\nCall-ID: a1@h\n\n"
        "v=0\nk=***\na=crypto:1 AES inline:***|2^20;inline:***\na=sendrecv\n");
  CHECK(shown_message("A\x1b[31m\x07 b\r\n\r\n") == "A?[31m? b\n");
  CHECK(shown_message("") == "");
}
