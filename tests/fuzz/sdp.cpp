// A session description, and the same with another identity.
#include <string>

#include "expect.h"
#include "sdp/sdp.h"

using namespace jackfield;
using namespace jackfield::sdp;
using fuzz::expect;
using fuzz::lies_in;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  expect(same_but_origin(text, text), "a body is the same as itself");
  static Session session;
  if (!session.parse(text)) return 0;
  for (const Line& line : session.lines()) expect(lies_in(line.value, text), "lines lie in the text");
  std::size_t lines = session.session_lines().size();
  for (const Media& media : session.media()) {
    lines += media.lines.size() + 1;
    expect(lies_in(media.formats, text) && !media.formats.empty(), "a medium has formats");
    direction_name(media.direction);
    media.connection.is_hold();
  }
  expect(lines == session.lines().size(), "every line belongs to the session or to one medium");

  const std::string other = session.with_origin("4711", 42);
  expect(same_but_origin(text, other), "another identity changes o= alone");
  Session again;
  expect(again.parse(other).has_value(), "another identity leaves a description");
  expect(again.origin().session_id == "4711" && again.origin().version == "42", "another identity is in o=");
  expect(again.media().size() == session.media().size(), "another identity leaves the media");
  expect(again.origin().address == session.origin().address, "another identity leaves the address");
  return 0;
}
