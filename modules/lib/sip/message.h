// One SIP message: a buffer and views into it. The start line and the header lines are found when it is parsed; a header's
// value is decoded on first access and remembered, as value or as error. Untouched headers are re-sent byte for byte.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "sip/headers.h"

namespace jackfield::sip {

struct HeaderLine {
  HeaderId id;
  std::string_view name;   ///< as written
  std::string_view value;  ///< trimmed; folded lines keep their line breaks (they count as blanks when decoded)
};

struct Limits {
  std::size_t max_headers = 256;
  std::size_t max_header_bytes = 32 * 1024;
};

class Message {
 public:
  Message();
  ~Message();
  Message(Message&&) noexcept;
  Message& operator=(Message&&) noexcept;

  /// Parses one whole message (a datagram, or what the stream framer cut). `bytes` must stay valid as long as this object;
  /// reuses this object's storage, so a message object kept for the next datagram allocates nothing. The body is what
  /// Content-Length says; on a datagram a missing one means the rest, a longer one is an error (RFC 3261 §18.3).
  /// After an error the object holds what could be read (start line, good header lines), so that it can be answered
  /// when it was a request: `!method_text().empty()`. A lone CR or LF is an error; any other byte in a value is data.
  tl::expected<void, Error> parse(std::string_view bytes, const Limits& limits = {});
  /// A copy that owns its bytes, decoded anew on demand.
  Message clone() const;
  /// From the start line to the end of the body: without leading line ends and what follows the body in a datagram.
  std::string_view bytes() const { return bytes_; }

  bool is_request() const { return status_ == 0; }
  Method method() const { return method_; }                 ///< of a request; of a response the CSeq's
  std::string_view method_text() const { return method_text_; }
  std::string_view request_uri_text() const { return request_uri_; }
  const tl::expected<Uri, Error>& request_uri() const;
  int status() const { return status_; }                    ///< 0 for a request
  std::string_view reason_phrase() const { return reason_; }
  std::string_view body() const { return body_; }

  std::span<const HeaderLine> headers() const { return headers_; }
  const HeaderLine* header(HeaderId id) const {             ///< the first
    const std::uint16_t at = first_[static_cast<std::size_t>(id)];
    return at == 0 || at > headers_.size() ? nullptr : &headers_[at - 1u];
  }
  const HeaderLine* header(std::string_view name) const;    ///< any name, without case
  bool has(HeaderId id) const { return header(id) != nullptr; }
  bool repeats(HeaderId id) const { return (repeated_ >> static_cast<unsigned>(id) & 1) != 0; }  ///< more than one line of it
  std::string_view value(HeaderId id) const {               ///< of the first; empty when there is none
    const HeaderLine* const line = header(id);
    return line == nullptr ? std::string_view() : line->value;
  }

  /// Typed access. Of a header that is missing the error says so.
  const tl::expected<Via, Error>& top_via() const;
  const tl::expected<NameAddr, Error>& from() const;
  const tl::expected<NameAddr, Error>& to() const;
  const tl::expected<CSeq, Error>& cseq() const;
  std::string_view call_id() const { return value(HeaderId::call_id); }
  /// All values of all Contact lines, in order.
  const tl::expected<std::vector<Contact>, Error>& contacts() const;
  std::optional<std::uint32_t> max_forwards() const;        ///< malformed: nothing; parse() of the mandatory check reports it
  std::optional<std::uint32_t> expires() const;             ///< malformed: nothing
  /// The comma separated values of all lines of that header (Via, Route, Require, Supported, …), in order.
  std::vector<std::string_view> list(HeaderId id) const;
  /// The Digest credentials or challenges of one kind of header, in order; malformed lines and other schemes are left out.
  std::vector<AuthHeader> digests(HeaderId id) const;
  /// True when the list has that token, without case.
  bool lists(HeaderId id, std::string_view token) const;

  /// What RFC 3261 §8.1.1 and §16.3 make mandatory, decoded and consistent: To, From, CSeq (method as the start line's),
  /// Call-ID, Max-Forwards well-formed when present, Via; single headers once. The error's reason is fit for a 400.
  tl::expected<void, Error> check_mandatory() const;

 private:
  struct Decoded;
  Decoded& decoded() const;
  tl::expected<void, Error> parse_start_line(std::string_view line);
  tl::expected<void, Error> take_body(std::string_view rest, std::size_t start);
  Error described(int slot, HeaderId id, const Error& error, std::string_view where) const;
  Error missing(int slot, HeaderId id) const;

  std::vector<HeaderLine> headers_;
  std::string_view bytes_, method_text_, request_uri_, reason_, body_;
  std::array<std::uint16_t, kHeaderIds> first_{};  ///< index + 1 of each header's first line; 0: none
  std::uint64_t repeated_ = 0;                     ///< bit per HeaderId
  Method method_ = Method::other;
  int status_ = 0;
  std::unique_ptr<char[]> owned_;
  mutable std::unique_ptr<Decoded> decoded_;
};

/// Cuts messages out of a byte stream by Content-Length (RFC 3261 §18.3). Feed bytes as they come, in any portions: the cuts are
/// the same. Each byte is looked at a fixed number of times. After bad or too_large the stream has no more boundaries: next()
/// repeats that answer, feed() drops what comes.
class StreamFramer {
 public:
  struct Options {
    std::size_t max_header_bytes = 16 * 1024;
    std::size_t max_body_bytes = 64 * 1024;
  };
  enum class What : std::uint8_t { need_more, message, keepalive /* CRLFCRLF */, bad, too_large };
  explicit StreamFramer(Options options) : options_(options) {}
  void feed(std::string_view bytes);
  struct Cut {
    What what;
    std::string_view bytes;  ///< message: valid until the next feed() or next(); bad: what was seen of it, to answer 400
    std::string_view reason; ///< bad and too_large
  };
  /// Call until it says need_more.
  Cut next();
  /// Bytes held back for a message that is not complete.
  std::size_t pending() const { return buffer_.size() - start_; }

 private:
  Cut failed() const;
  Cut give_up(What what, std::string_view reason, std::size_t seen);
  std::size_t find_header_end();

  Options options_;
  std::string buffer_;
  std::size_t start_ = 0;    ///< where the message being gathered begins
  std::size_t scanned_ = 0;  ///< up to here there is no end of its headers
  std::size_t length_ = 0;   ///< of the whole message, once its headers are complete
  What failure_ = What::need_more;  ///< bad or too_large: that is what it stays at
  std::string_view failure_reason_;
  std::size_t failure_seen_ = 0;
};

}  // namespace jackfield::sip
