#include "call/description.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <string>

namespace jackfield::sip::call {
namespace {

std::string invite(std::string_view headers, std::string_view body) {
  return fmt::format("INVITE sip:102@192.0.2.1 SIP/2.0\r\n{}Content-Length: {}\r\n\r\n{}", headers, body.size(), body);
}

struct Carried {
  std::string description;
  bool unknown;
  bool operator==(const Carried&) const = default;
};
Carried carried(std::string_view headers, std::string_view body) {
  const auto bytes = invite(headers, body);
  Message message;
  REQUIRE(message.parse(bytes));
  return {std::string(description_of(message)), has_unknown_body(message)};
}

const std::string kSdp = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\nc=IN IP4 192.0.2.9\r\nm=audio 4000 RTP/AVP 0\r\n";

TEST_CASE("A body is a description where its type says so, or nothing does") {
  CHECK(carried("", "") == Carried{"", false});
  CHECK(carried("", kSdp) == Carried{kSdp, false});
  CHECK(carried("Content-Type: Application/SDP\r\n", kSdp) == Carried{kSdp, false});
  CHECK(carried("c: application/sdp;charset=utf-8\r\n", kSdp) == Carried{kSdp, false});
  CHECK(carried("Content-Type: text/plain\r\n", "hello") == Carried{"", true});
  CHECK(carried("Content-Type: nonsense\r\n", kSdp) == Carried{"", true});
}

TEST_CASE("What its sender calls optional is passed over") {
  CHECK(carried("Content-Type: text/plain\r\nContent-Disposition: render;handling=Optional\r\n", "hello") == Carried{"", false});
  CHECK(carried("Content-Type: text/plain\r\nContent-Disposition: render\r\n", "hello") == Carried{"", true});
  CHECK(carried("Content-Type: text/plain\r\nContent-Disposition: render;handling=required\r\n", "hello") == Carried{"", true});
}

TEST_CASE("Of a multipart body it is the first part that is one") {
  const std::string_view type = "Content-Type: multipart/mixed; boundary=\"a b\"\r\n";
  const std::string text = "--a b\r\nContent-Type: text/plain\r\n\r\n--a bc is no line of ours\r\n", end = "--a b--\r\n";
  const std::string part = "--a b\r\nX: y\r\ncontent-type:application/sdp\r\n\r\n" + kSdp;
  CHECK(carried(type, text + part + end) == Carried{kSdp, false});
  CHECK(carried(type, "a preamble\r\n" + part + "\r\n" + text + end) == Carried{kSdp, false});
  CHECK(carried(type, text + end) == Carried{"", true});
  CHECK(carried(type, part) == Carried{"", true});  // cut off
  CHECK(carried(type, "--a b") == Carried{"", true});
  CHECK(carried(type, "--a b\r\n--a b\r\n" + part + end) == Carried{kSdp, false});
  CHECK(carried("Content-Type: multipart/mixed\r\n", part + end) == Carried{"", true});
}

TEST_CASE("Routing learns formats and address of the first audio stream") {
  const auto described = [](std::string_view sdp) {
    jackfield::Message message("call.preroute");
    describe_media(message, sdp);
    return fmt::format("{} {} {} {} {}", message.get("media"), message.get("rtp_forward"), message.get("formats"), message.get("rtp_addr"), message.get("rtp_port"));
  };
  const std::string head = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\nc=IN IP4 192.0.2.9\r\n";
  CHECK(described(head + "m=video 6 RTP/AVP 99\r\nm=audio 4000 RTP/AVP 8 0 18 101 96 110\r\nc=IN IP4 192.0.2.7\r\na=rtpmap:101 telephone-event/8000\r\n"
                         "a=rtpmap:96 OPUS/48000/2\r\na=rtpmap:110 strange/8000\r\n") == "yes possible alaw,mulaw,g729,opus 192.0.2.7 4000");
  CHECK(described(head + "m=audio 4000 RTP/AVP 8\r\na=rtpmap:8 PCMU/8000\r\n") == "yes possible mulaw 192.0.2.9 4000");
  CHECK(described(head) == "yes possible   ");
  CHECK(described("nonsense") == "yes possible   ");
  CHECK(described("") == "    ");
}

TEST_CASE("RFC 3264 §8: streams that a session has are refused in an offer that lacks them, and cut from its answer") {
  const std::string head = "v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nt=0 0\r\n", audio = "m=audio 4000 RTP/AVP 0\r\na=sendrecv\r\n", video = "m=video 4002 RTP/SAVP 96 97\r\na=sendrecv\r\n";
  CHECK(stream_count({}) == 0);
  CHECK(stream_count(head + audio + video) == 2);
  CHECK(with_streams_of(head + audio, head + audio + video) == head + audio + "m=video 0 RTP/SAVP 96 97\r\n");
  CHECK(with_streams_of(head + audio + video, head + audio) == head + audio + video);
  CHECK(with_streams_of(head + audio, {}) == head + audio);
  CHECK(with_streams_of(head + "m=audio 4000 RTP/AVP 0", head + audio + video) == head + "m=audio 4000 RTP/AVP 0\r\nm=video 0 RTP/SAVP 96 97\r\n");
  CHECK(first_streams(head + audio + video, 1) == head + audio);
  CHECK(first_streams(head + audio + video, 2) == head + audio + video);
  CHECK(first_streams(head, 3) == head);
}

}  // namespace
}  // namespace jackfield::sip::call
