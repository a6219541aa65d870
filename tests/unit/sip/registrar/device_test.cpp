// A phone is found again on its next connection (D16).
#include "unit/sip/site.h"

namespace jackfield::sip {
namespace {

TEST_CASE("The device that called is found on the connection it registers over next") {
  Site site;
  Phone phone{site, tcp("198.51.100.7:40000", 5)};
  const std::string contact = "<sip:200@10.0.0.7:5060;transport=tcp>;+sip.instance=\"<urn:uuid:1>\"";
  REQUIRE(phone.enroll({contact}).code == 200);
  const auto device = site.registrar->device_on("200", phone.flow);
  REQUIRE(device);
  CHECK_FALSE(site.registrar->device_on("200", tcp("198.51.100.7:40001", 6)));
  CHECK_FALSE(site.registrar->device_on("201", phone.flow));
  CHECK(site.registrar->connection_of(*device) == phone.flow);

  site.close(phone.flow);
  CHECK_FALSE(site.registrar->connection_of(*device));
  phone.move_to(tcp("198.51.100.7:40001", 6));
  REQUIRE(phone.enroll({contact}).code == 200);
  CHECK(site.registrar->connection_of(*device) == phone.flow);

  Phone other{site, tcp("198.51.100.8:40000", 9)};
  other.call_id = "other-1@host";
  REQUIRE(other.enroll({"<sip:200@10.0.0.8:5060;transport=tcp>;+sip.instance=\"<urn:uuid:2>\""}).code == 200);
  CHECK(site.registrar->connection_of(*device) == phone.flow);
  CHECK_FALSE(site.registrar->connection_of({"200", "a device that is gone"}));  // which of the two it is nobody knows
}

TEST_CASE("A device without an instance is the user's only phone on a connection") {
  Site site;
  Phone phone{site, tcp("198.51.100.7:40000", 5)};
  REQUIRE(phone.enroll({"<sip:200@10.0.0.7:40000;transport=tcp>"}).code == 200);
  const auto device = site.registrar->device_on("200", phone.flow);
  REQUIRE(device);
  site.close(phone.flow);
  phone.move_to(tcp("198.51.100.7:40001", 6));
  REQUIRE(phone.enroll({"<sip:200@10.0.0.7:40001;transport=tcp>"}).code == 200);
  CHECK(site.registrar->connection_of(*device) == phone.flow);
}

}  // namespace
}  // namespace jackfield::sip
