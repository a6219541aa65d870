// A session description (RFC 8866) as lines and views into its text: enough to check it, to read who sends what where, and to
// replace the identity in its o= line while every other byte stays as it came (RFC 3264 §8). No I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace jackfield::sdp {

struct Error {
  std::string_view reason;  ///< static text, e.g. "SDP: bad m= line"
  std::size_t line = 0;     ///< counted from 1
};

struct Limits {
  std::size_t max_bytes = 64 * 1024;
  std::size_t max_lines = 2048;
  std::size_t max_media = 64;
};

struct Line {
  char type;               ///< 'v', 'o', …
  std::string_view value;  ///< after `=`, without the line break
};

/// `o=username session_id version nettype addrtype address`
struct Origin {
  std::string_view username, session_id, version, net_type, address_type, address;
};

/// `c=IN IP4 192.0.2.1`
struct Connection {
  std::string_view net_type, address_type, address;
  /// The old way to hold: 0.0.0.0 (RFC 3264 §8.4).
  bool is_hold() const { return address == "0.0.0.0"; }
};

enum class Direction : std::uint8_t { sendrecv, sendonly, recvonly, inactive };
std::string_view direction_name(Direction direction);

struct Media {
  std::string_view type;      ///< "audio"
  std::uint16_t port = 0;     ///< 0: refused or taken out
  std::uint16_t ports = 1;    ///< `/N` after the port
  std::string_view protocol;  ///< "RTP/AVP"
  std::string_view formats;   ///< "0 8 101"
  Connection connection;      ///< its own, else the session's; empty: neither has one
  Direction direction = Direction::sendrecv;  ///< its own, else the session's, else sendrecv
  std::span<const Line> lines;                ///< what follows m= up to the next one
};

/// A parsed description. Views point into the text given to parse(), which must outlive the object; a Session that is used
/// again allocates nothing.
class Session {
 public:
  Session() = default;
  Session(Session&&) = default;  // no copy: Media::lines are views into lines_
  Session& operator=(Session&&) = default;

  /// Needs v=0 first, one well-formed o= before any m=, lines `x=…` only, well-formed c= and m=. s= and t=, mandatory in
  /// RFC 8866, may be missing: phones forget them and nothing here depends on them. Lines end with CRLF or LF.
  tl::expected<void, Error> parse(std::string_view text, const Limits& limits = {});

  const Origin& origin() const { return origin_; }
  const Connection& connection() const { return connection_; }  ///< the session's; empty: none
  Direction direction() const { return direction_; }
  std::span<const Media> media() const { return media_; }
  std::span<const Line> lines() const { return lines_; }        ///< all of them, in order
  /// The session's lines, before the first m=.
  std::span<const Line> session_lines() const;

  /// The text with another session id and version in o=; nothing else differs (D14).
  std::string with_origin(std::string_view session_id, std::uint64_t version) const;

 private:
  tl::expected<void, std::string_view> read(const Line& line, std::size_t limit_media);
  void settle();

  std::string_view text_;
  std::vector<Line> lines_;
  std::vector<Media> media_;
  std::vector<std::size_t> media_at_;  ///< index of each m= in lines_
  std::vector<std::optional<Direction>> media_direction_;
  Origin origin_;
  Connection connection_;
  Direction direction_ = Direction::sendrecv;
};

/// True when two bodies differ in nothing but their o= lines (RFC 3264 §8: then the version need not rise). Byte by byte: a
/// body that does not parse is compared whole, but for its first line that begins with `o=`.
bool same_but_origin(std::string_view left, std::string_view right);

}  // namespace jackfield::sdp
