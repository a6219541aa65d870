// What is recorded of a packet and how it is shown: whatever it is, nothing of it reaches a terminal as a command.
#include <algorithm>

#include "expect.h"
#include "wire_text.h"

using namespace jackfield;
using namespace jackfield::sip;
using fuzz::expect;
using fuzz::lies_in;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  const auto found = peek(text);
  expect(found.call_id.empty() || lies_in(found.call_id, text), "the Call-ID lies in the message");
  const auto shown = shown_message(text);
  expect(std::ranges::none_of(shown, [](char c) { return (static_cast<unsigned char>(c) < 32 && c != '\t' && c != '\n') || c == 127; }), "no control characters are shown");
  // Credentials that are written as they should be, behind whatever else.
  const auto message = "REGISTER sip:x SIP/2.0\r\nX: " + std::string(text) + "\r\nAuthorization: Digest username=\"u\", response=\"5ecre7\"\r\n\r\n";
  expect(text.find("5ecre7") != std::string_view::npos || shown_message(message).find("5ecre7") == std::string::npos, "a digest response is masked");
  return 0;
}
