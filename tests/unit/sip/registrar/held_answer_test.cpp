// A store that agrees at once and waits for its disk: what is done at once, what is held back, and what becomes of it.
#include "unit/sip/site.h"

#include <algorithm>

using namespace jackfield;
using namespace jackfield::sip;

namespace {

/// A phone that knows its challenge, at a site whose store waits for its disk.
struct AtDisk {
  Site site;
  Phone phone{site};
  AtDisk() {
    phone.learn(*phone.send(""));
    site.store_syncs = true;
  }
  std::optional<Reply> enroll(Phone& who, const std::string& headers) {
    who.authorize();
    return who.send(headers);
  }
  std::optional<Reply> enroll(const std::string& headers) { return enroll(phone, headers); }
  bool told(const std::string& message) const { return std::find(site.told.begin(), site.told.end(), message) != site.told.end(); }
};

}  // namespace

TEST_CASE("D10 the 200 is held back until the disk has the binding") {
  AtDisk at;
  CHECK_FALSE(at.enroll("Contact: <sip:a@198.51.100.7>\r\n"));
  CHECK(at.site.transactions.live() == 0);
  CHECK(at.site.engine.bus().in_flight() == 1);
  at.site.synced();
  REQUIRE(at.site.last_reply());
  CHECK(at.site.last_reply()->code == 200);
  CHECK(at.site.last_reply()->contacts() == std::vector<std::string>{"<sip:a@198.51.100.7>;expires=600"});
  CHECK(at.site.network.sent.size() == 1);
  CHECK(at.site.engine.bus().in_flight() == 0);
}

TEST_CASE("A REGISTER that is repeated while its answer is held is absorbed; afterwards it gets that answer again") {
  AtDisk at;
  at.enroll("Contact: <sip:a@198.51.100.7>\r\n");
  const auto again = at.phone.text("Contact: <sip:a@198.51.100.7>\r\n", at.phone.cseq, fmt::format("{}{}{}", at.phone.call_id.substr(0, 7), at.phone.cseq, "REGISTER"));
  CHECK_FALSE(at.site.deliver(at.phone.flow, again));
  at.site.synced();
  const auto first = at.site.last_reply();
  REQUIRE(first);
  const auto second = at.site.deliver(at.phone.flow, again);
  REQUIRE(second);
  CHECK(second->bytes == first->bytes);
  CHECK(at.site.told.size() == 1);
}

TEST_CASE("A registration that the disk refuses is answered with the store's reason and taken back, in the store too") {
  AtDisk at;
  at.enroll("Contact: <sip:a@198.51.100.7>\r\n");
  at.site.synced("disk full");
  const auto reply = at.site.last_reply();
  REQUIRE(reply);
  CHECK(reply->bytes.starts_with("SIP/2.0 500 Not Saved\r\n"));
  CHECK(reply->contacts().empty());
  CHECK(reply->value("To").find(";tag=") != std::string::npos);
  CHECK(reply->value("CSeq") == "2 REGISTER");
  CHECK(reply->value("Via").find("rport=5060") != std::string::npos);
  CHECK(at.site.registrar->table().size() == 0);
  CHECK(at.site.stored.empty());
  CHECK(at.site.network.sent.size() == 1);

  // The phone may try again, with the next number or by repeating itself.
  at.site.store_syncs = false;
  CHECK(at.enroll("Contact: <sip:a@198.51.100.7>\r\n")->code == 200);
}

TEST_CASE("A refresh that the disk refuses leaves the binding as it was") {
  AtDisk at;
  at.site.store_syncs = false;
  at.phone.enroll({"<sip:a@198.51.100.7>", "<sip:b@198.51.100.7>"}, 300);
  const auto before = at.site.stored;
  at.site.store_syncs = true;
  at.site.engine.advance(10s);
  at.enroll("Contact: <sip:a@198.51.100.7>;expires=900, <sip:c@198.51.100.7>\r\n");
  CHECK(at.site.contacts_of("200").size() == 3);
  at.site.synced("disk full");
  CHECK(at.site.last_reply()->code == 500);
  CHECK(at.site.contacts_of("200") == std::vector<std::string>{"sip:a@198.51.100.7", "sip:b@198.51.100.7"});
  CHECK(at.site.stored.size() == before.size());
  at.site.store_syncs = false;
  CHECK(at.phone.request("").contacts() == std::vector<std::string>{"<sip:a@198.51.100.7>;expires=290", "<sip:b@198.51.100.7>;expires=290"});
}

