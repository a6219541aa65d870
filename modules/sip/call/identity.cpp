#include "call/identity.h"

#include <jackfield/messages/parameters.h>

#include <algorithm>
#include <iterator>

#include "line/connections.h"
#include "sip/text.h"

namespace jackfield::sip::call {

namespace {

namespace param = messages::param;

constexpr HeaderId kAsserted[] = {HeaderId::p_asserted_identity, HeaderId::remote_party_id, HeaderId::diversion, HeaderId::history_info};

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), text::lower);
  return out;
}

/// Privacy has its values separated by semicolons (RFC 3323 §4.2); scripts write commas too.
bool asks_for(std::string_view privacy, std::string_view wanted) {
  while (!privacy.empty()) {
    const auto end = privacy.find_first_of(";,");
    if (text::equal(text::trim(privacy.substr(0, end)), wanted)) return true;
    if (end == std::string_view::npos) return false;
    privacy.remove_prefix(end + 1);
  }
  return false;
}

/// RFC 5806 §5: parts of a quoted string or a parameter are never more than that.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out += '"';
}

std::string diversion(const jackfield::Message& execute, std::string_view domain) {
  const auto diverter = execute.get(param::kDiverter);
  if (diverter.empty()) return {};
  std::string value;
  if (const auto name = execute.get(param::kDivertername); !name.empty()) value = quoted(name) + " ";
  value.append("<sip:").append(escape_user(diverter)).append("@").append(domain).append(">");
  struct Part {
    std::string_view name, value;
  };
  for (const auto& [name, given] : {Part{";reason=", execute.get(param::kDivertReason)}, Part{";privacy=", execute.get(param::kDivertPrivacy)},
                                    Part{";screen=", execute.get(param::kDivertScreen)}}) {
    const bool token = std::ranges::all_of(given, [](char c) { return text::is(c, text::kToken); });
    if (!given.empty()) value.append(name).append(token ? std::string(given) : quoted(given));
  }
  return value;
}

}  // namespace

bool is_asserted(HeaderId header) { return std::ranges::find(kAsserted, header) != std::end(kAsserted); }

bool is_believed(const Core& core, std::string_view line) {
  const auto* connection = core.connections && !line.empty() ? core.connections->find(line) : nullptr;
  return connection && connection->settings().trust_identity.value_or(core.settings->trust_identity);
}

bool is_believed(const Core& core, const Sender& sender) {
  if (sender.kind == Sender::Kind::line) return is_believed(core, sender.line);
  return core.settings->trust_identity && sender.kind == Sender::Kind::trusted;
}

bool is_believed(const Core& core, const stack::FlowId& flow) { return core.settings->trust_identity && core.listener(flow).access.is_trusted(flow.remote); }

void describe_identity(jackfield::Message& message, const Message& invite, bool believed) {
  if (const auto privacy = invite.value(HeaderId::privacy); !privacy.empty()) message.set(param::kPrivacy, privacy);
  if (!believed || !invite.has(HeaderId::diversion)) return;
  // The topmost is the last one who diverted the call (RFC 5806 §4).
  const auto all = invite.list(HeaderId::diversion);
  const auto last = all.empty() ? tl::unexpected(Error{}) : parse_name_addr(all.front());
  if (!last) return;
  message.set(param::kDiversion, all.front()).set(param::kDiverter, unescape(last->uri.user));
  if (!last->display.empty()) message.set(param::kDivertername, last->display);
  struct Part {
    std::string_view header, parameter;
  };
  for (const auto& [header, parameter] : {Part{"reason", param::kDivertReason}, Part{"privacy", param::kDivertPrivacy}, Part{"screen", param::kDivertScreen}})
    if (const auto value = last->parameters.get(header)) message.set(parameter, *value);
}

IdentityHeaders identity_headers(const jackfield::Message& execute, bool trusted, std::string_view domain) {
  IdentityHeaders out;
  const auto privacy = execute.get(param::kPrivacy);
  const bool hide_user = !trusted && asks_for(privacy, "user");
  const bool hide_identity = hide_user || (!trusted && (asks_for(privacy, "id") || asks_for(privacy, "header")));
  const bool hide_history = hide_identity || (!trusted && asks_for(privacy, "history"));
  out.anonymous = hide_user;

  const auto own = own_headers(execute);
  const auto is_own = [&](HeaderId id) { return std::ranges::any_of(own, [id](const auto& header) { return header_id(header.first) == id; }); };
  for (const HeaderId id : kAsserted) {
    const bool history = id == HeaderId::history_info || id == HeaderId::diversion;
    if (is_own(id) || (history ? hide_history : hide_identity)) continue;
    std::string value(execute.get("sip_" + lower(header_info(id).name)));
    if (id == HeaderId::diversion && value.empty()) value = diversion(execute, domain);
    if (!value.empty() && value.size() <= kMaxOwnValue) out.headers.emplace_back(header_info(id).name, std::move(value));
  }
  for (const auto& header : own) {
    // What routing says is said, but not to those its user hides from.
    const HeaderId id = header_id(header.first);
    const bool history = id == HeaderId::history_info || id == HeaderId::diversion;
    if (!is_asserted(id) || !(history ? hide_history : hide_identity)) out.headers.push_back(header);
  }
  // Whoever is trusted hides it in turn (RFC 3325 §7); for others it has been done.
  if (trusted && !privacy.empty() && !is_own(HeaderId::privacy)) out.headers.emplace_back("Privacy", privacy);
  return out;
}

}  // namespace jackfield::sip::call
