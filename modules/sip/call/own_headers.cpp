#include "call/own_headers.h"

#include <algorithm>
#include <iterator>

#include "sip/text.h"

namespace jackfield::sip::call {

namespace {

/// What the stack and the dialog write; a route may not.
constexpr HeaderId kReserved[] = {HeaderId::via,            HeaderId::from,         HeaderId::to,      HeaderId::call_id,
                                  HeaderId::cseq,           HeaderId::max_forwards, HeaderId::route,   HeaderId::record_route,
                                  HeaderId::content_length, HeaderId::content_type, HeaderId::contact};

bool is_token(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) { return text::is(c, text::kToken); });
}

}  // namespace

OwnHeaders own_headers(const jackfield::Message& message) { return own_headers(message, message.get("osip-prefix", "osip_")); }

OwnHeaders own_headers(const jackfield::Message& message, std::string_view prefix) {
  OwnHeaders headers;
  for (const auto& [name, value] : message.parameters()) {
    if (prefix.empty() || !name.starts_with(prefix) || value.empty() || value.size() > kMaxOwnValue || headers.size() == kMaxOwnHeaders) continue;
    const auto header = name.substr(prefix.size());
    if (is_token(header) && std::ranges::find(kReserved, header_id(header)) == std::end(kReserved)) headers.emplace_back(header, value);
  }
  return headers;
}

void write(Writer& writer, const OwnHeaders& headers) {
  for (const auto& [name, value] : headers) writer.header(std::string_view(name), value);
}

}  // namespace jackfield::sip::call
