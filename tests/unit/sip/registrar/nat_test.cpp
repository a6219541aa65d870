// Where a binding is reached (D5), what keeps the way open, and connections.
#include "unit/sip/site.h"

#include "registrar/contact.h"

using namespace jackfield;
using namespace jackfield::sip;

namespace {

std::string data_of(const Site& site, std::string_view user = "200") {
  std::string data;
  site.registrar->table().each_of(user, [&](registrar::BindingId, const registrar::Binding& binding) { data = binding.data(); });
  return data;
}

}  // namespace

TEST_CASE("D5 a phone behind NAT is reached where its REGISTER came from, whatever its contact names") {
  Site site;
  Phone phone{.site = site, .flow = udp("203.0.113.5:40000"), .via_host = "192.168.1.2:5060"};
  const auto reply = phone.enroll({"<sip:200@192.168.1.2:5060>"});
  CHECK(reply.contacts().at(0).starts_with("<sip:200@192.168.1.2:5060>"));
  CHECK(data_of(site) == "sip:200@203.0.113.5:40000");
}

TEST_CASE("D5 a public but wrong contact is corrected too") {
  Site site;
  Phone phone{.site = site, .flow = udp("203.0.113.5:5060"), .via_host = "203.0.113.5:5060"};
  phone.enroll({"<sip:200@198.51.100.200:5060>"});
  CHECK(data_of(site) == "sip:200@203.0.113.5:5060");
}

TEST_CASE("D5 a phone that sends from one port and listens on another is reached on the latter, if Via says so too") {
  Site site;
  SUBCASE("Via and Contact both name the source address") {
    Phone phone{.site = site, .flow = udp("203.0.113.5:40000"), .via_host = "203.0.113.5:5060"};
    phone.enroll({"<sip:200@203.0.113.5:5070>"});
    CHECK(data_of(site) == "sip:200@203.0.113.5:5070");
    CHECK(site.registrar->find("sip:200@203.0.113.5:5070")->flow.remote.port() == 5070);
  }
  SUBCASE("Via names another") {
    Phone phone{.site = site, .flow = udp("203.0.113.5:40000"), .via_host = "192.168.1.2:5060"};
    phone.enroll({"<sip:200@203.0.113.5:5070>"});
    CHECK(data_of(site) == "sip:200@203.0.113.5:40000");
  }
}

TEST_CASE("D5 foreign_contacts of the user takes the contact at its word") {
  Site site;
  site.users["200"].parameters = {{"foreign_contacts", "yes"}};
  Phone phone{site};
  phone.enroll({"<sip:200@203.0.113.200:5080>"});
  CHECK(data_of(site) == "sip:200@203.0.113.200:5080");
  CHECK(site.registrar->find("sip:200@203.0.113.200:5080")->flow.remote.text() == "203.0.113.200:5080");
}

TEST_CASE("D5 the Path of a trusted edge keeps the contact, of anybody else it does not") {
  Site site;
  Phone phone{.site = site, .flow = udp("192.0.2.50:5060")};
  const std::string path = "Path: <sip:192.0.2.50;lr>\r\nSupported: path\r\n";
  SUBCASE("trusted") {
    site.settings->access.trusted = {*net::Cidr::parse("192.0.2.50")};
    site.use_access();
    phone.enroll({"<sip:200@10.0.0.7:5060>"}, {}, path);
    CHECK(data_of(site) == "sip:200@10.0.0.7:5060");
    CHECK(site.registrar->find("sip:200@10.0.0.7:5060")->flow.remote.text() == "192.0.2.50:5060");
  }
  SUBCASE("anybody") {
    phone.enroll({"<sip:200@10.0.0.7:5060>"}, {}, path);
    CHECK(data_of(site) == "sip:200@192.0.2.50:5060");
  }
}

TEST_CASE("Everything of a contact but its place survives the rewriting") {
  const auto uri = *Uri::parse("sip:2%2300:pw@192.168.1.2;transport=udp;line=x?Subject=a");
  const auto via = *parse_via("SIP/2.0/UDP 192.168.1.2;branch=z9hG4bK1");
  CHECK(registrar::reach_of(uri, udp("203.0.113.5:7"), via, false).data == "sip:2%2300:pw@203.0.113.5:7;transport=udp;line=x?Subject=a");
  CHECK(registrar::reach_of(uri, udp("[2001:db8::1]:7"), via, false).data == "sip:2%2300:pw@[2001:db8::1]:7;transport=udp;line=x?Subject=a");
}

TEST_CASE("Bindings on a connection hold it, end with it, and the stores are told once") {
  Site site;
  Phone first{.site = site, .flow = tcp("203.0.113.5:41000", 5)};
  Phone second{.site = site, .flow = tcp("203.0.113.5:41000", 5), .user = "201", .password = "other", .to = "201", .call_id = "phone-b@host"};
  first.enroll({"<sip:200@192.168.1.2;transport=tcp>"});
  first.enroll({"<sip:200@192.168.1.2;transport=tcp>"});
  second.enroll({"<sip:201@192.168.1.2;transport=tcp>"});
  CHECK(site.network.holds[5] == 2);
  CHECK(site.registrar->find("sip:200@203.0.113.5:41000;transport=tcp")->flow.connection == 5);
  site.told.clear();
  site.close(first.flow);
  CHECK(site.told == std::vector<std::string>{"user.unregister connection tcp-5"});
  CHECK(site.registrar->table().size() == 0);
  CHECK(site.stored.empty());
}

