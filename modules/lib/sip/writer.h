// Writes messages: a start line, headers in the order they are added, a body with its Content-Length. One string, no maps.
#pragma once

#include <string>
#include <string_view>

#include "sip/message.h"

namespace jackfield::sip {

/// The standard phrase; "Unknown" for a code that has none.
std::string_view reason_phrase(int status);

/// What is given to it never adds a line: control characters are dropped from values, blanks too from names and URIs.
class Writer {
 public:
  /// Appends to `out`, which the caller may reuse.
  explicit Writer(std::string& out) : out_(out) {}
  Writer& request(std::string_view method, std::string_view uri);
  Writer& status(int code, std::string_view phrase = {});
  Writer& header(HeaderId id, std::string_view value);
  Writer& header(std::string_view name, std::string_view value);
  Writer& header(HeaderId id, unsigned long value);
  Writer& cseq(std::uint32_t number, std::string_view method);
  /// A line of Message::headers() as it was received, byte for byte: its name and value lie in one buffer.
  Writer& copy(const HeaderLine& line);
  Writer& copy_all(const Message& from, HeaderId id);
  /// Ends the headers with Content-Length; Content-Type is written when there is a body.
  void body(std::string_view content_type, std::string_view bytes);
  void end();

 private:
  std::string& out_;
};

/// A response's beginning as RFC 3261 §8.2.6: status line, all Vias (the first with received/rport filled in for `source`),
/// From, To (with `to_tag` when it has none and the tag is not empty), Call-ID, CSeq, Timestamp for 100. Works on a request
/// that did not parse in full: what is there is copied as it came. `received_host` empty: the Via stays as it is.
Writer start_response(std::string& out, const Message& request, int code, std::string_view phrase, std::string_view to_tag,
                      std::string_view received_host, std::uint16_t received_port);

}  // namespace jackfield::sip
