#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "sip/message.h"
#include "support/seed.h"

using jackfield::sip::StreamFramer;
using What = StreamFramer::What;

namespace {

struct Piece {
  What what;
  std::string bytes, reason;
  bool operator==(const Piece&) const = default;
};

/// Cuts what is fed in portions of `portion` bytes, up to the first cut that is final.
std::vector<Piece> cut(std::string_view stream, std::size_t portion, StreamFramer::Options options = {}) {
  StreamFramer framer(options);
  std::vector<Piece> out;
  for (; !stream.empty(); stream.remove_prefix(std::min(portion, stream.size()))) {
    framer.feed(stream.substr(0, portion));
    for (;;) {
      const auto piece = framer.next();
      if (piece.what == What::need_more) break;
      out.push_back({piece.what, std::string(piece.bytes), std::string(piece.reason)});
      if (piece.what == What::bad || piece.what == What::too_large) return out;
    }
  }
  return out;
}

std::string message(std::string_view body) {
  return "MESSAGE sip:a SIP/2.0\r\nX: \r\n y\r\ncontent-length : " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

}  // namespace

TEST_CASE("messages, pings and pongs are told apart") {
  const std::string one = message("first\r\n\r\nbody"), two = message("");
  const std::string stream = "\r\n" + one + "\r\n\r\n" + two + "\r\n\r\n\r\n" + one + "\r\n";
  const std::vector<Piece> expected{{What::message, one, ""}, {What::keepalive, "\r\n\r\n", ""}, {What::message, two, ""},
                                    {What::keepalive, "\r\n\r\n", ""}, {What::message, one, ""}};
  for (std::size_t portion = 1; portion <= stream.size(); ++portion) {
    CAPTURE(portion);
    CHECK(cut(stream, portion) == expected);
  }
}

TEST_CASE("a stream whose boundaries are lost is given up with the reason") {
  struct Case {
    std::string stream;
    std::string_view reason;
  };
  for (const Case& one : {
           Case{"OPTIONS sip:a SIP/2.0\r\nX: y\r\n\r\n", "Missing Content-Length header"},
           Case{"OPTIONS sip:a SIP/2.0\r\n\r\n", "Missing Content-Length header"},
           Case{"OPTIONS sip:a SIP/2.0\r\nContent-Length: -1\r\n\r\n", "Bad Content-Length header"},
           Case{"OPTIONS sip:a SIP/2.0\r\nContent-Length: 1\r\nl: 1\r\n\r\nx", "Content-Length header given twice"},
           Case{"OPTIONS sip:a SIP/2.0\r\nX: y\nContent-Length: 0\r\n\r\n", "Line feed without carriage return"},
           Case{"OPTIONS sip:a SIP/2.0\r\nX: y\rContent-Length: 0\r\n\r\n", "Carriage return without line feed"},
           Case{"OPTIONS sip:a SIP/2.0\r\nContent-Length 0\r\n\r\n", "Header line without a colon"},
           Case{"\x16\x03\x01 hello", "Not a SIP message"},
           Case{"\nOPTIONS", "Line end without carriage return or line feed"},
           Case{"\rOPTIONS", "Line end without carriage return or line feed"},
           Case{"\r\n\rOPTIONS", "Line end without carriage return or line feed"},
       }) {
    CAPTURE(one.stream);
    const auto whole = cut(one.stream, one.stream.size());
    REQUIRE(whole.size() == 1);
    CHECK(whole[0].what == What::bad);
    CHECK(whole[0].reason == std::string(one.reason));
    CHECK(cut(one.stream, 1) == whole);
  }
}

TEST_CASE("limits hold however the bytes come") {
  StreamFramer::Options options;
  options.max_header_bytes = 64;
  options.max_body_bytes = 10;
  const std::string start = "OPTIONS sip:a SIP/2.0\r\nl:0\r\nX:";
  const std::string fits = start + std::string(64 - start.size() - 4, 'x') + "\r\n\r\n";
  const std::string over = start + std::string(64 - start.size() - 3, 'x') + "\r\n\r\n";
  REQUIRE(fits.size() == 64);
  for (const std::size_t portion : {std::size_t{1}, std::size_t{7}, std::size_t{1000}}) {
    CHECK(cut(fits, portion, options) == std::vector<Piece>{{What::message, fits, ""}});
    CHECK(cut(over, portion, options) == std::vector<Piece>{{What::too_large, over.substr(0, 64), "Headers too large"}});
    CHECK(cut(std::string(1000, 'A'), portion, options).at(0).what == What::too_large);
  }
  const std::string headers = "M sip:a SIP/2.0\r\nl: 11\r\n\r\n";
  CHECK(cut(headers, 1, options) == std::vector<Piece>{{What::too_large, headers, "Message body too large"}});
  CHECK(cut("M sip:a SIP/2.0\r\nl: 10\r\n\r\n0123456789", 3, options).at(0).what == What::message);
}

TEST_CASE("after it gave up a framer stays so and keeps nothing more") {
  StreamFramer framer(StreamFramer::Options{});
  framer.feed("(");
  CHECK(framer.next().what == What::bad);
  const std::size_t pending = framer.pending();
  framer.feed(message("x"));
  CHECK(framer.pending() == pending);
  CHECK(framer.next().what == What::bad);
  CHECK(framer.next().bytes == "(");
}

TEST_CASE("any portions give the same cuts") {
  const unsigned seed = jackfield::test::seed();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  std::string stream;
  std::vector<Piece> expected;
  for (int i = 0; i < 300; ++i) {
    if (random() % 4 == 0) {
      stream += "\r\n\r\n";
      expected.push_back({What::keepalive, "\r\n\r\n", ""});
    } else {
      const std::string one = message(std::string(random() % 3000, "x\r\n"[random() % 3]));
      stream += one;
      expected.push_back({What::message, one, ""});
    }
  }
  for (int round = 0; round < 5; ++round) {
    StreamFramer framer(StreamFramer::Options{});
    std::vector<Piece> out;
    for (std::size_t at = 0; at < stream.size();) {
      const std::size_t size = std::min<std::size_t>(stream.size() - at, 1 + random() % (round == 0 ? 3 : 5000));
      framer.feed(std::string_view(stream).substr(at, size));
      at += size;
      for (auto piece = framer.next(); piece.what != What::need_more; piece = framer.next()) out.push_back({piece.what, std::string(piece.bytes), std::string(piece.reason)});
    }
    CHECK(out == expected);
    CHECK(framer.pending() == 0);
  }
}