TEST_CASE("A phone that reconnects takes its binding with it") {
  Site site;
  Phone phone{.site = site, .flow = tcp("203.0.113.5:41000", 5)};
  phone.enroll({"<sip:200@192.168.1.2;transport=tcp>"});
  const auto old = phone.flow;
  phone.move_to(tcp("203.0.113.5:42000", 6));
  CHECK(phone.enroll({"<sip:200@192.168.1.2;transport=tcp>"}).contacts().size() == 1);
  CHECK(site.network.holds[5] == 0);
  CHECK(site.network.holds[6] == 1);
  site.close(old);
  CHECK(site.contacts_of("200").size() == 1);
  CHECK(site.stored.size() == 1);
}

TEST_CASE("A connection that closes while the store is at work leaves no binding") {
  Site site;
  Phone phone{.site = site, .flow = tcp("203.0.113.5:41000", 5)};
  phone.learn(*phone.send(""));
  phone.authorize();
  site.store_waits = true;
  phone.send("Contact: <sip:200@192.168.1.2;transport=tcp>, <sip:200@192.168.1.2:5070;transport=tcp>\r\n");
  site.finish();
  site.close(phone.flow);
  site.store_waits = false;
  site.finish();
  CHECK(site.registrar->table().size() == 0);
  CHECK(site.stored.empty());
}

TEST_CASE("The way to phones behind NAT is kept open every nat_refresh seconds, others get nothing") {
  Site site;
  site.settings->registrar.nat_refresh = 10s;
  Phone hidden{.site = site, .flow = udp("203.0.113.5:40000"), .via_host = "192.168.1.2:5060"}, open{.site = site, .call_id = "phone-o@host"};
  hidden.enroll({"<sip:200@192.168.1.2:5060>"});
  open.enroll({"<sip:200@198.51.100.7:5060>"});
  site.network.take();
  site.engine.advance(60s);
  CHECK(site.network.sent.size() == 6);
  for (const auto& each : site.network.sent) {
    CHECK(each.flow.remote.text() == "203.0.113.5:40000");
    CHECK(each.bytes == "\r\n\r\n");
  }
}

TEST_CASE("P-7 keepalive=options finds out who no longer answers, and who does again and how fast; nobody calls the silent one, and it is not deleted") {
  Site site;
  site.settings->registrar.nat_refresh = 100s;
  site.settings->registrar.keepalive = Keepalive::options;
  Phone phone{.site = site, .flow = udp("203.0.113.5:40000"), .via_host = "192.168.1.2:5060"};
  phone.enroll({"<sip:200@192.168.1.2:5060>"}, 3600);
  const auto unavailable = [&] {
    bool out = false;
    site.registrar->table().each_of("200", [&](registrar::BindingId, const registrar::Binding& binding) { out = binding.unavailable(); });
    return out;
  };
  const auto round_trip = [&] {
    std::optional<Duration> out;
    site.registrar->table().each_of("200", [&](registrar::BindingId, const registrar::Binding& binding) { out = binding.round_trip(); });
    return out;
  };
  const std::string data = "sip:200@203.0.113.5:40000";
  CHECK(site.registrar->find(data)->flow);
  CHECK_FALSE(round_trip());
  site.network.take();
  site.engine.advance(140s);
  REQUIRE_FALSE(site.network.sent.empty());
  CHECK(site.network.sent.front().bytes.starts_with("OPTIONS sip:200@192.168.1.2:5060 SIP/2.0\r\n"));
  CHECK(unavailable());
  REQUIRE(site.registrar->find(data));
  CHECK_FALSE(site.registrar->find(data)->flow);
  CHECK(site.contacts_of("200").size() == 1);
  SUBCASE("it answers, however") {
    site.network.take();
    while (site.network.sent.empty()) site.engine.advance(1s);
    site.engine.advance(120ms);
    static_cast<stack::TransportEvents&>(site.transactions).message(phone.flow, stack::response_text(site.network.sent.front().bytes, 486));
    CHECK_FALSE(unavailable());
    REQUIRE(round_trip());
    CHECK(*round_trip() >= 120ms);
    CHECK(*round_trip() < 1200ms);
  }
  SUBCASE("or registers again") {
    phone.enroll({"<sip:200@192.168.1.2:5060>"}, 3600);
    CHECK_FALSE(unavailable());
  }
  CHECK(site.registrar->find(data)->flow);
}

TEST_CASE("A phone behind NAT is told how it is seen and how often it is kept reachable") {
  Site site;
  Phone hidden{.site = site, .flow = udp("203.0.113.5:40000"), .via_host = "192.168.1.2:5060"}, open{.site = site, .call_id = "phone-o@host"};
  const auto told = hidden.enroll({"<sip:200@192.168.1.2:5060>"});
  CHECK(told.value("P-NAT-Refresh") == "12");
  CHECK(told.value("X-Real-Contact") == "<sip:200@203.0.113.5:40000>");
  CHECK(open.enroll({"<sip:200@198.51.100.7:5060>"}).value("X-Real-Contact").empty());
  site.settings->registrar.keepalive = Keepalive::none;
  CHECK(hidden.enroll({"<sip:200@192.168.1.2:5060>"}).value("P-NAT-Refresh").empty());
}
