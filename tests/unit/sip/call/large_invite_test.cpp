// INVITEs that do not fit a datagram (RFC 3261 §18.1.1, D17).
#include "connection_table.h"

namespace jackfield::sip::call {
namespace {

/// The connection that was asked for never comes, and is given up after 2 s.
template <class Site>
void stay_silent(Site& site) {
  site.network.opening.insert(site.network.last_connection);
  site.engine.advance(1999ms);
  CHECK(site.network.alive(site.connection()));
  site.engine.advance(1ms);
  REQUIRE(!site.network.alive(site.connection()));
  site.close(site.connection());
}

struct Large : TwoPhones {
  const std::string offer = sdp(std::string(1300, 'x'));
  std::string target = "sip/sip:102@198.51.100.2:5060";
  Large() {
    route = [this](BusMessage& message) {
      message.set_retvalue(target);
      return true;
    };
  }
  stack::FlowId connection() const { return {bob.flow.remote, network.last_connection, 0, stack::TransportKind::tcp}; }
  std::string way(const std::string& message) const { return header(message, "Via").substr(8, 3); }
  void refused(const std::string& invite) {
    bob.answer(invite, 486);
    bob.expect("ACK");
    ann.expect("SIP/2.0 486");
    check_all_gone();
  }
};

TEST_CASE_FIXTURE(Large, "P-2 An INVITE past udp_mtu goes by TCP, and its dialog stays there") {
  ann.invite(offer);
  const auto invite = bob.take_invite();
  CHECK(way(invite) == "TCP");
  CHECK(header(invite, "Contact").find(";transport=tcp") != std::string::npos);
  bob.answer(invite, 180);
  engine.advance(10s);  // there is somebody: it waits
  bob.expect_nothing();
  bob.answer(invite, 200, sdp("answer"));
  CHECK(way(bob.expect("ACK")) == "TCP");
  ann.expect("SIP/2.0 180");
  ann.take_answer(ann.expect("SIP/2.0 200"));
  ann.ack();
  ann.request("BYE");
  ann.expect("SIP/2.0 200");
  const auto bye = bob.expect("BYE");
  CHECK(way(bye) == "TCP");
  bob.answer(bye, 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(Large, "P-2 Where nobody listens on TCP it goes by UDP after all") {
  ann.invite(offer);
  const auto first = bob.take_invite();
  SUBCASE("refused") { close(connection()); }
  SUBCASE("or silent for 2 s") { stay_silent(*this); }
  const auto second = bob.take_invite();
  CHECK(way(second) == "UDP");
  CHECK(header(second, "Call-ID") == header(first, "Call-ID"));
  CHECK(header(second, "CSeq") == "2 INVITE");
  CHECK(header(second, "Contact").find("transport") == std::string::npos);
  CHECK(split_origin(body(second)).second == split_origin(offer).second);
  refused(second);
}

TEST_CASE_FIXTURE(Large, "P-2 One who listens and is slow is not asked twice") {
  ann.invite(offer);
  const auto invite = bob.take_invite();
  engine.advance(5s);
  bob.expect_nothing();
  SUBCASE("he answers") { refused(invite); }
  SUBCASE("his connection ends, having heard") {
    bob.answer(invite, 180);
    ann.expect("SIP/2.0 180");
    close(connection());
    bob.expect_nothing();
    ann.expect("SIP/2.0 480");
    check_all_gone();
  }
}

TEST_CASE_FIXTURE(Large, "P-2 What fits, what somebody fixed and a phone's binding go the way they go") {
  std::string body_of_it = offer;
  SUBCASE("a small one") { body_of_it = sdp("offer"); }
  SUBCASE("a URI that says") { target += ";transport=udp"; }
  SUBCASE("a route that says") {
    route = [this](BusMessage& message) {
      message.set_retvalue(target);
      message.set("oip_transport", "udp");
      return true;
    };
  }
  SUBCASE("a binding") {
    bindings.all["sip:102@198.51.100.2:5060"] = {.flow = bob.flow, .request_uri = "sip:102@198.51.100.2:5060", .route = {}, .username = "102"};
  }
  SUBCASE("a limit of none") { settings->udp_mtu = 0; }
  SUBCASE("no way by TCP") { network.can_connect = false; }
  ann.invite(body_of_it);
  const auto invite = bob.take_invite();
  CHECK(way(invite) == "UDP");
  refused(invite);
}

struct LargeToPool : OverLine {
  const std::string offer = sdp(std::string(1300, 'x'));
  LargeToPool() {
    zone.srv("_sip._udp.pool.example", 10, 0, 5060, "a.pool.example");
    zone.srv("_sip._udp.pool.example", 20, 0, 5060, "b.pool.example");
    zone.srv("_sip._tcp.pool.example", 10, 0, 5060, "c.pool.example");
    zone.address("a.pool.example", "203.0.113.1");
    zone.address("b.pool.example", "203.0.113.2");
    zone.address("c.pool.example", "203.0.113.3");
    up.exit.servers.resize(1);
    up.exit.servers[0] = {0, {"pool.example"}, {}, "pool.example", {}};
  }
  void call(const std::string& description) {
    ann.invite(description);
    zone.answer();
    settle();
  }
  stack::FlowId connection() const { return {third.flow.remote, network.last_connection, 0, stack::TransportKind::tcp}; }
  static std::string way(const std::string& message) { return header(message, "Via").substr(8, 3); }
  void refuse(FarEnd& server, const std::string& invite) {
    server.answer(invite, 486);
    server.expect("ACK");
    ann.expect("SIP/2.0 486");
    nothing_left();
  }
};

TEST_CASE_FIXTURE(LargeToPool, "D17 P-3 A large INVITE goes to the machine of the name that DNS gives for TCP") {
  up.exit.total_timeout = 0ms;
  call(offer);
  const auto invite = third.take_invite();
  CHECK(way(invite) == "TCP");
  main.expect_nothing();
  SUBCASE("who answers") {
    refuse(third, invite);
    CHECK(table.told.empty());  // other calls and REGISTER stay with the machine in use
  }
  SUBCASE("and where that one does not, by UDP to the others in their order, within 2 s") {
    SUBCASE("refused") { close(connection()); }
    SUBCASE("silent") { stay_silent(*this); }
    const auto next = main.take_invite();
    CHECK(way(next) == "UDP");
    refuse(main, next);
  }
  SUBCASE("or one that serves nobody now is passed over") {
    third.answer(invite, 503);
    third.expect("ACK");
    main.answer(main.take_invite(), 503);
    main.expect("ACK");
    refuse(second, second.take_invite());
    third.expect_nothing();
  }
}

TEST_CASE_FIXTURE(LargeToPool, "D17 What fits a datagram, and a connection whose transport is said, stay with the first machine") {
  std::string description = offer;
  SUBCASE("a small one") { description = sdp("offer"); }
  SUBCASE("ip_transport=udp") { up.exit.servers[0].destination.transport = stack::TransportKind::udp; }
  call(description);
  const auto invite = main.take_invite();
  CHECK(way(invite) == "UDP");
  third.expect_nothing();
  refuse(main, invite);
}

}  // namespace
}  // namespace jackfield::sip::call
