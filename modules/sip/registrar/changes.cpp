#include "registrar/changes.h"

#include <algorithm>
#include <optional>

#include "registrar/contact.h"

namespace jackfield::sip::registrar {

namespace {

constexpr std::size_t kMaxContactsInRequest = 32;

class Planner {
 public:
  Planner(const Asked& asked, const Table& table) : asked_(asked), message_(asked.request.message), table_(table), user_(table.user(asked.username)) {}

  tl::expected<Few<Change>, Refusal> plan() {
    const auto& contacts = message_.contacts();
    if (!message_.has(HeaderId::contact)) return std::move(changes_);
    if (!contacts) return refuse(400, contacts.error().reason);
    if (contacts->size() > kMaxContactsInRequest) return refuse(403, "Too many contacts");
    const bool star = std::any_of(contacts->begin(), contacts->end(), [](const Contact& contact) { return contact.star; });
    if (star) return plan_star(contacts->size());

    for (const auto& line : message_.list(HeaderId::path)) path_.append(path_.empty() ? "" : ",").append(line);
    if (!path_.empty() && !message_.lists(HeaderId::supported, "path"))
      return tl::unexpected(Refusal{.code = 421, .require = "path"});  // RFC 3327 §5.3
    for (const auto& contact : *contacts)
      if (auto refusal = plan_contact(contact)) return tl::unexpected(std::move(*refusal));
    if (auto refusal = make_room()) return tl::unexpected(std::move(*refusal));
    return std::move(changes_);
  }

 private:
  static tl::unexpected<Refusal> refuse(int code, std::string_view phrase) { return tl::unexpected(Refusal{code, std::string(phrase)}); }

  tl::expected<Few<Change>, Refusal> plan_star(std::size_t contacts) {
    // Step 6: alone, and with Expires: 0 in so many words.
    if (contacts != 1 || message_.expires() != 0u) return refuse(400, "Contact * needs Expires 0 and stands alone");
    bool late = false;
    table_.each_of(user_, [&](BindingId, const Binding& binding) { late = late || out_of_order(binding); });
    if (late) return tl::unexpected(late_refusal());
    changes_.push_back(Change{Change::What::remove_all, nullptr, {}});
    return std::move(changes_);
  }

  /// Step 7: of the same Call-ID only a higher CSeq counts.
  bool out_of_order(const Binding& binding) const {
    return binding.call_id() == message_.call_id() && message_.cseq()->number <= binding.facts().cseq;
  }
  static Refusal late_refusal() { return {.code = 500, .phrase = "CSeq is not higher than that of the binding"}; }

  /// Seconds, 0 to remove; nothing for a duration that is too short.
  std::optional<std::uint32_t> granted(const Contact& contact) const {
    const auto header = message_.expires();
    const auto& own = contact.expires;
    const auto wanted = asked_.settings.yate_expires ? (header ? header : own) : (own ? own : header);
    if (!wanted) return std::min(asked_.most_expires, static_cast<std::uint32_t>(asked_.settings.expires_def.count()));
    if (*wanted == 0) return 0;
    if (*wanted < asked_.settings.expires_min.count()) return std::nullopt;
    return std::min(asked_.most_expires, static_cast<std::uint32_t>(std::min<std::int64_t>(*wanted, asked_.settings.expires_max.count())));
  }

  /// The binding this contact renews or removes (D9): the device's, else one without a device and with an equivalent URI.
  const Binding* existing_for(const Contact& contact, const Device& device) const {
    const Binding* found = nullptr;
    table_.each_of(user_, [&](BindingId, const Binding& binding) {
      if (found) return;
      if (!device.instance.empty() && binding.instance() == device.instance && binding.facts().reg_id == device.reg_id) found = &binding;
    });
    if (found) return found;
    table_.each_of(user_, [&](BindingId, const Binding& binding) {
      if (found || (!device.instance.empty() && !binding.instance().empty())) return;
      if (binding.contact() == contact.address.uri.text) found = &binding;
      else if (!may_be_equivalent(binding.contact(), contact.address.uri)) return;
      else if (const auto uri = Uri::parse(binding.contact()); uri && uri->equivalent(contact.address.uri)) found = &binding;
    });
    return found;
  }

  /// False for most that are not, without reading them: an equal user part without escapes is equal byte for byte (§19.1.4).
  static bool may_be_equivalent(std::string_view text, const Uri& uri) {
    return uri.user.find('%') != std::string_view::npos || text.find('%') != std::string_view::npos || text.find(uri.user) != std::string_view::npos;
  }

