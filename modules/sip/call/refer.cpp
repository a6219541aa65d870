#include "call/refer.h"

#include "sip/text.h"

namespace jackfield::sip::call {

namespace {

/// Headers in a URI: `name=value&name=value`, escaped (RFC 3261 §19.1.1). Those but Replaces are the sender's wishes for a request
/// that is ours to write.
std::optional<std::string> uri_header(std::string_view headers, std::string_view wanted) {
  while (!headers.empty()) {
    const auto end = headers.find('&');
    const auto one = headers.substr(0, end);
    const auto equals = one.find('=');
    if (equals != std::string_view::npos && text::equal(one.substr(0, equals), wanted)) return unescape(one.substr(equals + 1));
    if (end == std::string_view::npos) break;
    headers.remove_prefix(end + 1);
  }
  return std::nullopt;
}

}  // namespace

std::optional<Replaces> parse_replaces(std::string_view value) {
  Replaces replaces;
  const auto semicolon = value.find(';');
  replaces.call_id = text::trim(value.substr(0, semicolon));
  while (semicolon != std::string_view::npos) {
    value.remove_prefix(value.find(';') + 1);
    const auto end = value.find(';');
    const auto one = text::trim(value.substr(0, end));
    const auto equals = one.find('=');
    const auto name = text::trim(one.substr(0, equals));
    const auto given = equals == std::string_view::npos ? std::string_view() : text::trim(one.substr(equals + 1));
    for (const auto& [wanted, member] : {std::pair{std::string_view("to-tag"), &replaces.to_tag}, {"from-tag", &replaces.from_tag}}) {
      if (!text::equal(name, wanted)) continue;
      if (!member->empty()) return std::nullopt;
      *member = given;
    }
    if (text::equal(name, "early-only")) replaces.early_only = true;
    if (end == std::string_view::npos) break;
  }
  if (replaces.call_id.empty() || replaces.to_tag.empty() || replaces.from_tag.empty()) return std::nullopt;
  return replaces;
}

tl::expected<ReferTarget, BadRefer> read_refer(const Message& refer) {
  const auto* line = refer.header(HeaderId::refer_to);
  if (!line) return tl::unexpected(BadRefer{400, "Refer-To Missing"});  // RFC 3515 §2.4.2: exactly one; two never pass check_mandatory()
  const auto to = parse_name_addr(line->value);
  if (!to) return tl::unexpected(BadRefer{400, "Bad Refer-To"});
  const Uri& uri = to->uri;
  if (!uri.is_sip() && uri.scheme != Uri::Scheme::tel) return tl::unexpected(BadRefer{416, {}});
  if (const auto method = uri.parameter("method"); method && !text::equal(*method, "INVITE"))
    return tl::unexpected(BadRefer{400, "Only INVITE Is Referred"});

  ReferTarget target;
  target.uri = uri.text.substr(0, uri.text.find('?'));
  target.called = unescape(uri.user);
  target.host = uri.host;
  if (auto replaces = uri_header(uri.headers, "Replaces")) {
    target.replaces = parse_replaces(*replaces);
    if (!target.replaces) return tl::unexpected(BadRefer{400, "Bad Replaces"});
    target.replaces_text = std::move(*replaces);
  }
  if (target.called.empty() && !target.replaces) return tl::unexpected(BadRefer{400, "Refer-To Names Nobody"});
  return target;
}

bool wants_no_reports(const Message& refer) {
  const auto* line = refer.header("Refer-Sub");
  return line && text::equal(text::trim(line->value.substr(0, line->value.find(';'))), "false");
}

}  // namespace jackfield::sip::call
