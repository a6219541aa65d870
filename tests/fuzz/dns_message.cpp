// A name server's answer, as each of the records that are asked for.
#include <algorithm>
#include <string>

#include "expect.h"
#include "stack/dns_message.h"

using namespace jackfield;
using namespace jackfield::sip::stack;
using fuzz::expect;

namespace {

void is_name(const std::string& name) {
  expect(name.size() <= 253, "a name is no longer than names may be");
  expect(std::none_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; }), "a name is in lower case");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  for (const auto type : {DnsType::a, DnsType::aaaa, DnsType::srv, DnsType::naptr}) {
    const auto answer = read_dns_message({data, size}, type);
    const auto records = answer.addresses.size() + answer.srv.size() + answer.naptr.size();
    expect(records <= kMaxRecords, "records are capped");
    expect(answer.status == DnsAnswer::Status::found || records == 0, "only what was found has records");
    expect(answer.ttl.count() >= 0 && answer.ttl.count() <= INT32_MAX, "a TTL is one");
    expect((answer.status == DnsAnswer::Status::failed) == !answer.problem.empty(), "a failure says why");
    for (const auto& address : answer.addresses) expect(address.is_v6() == (type == DnsType::aaaa) || !address.is_v6(), "an address is of the family that was asked for");
    for (const auto& record : answer.srv) is_name(record.target);
    for (const auto& record : answer.naptr) is_name(record.replacement);
  }
  return 0;
}
