// D8: a store that several servers share. What it returns with its answers decides, and the table is the index of this server's flows.
#include "unit/sip/site.h"

#include <algorithm>

using namespace jackfield;
using namespace jackfield::sip;

namespace {

using Contacts = std::vector<std::string>;

/// Rows of two servers, as a database keeps them; asked before the site's own store.
struct Shared {
  Site site;
  Phone phone{site};
  struct Row {
    messages::StoredBinding binding;
    std::string node;
  };
  std::map<std::string, Row> rows;  ///< of user 200, by key
  std::vector<std::string> told;

  Shared() {
    handlers_.push_back(site.engine.bus().install({.message = messages::kUserRegister, .priority = 50}, [this](jackfield::Message& m) -> Verdict {
      told.push_back(fmt::format("register {}", m.get("binding")));
      messages::StoredBinding binding{.username = std::string(m.get("username")), .data = std::string(m.get("data")),
                                      .expires = site.engine.clock().wall() + std::chrono::seconds(m.number("expires")), .parameters = {}};
      for (const auto& [name, value] : m.parameters())
        if (name != "username" && name != "data" && name != "expires") binding.parameters.emplace_back(name, value);
      rows[std::string(m.get("binding"))] = {std::move(binding), std::string(site.engine.run_parameter("nodename").value_or(""))};
      tell(m);
      return true;
    }));
    handlers_.push_back(site.engine.bus().install({.message = messages::kUserUnregister, .priority = 50}, [this](jackfield::Message& m) -> Verdict {
      told.push_back(fmt::format("unregister {}", m.has("binding") ? m.get("binding") : "*"));
      if (m.has("binding")) rows.erase(std::string(m.get("binding")));
      else rows.clear();
      tell(m);
      return true;
    }));
    handlers_.push_back(site.engine.bus().install({.message = messages::kUserBindings, .priority = 50}, [this](jackfield::Message& m) -> Verdict {
      tell(m);
      return true;
    }));
    site.registrar->recall_all();
    site.engine.run_until_idle();
    told.clear();
  }
  /// A phone at the other server.
  void elsewhere(const std::string& contact, std::chrono::seconds expires) {
    rows[contact] = {{.username = "200", .data = "sip/" + contact, .expires = site.engine.clock().wall() + expires,
                      .parameters = {{"binding", contact}, {"sip_contact", contact}, {"ip_transport", "TCP"}, {"connection_reliable", "true"}}},
                     "other"};
  }
  std::size_t here() const { return site.registrar->table().size(); }

 private:
  void tell(jackfield::Message& m) {
    m.set("shared", "yes").set("max_contacts", "0");
    auto out = std::make_shared<messages::StoredBindings>();
    for (const auto& [key, row] : rows) {
      out->bindings.push_back(row.binding);
      out->bindings.back().parameters.emplace_back("nodename", row.node);
    }
    m.attach(std::move(out));
  }
  std::vector<Bus::Subscription> handlers_;
};

}  // namespace

TEST_CASE_FIXTURE(Shared, "D8 the 200 lists what a shared store keeps, the registering phone's own first, and its log line comes once") {
  elsewhere("sip:200@203.0.113.5", 300s);
  CHECK(phone.enroll({"<sip:200@198.51.100.7>"}, 600).contacts() == Contacts{"<sip:200@198.51.100.7>;expires=600", "<sip:200@203.0.113.5>;expires=300"});
  CHECK(here() == 1);
  site.engine.advance(100s);
  CHECK(phone.request("").contacts() == Contacts{"<sip:200@198.51.100.7>;expires=500", "<sip:200@203.0.113.5>;expires=200"});
  site.engine.advance(250s);
  CHECK(phone.request("").code == 401);  // its nonce has had its time
  phone.nonce.clear();
  CHECK(phone.request("").contacts() == Contacts{"<sip:200@198.51.100.7>;expires=250"});
  CHECK(std::ranges::count_if(site.engine.lines(), [](const auto& line) { return line.text.find("event=shared-store") != std::string::npos; }) == 1);
}

TEST_CASE_FIXTURE(Shared, "D8 a contact of another server is un-registered here, and all of them by *") {
  elsewhere("sip:200@203.0.113.5", 300s);
  phone.enroll({"<sip:200@198.51.100.7>"}, 600);
  told.clear();
  SUBCASE("one") {
    CHECK(phone.enroll({"<sip:200@203.0.113.5>"}, 0).contacts() == Contacts{"<sip:200@198.51.100.7>;expires=600"});
    CHECK(rows.size() == 1);
  }
  SUBCASE("all") {
    CHECK(phone.enroll({"*"}, 0).contacts().empty());
    CHECK(told == std::vector<std::string>{"unregister *"});
    CHECK(here() == 0);
  }
}

TEST_CASE_FIXTURE(Shared, "D8 max_contacts counts the bindings on all servers") {
  elsewhere("sip:200@203.0.113.5", 300s);
  elsewhere("sip:200@203.0.113.6", 200s);
  site.settings->registrar.max_contacts = 2;
  SUBCASE("the one that would end first goes") {
    CHECK(phone.enroll({"<sip:200@198.51.100.7>"}, 600).contacts().size() == 2);
    CHECK(told.back() == "unregister sip:200@203.0.113.6");
    CHECK(rows.count("sip:200@203.0.113.5") == 1);
  }
  SUBCASE("or the newcomer is refused, and what was stored is undone") {
    site.settings->registrar.max_contacts_policy = MaxContactsPolicy::reject;
    CHECK(phone.enroll({"<sip:200@198.51.100.7>"}, 600).code == 403);
    CHECK(rows.size() == 2);
    CHECK(here() == 0);
  }
}

TEST_CASE_FIXTURE(Shared, "D8 a binding that moved to another server leaves the table, and its expiry here is no news to the store") {
  phone.enroll({"<sip:200@198.51.100.7>"}, 600);
  phone.enroll({"<sip:200@198.51.100.8>"}, 60);
  REQUIRE(here() == 2);
  told.clear();
  SUBCASE("it moved") {
    rows.begin()->second.node = "other";
    phone.enroll({"<sip:200@198.51.100.8>"}, 60);
    CHECK(here() == 1);
    CHECK(told.size() == 1);
  }
  SUBCASE("it was renewed there, and runs out here") {
    site.engine.advance(70s);
    CHECK(here() == 1);
    CHECK(told.empty());
    CHECK(rows.size() == 2);
  }
}

TEST_CASE_FIXTURE(Shared, "D8 after a restart this server's bindings come back, and no other's") {
  elsewhere("sip:200@203.0.113.5", 300s);
  phone.enroll({"<sip:200@198.51.100.7>"}, 600);
  site.restart();
  CHECK(site.contacts_of("200") == Contacts{"sip:200@198.51.100.7"});
}

TEST_CASE_FIXTURE(Shared, "BR-15: whether a user is registered is known of other servers too, as long as it lasts") {
  const auto registered = [&](std::string_view name) {
    auto message = jackfield::Message("user.registered");
    message.set("username", name);
    return site.engine.dispatch(message).value();
  };
  CHECK_FALSE(registered("200"));
  CHECK_FALSE(registered(""));
  elsewhere("sip:200@203.0.113.5", 300s);
  CHECK(registered("200"));
  CHECK(here() == 0);  // who asks changes nothing
  phone.enroll({"<sip:200@198.51.100.7>"}, 600);
  rows.clear();
  CHECK(registered("200"));  // the table alone knows it
  site.engine.advance(601s);
  CHECK_FALSE(registered("200"));
}
