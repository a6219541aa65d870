// A datagram: parsed, every accessor asked, answered, cloned. The same bytes as a stream, whole and byte by byte.
#include <string>
#include <vector>

#include "expect.h"
#include "sip/message.h"
#include "sip/writer.h"

using namespace jackfield;
using namespace jackfield::sip;
using fuzz::expect;
using fuzz::lies_in;

namespace {

void ask_everything(const Message& message, std::string_view bytes) {
  for (const std::string_view view : {message.bytes(), message.method_text(), message.request_uri_text(), message.reason_phrase(), message.body()}) {
    expect(lies_in(view, bytes), "views lie in the message");
  }
  for (const HeaderLine& line : message.headers()) {
    expect(lies_in(line.name, bytes) && lies_in(line.value, bytes), "header lines lie in the message");
    expect(message.header(line.name) != nullptr, "a header is found by its name");
  }
  for (std::size_t i = 1; i < kHeaderIds; ++i) {
    const auto id = static_cast<HeaderId>(i);
    for (const std::string_view value : message.list(id)) expect(lies_in(value, bytes), "list values lie in the message");
    message.lists(id, "path");
    message.digests(id);
    expect(message.has(id) || message.value(id).empty(), "what is not there has no value");
  }
  if (const auto& uri = message.request_uri()) expect(lies_in(uri->host, bytes), "the URI lies in the message");
  if (const auto& via = message.top_via()) expect(lies_in(via->branch, bytes) && lies_in(via->text, bytes), "Via lies in the message");
  if (const auto& from = message.from()) expect(lies_in(from->tag, bytes), "From lies in the message");
  if (const auto& to = message.to()) expect(lies_in(to->tag, bytes), "To lies in the message");
  if (const auto& contacts = message.contacts()) {
    for (const Contact& contact : *contacts) expect(lies_in(contact.address.text, bytes), "contacts lie in the message");
  }
  message.cseq();
  message.max_forwards();
  message.expires();
}

void datagram(std::string_view bytes) {
  static Message message;  // used again, as the stack does
  const bool parsed = message.parse(bytes).has_value();
  ask_everything(message, bytes);
  const auto checked = message.check_mandatory();
  expect(checked || !checked.error().reason.empty(), "an error has a reason");

  const Message copy = message.clone();
  ask_everything(copy, copy.bytes());
  expect(copy.check_mandatory().has_value() == checked.has_value(), "a clone is what it was made from");

  std::string out;
  start_response(out, message, checked ? 200 : 400, checked ? std::string_view() : checked.error().reason, "tag", "192.0.2.1", 5060).end();
  Message answer;
  const bool answered = answer.parse(out).has_value();
  if (parsed && checked && message.is_request()) {
    expect(answered && answer.check_mandatory().has_value(), "the answer to a good request is good");
    expect(answer.cseq()->number == message.cseq()->number && answer.call_id() == message.call_id(), "an answer belongs to its request");
    expect(!answer.to()->tag.empty(), "an answer has a To tag");
  }
}

struct Piece {
  StreamFramer::What what;
  std::string bytes, reason;
  bool operator==(const Piece& other) const { return what == other.what && bytes == other.bytes && reason == other.reason; }
};

std::vector<Piece> cut(std::string_view bytes, std::size_t portion) {
  StreamFramer::Options options;
  options.max_header_bytes = 512;
  options.max_body_bytes = 256;
  StreamFramer framer(options);
  std::vector<Piece> out;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(portion, bytes.size()))) {
    framer.feed(bytes.substr(0, portion));
    for (auto piece = framer.next(); piece.what != StreamFramer::What::need_more; piece = framer.next()) {
      out.push_back({piece.what, std::string(piece.bytes), std::string(piece.reason)});
      if (piece.what == StreamFramer::What::bad || piece.what == StreamFramer::What::too_large) return out;
    }
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes = fuzz::text_of(data, size);
  datagram(bytes);
  const auto whole = cut(bytes, bytes.size());
  expect(whole == cut(bytes, 1), "a stream is cut the same however it comes");
  for (const Piece& piece : whole) {
    if (piece.what != StreamFramer::What::message) continue;
    Message message;
    if (message.parse(piece.bytes)) expect(message.bytes() == piece.bytes, "framer and parser agree where a message ends");
  }
  return 0;
}
