// Codes and causes from one leg to the other (D15, RFC 3326).
#include "call/reasons.h"

#include "two_phones.h"

namespace jackfield::sip::call {
namespace {

/// What the caller gets for a phone's final response, where it is not the same code.
const std::map<int, int> kOthers = {
    {401, 403}, {407, 403},  // a challenge the caller cannot answer
    {503, 500},              // the phone's side is overloaded, not we (RFC 3261 §16.7)
};

TEST_CASE("D15 Every final response from 300 to 699 reaches the caller as it is, but for those he could not use") {
  for (int code = 300; code <= 699; ++code) {
    const auto text = fmt::format("SIP/2.0 {} As The Phone Says\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=a\r\nTo: <sip:b@h>;tag=b\r\n"
                                  "Call-ID: 1\r\nCSeq: 1 INVITE\r\nReason: Q.850;cause={};text=\"so\"\r\nContent-Length: 0\r\n\r\n", code, code % 128);
    Message response;
    REQUIRE(response.parse(text));
    auto reason = from_response(response);
    if (code < 400) set_parameter(reason, "calleduri", "<sip:c@h>");  // one that is passed on
    const auto answer = final_answer(reason, kDroppedCode);
    CAPTURE(code);
    const auto other = kOthers.find(code);
    CHECK(answer.code == (other == kOthers.end() ? code : other->second));
    if (other == kOthers.end()) CHECK(answer.phrase == "As The Phone Says");
    CHECK(reason_header(reason, false) == fmt::format("Q.850;cause={};text=\"so\"", code % 128));
    // The text alone, as after a handler that changed it, gives a code of COMPAT's table.
    CHECK(code_of(reason.reason).has_value());
  }
}

TEST_CASE("D15 A redirection that says nowhere is none") {
  CHECK(final_answer({"moved", {{"cause_sip", "302"}, {"reason_sip", "Moved"}}}, kDroppedCode).code == 410);
}

TEST_CASE_FIXTURE(TwoPhones, "D15 And through both legs, with its Q.850 cause") {
  settings->redirect = RedirectPolicy::pass;
  for (int code = 300; code <= 699; code += 7) {
    CAPTURE(code);
    ann.call_id = fmt::format("call-{}", code);
    ann.remote_tag.clear();
    const auto answer = refuse(code, fmt::format("Reason: Q.850;cause={}\r\nContact: <sip:c@h>\r\n", code % 128));
    CHECK(header(answer, "Contact") == (code < 400 ? "<sip:c@h>" : ""));
    const auto other = kOthers.find(code);
    CHECK(stack::first_line(answer).substr(8, 3) == std::to_string(other == kOthers.end() ? code : other->second));
    CHECK(header(answer, "Reason") == fmt::format("Q.850;cause={}", code % 128));
  }
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "D15 Causes travel with BYE and CANCEL both ways, quotes and all") {
  const std::string why = "Q.850;cause=16;text=\"He said \\\"bye\\\"\"";
  SUBCASE("BYE of the caller") {
    connect(ann, bob);
    ann.request("BYE", {}, "Reason: " + why + "\r\n");
    ann.expect("SIP/2.0 200");
    const auto bye = bob.expect("BYE");
    CHECK(header(bye, "Reason") == why);
    bob.answer(bye, 200);
  }
  SUBCASE("BYE of the called, with a SIP cause") {
    connect(ann, bob);
    bob.request("BYE", {}, "Reason: SIP;cause=480;text=\"Gone\", " + why + "\r\n");
    bob.expect("SIP/2.0 200");
    const auto bye = ann.expect("BYE");
    CHECK(header(bye, "Reason") == "SIP;cause=480;text=\"Gone\", " + why);
    ann.answer(bye, 200);
    CHECK(hangup("sip/2").at("cause_sip") == "480");
    CHECK(hangup("sip/1").at("cause_q.850") == "16");
  }
  SUBCASE("CANCEL: answered elsewhere") {
    ring(ann, bob);
    ann.cancel("Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n");
    ann.expect("SIP/2.0 200");
    ann.expect("SIP/2.0 487");
    const auto cancel = bob.expect("CANCEL");
    CHECK(header(cancel, "Reason") == "SIP;cause=200;text=\"Call completed elsewhere\"");
    bob.answer(cancel, 200);
    bob.answer(bob.last_invite, 487);
    bob.expect("ACK");
  }
  check_all_gone();
}

TEST_CASE("A Reason that is broken is no reason") {
  Message response;
  const std::string text = "SIP/2.0 486 Busy Here\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=a\r\nTo: <sip:b@h>;tag=b\r\nCall-ID: 1\r\n"
                           "CSeq: 1 INVITE\r\nReason: Q.850;cause=x\r\nReason: ;;\r\nReason: X.25;cause=1\r\nContent-Length: 0\r\n\r\n";
  REQUIRE(response.parse(text));
  CHECK(reason_header(from_response(response), false).empty());
}

}  // namespace
}  // namespace jackfield::sip::call
