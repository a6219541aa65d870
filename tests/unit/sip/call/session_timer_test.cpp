// RFC 4028 without a network: what both ends agree on, and when.
#include "call/session_timer.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <string>

namespace jackfield::sip::call {
namespace {

using namespace std::chrono_literals;
using Role = SessionTimer::Role;
using What = SessionTimer::Due;

struct Parsed {
  std::string text;
  Message message;
};
Message& parsed(Parsed& into, std::string_view first_line, std::string_view headers) {
  into.text = fmt::format("{}\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=a\r\nTo: <sip:b@h>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n{}Content-Length: 0\r\n\r\n",
                          first_line, headers);
  REQUIRE(into.message.parse(into.text));
  return into.message;
}

struct Fixture {
  SessionTimer timer;
  SessionTimer::Terms terms{1800, 90};
  MonoTime now{1h};
  Parsed in;

  const Message& request(std::string_view headers) { return parsed(in, "INVITE sip:b@h SIP/2.0", headers); }
  const Message& response(std::string_view headers, int code = 200) { return parsed(in, fmt::format("SIP/2.0 {} X", code), headers); }
  std::string answer() {
    std::string out;
    Writer writer(out);
    timer.write_answer(writer);
    return out;
  }
  std::string ask() {
    std::string out;
    Writer writer(out);
    timer.write_request(writer, terms);
    return out;
  }
  void asked(std::string_view headers) {
    timer.asked(request(headers), terms);
    timer.answered(now);
  }
  void accepted(std::string_view headers) { timer.accepted(response(headers), terms, now); }
};

TEST_CASE_FIXTURE(Fixture, "P-12 Who asks for too little, and would understand it, is told the least") {
  CHECK(SessionTimer::too_brief(request("Supported: timer\r\nSession-Expires: 60\r\n"), terms) == 90u);
  CHECK_FALSE(SessionTimer::too_brief(request("Supported: timer\r\nSession-Expires: 90\r\n"), terms));
  CHECK_FALSE(SessionTimer::too_brief(request("Session-Expires: 60\r\n"), terms));
  CHECK_FALSE(SessionTimer::too_brief(request("Supported: timer\r\n"), terms));
}

TEST_CASE_FIXTURE(Fixture, "P-12 A caller with a timer refreshes, unless he leaves it to us") {
  SUBCASE("his interval, as it is shorter") {
    asked("Supported: timer\r\nSession-Expires: 600\r\n");
    CHECK(answer() == "Session-Expires: 600;refresher=uac\r\nRequire: timer\r\n");
    CHECK(timer.role() == Role::watcher);
  }
  SUBCASE("ours, as it is shorter") {
    asked("Supported: timer\r\nSession-Expires: 7200;refresher=uac\r\n");
    CHECK(answer() == "Session-Expires: 1800;refresher=uac\r\nRequire: timer\r\n");
  }
  SUBCASE("not below his Min-SE") {
    asked("Supported: timer\r\nSession-Expires: 7200\r\nMin-SE: 3600\r\n");
    CHECK(timer.interval() == 3600);
  }
  SUBCASE("we, where he says so") {
    asked("Supported: timer\r\nSession-Expires: 600;refresher=uas\r\n");
    CHECK(answer() == "Session-Expires: 600;refresher=uas\r\n");
    CHECK(timer.role() == Role::refresher);
  }
  SUBCASE("he gets one though he asked for none") {
    asked("Supported: timer\r\n");
    CHECK(answer() == "Session-Expires: 1800;refresher=uac\r\nRequire: timer\r\n");
  }
}

TEST_CASE_FIXTURE(Fixture, "P-12 Of a caller without a timer we take care ourselves") {
  SUBCASE("alone") {
    asked("");
    CHECK(answer().empty());
    CHECK(timer.role() == Role::refresher);
    CHECK(timer.interval() == 1800);
  }
  SUBCASE("for a proxy that wants to know") {
    asked("Session-Expires: 300\r\n");
    CHECK(answer() == "Session-Expires: 300;refresher=uas\r\n");
    CHECK(timer.role() == Role::refresher);
  }
  SUBCASE("and not where session_expires is 0") {
    terms.interval = 0;
    asked("");
    CHECK(timer.role() == Role::none);
    CHECK_FALSE(timer.wait(now));
    asked("Supported: timer\r\nSession-Expires: 600\r\n");
    CHECK(timer.role() == Role::watcher);
  }
}

TEST_CASE_FIXTURE(Fixture, "P-12 Our own request names the interval, and once agreed the roles") {
  CHECK(ask() == "Session-Expires: 1800\r\n");
  SUBCASE("refresher") {
    accepted("Session-Expires: 600;refresher=uac\r\n");
    CHECK(timer.role() == Role::refresher);
    CHECK(ask() == "Session-Expires: 600;refresher=uac\r\n");
  }
  SUBCASE("watcher") {
    accepted("Session-Expires: 600;refresher=uas\r\n");
    CHECK(timer.role() == Role::watcher);
    CHECK(ask() == "Session-Expires: 600;refresher=uas\r\n");
  }
  SUBCASE("nothing agreed: we alone") {
    accepted("");
    CHECK(timer.role() == Role::refresher);
    CHECK(ask() == "Session-Expires: 1800\r\n");
  }
  SUBCASE("a minimum that is not the usual one is named") {
    terms = {20, 5};
    CHECK(ask() == "Session-Expires: 20\r\nMin-SE: 5\r\n");
  }
  SUBCASE("nothing at all where session_expires is 0") {
    terms.interval = 0;
    CHECK(ask().empty());
  }
}

TEST_CASE_FIXTURE(Fixture, "P-12 A 422 raises the interval to what it says, and no other way") {
  CHECK_FALSE(timer.raise(response("", 422), terms));
  CHECK_FALSE(timer.raise(response("Min-SE: 1800\r\n", 422), terms));
  CHECK(timer.raise(response("Min-SE: 3600\r\n", 422), terms));
  CHECK(ask() == "Session-Expires: 3600\r\nMin-SE: 3600\r\n");
  CHECK_FALSE(timer.raise(response("Min-SE: 3600\r\n", 422), terms));
}

TEST_CASE_FIXTURE(Fixture, "P-12 The refresher asks at half the time; if nothing comes the session ends with the whole") {
  accepted("Session-Expires: 600;refresher=uac\r\n");
  CHECK(timer.wait(now) == 300s);
  now += 300s;
  CHECK(timer.due() == What::refresh);
  CHECK(timer.wait(now) == 300s);
  SUBCASE("silence") {
    now += 300s;
    CHECK(timer.due() == What::end);
  }
  SUBCASE("an answer begins anew") {
    accepted("Session-Expires: 600;refresher=uac\r\n");
    CHECK(timer.wait(now) == 300s);
    CHECK(timer.due() == What::refresh);
  }
  SUBCASE("a refusal is tried again, but not beyond the end") {
    timer.refused(now, 10s);
    CHECK(timer.wait(now) == 10s);
    now += 10s;
    CHECK(timer.due() == What::refresh);
    now += 285s;
    timer.refused(now, 10s);
    CHECK(timer.wait(now) == 5s);
    CHECK(timer.due() == What::end);
  }
}

TEST_CASE_FIXTURE(Fixture, "P-12 Somebody without a timer who refuses is there, and that is all we wanted to know") {
  accepted("");
  now += 900s;
  CHECK(timer.due() == What::refresh);
  now += 890s;
  timer.refused(now, 1000s);
  CHECK(timer.wait(now) == 1000s);
  CHECK(timer.due() == What::refresh);
}

TEST_CASE_FIXTURE(Fixture, "P-12 Somebody whom nothing could be sent to is not there for that") {
  accepted("");
  now += 900s;
  CHECK(timer.due() == What::refresh);
  timer.postponed(now, 1s);
  CHECK(*timer.wait(now) == 1s);
  now += 900s - 500ms;
  timer.postponed(now, 1s);
  CHECK(*timer.wait(now) == 500ms);
  CHECK(timer.due() == What::end);
}

TEST_CASE_FIXTURE(Fixture, "P-12 The other side gives up a little before the end") {
  accepted("Session-Expires: 600;refresher=uas\r\n");
  CHECK(timer.wait(now) == 568s);
  CHECK(timer.due() == What::end);
  accepted("Session-Expires: 30;refresher=uas\r\n");
  CHECK(timer.wait(now) == 20s);
}

TEST_CASE_FIXTURE(Fixture, "P-12 In a refresh of the far end the roles stay as they were") {
  accepted("Session-Expires: 600;refresher=uac\r\n");
  asked("Supported: timer\r\nSession-Expires: 600\r\n");
  CHECK(answer() == "Session-Expires: 600;refresher=uas\r\n");
  CHECK(timer.role() == Role::refresher);
}

TEST_CASE_FIXTURE(Fixture, "P-12 Values beyond reason stay in range") {
  accepted("Session-Expires: 4294967295;refresher=uac\r\n");
  CHECK(timer.interval() == 604800);
  accepted("Session-Expires: 0\r\n");
  CHECK(timer.interval() == 1800);
  accepted("Session-Expires: nonsense\r\n");
  CHECK(timer.interval() == 1800);
}

}  // namespace
}  // namespace jackfield::sip::call
