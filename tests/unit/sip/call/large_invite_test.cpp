// INVITEs that do not fit a datagram (RFC 3261 §18.1.1, D17).
#include "two_phones.h"

namespace jackfield::sip::call {
namespace {

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
  SUBCASE("or silent for 2 s") {
    network.opening.insert(network.last_connection);
    engine.advance(1999ms);
    CHECK(network.alive(connection()));
    engine.advance(1ms);
    REQUIRE(!network.alive(connection()));
    close(connection());
  }
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

}  // namespace
}  // namespace jackfield::sip::call
