// REGISTER as RFC 3261 §10.3 and DECISIONS have it, seen from a phone and from the bus.
#include "unit/sip/site.h"

#include <algorithm>

using namespace jackfield;
using namespace jackfield::sip;

TEST_CASE("YT-1 REGISTER is challenged and then answered with 200 and the contact") {
  Site site;
  Phone phone{site};
  const auto first = phone.send("Contact: <sip:200@198.51.100.7:5060>\r\n");
  REQUIRE(first);
  CHECK(first->code == 401);
  const auto value = first->value("WWW-Authenticate");
  const auto challenge = parse_auth(value);
  REQUIRE(challenge);
  CHECK(challenge->realm == "Yate");
  CHECK(challenge->qop == "auth");
  CHECK(challenge->algorithm == "MD5");
  CHECK(challenge->stale.empty());
  CHECK(site.transactions.live() == 0);
  CHECK(site.transactions.completed() == 0);

  const auto reply = phone.enroll({"<sip:200@198.51.100.7:5060>"}, 300);
  CHECK(reply.code == 200);
  CHECK(reply.contacts() == std::vector<std::string>{"<sip:200@198.51.100.7:5060>;expires=300"});
  CHECK(site.told == std::vector<std::string>{"user.register 200 sip:200@198.51.100.7:5060"});
}

TEST_CASE("YT-1 a wrong password is challenged again, registers nothing and is told with the true source") {
  Site site;
  Phone phone{.site = site, .password = "guess"};
  const auto reply = phone.enroll({"<sip:200@198.51.100.7:5060>"});
  CHECK(reply.code == 401);
  CHECK(site.registrar->table().size() == 0);
  CHECK(site.told == std::vector<std::string>{"user.authfail 200 198.51.100.7:5060"});
}

TEST_CASE("YT-2 expires=0 on one contact removes that one only, and an unknown contact is no error") {
  Site site;
  Phone phone{site};
  phone.enroll({"<sip:200@198.51.100.7:5060>", "<sip:200@198.51.100.7:5070>"});
  site.told.clear();
  const auto reply = phone.enroll({"<sip:200@198.51.100.7:5060>;expires=0"});
  CHECK(reply.code == 200);
  CHECK(site.contacts_of("200") == std::vector<std::string>{"sip:200@198.51.100.7:5070"});
  CHECK(site.told.size() == 1);
  CHECK(phone.enroll({"<sip:200@203.0.113.9>"}, 0).code == 200);
  CHECK(site.told.size() == 1);
}

TEST_CASE("YT-2 a user of whom nothing is known is un-registered at the stores, which may know more") {
  Site site;
  Phone phone{site};
  CHECK(phone.enroll({"<sip:200@198.51.100.7:5060>"}, 0).code == 200);
  CHECK(site.told.size() == 1);
  CHECK(site.told[0].starts_with("user.unregister 200 "));
}

TEST_CASE("YT-3 the data that a store was given finds the flow and the contact as the phone wrote it") {
  Site site;
  Phone phone{.site = site, .flow = udp("203.0.113.5:40000")};
  phone.enroll({"<sip:200@192.168.1.2:5060;line=7>"});
  const auto& row = site.stored.begin()->second;
  const auto data = std::find_if(row.begin(), row.end(), [](const auto& each) { return each.first == "data"; })->second;
  CHECK(data == "sip/sip:200@203.0.113.5:40000;line=7");
  const auto target = site.registrar->find(std::string_view(data).substr(4));
  REQUIRE(target);
  CHECK(target->flow.remote.text() == "203.0.113.5:40000");
  CHECK(target->request_uri == "sip:200@192.168.1.2:5060;line=7");
  CHECK_FALSE(site.registrar->find("sip:200@192.168.1.2:5060;line=7"));
}

TEST_CASE("YT-4 REGISTER without a contact lists all bindings, counting down, and changes nothing") {
  Site site;
  Phone phone{site};
  phone.enroll({"<sip:200@198.51.100.7:5060>;q=0.5", "<sip:200@198.51.100.7:5070>;expires=100"}, 200);
  site.told.clear();
  site.engine.advance(40s);
  const auto reply = phone.request("");
  CHECK(reply.code == 200);
  CHECK(reply.contacts() == std::vector<std::string>{"<sip:200@198.51.100.7:5060>;expires=160;q=0.500", "<sip:200@198.51.100.7:5070>;expires=60"});
  CHECK(site.told.empty());
}

