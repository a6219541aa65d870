#include "wire_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace jackfield::sip {
namespace {

constexpr std::string_view kMask = "***";

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

/// `beginning` is written in lower case.
bool begins_without_case(std::string_view text, std::string_view beginning) {
  if (text.size() < beginning.size()) return false;
  for (std::size_t i = 0; i < beginning.size(); ++i)
    if (lower(text[i]) != beginning[i]) return false;
  return true;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

/// The value, where the line is that header; the name is given in lower case.
std::optional<std::string_view> value_of(std::string_view line, std::string_view name) {
  if (!begins_without_case(line, name)) return std::nullopt;
  line = trimmed(line.substr(name.size()));
  if (!line.starts_with(':')) return std::nullopt;
  return trimmed(line.substr(1));
}

/// value_of() with a glance at how nearly everybody writes it: `usual` is the name, a colon and one blank.
std::optional<std::string_view> value_of(std::string_view line, std::string_view name, std::string_view usual) {
  if (!line.starts_with(usual)) return value_of(line, name);
  return trimmed(line.substr(usual.size()));
}

/// `limit`: where the line ends; a method that reaches it is none.
Recorded kind_of(std::string_view method, std::size_t limit) {
  if (method.empty() || method.size() >= limit) return Recorded::nothing;
  switch (method.size()) {
    case 7: return method == "OPTIONS" ? Recorded::nothing : Recorded::call;
    case 8: return method == "REGISTER" ? Recorded::registration : Recorded::call;
    default: return Recorded::call;
  }
}

/// The value of each parameter of that name, written as `name=value` or `name = "value"`.
void mask_parameter(std::string& line, std::string_view name) {
  for (std::size_t at = 0; at + name.size() < line.size(); ++at) {
    if (!begins_without_case(std::string_view(line).substr(at), name)) continue;
    auto from = line.find_first_not_of(" \t", at + name.size());
    if (from == std::string::npos || line[from] != '=') continue;
    from = std::min(line.find_first_not_of(" \t", from + 1), line.size());
    const bool quoted = from < line.size() && line[from] == '"';
    const auto end = std::min(line.find_first_of(quoted ? "\"" : ", \t", from + (quoted ? 1 : 0)), line.size());
    line.replace(from, end - from + (quoted && end < line.size() ? 1 : 0), kMask);
    at = from;
  }
}

/// `sip:user:password@host`.
void mask_passwords_in_uris(std::string& line) {
  for (const std::string_view scheme : {"sip:", "sips:"}) {
    for (auto at = line.find(scheme); at != std::string::npos; at = line.find(scheme, at + 1)) {
      const auto from = at + scheme.size();
      const auto end = line.find_first_of("@<>;? \t", from);
      const auto colon = line.find(':', from);
      if (end == std::string::npos || line[end] != '@' || colon >= end) continue;
      line.replace(colon + 1, end - colon - 1, kMask);
    }
  }
}

void mask_body(std::string& line) {
  if (line.starts_with("k=")) line.replace(2, std::string::npos, kMask);  // RFC 4566 §5.12
  if (!line.starts_with("a=crypto:")) return;                            // RFC 4568 §6.1
  constexpr std::string_view kKey = "inline:";
  for (auto at = line.find(kKey); at != std::string::npos; at = line.find(kKey, at + 1)) {
    const auto from = at + kKey.size();
    line.replace(from, std::min(line.find_first_of("|; ", from), line.size()) - from, kMask);
  }
}

/// `line` is a whole header, unfolded.
void mask_header(std::string& line) {
  for (const std::string_view name : {"authorization", "proxy-authorization", "authentication-info", "proxy-authentication-info"}) {
    const auto value = value_of(line, name);
    if (!value) continue;
    if (name.ends_with("info") || begins_without_case(*value, "digest")) {
      mask_parameter(line, "response");
      mask_parameter(line, "rspauth");
    } else {
      line.replace(line.find(':') + 1, std::string::npos, fmt::format(" {}", kMask));  // a scheme whose secrets are not known
    }
  }
  mask_passwords_in_uris(line);
}

std::string_view next_line(std::string_view& bytes) {
  const auto end = std::min(bytes.find('\n'), bytes.size());
  auto line = bytes.substr(0, end);
  bytes.remove_prefix(std::min(end + 1, bytes.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

/// Without what means something to a terminal.
void append_shown(std::string& out, std::string_view line) {
  for (const char c : line) out += (static_cast<unsigned char>(c) < 32 && c != '\t') || c == 127 ? '?' : c;
  out += '\n';
}

}  // namespace

// Runs for each packet: it looks at the first letter of a line, and further only where that fits.
WirePeek peek(std::string_view bytes) {
  const auto first_end = bytes.find('\n');
  if (first_end == std::string_view::npos) return {};
  const bool response = bytes.starts_with("SIP/2.0 ");
  WirePeek found;
  if (!response) {
    found.kind = kind_of(bytes.substr(0, std::min(bytes.find(' '), first_end)), first_end);
    if (found.kind == Recorded::nothing) return {};
  }
  bool method_known = !response;
  auto rest = bytes.substr(first_end + 1);
  while (!rest.empty() && (found.call_id.empty() || !method_known)) {
    const auto end = std::min(rest.find('\n'), rest.size());
    const char letter = lower(rest.front()), next = rest.size() > 1 ? lower(rest[1]) : '\0';
    if (letter == '\n' || (letter == '\r' && next == '\n')) break;
    if (letter == 'c' && next == 'a') {
      if (const auto id = value_of(rest.substr(0, end), "call-id", "Call-ID: ")) found.call_id = *id;
    } else if (letter == 'c' && next == 's' && response) {
      if (const auto cseq = value_of(rest.substr(0, end), "cseq", "CSeq: ")) {
        const auto method = trimmed(cseq->substr(std::min(cseq->find(' '), cseq->size())));
        found.kind = kind_of(method, method.size() + 1);
        method_known = true;
      }
    } else if (letter == 'i' && (next == ':' || next == ' ' || next == '\t')) {
      if (const auto id = value_of(rest.substr(0, end), "i")) found.call_id = *id;
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return found;
}

std::string shown_message(std::string_view bytes) {
  std::string out;
  while (!bytes.empty()) {
    std::string header(next_line(bytes));
    if (header.empty()) break;
    // §7.3.1: a line that begins with a blank goes on with the one before it, wherever that was broken.
    while (!bytes.empty() && (bytes.front() == ' ' || bytes.front() == '\t')) header.append(" ").append(trimmed(next_line(bytes)));
    mask_header(header);
    append_shown(out, header);
  }
  if (bytes.empty()) return out;
  out += '\n';
  while (!bytes.empty()) {
    std::string line(next_line(bytes));
    mask_body(line);
    mask_header(line);  // a body may be a message, or a part of one
    append_shown(out, line);
  }
  return out;
}

}  // namespace jackfield::sip