  std::optional<Refusal> plan_contact(const Contact& contact) {
    const auto& uri = contact.address.uri;
    if (uri.scheme != Uri::Scheme::sip && uri.scheme != Uri::Scheme::sips) return Refusal{400, "Contact is not a SIP URI"};
    const auto expires = granted(contact);
    if (!expires) return Refusal{.code = 423, .min_expires = static_cast<std::uint32_t>(asked_.settings.expires_min.count())};
    if (*expires && asked_.is_ours(uri.host, port_of(uri))) return Refusal{403, "Contact names this server"};

    const auto device = device_of(contact);
    const Binding* existing = existing_for(contact, device);
    if (existing && out_of_order(*existing)) return late_refusal();
    auto key = existing && device.instance == existing->instance() ? std::string(existing->key()) : binding_key(contact, device);
    // A later contact of the same device replaces an earlier one of this request.
    changes_.erase(std::remove_if(changes_.begin(), changes_.end(), [&](const Change& change) { return change.key == key; }), changes_.end());
    if (*expires == 0) {
      // What was never here, or was replaced by a store that keeps one (D8), is nobody's business; a user of whom nothing is
      // known may still be known to a store that does not tell, and a contact to another server.
      if (existing || asked_.shared_store || !user_)
        changes_.push_back(Change{Change::What::remove, nullptr, existing ? std::string(existing->key()) : std::move(key)});
      return std::nullopt;
    }
    if (existing && existing->key() != key) changes_.push_back(Change{Change::What::remove, nullptr, std::string(existing->key())});

    auto reached = reach_of(uri, asked_.request.flow, *message_.top_via(), asked_.foreign_contacts);
    BindingFacts facts{.flow = flow_for(reached), .expires = asked_.now + std::chrono::seconds(*expires), .refreshed = asked_.now,
                       .cseq = message_.cseq()->number, .reg_id = device.reg_id, .behind_nat = reached.behind_nat};
    if (contact.q) facts.q = static_cast<std::uint16_t>(std::min(*contact.q, 1000u));
    const BindingText text{.username = asked_.username, .key = key, .contact = uri.text, .data = reached.data,
                           .call_id = message_.call_id(), .instance = device.instance, .path = path_};
    if (text.size() > Binding::kMaxText) return Refusal{403, "Contact is too long"};
    auto binding = Binding::make(text, facts);
    changes_.push_back(Change{Change::What::put, std::move(binding), std::move(key)});
    return std::nullopt;
  }

  stack::FlowId flow_for(const Reached& reached) const {
    const auto& flow = asked_.request.flow;
    // An edge that added itself to Path is where requests go, whatever the contact says.
    if (!path_.empty() || stack::is_reliable(flow.kind)) return flow;
    auto out = flow;
    out.remote = reached.address;
    return out;
  }

  bool unreachable(const Binding& binding) const {
    const auto& flow = binding.facts().flow;
    return binding.unavailable() || (flow && !asked_.is_alive(flow));
  }

  /// Keeps the user within his number of bindings, as the policy says.
  std::optional<Refusal> make_room() {
    if (asked_.shared_store) return std::nullopt;  // how many there are comes with the store's answer
    const std::size_t most = asked_.max_contacts ? asked_.max_contacts : kMostContacts;
    if (asked_.max_contacts == 0 && table_.count_of(user_) + changes_.size() <= most) return std::nullopt;
    std::size_t after = 0;
    struct Candidate { MonoTime refreshed; bool unavailable; std::string key; };
    std::vector<Candidate> others;
    for (const auto& change : changes_) after += change.what == Change::What::put;
    if (after == 0) return std::nullopt;
    table_.each_of(user_, [&](BindingId, const Binding& binding) {
      const bool touched = std::any_of(changes_.begin(), changes_.end(), [&](const Change& change) { return change.key == binding.key(); });
      if (!touched && !binding.expired(asked_.now)) others.push_back({binding.facts().refreshed, unreachable(binding), std::string(binding.key())});
    });
    after += others.size();
    if (asked_.settings.max_contacts_policy == MaxContactsPolicy::reject) others.clear();
    if (asked_.settings.max_contacts_policy == MaxContactsPolicy::replace_unavailable)
      std::erase_if(others, [](const Candidate& other) { return !other.unavailable; });
    if (after > most + others.size()) return Refusal{403, "Too many contacts"};
    std::stable_sort(others.begin(), others.end(), [](const Candidate& a, const Candidate& b) { return a.refreshed < b.refreshed; });
    for (std::size_t i = 0; after > most; ++i, --after)
      changes_.insert(changes_.begin() + static_cast<std::ptrdiff_t>(i), Change{Change::What::remove, nullptr, std::move(others[i].key)});
    return std::nullopt;
  }

  const Asked& asked_;
  const Message& message_;
  const Table& table_;
  const Table::User user_;
  std::string path_;
  Few<Change> changes_;
};

}  // namespace

void write_headers(Writer& writer, const Refusal& refusal) {
  if (refusal.min_expires) writer.header(HeaderId::min_expires, static_cast<unsigned long>(refusal.min_expires));
  if (!refusal.require.empty()) writer.header(HeaderId::require, refusal.require);
  for (const auto& [name, value] : refusal.headers) writer.header(std::string_view(name), value);
}

tl::expected<Few<Change>, Refusal> plan_changes(const Asked& asked, const Table& table) { return Planner(asked, table).plan(); }

}  // namespace jackfield::sip::registrar
