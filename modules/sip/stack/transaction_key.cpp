#include "stack/transaction_key.h"

#include <algorithm>
#include <charconv>

namespace jackfield::sip::stack {
namespace {

// A byte that no header value holds keeps neighbours apart.
constexpr char kSeparator = '\n';

void append_lower(std::string& out, std::string_view text) {
  const std::size_t from = out.size();
  out.append(text);
  for (std::size_t i = from; i < out.size(); ++i)
    if (out[i] >= 'A' && out[i] <= 'Z') out[i] = static_cast<char>(out[i] + 32);
}

void append_number(std::string& out, std::uint32_t number) {
  char digits[10];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

void append_method(std::string& out, Method method, std::string_view text) {
  if (method == Method::other) out.append(text);
  else out.push_back(static_cast<char>(static_cast<int>(method) + 1));
}

void append_sent_by(std::string& out, const Via& via) {
  append_lower(out, via.host);
  out.push_back(':');
  append_number(out, via.port);
}

}  // namespace

void server_key(std::string& out, const Message& message, Method method, std::string_view method_text) {
  out.clear();
  const Via& via = *message.top_via();
  append_method(out, method, method_text);
  out.push_back(kSeparator);
  if (via.branch.starts_with(kBranchCookie)) {
    out.append(via.branch.substr(kBranchCookie.size()));
    out.push_back(kSeparator);
    append_sent_by(out, via);
    return;
  }
  // §17.2.3, second part. The To tag is left out: the INVITE has none yet where its ACK has ours.
  out.push_back(kSeparator);
  out.append(message.request_uri_text());
  out.push_back(kSeparator);
  out.append(message.call_id());
  out.push_back(kSeparator);
  out.append(message.from()->tag);
  out.push_back(kSeparator);
  append_number(out, message.cseq()->number);
  out.push_back(kSeparator);
  append_sent_by(out, via);
  out.push_back(kSeparator);
  out.append(via.branch);
}

bool merge_key(std::string& out, const Message& message) {
  if (message.method() == Method::ack || message.method() == Method::cancel || !message.to()->tag.empty()) return false;
  out.clear();
  out.append(message.from()->tag);
  out.push_back(kSeparator);
  out.append(message.call_id());
  out.push_back(kSeparator);
  append_number(out, message.cseq()->number);
  append_method(out, message.method(), message.method_text());
  out.push_back(kSeparator);
  out.append(message.request_uri_text());
  return true;
}

void client_key(std::string& out, std::string_view branch, Method method, std::string_view method_text) {
  out.clear();
  append_method(out, method, method_text);
  out.push_back(kSeparator);
  // Ours all have the cookie. Without it the key is short enough to be kept in place.
  if (branch.starts_with(kBranchCookie)) branch.remove_prefix(kBranchCookie.size());
  else out.push_back(kSeparator);
  out.append(branch);
}

}  // namespace jackfield::sip::stack
