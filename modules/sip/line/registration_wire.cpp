// What a registration puts on the wire, and what it reads from a 2xx beside its being one.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "call/own_headers.h"
#include "line/register_request.h"
#include "line/registration.h"

namespace jackfield::sip::line {

namespace {

constexpr std::size_t kMostOldContacts = 4;

std::string display_name(std::string_view display) {
  if (display.empty()) return {};
  std::string out = "\"";
  for (const char c : display) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\" ";
}

}  // namespace

/// §10.2, with what this attempt is for.
std::string Registration::write(const std::string& branch) {
  const auto& settings = context_.settings;
  const auto& flow = attempt_->flow;
  const bool removal = attempt_->purpose == Purpose::removal;
  const bool elsewhere = redirection_ && attempt_->purpose != Purpose::probe;
  const auto uri = elsewhere ? redirection_->uri : settings.register_uri(attempt_->server);
  const auto user = fmt::format("<sip:{}@{}>", escape_user(settings.username), settings.domain_at(attempt_->server));
  attempt_->contact = removal ? contact_ : context_.registered_contact(flow);

  std::vector<std::string> old;
  if (attempt_->purpose == Purpose::refresh)
    std::ranges::copy_if(old_contacts_, std::back_inserter(old), [&](const std::string& each) { return each != attempt_->contact; });

  std::string out;
  out.reserve(1024);
  Writer writer(out);
  begin_register(writer, context_, flow, branch,
                 {.uri = uri, .from = fmt::format("{}{};tag={}", display_name(settings.description), user, tag_), .to = user, .call_id = call_id_, .cseq = ++cseq_,
                  .contact = attempt_->contact, .old_contacts = old, .expires = removal ? 0 : static_cast<std::uint32_t>(asked_.count())});
  proofs_.write(writer, "REGISTER", uri, {settings.authname, settings.password}, context_.core().engine.random());
  call::write(writer, settings.headers);
  writer.end();
  return out;
}

std::chrono::seconds Registration::granted_by(const Message& response) const {
  const auto ours = Uri::parse(contact_);
  auto granted = response.expires();
  if (const auto& contacts = response.contacts(); contacts && ours)
    for (const auto& contact : *contacts)  // one that is alone is ours, whatever an edge made of its address
      if (!contact.star && contact.expires && (contacts->size() == 1 || contact.address.uri.equivalent(*ours))) granted = contact.expires;
  return granted && *granted != 0 ? std::min(std::chrono::seconds(*granted), kMostInterval) : asked_;
}

/// The old one is taken back in the request that gives the new one.
void Registration::note_seen_address(const Message& response, const stack::FlowId& flow) {
  if (!context_.note_seen_address(response, flow)) return;
  if (old_contacts_.size() < kMostOldContacts) old_contacts_.push_back(contact_);
  moved_ = true;
}

/// Contacts of ours from another life, at an address that is no longer ours: calls would be forked to them.
void Registration::note_stale_contacts(const Message& response) {
  if (std::exchange(cleaned_, true)) return;
  const auto& contacts = response.contacts();
  const auto ours = Uri::parse(contact_);
  if (!contacts || !ours) return;
  const auto parameter = context_.contact_parameter().substr(1);
  for (const auto& contact : *contacts) {
    const auto& uri = contact.address.uri;
    if (contact.star || uri.equivalent(*ours) || old_contacts_.size() >= kMostOldContacts) continue;
    if (uri.parameter("line") == parameter.substr(parameter.find('=') + 1)) old_contacts_.emplace_back(uri.text);
  }
}

}  // namespace jackfield::sip::line