TEST_CASE("YT-5 Contact * with Expires 0 removes all") {
  Site site;
  Phone phone{site};
  phone.enroll({"<sip:200@198.51.100.7:5060>", "<sip:200@198.51.100.7:5070>"});
  site.told.clear();
  const auto reply = phone.enroll({"*"}, 0);
  CHECK(reply.code == 200);
  CHECK(reply.contacts().empty());
  CHECK(site.told == std::vector<std::string>{"user.unregister 200 *"});
  CHECK(site.stored.empty());
}

TEST_CASE("YT-5 Contact * with anything else is 400 and removes nothing") {
  Site site;
  Phone phone{site};
  phone.enroll({"<sip:200@198.51.100.7:5060>"});
  CHECK(phone.enroll({"*"}, 60).code == 400);
  CHECK(phone.enroll({"*"}).code == 400);
  CHECK(phone.enroll({"*", "<sip:200@198.51.100.7:5070>"}, 0).code == 400);
  CHECK(site.contacts_of("200").size() == 1);
}

TEST_CASE("YT-6 several contacts in one REGISTER are each told in order, and all are listed") {
  Site site;
  Phone phone{site};
  const auto reply = phone.enroll({"<sip:200@198.51.100.7:5060>", "<sip:200@198.51.100.7:5070>,<sip:200@198.51.100.7:5080>"});
  CHECK(reply.contacts().size() == 3);
  CHECK(site.told == std::vector<std::string>{"user.register 200 sip:200@198.51.100.7:5060", "user.register 200 sip:200@198.51.100.7:5070",
                                              "user.register 200 sip:200@198.51.100.7:5080"});
}

TEST_CASE("YT-6 several devices of one user keep a binding each") {
  Site site;
  Phone desk{site}, soft{.site = site, .flow = udp("198.51.100.8:5062"), .call_id = "phone-2@host"};
  desk.enroll({"<sip:200@198.51.100.7:5060>"});
  CHECK(soft.enroll({"<sip:200@198.51.100.8:5062>"}).contacts().size() == 2);
}

TEST_CASE("YT-6 max_contacts replaces the oldest, or one that is gone, or refuses, as the policy says") {
  Site site;
  Phone phone{site};
  auto& registrar = site.settings->registrar;
  registrar.max_contacts = 2;
  phone.enroll({"<sip:a@198.51.100.7>"});
  site.engine.advance(1s);
  phone.enroll({"<sip:b@198.51.100.7>"});
  site.engine.advance(1s);
  SUBCASE("replace-oldest") {
    CHECK(phone.enroll({"<sip:c@198.51.100.7>"}).code == 200);
    CHECK(site.contacts_of("200") == std::vector<std::string>{"sip:b@198.51.100.7", "sip:c@198.51.100.7"});
    CHECK(site.stored.size() == 2);
  }
  SUBCASE("reject") {
    registrar.max_contacts_policy = MaxContactsPolicy::reject;
    CHECK(phone.enroll({"<sip:c@198.51.100.7>"}).code == 403);
    CHECK(phone.enroll({"<sip:a@198.51.100.7>"}).code == 200);
    CHECK(site.contacts_of("200").size() == 2);
  }
  SUBCASE("replace-unavailable") {
    registrar.max_contacts_policy = MaxContactsPolicy::replace_unavailable;
    CHECK(phone.enroll({"<sip:c@198.51.100.7>"}).code == 403);
    const auto b = site.registrar->table().find("200", canonical(*Uri::parse("sip:b@198.51.100.7")));
    REQUIRE(b);
    site.registrar->table().find(b)->set_unavailable(true);
    CHECK(phone.enroll({"<sip:c@198.51.100.7>"}).code == 200);
    CHECK(site.contacts_of("200") == std::vector<std::string>{"sip:a@198.51.100.7", "sip:c@198.51.100.7"});
  }
  SUBCASE("more in one request than are allowed at all") {
    CHECK(phone.enroll({"<sip:c@198.51.100.7>", "<sip:d@198.51.100.7>", "<sip:e@198.51.100.7>"}).code == 403);
  }
  SUBCASE("the user's own number beats the general one") {
    site.users["200"].parameters = {{"max_contacts", "3"}};
    CHECK(phone.enroll({"<sip:c@198.51.100.7>"}).contacts().size() == 3);
  }
}

