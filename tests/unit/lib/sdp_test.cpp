#include "sdp/sdp.h"

#include <doctest/doctest.h>

#include <string>

using namespace jackfield::sdp;

namespace {

constexpr std::string_view kOffer =
    "v=0\r\no=alice 2890844526 2890844527 IN IP4 host.example.com\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\na=sendonly\r\n"
    "m=audio 49170/2 RTP/AVP 0 8 97\r\na=rtpmap:0 PCMU/8000\r\na=recvonly\r\n"
    "m=video 0 RTP/AVP 31\r\nc=IN IP6 2001:db8::1\r\na=rtpmap:31 H261/90000\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=inactive\r\n";

std::string error(std::string_view text, const Limits& limits = {}) {
  Session session;
  const auto parsed = session.parse(text, limits);
  return parsed ? std::string() : std::to_string(parsed.error().line) + " " + std::string(parsed.error().reason);
}

std::string replaced(std::string_view from, std::string_view to) {
  std::string text(kOffer);
  return text.replace(text.find(from), from.size(), to);
}

}  // namespace

TEST_CASE("a description's session and media are read") {
  Session session;
  REQUIRE(session.parse(kOffer));
  CHECK(session.origin().username == "alice");
  CHECK(session.origin().session_id == "2890844526");
  CHECK(session.origin().version == "2890844527");
  CHECK(session.origin().address == "host.example.com");
  CHECK(session.connection().address == "192.0.2.1");
  CHECK(session.direction() == Direction::sendonly);
  CHECK(session.lines().size() == 14);
  CHECK(session.session_lines().size() == 6);
  REQUIRE(session.media().size() == 3);
  const Media& audio = session.media()[0];
  CHECK(audio.type == "audio");
  CHECK(audio.port == 49170);
  CHECK(audio.ports == 2);
  CHECK(audio.protocol == "RTP/AVP");
  CHECK(audio.formats == "0 8 97");
  CHECK(audio.connection.address == "192.0.2.1");
  CHECK(audio.direction == Direction::recvonly);
  CHECK(audio.lines.size() == 2);
  CHECK(audio.lines[0].value == "rtpmap:0 PCMU/8000");
  const Media& video = session.media()[1];
  CHECK(video.port == 0);
  CHECK(video.connection.address == "2001:db8::1");
  CHECK(video.direction == Direction::sendonly);
  CHECK(session.media()[2].direction == Direction::inactive);
  for (const Direction direction : {Direction::sendrecv, Direction::sendonly, Direction::recvonly, Direction::inactive}) {
    const std::string text = replaced("a=recvonly", "a=" + std::string(direction_name(direction)));
    REQUIRE(session.parse(text));
    CHECK(session.media()[0].direction == direction);
  }
  const std::string hold = replaced("c=IN IP4 192.0.2.1", "c=IN IP4 0.0.0.0");
  REQUIRE(session.parse(hold));
  CHECK(session.media()[0].connection.is_hold());
}

TEST_CASE("lines may end with LF alone, the last with nothing, and blank lines may follow") {
  Session session;
  CHECK(session.parse("v=0\no=- 1 1 IN IP4 h\nm=audio 1 RTP/AVP 0\n"));
  CHECK(session.media()[0].formats == "0");
  CHECK(session.parse("v=0\r\no=- 1 1 IN IP4 h"));
  CHECK(session.origin().address == "h");
  CHECK(session.parse("v=0\r\no=- 1 1 IN IP4 h\r\n\r\n\r\n"));
}

