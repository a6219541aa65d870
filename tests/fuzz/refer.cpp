// A REFER: what it asks for, and the dialog its Replaces names; and a Replaces alone.
#include <string>

#include "call/refer.h"
#include "expect.h"

using namespace jackfield;
using namespace jackfield::sip;
using fuzz::expect;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  const auto whole = [](const call::Replaces& replaces) { return !replaces.call_id.empty() && !replaces.to_tag.empty() && !replaces.from_tag.empty(); };
  if (const auto replaces = call::parse_replaces(text)) {
    expect(whole(*replaces), "a Replaces has all its parts");
    const auto again = call::parse_replaces(replaces->call_id + ";to-tag=" + replaces->to_tag + ";from-tag=" + replaces->from_tag);
    expect(again && again->call_id == replaces->call_id && again->to_tag == replaces->to_tag && again->from_tag == replaces->from_tag,
           "a Replaces survives being written");
  }
  Message message;
  if (!message.parse(text) || !message.is_request() || !message.check_mandatory()) return 0;
  call::wants_no_reports(message);
  const auto target = call::read_refer(message);
  if (!target) {
    expect(target.error().code >= 400 && target.error().code < 500, "a refusal has a code");
    return 0;
  }
  expect(!target->called.empty() || target->replaces, "a REFER names somebody");
  expect(!target->replaces || whole(*target->replaces), "a Replaces in a Refer-To has all its parts");
  expect(target->uri.find('?') == std::string::npos, "a target comes without headers");
  return 0;
}