TEST_CASE("YT-6 where nobody set a number a user has 128 contacts at most, and a number that was set may be larger") {
  Site site;
  Phone phone{site};
  for (const auto& [number, most] : {std::pair(0u, 128u), {150u, 150u}}) {
    CAPTURE(number);
    site.settings->registrar.max_contacts = number;
    for (unsigned contact = 0; contact < most + 2; ++contact) {
      CHECK(phone.enroll({fmt::format("<sip:{}@198.51.100.7>", contact)}).code == 200);
      site.engine.advance(10ms);
    }
    const auto contacts = site.contacts_of("200");
    CHECK(contacts.size() == most);
    CHECK(std::ranges::count(contacts, "sip:0@198.51.100.7") == 0);  // the oldest went
    CHECK(std::ranges::count(contacts, fmt::format("sip:{}@198.51.100.7", most + 1)) == 1);
  }
}

TEST_CASE("YT-7 a contact's expires parameter beats the Expires header, unless yate_expires says otherwise") {
  Site site;
  Phone phone{site};
  CHECK(phone.enroll({"<sip:200@198.51.100.7>;expires=300"}, 120).contacts().at(0) == "<sip:200@198.51.100.7>;expires=300");
  site.settings->registrar.yate_expires = true;
  CHECK(phone.enroll({"<sip:200@198.51.100.7>;expires=300"}, 120).contacts().at(0) == "<sip:200@198.51.100.7>;expires=120");
}

TEST_CASE("YT-8 of one Call-ID an older CSeq is refused and changes nothing; of another it is not compared") {
  Site site;
  Phone phone{.site = site, .cseq = 10};
  phone.enroll({"<sip:200@198.51.100.7>"}, 300);
  phone.cseq = 4;
  CHECK(phone.enroll({"<sip:200@198.51.100.7>"}, 0).code == 500);
  CHECK(phone.enroll({"*"}, 0).code == 500);
  CHECK(site.contacts_of("200").size() == 1);
  phone.call_id = "phone-9@host";
  CHECK(phone.enroll({"<sip:200@198.51.100.7>"}, 0).code == 200);
  CHECK(site.contacts_of("200").empty());
}

TEST_CASE("YT-9 a registration that is too short is 423 with Min-Expires, a long one is shortened, none is the default") {
  Site site;
  Phone phone{site};
  const auto refused = phone.enroll({"<sip:200@198.51.100.7>"}, 59);
  CHECK(refused.code == 423);
  CHECK(refused.value("Min-Expires") == "60");
  CHECK(site.told.empty());
  CHECK(phone.enroll({"<sip:200@198.51.100.7>"}, 60).contacts().at(0) == "<sip:200@198.51.100.7>;expires=60");
  CHECK(phone.enroll({"<sip:200@198.51.100.7>"}, 99999).contacts().at(0) == "<sip:200@198.51.100.7>;expires=3600");
  CHECK(phone.enroll({"<sip:200@198.51.100.7>"}).contacts().at(0) == "<sip:200@198.51.100.7>;expires=600");
}

TEST_CASE("YT-9 one contact that is too short refuses the whole REGISTER") {
  Site site;
  Phone phone{site};
  CHECK(phone.enroll({"<sip:a@198.51.100.7>", "<sip:b@198.51.100.7>;expires=5"}).code == 423);
  CHECK(site.registrar->table().size() == 0);
  CHECK(site.told.empty());
}

TEST_CASE("YT-10 a user registers his own numbers only") {
  Site site;
  Phone phone{.site = site, .to = "201"};
  CHECK(phone.enroll({"<sip:200@198.51.100.7>"}).code == 403);
  CHECK(site.registrar->table().size() == 0);
  SUBCASE("an alternative is his own, and the binding is the user's") {
    site.users["200"].parameters = {{"alternatives", "990, 201"}};
    CHECK(phone.enroll({"<sip:200@198.51.100.7>"}).code == 200);
    CHECK(site.contacts_of("200").size() == 1);
  }
  SUBCASE("check_to=no is Yate's way") {
    site.settings->check_to = false;
    CHECK(phone.enroll({"<sip:200@198.51.100.7>"}).code == 200);
    CHECK(site.contacts_of("200").size() == 1);
  }
  SUBCASE("check_to=no of the user alone") {
    site.users["200"].parameters = {{"check_to", "no"}};
    CHECK(phone.enroll({"<sip:200@198.51.100.7>"}).code == 200);
  }
}

