// The registrar and stores that are slow, small or refuse.
#include "unit/sip/site.h"

#include <algorithm>

using namespace jackfield;
using namespace jackfield::sip;

TEST_CASE("D10 the 200 leaves only once every contact is kept") {
  Site site;
  site.store_waits = true;
  Phone phone{site};
  phone.learn(*phone.send(""));
  phone.authorize();
  CHECK_FALSE(phone.send("Contact: <sip:a@198.51.100.7>, <sip:b@198.51.100.7>\r\n"));
  CHECK(site.told.size() == 1);
  site.finish();
  CHECK_FALSE(site.last_reply());
  CHECK(site.registrar->table().size() == 0);
  CHECK(site.told.size() == 2);
  site.finish();
  REQUIRE(site.last_reply());
  CHECK(site.last_reply()->code == 200);
  CHECK(site.last_reply()->contacts().size() == 2);
}

TEST_CASE("REGISTERs of one user are carried out in order while a store waits, other users do not wait") {
  Site site;
  Phone first{site}, second{.site = site, .flow = udp("198.51.100.8:5060"), .call_id = "phone-2@host"},
      other{.site = site, .flow = udp("198.51.100.9:5060"), .user = "201", .password = "other", .to = "201", .call_id = "phone-3@host"};
  for (auto* phone : {&first, &second, &other}) phone->learn(*phone->send(""));
  site.store_waits = true;
  for (auto* phone : {&first, &second}) {
    phone->authorize();
    phone->send(fmt::format("Contact: <sip:200@{}>\r\n", phone->flow.remote.text()));
  }
  CHECK(site.told == std::vector<std::string>{"user.register 200 sip:200@198.51.100.7:5060"});
  other.authorize();
  other.send("Contact: <sip:201@198.51.100.9:5060>\r\n");
  CHECK(site.told.size() == 2);
  site.finish();  // the first
  CHECK(site.told.back() == "user.register 200 sip:200@198.51.100.8:5060");
  CHECK(site.contacts_of("200").size() == 1);
  site.finish();  // the other user
  CHECK(site.contacts_of("201").size() == 1);
  site.finish();  // the second
  CHECK(site.contacts_of("200") == std::vector<std::string>{"sip:200@198.51.100.7:5060", "sip:200@198.51.100.8:5060"});
  CHECK(site.waiting() == 0);
}

TEST_CASE("D8 a store that says nothing keeps one binding: the newest, listed alone") {
  Site site;
  site.store_keeps.reset();
  Phone first{site}, second{.site = site, .flow = udp("198.51.100.8:5060"), .call_id = "phone-2@host"};
  first.enroll({"<sip:200@198.51.100.7:5060>"}, 60);
  CHECK(second.enroll({"<sip:200@198.51.100.8:5060>"}, 600).contacts() == std::vector<std::string>{"<sip:200@198.51.100.8:5060>;expires=600"});
  site.told.clear();
  SUBCASE("the replaced one's expiry is nobody's business") {
    site.engine.advance(100s);
    CHECK(site.told.empty());
  }
  SUBCASE("nor is its un-REGISTER") {
    CHECK(first.enroll({"<sip:200@198.51.100.7:5060>"}, 0).code == 200);
    CHECK(site.told.empty());
  }
  CHECK(site.contacts_of("200") == std::vector<std::string>{"sip:200@198.51.100.8:5060"});
  CHECK(site.stored.size() == 1);
}

TEST_CASE("D8 the lost connection of a replaced contact is no user.unregister") {
  Site site;
  site.store_keeps.reset();
  Phone first{.site = site, .flow = tcp("198.51.100.7:41000", 7)}, second{.site = site, .flow = tcp("198.51.100.8:41000", 8), .call_id = "phone-2@host"};
  first.enroll({"<sip:200@198.51.100.7:5060>"});
  second.enroll({"<sip:200@198.51.100.8:5060>"});
  site.told.clear();
  CHECK(site.network.holds[7] == 0);
  CHECK(site.network.holds[8] == 1);
  site.close(first.flow);
  CHECK(site.told.empty());
}

