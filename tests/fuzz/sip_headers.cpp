// One text as the value of every typed header.
#include <string>

#include "expect.h"
#include "sip/dialog_headers.h"
#include "sip/headers.h"
#include "sip/scan.h"

using namespace jackfield;
using namespace jackfield::sip;
using fuzz::expect;
using fuzz::lies_in;

namespace {

void walk(const Parameters& parameters, std::string_view text) {
  expect(lies_in(parameters.text, text), "parameters lie in the value");
  ParameterWalker walker{text::Cursor(parameters.text)};
  while (walker.next()) {
    expect(lies_in(walker.value, text), "a parameter's value lies in the value");
    expect(parameters.has(walker.name), "a parameter is found by its name");
  }
  expect(!walker.bad(), "parameters that were read can be read again");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  if (const auto via = parse_via(text)) {
    expect(!via->host.empty() && !via->transport.empty(), "a Via has transport and host");
    walk(via->parameters, text);
    expect(parse_via(via->text).has_value(), "a Via's text is a Via");
  }
  const auto address = parse_name_addr(text);
  if (address) {
    expect(lies_in(address->display, text) && lies_in(address->uri.text, text), "an address lies in the value");
    walk(address->parameters, text);
    const auto again = parse_name_addr(address->text);
    expect(again && again->tag == address->tag && again->uri.text == address->uri.text, "an address's text is that address");
  }
  if (const auto contact = parse_contact(text); contact && !contact->star) {
    expect(address.has_value(), "a contact is an address");
    expect(!contact->q || *contact->q <= 1000, "q is at most 1");
  }
  if (const auto cseq = parse_cseq(text)) expect(cseq->number < 1u << 31 && !cseq->method_text.empty(), "CSeq is below 2^31");
  if (const auto auth = parse_auth(text)) {
    for (const std::string_view value : {auth->scheme, auth->username, auth->realm, auth->nonce, auth->uri, auth->response, auth->qop, auth->nc}) {
      expect(lies_in(value, text), "credentials lie in the value");
    }
  }
  if (const auto type = parse_media_type(text)) walk(type->parameters, text);
  if (const auto rack = parse_rack(text)) expect(rack->rseq != 0, "a reliable response has a number");
  if (const auto session = parse_session_expires(text)) expect(parse_leading_number(text) == session->seconds, "Session-Expires begins with its seconds");
  if (const auto why = parse_reason(text)) {
    expect(!why->protocol.empty() && lies_in(why->protocol, text) && lies_in(why->text, text), "a reason lies in the value");
  }
  if (const auto number = parse_number(text)) expect(parse_leading_number(text) == *number, "a number begins with itself");
  expect(header_id(text) == HeaderId::other || header_info(header_id(text)).name.size() == text.size() || text.size() == 1, "a header's name has its length");
  method_from(text);
  std::vector<std::string_view> values;
  split_list(text, values);
  for (const std::string_view value : values) {
    std::vector<std::string_view> alone;
    expect(split_list(value, alone) && alone.size() == 1 && alone[0] == value, "a list's value is one value");
  }
  return 0;
}
