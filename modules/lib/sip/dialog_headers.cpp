#include "sip/dialog_headers.h"

#include "sip/scan.h"
#include "sip/text.h"

namespace jackfield::sip {
namespace {

using text::Cursor;

tl::unexpected<Error> fail(std::string_view reason, std::size_t offset) { return tl::unexpected(Error{reason, offset}); }

tl::expected<std::uint32_t, Error> take_number(Cursor& in) {
  in.skip_blanks();
  const auto at = in.offset();
  auto number = parse_number(in.take(text::kDigit));
  if (!number) return fail(number.error().reason, at);
  return number;
}

}  // namespace

tl::expected<RAck, Error> parse_rack(std::string_view whole) {
  Cursor in(whole);
  const auto rseq = take_number(in);
  if (!rseq) return tl::unexpected(rseq.error());
  if (*rseq == 0) return fail("the response's number is 0", in.offset());
  const auto cseq = take_number(in);
  if (!cseq) return tl::unexpected(cseq.error());
  const char* const after = in.at();
  in.skip_blanks();
  const auto method = in.take(text::kToken);
  if (in.at() == after || method.empty() || method.data() == after) return fail("no method", in.offset());
  in.skip_blanks();
  if (!in.done()) return fail("more than two numbers and a method", in.offset());
  return RAck{*rseq, *cseq, method_from(method)};
}

tl::expected<SessionExpires, Error> parse_session_expires(std::string_view whole) {
  Cursor in(whole);
  const auto seconds = take_number(in);
  if (!seconds) return tl::unexpected(seconds.error());
  SessionExpires value{*seconds};
  ParameterWalker walker(in);
  while (walker.next()) {
    if (!text::equal(walker.name, "refresher")) continue;
    if (value.refresher != Refresher::unsaid) return fail("refresher given twice", walker.offset());
    if (text::equal(walker.value, "uac")) value.refresher = Refresher::uac;
    else if (text::equal(walker.value, "uas")) value.refresher = Refresher::uas;
    else return fail("bad refresher", walker.offset());
  }
  if (walker.bad()) return fail("bad parameter", walker.offset());
  return value;
}

tl::expected<ReasonValue, Error> parse_reason(std::string_view whole) {
  Cursor in(whole);
  in.skip_blanks();
  ReasonValue reason;
  reason.protocol = in.take(text::kToken);
  if (reason.protocol.empty()) return fail("no protocol", in.offset());
  ParameterWalker walker(in);
  while (walker.next()) {
    if (!reason.cause && text::equal(walker.name, "cause")) {
      if (const auto cause = parse_number(walker.value)) reason.cause = *cause;
    } else if (reason.text.empty() && text::equal(walker.name, "text")) {
      reason.text = walker.value;
    }
  }
  if (walker.bad()) return fail("bad parameter", walker.offset());
  return reason;
}

tl::expected<std::uint32_t, Error> parse_leading_number(std::string_view whole) {
  Cursor in(whole);
  const auto number = take_number(in);
  if (!number) return number;
  if (!in.done() && !text::is(in.peek(), text::kBlank) && in.peek() != ';' && in.peek() != '(') return fail("not a number", in.offset());
  return number;
}

}  // namespace jackfield::sip