TEST_CASE("A refused contact undoes the others: a failed REGISTER changes nothing") {
  Site site;
  Phone phone{site};
  phone.enroll({"<sip:a@198.51.100.7>"}, 300);
  const auto before = site.stored;
  site.refuses = "sip:c@";
  site.refusal = {{"error", "forbidden"}};
  const auto reply = phone.enroll({"<sip:a@198.51.100.7>;expires=900", "<sip:b@198.51.100.7>", "<sip:c@198.51.100.7>"});
  CHECK(reply.code == 403);
  CHECK(site.contacts_of("200") == std::vector<std::string>{"sip:a@198.51.100.7"});
  CHECK(site.stored.size() == 1);
  CHECK(phone.request("").contacts() == std::vector<std::string>{"<sip:a@198.51.100.7>;expires=300"});
}

TEST_CASE("A store's code, its text, or 404 is the answer to a registration nobody takes") {
  Site site;
  site.refuses = "sip:";
  Phone phone{site};
  SUBCASE("code") {
    site.refusal = {{"code", "480"}};
    CHECK(phone.enroll({"<sip:200@198.51.100.7>"}).code == 480);
  }
  SUBCASE("text") {
    site.refusal = {{"reason", "congestion"}};
    CHECK(phone.enroll({"<sip:200@198.51.100.7>"}).code == 480);
  }
  SUBCASE("nothing") { CHECK(phone.enroll({"<sip:200@198.51.100.7>"}).code == 404); }
  SUBCASE("a sentence of its own is what the phone shows") {
    site.refusal = {{"code", "500"}, {"reason", "Registration Not Saved"}};
    CHECK(phone.enroll({"<sip:200@198.51.100.7>"}).bytes.starts_with("SIP/2.0 500 Registration Not Saved\r\n"));
  }
  SUBCASE("which is one line, whatever it says") {
    site.refusal = {{"code", "500"}, {"reason", "a\r\nX-Evil: b"}};
    CHECK(phone.enroll({"<sip:200@198.51.100.7>"}).value("X-Evil").empty());
  }
}

TEST_CASE("A store may grant another duration and add headers to the answer") {
  Site site;
  const auto first = site.engine.bus().install({.message = "user.register", .priority = 50}, [](jackfield::Message& message) -> Verdict {
    message.set("expires", 77);
    message.set("osip_X-Zone", "north");
    return false;
  });
  Phone phone{site};
  const auto reply = phone.enroll({"<sip:200@198.51.100.7>"}, 600);
  CHECK(reply.contacts() == std::vector<std::string>{"<sip:200@198.51.100.7>;expires=77"});
  CHECK(reply.value("X-Zone") == "north");
}

TEST_CASE("A retransmitted REGISTER gets the same answer and is told to nobody again") {
  Site site;
  Phone phone{site};
  phone.enroll({"<sip:200@198.51.100.7>"});
  const auto text = phone.text("Contact: <sip:200@198.51.100.7>\r\n", phone.cseq, fmt::format("{}{}{}", phone.call_id.substr(0, 7), phone.cseq, "REGISTER"));
  site.told.clear();
  const auto again = site.deliver(phone.flow, text);
  REQUIRE(again);
  CHECK(again->code == 200);
  CHECK(site.told.empty());
}

TEST_CASE("A binding that expires while a store is at work on its user ends after that") {
  Site site;
  Phone phone{site};
  phone.enroll({"<sip:a@198.51.100.7>"}, 60);
  site.store_waits = true;
  phone.authorize();
  phone.send("Contact: <sip:b@198.51.100.7>\r\n");
  site.engine.advance(70s);
  CHECK_FALSE(site.registrar->find("sip:a@198.51.100.7"));
  CHECK(site.told.back() == "user.register 200 sip:b@198.51.100.7");
  site.store_waits = false;
  site.finish();
  site.engine.advance(2s);
  CHECK(site.told.back().starts_with("user.unregister 200 "));
  CHECK(site.contacts_of("200") == std::vector<std::string>{"sip:b@198.51.100.7"});
}