TEST_CASE("An un-REGISTER that the disk refuses is refused, and its bindings stay") {
  AtDisk at;
  at.site.store_syncs = false;
  at.phone.enroll({"<sip:a@198.51.100.7>", "<sip:b@198.51.100.7>"});
  at.site.store_syncs = true;
  SUBCASE("of one") { at.enroll("Contact: <sip:a@198.51.100.7>;expires=0\r\n"); }
  SUBCASE("of all") { at.enroll("Contact: *\r\nExpires: 0\r\n"); }
  CHECK(at.site.contacts_of("200").size() < 2);
  at.site.synced("disk full");
  CHECK(at.site.last_reply()->code == 500);
  CHECK(at.site.contacts_of("200").size() == 2);
  CHECK(at.site.stored.size() == 2);
}

TEST_CASE("An un-REGISTER over a connection that the disk refuses is refused too") {
  AtDisk at;
  at.site.store_syncs = false;
  at.phone.enroll({"<sip:a@198.51.100.7>"});
  at.site.store_syncs = true;
  Phone other{.site = at.site, .flow = tcp("203.0.113.5:41000", 5), .call_id = "phone-2@host"};
  other.learn(*other.send(""));
  CHECK_FALSE(at.enroll(other, "Contact: *\r\nExpires: 0\r\n"));
  CHECK(at.site.transactions.live() == 1);
  at.site.synced("disk full");
  CHECK(at.site.last_reply()->code == 500);
  CHECK(at.site.contacts_of("200") == std::vector<std::string>{"sip:a@198.51.100.7"});
}

TEST_CASE("While an answer is held its user's requests wait in line, other users do not, and calls find the new place") {
  AtDisk at;
  Phone second{.site = at.site, .flow = udp("198.51.100.8:5060"), .call_id = "phone-2@host"},
      other{.site = at.site, .flow = udp("198.51.100.9:5060"), .user = "201", .password = "other", .to = "201", .call_id = "phone-3@host"};
  second.learn(*second.send(""));
  other.learn(*other.send(""));
  at.enroll("Contact: <sip:a@198.51.100.7>\r\n");
  CHECK(at.site.registrar->find("sip:a@198.51.100.7"));
  CHECK_FALSE(at.enroll(second, ""));  // what is registered?
  CHECK_FALSE(at.enroll(other, "Contact: <sip:c@198.51.100.9>\r\n"));
  CHECK(at.site.told.size() == 2);
  at.site.synced();
  REQUIRE(at.site.network.sent.size() == 3);
  CHECK(at.site.network.sent[0].flow == at.phone.flow);
  CHECK(at.site.network.sent[1].flow == second.flow);
  CHECK(Reply{200, at.site.network.sent[1].bytes}.contacts() == std::vector<std::string>{"<sip:a@198.51.100.7>;expires=600"});
  CHECK(at.site.network.sent[2].flow == other.flow);
}

TEST_CASE("An answer that is held while the registrar ends never leaves") {
  AtDisk at;
  at.enroll("Contact: <sip:a@198.51.100.7>\r\n");
  at.site.registrar.reset();
  at.site.network.take();
  at.site.synced();
  CHECK_FALSE(at.site.last_reply());
  CHECK(at.site.engine.bus().in_flight() == 0);
}

TEST_CASE("The binding that a newer one pushed out comes back with a refusal, unless its connection is lost by then") {
  AtDisk at;
  at.site.store_syncs = false;
  at.site.store_keeps = std::nullopt;  // one
  Phone other{.site = at.site, .flow = tcp("203.0.113.5:41000", 5), .call_id = "phone-2@host"};
  other.enroll({"<sip:t@192.168.1.2;transport=tcp>"});
  CHECK(at.site.network.holds[5] == 1);
  at.site.store_syncs = true;
  at.enroll("Contact: <sip:a@198.51.100.7>\r\n");
  CHECK(at.site.contacts_of("200") == std::vector<std::string>{"sip:a@198.51.100.7"});
  bool lost = false;
  SUBCASE("it is there") {}
  SUBCASE("it is lost") { lost = true; }
  if (lost) at.site.network.dead.insert(5);
  at.site.synced("disk full");
  CHECK(at.site.last_reply()->code == 500);
  CHECK(at.site.contacts_of("200").size() == (lost ? 0 : 1));
  CHECK(at.site.network.holds[5] == (lost ? 0 : 1));
}
