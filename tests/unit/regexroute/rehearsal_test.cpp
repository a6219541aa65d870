#include "rules_fixture.h"

using namespace jackfield;

namespace {

/// What would become of a call, and how that came about.
struct Rehearsal {
  Rehearsal(Rules& rules, std::string_view called, std::initializer_list<Parameter> more = {}) : message(rules.host.message("call.route", more)) {
    message.set("called", called);
    DispatchRecord record;
    handled = rules.host.engine().run(rules.host.engine().bus().rehearse(message, record)).value();
    text = record.text();
  }
  bool says(std::string_view what) const { return text.find(what) != std::string::npos; }
  Message message;
  bool handled = false;
  std::string text;
};

}  // namespace

TEST_CASE("N-4 a rehearsal names each rule it asked with its line") {
  Rules rules("[default]\n^1=sip/a\n^2=if ${caller}^101$=sip/b\n^2=;x=y\n^2=sip/c\n");
  const Rehearsal two(rules, "2", {{"caller", "102"}});
  CHECK(two.handled);
  CHECK(two.message.retvalue() == "sip/c");
  CHECK(two.says("regexroute.conf:2 [default] ^1=sip/a  (does not hold)\n"));
  CHECK(two.says("regexroute.conf:3 [default] ^2=if ${caller}^101$=sip/b  (does not hold)\n"));
  CHECK(two.says("regexroute.conf:4 [default] ^2=;x=y\n"));
  CHECK(two.says("regexroute.conf:5 [default] ^2=sip/c\n"));
  CHECK(two.says("x=y"));
  CHECK(two.says("returns sip/c"));
}

TEST_CASE("N-4 a rehearsal leaves variables as they are, sends nothing, waits for nothing and logs nothing") {
  Rules rules(
      "[$once]\nturn=0\n[default]\n^1=sip/$(index,$turn,a,b,c)\n^2=;$turn=2\n^2=enqueue told;a=b\n^2=dispatch told;a=b\n^2=msleep 5000\n^2=echo said\n^2=sip/d\n");
  int told = 0;
  const auto handler = rules.host.engine().bus().install({.message = "told"}, [&](Message&) { return ++told, true; });
  for (int i = 0; i < 3; ++i) CHECK(Rehearsal(rules, "1").message.retvalue() == "sip/a");
  const Rehearsal two(rules, "2");
  CHECK(two.message.retvalue() == "sip/d");
  CHECK(two.says("would send the message told"));
  CHECK(two.says("would log said"));
  rules.host.engine().run_until_idle();
  CHECK(told == 0);
  CHECK_FALSE(rules.host.engine().logged("said"));
  CHECK(rules.target("1") == "sip/a");
  CHECK(rules.target("1") == "sip/b");
  CHECK(Rehearsal(rules, "1").message.retvalue() == "sip/c");
}

TEST_CASE("N-4 a rehearsal goes by the time of its message, a call by the clock") {
  Rules rules("[default]\n$(during,00:00-12:00)=sip/morning\n.*=sip/evening\n");
  const auto at = [&](int hour) {
    auto time = std::chrono::system_clock::to_time_t(std::chrono::time_point_cast<std::chrono::system_clock::duration>(rules.host.engine().clock().wall()));
    std::tm local{};
    localtime_r(&time, &local);
    local.tm_hour = hour;
    Message message("call.route", WallTime(std::chrono::seconds(std::mktime(&local))));
    message.set("called", "1");
    DispatchRecord record;
    CHECK(rules.host.engine().run(rules.host.engine().bus().rehearse(message, record)).value());
    return std::string(message.retvalue());
  };
  CHECK(at(8) == "sip/morning");
  CHECK(at(20) == "sip/evening");
}

TEST_CASE("N-4 the rules that held are in the record of a call") {
  Rules rules("[default]\n^1=sip/a\n^2=sip/b\n");
  rules.host.engine().recorder().set_room(1 << 16, 0);
  CHECK(rules.target("2") == "sip/b");
  std::string bytes;
  rules.host.engine().recorder().each([&](std::string_view record) { bytes += record; });
  CHECK(bytes.find("regexroute.conf:3 [default] ^2=sip/b") != std::string::npos);
  CHECK(bytes.find("^1=sip/a") == std::string::npos);
}
