// Two URIs, one a line: their parts, their canonical forms, whether they are the same.
#include <string>

#include "expect.h"
#include "net/address.h"
#include "sip/uri.h"

using namespace jackfield;
using namespace jackfield::sip;
using fuzz::expect;

namespace {

void alone(const Uri& uri) {
  expect(uri.equivalent(uri), "a URI is equivalent to itself");
  uri.parameter("transport");
  const std::string form = canonical(uri);
  const auto again = Uri::parse(form);
  expect(again.has_value(), "a canonical form is a URI");
  expect(canonical(*again) == form, "a canonical form is canonical");
  expect(uri.equivalent(*again) && again->equivalent(uri), "a canonical form is equivalent");
  const std::string escaped = "sip:" + escape_user(unescape(uri.user)) + "@h";
  const auto user = Uri::parse(escaped);
  expect(uri.user.empty() || (user && unescape(user->user) == unescape(uri.user)), "a user survives being unescaped and escaped");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  const std::size_t end = text.find('\n');
  const std::string_view first = text.substr(0, end), second = end == std::string_view::npos ? first : text.substr(end + 1);
  const auto left = Uri::parse(first), right = Uri::parse(second);
  if (left) alone(*left);
  if (left && right) {
    expect(left->equivalent(*right) == right->equivalent(*left), "equivalence has no direction");
    if (canonical(*left) == canonical(*right)) expect(left->equivalent(*right), "equal canonical forms are equivalent");
  }
  if (const auto address = net::Address::parse_with_port(first, 5060)) {
    expect(net::Address::parse_with_port(address->text()) == address, "an address survives being shown");
  }
  if (const auto range = net::Cidr::parse(first)) {
    const auto again = net::Cidr::parse(range->text());
    expect(again && again->text() == range->text(), "a range survives being shown");
    if (const auto address = net::Address::parse(second)) expect(range->contains(*address) == again->contains(*address), "a range is what it shows");
  }
  return 0;
}