TEST_CASE("what is no description is refused, with the line") {
  CHECK(error("") == "1 SDP: empty");
  CHECK(error("\r\n") == "1 SDP: empty");
  CHECK(error("o=- 1 1 IN IP4 h\r\n") == "1 SDP: does not begin with v=");
  CHECK(error("v=1\r\n") == "1 SDP: unknown version");
  CHECK(error("v=0\r\ns=-\r\n") == "2 SDP: no o= line");
  CHECK(error("v=0\r\nv=0\r\n") == "2 SDP: more than one v= line");
  CHECK(error("v=0\r\no=- 1 1 IN IP4 h\r\n\r\ns=-\r\n") == "3 SDP: line that is not x=value");
  CHECK(error("v=0\r\nhello\r\n") == "2 SDP: line that is not x=value");
  CHECK(error("v=0\r\nO=x\r\n") == "2 SDP: line that is not x=value");
  CHECK(error(std::string_view("v=0\r\ns=a\0b\r\n", 12)) == "2 SDP: control character");
  CHECK(error("v=0\r\ns=a\rb\r\n") == "2 SDP: control character");
  for (const std::string_view origin : {"", "-", "- 1 1 IN IP4", "- 1 x IN IP4 h", "- 1 1 IN IP4 h x", "-  1 1 IN IP4 h", "- 1 -1 IN IP4 h"}) {
    CAPTURE(std::string(origin));
    CHECK(error("v=0\r\no=" + std::string(origin) + "\r\n") == "2 SDP: bad o= line");
  }
  CHECK(error(replaced("t=0 0\r\n", "o=- 1 1 IN IP4 h\r\n")) == "5 SDP: more than one o= line, or one after m=");
  for (const std::string_view connection : {"", "IN IP4", "IN  IP4 h", "IN IP4 h h"}) CHECK(error(replaced("c=IN IP4 192.0.2.1", "c=" + std::string(connection))) == "4 SDP: bad c= line");
  for (const std::string_view media : {"", "audio", "audio x RTP/AVP 0", "audio 65536 RTP/AVP 0", "audio 1 RTP/AVP", "audio 1/0 RTP/AVP 0", "audio -1 RTP/AVP 0", "audio  1 RTP/AVP 0"}) {
    CAPTURE(std::string(media));
    CHECK(error(replaced("m=audio 49170/2 RTP/AVP 0 8 97", "m=" + std::string(media))) == "7 SDP: bad m= line");
  }
}

TEST_CASE("limits are kept") {
  Limits limits;
  limits.max_bytes = kOffer.size();
  limits.max_lines = 14;
  limits.max_media = 3;
  CHECK(error(kOffer, limits).empty());
  limits.max_bytes -= 1;
  CHECK(error(kOffer, limits) == "0 SDP: too large");
  limits = {};
  limits.max_lines = 13;
  CHECK(error(kOffer, limits) == "14 SDP: too many lines");
  limits = {};
  limits.max_media = 2;
  CHECK(error(kOffer, limits) == "13 SDP: too many m= lines");
}

TEST_CASE("another identity changes the session id and version in o= and no other byte") {
  Session session;
  REQUIRE(session.parse(kOffer));
  CHECK(session.with_origin("77", 5) == replaced("2890844526 2890844527", "77 5"));
  CHECK(session.with_origin("2890844526", 2890844527) == kOffer);
  const std::string odd = "v=0\no=x 1 2 IN IP4 h\ns= \na=x:  spaces  \n\n\n";
  REQUIRE(session.parse(odd));
  CHECK(session.with_origin("a", 18446744073709551615u) == "v=0\no=x a 18446744073709551615 IN IP4 h\ns= \na=x:  spaces  \n\n\n");
}

TEST_CASE("bodies are compared but for o=") {
  CHECK(same_but_origin(kOffer, kOffer));
  CHECK(same_but_origin(kOffer, replaced("2890844526 2890844527", "1 2")));
  CHECK(same_but_origin(kOffer, replaced("o=alice 2890844526 2890844527 IN IP4 host.example.com", "o=")));
  CHECK_FALSE(same_but_origin(kOffer, replaced("49170", "49172")));
  CHECK_FALSE(same_but_origin(kOffer, replaced("a=inactive\r\n", "")));
  CHECK_FALSE(same_but_origin(kOffer, std::string(kOffer) + "a=x\r\n"));
  CHECK_FALSE(same_but_origin(kOffer, replaced("s=-\r\n", "s=-\n")));
  CHECK_FALSE(same_but_origin("v=0\n", "v=0\no=- 1 1 IN IP4 h\n"));
  CHECK_FALSE(same_but_origin("o=1\no=2\n", "o=1\no=3\n"));
  CHECK(same_but_origin("", ""));
  CHECK_FALSE(same_but_origin("", "v=0"));
}

TEST_CASE("a session that is used again forgets what it held") {
  Session session;
  REQUIRE(session.parse(kOffer));
  REQUIRE(session.parse("v=0\no=- 1 1 IN IP4 h\n"));
  CHECK(session.media().empty());
  CHECK(session.connection().address.empty());
  CHECK(session.direction() == Direction::sendrecv);
  CHECK(session.session_lines().size() == 2);
}