TEST_CASE("Bindings that somebody else ends on the bus leave the table, and nothing is told again") {
  Site site;
  Phone udp_phone{site}, tcp_phone{.site = site, .flow = tcp("203.0.113.5:41000", 5), .call_id = "phone-2@host"};
  udp_phone.enroll({"<sip:a@198.51.100.7:5060>", "<sip:b@198.51.100.7:5060>"});
  tcp_phone.enroll({"<sip:c@192.168.1.2;transport=tcp>"});
  REQUIRE(site.contacts_of("200").size() == 3);
  site.told.clear();
  const auto end = [&](const std::vector<std::pair<std::string, std::string>>& parameters) {
    jackfield::Message m(messages::kUserUnregister.name, site.engine.clock().wall());
    for (const auto& [name, value] : parameters) m.set(name, value);
    site.engine.bus().enqueue(std::move(m));
    site.engine.run_until_idle();
  };
  SUBCASE("one by its data") {
    end({{"username", "200"}, {"data", "sip/sip:a@198.51.100.7:5060"}});
    CHECK(site.contacts_of("200").size() == 2);
  }
  SUBCASE("those of a connection, which nobody holds then") {
    end({{"connection_id", "tcp-5"}});
    CHECK(site.contacts_of("200").size() == 2);
    CHECK(site.network.holds[5] == 0);
  }
  SUBCASE("all of the user") {
    end({{"username", "200"}});
    CHECK(site.registrar->table().size() == 0);
    CHECK(site.network.holds[5] == 0);
  }
  SUBCASE("but not another driver's, nor of what only looks like a connection") {
    end({{"username", "200"}, {"driver", "iax"}});
    end({{"connection_id", "udp-5"}});
    CHECK(site.contacts_of("200").size() == 3);
    CHECK(site.told.size() == 2);
    return;
  }
  CHECK(site.told.size() == 1);
}

TEST_CASE("A store that never answers holds up its user, and no memory") {
  Site site;
  Phone phone{site};
  phone.learn(*phone.send(""));
  site.store_waits = true;
  for (int i = 0; i < 10; ++i) {
    phone.authorize();
    phone.send("Contact: <sip:200@198.51.100.7>\r\n");
  }
  CHECK(site.transactions.live() == 10);
  site.engine.advance(33s);
  CHECK(site.transactions.live() == 0);
  // Those who wait in line are gone with their transactions, so that there is room for whoever comes next.
  for (int i = 0; i < 12; ++i) {
    phone.authorize();
    CHECK_FALSE(phone.send("Contact: <sip:200@198.51.100.7>\r\n"));
  }
}

TEST_CASE("A store that throws refuses the registration and no other") {
  Site site;
  Phone phone{site}, other{.site = site, .flow = udp("198.51.100.9:5060"), .user = "201", .password = "other", .to = "201", .call_id = "phone-3@host"};
  auto thrower = site.engine.bus().install({.message = messages::kUserRegister, .priority = 50, .filter_name = "username", .filter_value = "200"},
                                           [](jackfield::Message&) -> Verdict { throw std::runtime_error("out of order"); });
  site.refuses = "200@";
  CHECK(phone.enroll({"<sip:200@198.51.100.7>"}).code == 404);
  CHECK(other.enroll({"<sip:201@198.51.100.9>"}).code == 200);
}

TEST_CASE("A store may grant any number of seconds without harm") {
  Site site;
  auto generous = site.engine.bus().install({.message = messages::kUserRegister, .priority = 50}, [](jackfield::Message& m) -> Verdict {
    m.set("expires", "9223372036854775807");
    m.set("max_contacts", "0");
    return true;
  });
  Phone phone{site};
  CHECK(phone.enroll({"<sip:200@198.51.100.7:5060>"}).contacts() == std::vector<std::string>{"<sip:200@198.51.100.7:5060>;expires=315360000"});
}