TEST_CASE("YT-12 bindings come back from a store that kept them, and expired ones do not") {
  Site site;
  site.remember();
  Phone phone{site};
  phone.enroll({"<sip:a@198.51.100.7>;q=0.7;expires=100", "<sip:b@198.51.100.7>;expires=60"});
  SUBCASE("at the start") {
    site.restart();
    CHECK(site.registrar->table().size() == 2);
  }
  SUBCASE("for a user who is not in the table") {
    site.forget();
    CHECK(phone.request("").contacts().size() == 2);
  }
  SUBCASE("after one has expired") {
    site.registrar.reset();
    site.engine.advance(70s);
    site.forget();
    const auto reply = phone.request("");
    CHECK(reply.contacts() == std::vector<std::string>{"<sip:a@198.51.100.7>;expires=30;q=0.700"});
    CHECK(site.registrar->find("sip:a@198.51.100.7"));
  }
}

TEST_CASE("YT-12 what was restored still refuses an old CSeq, and its device is known again") {
  Site site;
  site.remember();
  Phone phone{.site = site, .cseq = 20};
  phone.enroll({"<sip:200@198.51.100.7>;+sip.instance=\"<urn:uuid:1>\";reg-id=1"});
  site.restart();
  phone.cseq = 3;
  CHECK(phone.enroll({"<sip:200@198.51.100.7>;+sip.instance=\"<urn:uuid:1>\";reg-id=1"}).code == 500);
  phone.cseq = 30;
  CHECK(phone.enroll({"<sip:200@198.51.100.99>;+sip.instance=\"<urn:uuid:1>\";reg-id=1"}).contacts().size() == 1);
}

TEST_CASE("ZY-1 one device registers many users from one socket, each with a life of its own") {
  Site site;
  Phone first{site}, second{.site = site, .user = "201", .password = "other", .to = "201", .call_id = "phone-b@host"};
  first.enroll({"<sip:200@198.51.100.7:5060>"}, 60);
  second.enroll({"<sip:201@198.51.100.7:5060>"}, 120);
  site.engine.advance(61s);
  CHECK(site.contacts_of("200").empty());
  CHECK(site.contacts_of("201").size() == 1);
}

