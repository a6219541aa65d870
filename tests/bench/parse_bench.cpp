// What parsing, answering and verifying cost, in nanoseconds. Not a test; run it on a quiet machine, built for release.
#include <fmt/format.h>
#include <time.h>

#include <cstdlib>
#include <string>

#include "digest/digest.h"
#include "net/address.h"
#include "sdp/sdp.h"
#include "sip/message.h"
#include "sip/writer.h"

using namespace jackfield;

namespace {

constexpr std::string_view kRegister =
    "REGISTER sip:pbx.example.com SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 192.168.1.50:5060;branch=z9hG4bK74b43f0c9a1e4d2b;rport\r\n"
    "From: \"Alice\" <sip:1001@pbx.example.com>;tag=4f0e21c7\r\n"
    "To: \"Alice\" <sip:1001@pbx.example.com>\r\n"
    "Call-ID: 7c2f1a90b4d84a1e@192.168.1.50\r\n"
    "CSeq: 2 REGISTER\r\n"
    "Max-Forwards: 70\r\n"
    "Contact: <sip:1001@192.168.1.50:5060;transport=udp>;expires=3600\r\n"
    "Authorization: Digest username=\"1001\", realm=\"Jackfield\", nonce=\"65a1c2f49e8b7d6c5a4b3c2d1e0f9a8b\", uri=\"sip:pbx.example.com\", "
    "response=\"6629fae49393a05397450978507c4ef1\", algorithm=MD5, cnonce=\"0a4f113b\", qop=auth, nc=00000001\r\n"
    "User-Agent: Phone 1.2.3\r\n"
    "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, NOTIFY, REFER\r\n"
    "Supported: path, outbound\r\n"
    "Expires: 3600\r\n"
    "Content-Length: 0\r\n\r\n";

constexpr std::string_view kSdp =
    "v=0\r\no=- 3905523012 3905523012 IN IP4 192.168.1.50\r\ns=call\r\nc=IN IP4 192.168.1.50\r\nt=0 0\r\n"
    "m=audio 40000 RTP/AVP 0 8 18 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:18 G729/8000\r\n"
    "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=sendrecv\r\n";

std::string invite() {
  std::string text =
      "INVITE sip:1002@pbx.example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.1.50:5060;branch=z9hG4bK84b43f0c9a1e4d2b;rport\r\n"
      "Max-Forwards: 70\r\nFrom: \"Alice\" <sip:1001@pbx.example.com>;tag=5f0e21c7\r\nTo: <sip:1002@pbx.example.com>\r\n"
      "Call-ID: 8c2f1a90b4d84a1e@192.168.1.50\r\nCSeq: 1 INVITE\r\nContact: <sip:1001@192.168.1.50:5060>\r\nUser-Agent: Phone 1.2.3\r\n"
      "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, NOTIFY, REFER\r\nSupported: timer, replaces\r\nContent-Type: application/sdp\r\nContent-Length: ";
  return text + std::to_string(kSdp.size()) + "\r\n\r\n" + std::string(kSdp);
}

/// Keeps the compiler from dropping what nobody looks at.
template <class T>
void keep(const T& value) {
  asm volatile("" : : "g"(&value) : "memory");
}

void good(bool right) {
  if (!right) std::abort();
}

/// Of this thread, so that neighbours on a busy machine count less.
double processor_nanoseconds() {
  timespec now;
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

template <class Work>
void measure(std::string_view what, Work work) {
  double best = 1e18;
  for (int round = 0; round < 50; ++round) {
    constexpr int kTimes = 2000;
    const double began = processor_nanoseconds();
    for (int i = 0; i < kTimes; ++i) work();
    best = std::min(best, (processor_nanoseconds() - began) / kTimes);
  }
  fmt::print("{:<64} {:>7.0f} ns\n", what, best);
}

}  // namespace

int main() {
  const std::string call = invite();
  sip::Message message;
  measure(fmt::format("parse a REGISTER with credentials ({} bytes)", kRegister.size()), [&] { good(message.parse(kRegister).has_value()); });
  measure("  … and what is mandatory", [&] { good(message.parse(kRegister) && message.check_mandatory()); });
  measure("  … and contacts, expires and credentials", [&] {
    good(message.parse(kRegister) && message.check_mandatory() && message.contacts()->size() == 1 && message.expires() == 3600u);
    good(sip::parse_auth(message.value(sip::HeaderId::authorization)).has_value());
  });
  measure("  … and a clone of it", [&] {
    good(message.parse(kRegister).has_value());
    keep(message.clone());
  });
  measure(fmt::format("parse an INVITE with SDP ({} bytes)", call.size()), [&] { good(message.parse(call).has_value()); });
  measure("  … and what is mandatory, and contacts", [&] { good(message.parse(call) && message.check_mandatory() && message.contacts()); });
  sip::StreamFramer framer(sip::StreamFramer::Options{});
  measure("cut that INVITE from a stream", [&] {
    framer.feed(call);
    good(framer.next().what == sip::StreamFramer::What::message);
  });

  good(message.parse(kRegister).has_value());
  std::string out;
  measure("write a 200 to that REGISTER", [&] {
    out.clear();
    sip::start_response(out, message, 200, {}, "a1b2c3d4", "203.0.113.9", 5060).header(sip::HeaderId::contact, "<sip:1001@192.168.1.50:5060>;expires=3600").end();
  });

  digest::Hasher hasher;
  const auto credentials = *sip::parse_auth(message.value(sip::HeaderId::authorization));
  const digest::Answer answer{"REGISTER", credentials.uri, credentials.nonce, credentials.nc, credentials.cnonce, credentials.qop};
  for (const auto algorithm : {digest::Algorithm::md5, digest::Algorithm::sha256}) {
    const auto ha1 = hasher.ha1(algorithm, "1001", "Jackfield", "secret");
    const auto response = hasher.response(algorithm, ha1, answer);
    measure(fmt::format("HA1 from a password, {}", digest::algorithm_name(algorithm)), [&] { keep(hasher.ha1(algorithm, "1001", "Jackfield", "secret")); });
    measure(fmt::format("verify a response, {}", digest::algorithm_name(algorithm)), [&] { good(hasher.verify(algorithm, ha1, answer, response) == digest::Verdict::match); });
  }

  sdp::Session session;
  measure("parse an SDP and give it another identity", [&] {
    good(session.parse(kSdp).has_value());
    keep(session.with_origin("4711", 2));
  });
  const auto contact = *sip::Uri::parse("sip:1001@192.168.1.50:5060;transport=udp");
  measure("canonical form of a contact", [&] { keep(sip::canonical(contact)); });
  measure("parse an address", [&] { keep(net::Address::parse("192.168.1.50")); });
}
