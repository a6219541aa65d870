#include "stack/dialog.h"

#include <algorithm>
#include <utility>

namespace jackfield::sip::stack {

namespace {

/// The URI inside a Route value.
std::string_view route_uri(std::string_view route) {
  const auto parsed = parse_name_addr(route);
  return parsed ? parsed->uri.text : std::string_view();
}

bool is_loose(std::string_view route) {
  const auto parsed = parse_name_addr(route);
  return parsed && parsed->uri.parameter("lr").has_value();
}

std::vector<std::string> record_route(const Message& message) {
  const auto lines = message.list(HeaderId::record_route);
  return {lines.begin(), lines.end()};
}

std::string_view contact_uri(const Message& message) {
  const auto& contacts = message.contacts();
  if (!contacts || contacts->empty() || contacts->front().star) return {};
  return contacts->front().address.uri.text;
}

void append_tag(std::string& value, std::string_view tag) {
  if (!tag.empty()) value.append(";tag=").append(tag);
}

}  // namespace

std::string via_value(const ViaLine& via) {
  std::string value = "SIP/2.0/";
  value.append(via.transport).append(" ").append(via.host).append(":").append(std::to_string(via.port));
  return value.append(";branch=").append(via.branch).append(";rport");
}

Dialog::Dialog(Start start)
    : call_id_(std::move(start.call_id)),
      local_tag_(std::move(start.local_tag)),
      local_(std::move(start.local)),
      remote_(std::move(start.remote)),
      target_(std::move(start.target)),
      route_(std::move(start.route)),
      max_forwards_(start.max_forwards) {
  append_tag(local_, local_tag_);
}

Dialog Dialog::answering(const Message& invite, std::string_view local_tag) {
  Dialog dialog;
  dialog.call_id_ = invite.call_id();
  dialog.local_tag_ = local_tag;
  dialog.remote_tag_ = invite.from()->tag;
  dialog.remote_ = invite.value(HeaderId::from);
  dialog.local_ = invite.value(HeaderId::to);
  append_tag(dialog.local_, local_tag);
  dialog.target_ = contact_uri(invite);
  if (dialog.target_.empty()) dialog.target_ = invite.from()->uri.text;
  dialog.route_ = record_route(invite);
  dialog.remote_cseq_ = invite.cseq()->number;
  return dialog;
}

void Dialog::set_local_tag(std::string_view tag) {
  const auto old = ";tag=" + local_tag_;
  if (local_.ends_with(old)) local_.resize(local_.size() - old.size());
  local_tag_ = tag;
  append_tag(local_, tag);
}

void Dialog::establish(const Message& response) {
  remote_ = response.value(HeaderId::to);
  remote_tag_ = response.to()->tag;
  route_ = record_route(response);
  std::reverse(route_.begin(), route_.end());
  max_forwards_ = 70;
  refresh_target(response);
}

void Dialog::refresh_target(const Message& message) {
  if (const auto uri = contact_uri(message); !uri.empty()) target_ = uri;
}

bool Dialog::is_from_peer(const Message& request) const { return request.from()->tag == remote_tag_; }

bool Dialog::take_cseq(std::uint32_t number) {
  if (number < remote_cseq_) return false;
  remote_cseq_ = number;
  return true;
}

Writer Dialog::begin_request(std::string& out, std::string_view method, std::uint32_t cseq, const ViaLine& via) const {
  // A strict router (RFC 2543) wants its own URI on the start line and ours at the end of the route (§12.2.1.1).
  const bool strict = !route_.empty() && !is_loose(route_.front());
  Writer writer(out);
  writer.request(method, strict ? route_uri(route_.front()) : std::string_view(target_));
  writer.header(HeaderId::via, via_value(via));
  for (std::size_t i = strict ? 1 : 0; i < route_.size(); ++i) writer.header(HeaderId::route, route_[i]);
  if (strict) writer.header(HeaderId::route, "<" + target_ + ">");
  writer.header(HeaderId::max_forwards, static_cast<unsigned long>(max_forwards_));
  writer.header(HeaderId::from, local_);
  writer.header(HeaderId::to, remote_);
  writer.header(HeaderId::call_id, call_id_);
  writer.cseq(cseq, method);
  return writer;
}

std::string_view Dialog::next_hop() const {
  if (!route_.empty())
    if (const auto uri = route_uri(route_.front()); !uri.empty()) return uri;
  return target_;
}

}  // namespace jackfield::sip::stack
