// What would become of a call (`jackfield route`), where queries route it.
#include "unit/register/fixture.h"

#include <doctest/doctest.h>

using namespace jackfield;
using namespace jackfield::register_test;

namespace {

/// The database as it would be asked, and what came of it.
struct Rehearsal : Site {
  explicit Rehearsal(std::string_view dry_run)
      : Site(fmt::format("[general]\nuser.auth=yes\ncall.preroute=yes\ncall.route=yes\nfallback=yes\n[default]\naccount=db\n"
                         "[user.auth]\nquery=AUTH ${{username}}\n{0}[call.preroute]\nquery=PREROUTE ${{caller}}\n{0}"
                         "[call.route]\nquery=ROUTE ${{called}}\n{0}",
                         dry_run)) {
    database().says = [](const Asked& asked) {
      if (asked.query.starts_with("ROUTE")) return Reply{.columns = {"location"}, .rows = {{"sip/a"}, {"sip/b"}}};
      return Reply{.columns = {"password"}, .rows = {{"5ecre7"}}};
    };
  }
  std::string rehearse(std::string_view name) {
    auto about = message(name, {{"username", "101"}, {"caller", "101"}, {"called", "102"}, {"id", "sip/1"}});
    DispatchRecord record;
    (void)engine().run(engine().bus().rehearse(about, record));
    retvalue = about.retvalue();
    return record.text();
  }
  /// How many further targets are tried when the first one fails.
  int tried() {
    int executed = 0;
    const auto handler = engine().bus().install({.message = "call.execute"}, [&](Message&) { return ++executed, true; });
    auto failed = message("chan.disconnected", {{"id", "sip/1"}, {"reason", "congestion"}});
    (void)ask(failed);
    engine().run_until_idle();
    return executed;
  }
  std::string retvalue;
};

struct Caller final : Channel {
  explicit Caller(Engine& owner) : Channel("sip/1", "sip", ChannelDirection::incoming), engine(owner) { engine.channels().add(*this); }
  ~Caller() override { engine.channels().remove(*this); }
  Engine& engine;
};

}  // namespace

TEST_CASE("N-4 a query that may write is not asked what would happen, and the answer says so") {
  Rehearsal site("");
  for (const std::string_view name : {"user.auth", "call.preroute", "call.route"}) {
    const auto text = site.rehearse(name);
    CHECK_MESSAGE(text.find(fmt::format("its query was not asked, as it may write: dry_run=yes in [{}]", name)) != std::string::npos, text);
  }
  CHECK(site.database().asked.empty());
}

TEST_CASE("N-4 a query that only reads, as its section says, is asked what would happen, and nothing is kept of it") {
  Rehearsal site("dry_run=yes\n");
  CHECK(site.rehearse("user.auth").find("5ecre7") == std::string::npos);
  CHECK(site.retvalue == "5ecre7");
  site.rehearse("call.preroute");
  CHECK(site.rehearse("call.route").find("returns sip/a") != std::string::npos);
  CHECK(site.retvalue == "sip/a");
  CHECK(site.database().texts() == std::vector<std::string>{"AUTH 101", "PREROUTE 101", "ROUTE 102"});
  // Further rows are kept for a call whose first target fails. For this one there are none, for a real one there are.
  const Caller caller(site.engine());
  CHECK(site.tried() == 0);
  site.rehearse("call.route");
  CHECK(site.tried() == 0);
  auto real = site.message("call.route", {{"id", "sip/1"}, {"caller", "101"}, {"called", "102"}});
  CHECK(site.ask(real));
  CHECK(site.tried() == 1);
}