TEST_CASE("ZY-3 a binding is routed to its last second and not beyond, and its end is told to the store") {
  Site site;
  Phone phone{site};
  phone.enroll({"<sip:200@198.51.100.7:5060>"}, 60);
  site.engine.advance(59'999ms);
  CHECK(site.registrar->find("sip:200@198.51.100.7:5060"));
  site.engine.advance(1ms);
  CHECK_FALSE(site.registrar->find("sip:200@198.51.100.7:5060"));
  site.engine.advance(1s);
  CHECK(site.registrar->table().size() == 0);
  CHECK(site.stored.empty());
  CHECK(site.told.back().starts_with("user.unregister 200 "));
}

TEST_CASE("D9 a device that comes with another contact replaces its binding; the same contact of another device does not") {
  Site site;
  Phone phone{site};
  phone.enroll({"<sip:200@192.168.1.2>;+sip.instance=\"<urn:uuid:1>\""});
  CHECK(phone.enroll({"<sip:200@192.168.1.77>;+sip.instance=\"<urn:uuid:1>\""}).contacts() ==
        std::vector<std::string>{"<sip:200@192.168.1.77>;expires=600;+sip.instance=\"<urn:uuid:1>\""});
  Phone twin{.site = site, .flow = udp("203.0.113.77:5060"), .call_id = "phone-t@host"};
  CHECK(twin.enroll({"<sip:200@192.168.1.77>;+sip.instance=\"<urn:uuid:2>\""}).contacts().size() == 2);
}

TEST_CASE("D9 equivalent contacts are one binding, whatever the Call-ID") {
  Site site;
  Phone phone{site};
  phone.enroll({"<sip:200@Host.example;transport=udp>"});
  phone.call_id = "phone-x@host";
  CHECK(phone.enroll({"<sip:%32%30%30@HOST.example;transport=UDP>"}).contacts().size() == 1);
}

TEST_CASE("D12 a REGISTER for a domain that is not ours is 404 and nobody is asked") {
  Site site;
  site.settings->domains = {"sip.example"};
  Phone phone{site};
  CHECK(phone.send("Contact: <sip:200@198.51.100.7>\r\n")->code == 404);
  CHECK(site.times_asked == 0);
}

TEST_CASE("A REGISTER with Path is answered 421 unless the phone says it understands, and its route is kept") {
  Site site;
  Phone phone{.site = site, .flow = udp("192.0.2.50:5060")};
  const auto refused = phone.enroll({"<sip:200@10.0.0.7>"}, 300, "Path: <sip:edge.example;lr>\r\n");
  CHECK(refused.code == 421);
  CHECK(refused.value("Require") == "path");
  const auto reply = phone.enroll({"<sip:200@10.0.0.7>"}, 300, "Path: <sip:edge.example;lr>\r\nSupported: path\r\n");
  CHECK(reply.code == 200);
  CHECK(reply.value("Path") == "<sip:edge.example;lr>");
  const auto target = site.registrar->find("sip:200@192.0.2.50:5060");
  REQUIRE(target);
  CHECK(target->route == std::vector<std::string>{"<sip:edge.example;lr>"});
}

TEST_CASE("A contact that does not parse, is no SIP URI or names the server is refused") {
  Site site;
  Phone phone{site};
  CHECK(phone.enroll({"<sip:200@198.51.100.7"}).code == 400);
  CHECK(phone.enroll({"<mailto:a@example.org>"}).code == 400);
  CHECK(phone.enroll({"<sip:200@192.0.2.1>"}).code == 403);
  CHECK(site.registrar->table().size() == 0);
}

TEST_CASE("With auth_required=no whoever To names is registered without a question") {
  Site site;
  site.settings->registrar.auth_required = false;
  Phone phone{site};
  CHECK(phone.send("Contact: <sip:200@198.51.100.7>\r\n")->code == 200);
  CHECK(site.times_asked == 0);
}

TEST_CASE("YT-1 the 200 has a Date, that of the second it left") {
  Site site;
  Phone phone{site};
  const auto first = phone.enroll({"<sip:200@198.51.100.7:5060>"}).value("Date");
  CHECK(first.size() == std::string_view("Sun, 06 Nov 1994 08:49:37 GMT").size());
  CHECK(first.ends_with(" GMT"));
  CHECK(phone.enroll({}).value("Date") == first);
  site.engine.advance(1s);
  CHECK(phone.enroll({}).value("Date") != first);
}

TEST_CASE("YT-6 a user who registers without end keeps the newest 128 bindings") {
  Site site;
  Phone phone{site};
  for (int i = 0; i < 300; ++i) {
    std::vector<std::string> contacts;
    for (int k = 0; k < 4; ++k) contacts.push_back(fmt::format("<sip:{}-{}@198.51.100.7:5060>", i, k));
    CHECK(phone.enroll(contacts).code == 200);
    site.engine.advance(10ms);
    REQUIRE(site.registrar->table().size() <= 128);
  }
  CHECK(site.contacts_of("200").size() == 128);
  CHECK(site.contacts_of("200").back() == "sip:299-3@198.51.100.7:5060");
  CHECK(site.stored.size() == 128);
}

TEST_CASE("YT-4 a list of very long contacts fits into a datagram, and begins with what was just registered") {
  Site site;
  Phone phone{site};
  const std::string filler(1500, 'x');
  Reply reply;
  for (int i = 0; i < 60; ++i) reply = phone.enroll({fmt::format("<sip:{}@198.51.100.7:5060;p={}>", i, filler)});
  CHECK(site.registrar->table().size() == 60);
  CHECK(reply.bytes.size() < 26000);
  CHECK(reply.contacts().size() >= 12);
  CHECK(reply.contacts().front().starts_with("<sip:59@"));
}

TEST_CASE("YT-6 one REGISTER with very many contacts is refused whole") {
  Site site;
  Phone phone{site};
  std::vector<std::string> contacts;
  for (int i = 0; i < 33; ++i) contacts.push_back(fmt::format("<sip:{}@198.51.100.7>", i));
  CHECK(phone.enroll(contacts).code == 403);
  CHECK(site.stored.empty());
}

TEST_CASE("YT-7 durations at the edges of what can be written") {
  Site site;
  Phone phone{site};
  const auto granted = [&](const std::string& expires) { return phone.enroll({"<sip:200@198.51.100.7:5060>"}, {}, "Expires: " + expires + "\r\n").contacts(); };
  const auto lists = [](const char* seconds) { return std::vector<std::string>{std::string("<sip:200@198.51.100.7:5060>;expires=") + seconds}; };
  CHECK(granted("4294967295") == lists("3600"));
  CHECK(granted("4294967296") == lists("600"));
  CHECK(granted("-1") == lists("600"));
  CHECK(granted("soon") == lists("600"));
  CHECK(phone.enroll({"<sip:200@198.51.100.7:5060>;expires=99999999999999"}).contacts() == lists("3600"));
  CHECK(phone.enroll({"<sip:200@198.51.100.7:5060>;expires=-5"}).contacts() == lists("3600"));
  CHECK(phone.enroll({"<sip:200@198.51.100.7:5060>"}, 1).code == 423);
}
