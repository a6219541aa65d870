#include <jackfield/message_text.h>

#include <doctest/doctest.h>

using namespace jackfield;

TEST_CASE("message text: a line is the name, the verdict, what was returned, and each parameter, escaped") {
  Message message("call.route");
  message.set_retvalue("sip/sip:1%@x");
  message.set("a=b", "c:d\n").set("empty", "");
  std::string line;
  append_dispatched(line, "7:", false, message, true);
  CHECK(line == "%%<message:7%z:false:call.route:sip/sip%z1%%@x:a%}b=c%zd%J:empty=");
}

TEST_CASE("message text: keys of encrypted media are secret, other descriptions are not") {
  Message message("call.route");
  message.set("sdp_raw", "v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:key");
  std::string line;
  append_dispatched(line, "", true, message, true);
  CHECK(line == "%%<message::true:call.route::sdp_raw=***");
  message.set("sdp_raw", "v=0");
  line.clear();
  append_dispatched(line, "", true, message, true);
  CHECK(line == "%%<message::true:call.route::sdp_raw=v=0");
}

TEST_CASE("message text: what is a secret by its name") {
  for (const auto* name : {"password", "Passwd", "ha1_md5", "sip_proxy-authorization", "upper_ha1", "secret", "response"}) CHECK(is_secret(name));
  for (const auto* name : {"username", "address", "reason", "nonce", "correspondent"}) CHECK_FALSE(is_secret(name));
}

TEST_CASE("message text: a command is masked from its password on") {
  CHECK(masked_command("auth secret words") == "auth ***");
  CHECK(masked_command("user passwd 101 x") == "user passwd ***");
  CHECK(masked_command("control sip/1 password=x y") == "control sip/1 password=***");
  CHECK(masked_command("status sip") == "status sip");
  CHECK(masked_command("auth") == "auth");
  CHECK(masked_command("") == "");
}
