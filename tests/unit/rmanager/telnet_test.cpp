#include "telnet.h"

#include <doctest/doctest.h>

#include <string>

using jackfield::rmanager::Telnet;
using namespace std::string_literals;

namespace {

/// One byte at a time, as a slow network may bring them.
std::string plain(Telnet& telnet, std::string_view bytes) {
  std::string out;
  for (const char byte : bytes) telnet.take(std::string_view(&byte, 1), out);
  return out;
}

}  // namespace

TEST_CASE("telnet: the greeting offers to echo, needs no go-ahead, asks for the size, and is wiped off a screen that shows it") {
  const auto greeting = Telnet::greeting();
  CHECK(greeting.substr(0, 9) == "\xff\xfb\x01\xff\xfb\x03\xff\xfd\x1f");
  CHECK(greeting.substr(9) == std::string(9, '\b') + std::string(9, ' ') + std::string(9, '\b'));
}

TEST_CASE("telnet: negotiation is no text, and a doubled 255 is one") {
  Telnet telnet;
  CHECK_FALSE(telnet.echo());
  CHECK(plain(telnet, "st\xff\xfd\x01" "at\xff\xff" "us") == "stat\xff" "us");
  CHECK(telnet.echo() == true);
  CHECK(plain(telnet, "\xff\xfe\x01") == "");
  CHECK(telnet.echo() == false);
  CHECK(telnet.take_reply().empty());
}

TEST_CASE("telnet: the size of the screen, also where a number holds a 255") {
  Telnet telnet;
  CHECK(plain(telnet, "\xff\xfb\x1f\xff\xfa\x1f\x00\x50\x00\xff\xff\xff\xf0x"s) == "x");
  CHECK(telnet.width() == 80);
  CHECK(telnet.height() == 255);
  plain(telnet, "\xff\xfa\x1f\x00\xff\xf0"s);  // too short to say anything
  CHECK(telnet.width() == 80);
}

TEST_CASE("telnet: what was not offered is refused, though not for ever, and an interrupt is a ^C") {
  Telnet telnet;
  plain(telnet, "\xff\xfd\x18\xff\xfb\x22");
  CHECK(telnet.take_reply() == "\xff\xfc\x18\xff\xfe\x22");
  CHECK(plain(telnet, "\xff\xf4") == "\x03");
  for (int i = 0; i < 1000; ++i) plain(telnet, "\xff\xfb\x22");
  CHECK(telnet.take_reply().size() == 3 * 98);
}

TEST_CASE("telnet: a block without an end is capped and keeps its bytes to itself") {
  Telnet telnet;
  CHECK(plain(telnet, "\xff\xfa\x18" + std::string(100000, 'x')) == "");
  CHECK(plain(telnet, "\xff\xf0status") == "status");
}
