#include "registrar/work.h"

#include <jackfield/messages/parameters.h>

#include <algorithm>

#include "call/reasons.h"
#include "registrar/store_messages.h"

namespace jackfield::sip::registrar {

namespace {

namespace param = messages::param;

constexpr std::string_view kReplyHeader = "osip_";
constexpr int kNobodyTookIt = 404;  // COMPAT §12
constexpr std::size_t kLongestPhrase = 128;
constexpr long long kLongest = 10LL * 365 * 86400;  // seconds a store may grant

int code_of(const jackfield::Message& answer) {
  if (const auto code = answer.number(param::kCode); code >= 400 && code <= 699) return static_cast<int>(code);
  for (const auto text : {answer.get(param::kError), answer.get(param::kReason)})
    if (const auto code = call::code_of(text)) return *code;
  return kNobodyTookIt;
}

/// A sentence of the store's for people; one of COMPAT's texts stands for a code instead. Empty: the code's standard phrase.
std::string phrase_of(const jackfield::Message& answer) {
  const auto reason = answer.get(param::kReason);
  return call::code_of(reason) ? std::string() : std::string(reason.substr(0, kLongestPhrase));
}

}  // namespace

jackfield::Message* Work::next(const Message* request, const Sender& sender) {
  if (!undoing_ && next_ < changes_.size()) {
    const auto& change = changes_[next_];
    switch (change.what) {
      case Change::What::put:
        if (!request) {
          refusal_ = Refusal{.code = 500};
          undoing_ = true;
          break;
        }
        message_ = register_message(core_, *change.binding);
        add_request(*message_, *request, sender);
        return &*message_;
      case Change::What::remove: {
        const Binding* old = table_.find(table_.find(username_, change.key));
        message_ = unregister_message(core_, username_, change.key, old, change.reason);
        return &*message_;
      }
      case Change::What::remove_all: message_ = unregister_message(core_, username_, {}, nullptr, {}); return &*message_;
    }
  }
  // Backwards over what the store has already agreed to: the table still holds what was before.
  while (undoing_ && next_ > 0) {
    const auto& change = changes_[next_ - 1];
    if (const Binding* old = table_.find(table_.find(username_, change.key))) {
      message_ = register_message(core_, *old);
      return &*message_;
    }
    if (change.what == Change::What::put) {
      message_ = unregister_message(core_, username_, change.key, change.binding.get(), "undone");
      return &*message_;
    }
    --next_;
  }
  return nullptr;
}

void Work::answered(bool handled) {
  if (undoing_) {
    --next_;
    return;
  }
  auto& change = changes_[next_];
  if (change.what != Change::What::put) {
    if (!handled && change.reason.empty() && message_->number(param::kCode) >= 500) return refuse(*message_);  // it could not
    hear(*message_);
    ++next_;  // that a store knew nothing of it is no failure (YT-2)
    return;
  }
  if (!handled) {
    refuse(*message_);
    return;
  }
  hear(*message_);
  read_answer(change, *message_);
  if (++next_ == changes_.size()) keep_within_limits();
}

void Work::hear(const jackfield::Message& answer) {
  if (!answer.flag(param::kShared)) return;
  store_is_shared_ = true;
  const auto* stored = answer.payload<messages::StoredBindings>();
  if (!stored) return;
  listed_.emplace();
  stored->each([&](const messages::StoredBinding& each) {
    if (each.username != username_) return;
    if (auto binding = read_stored(core_, each)) listed_->push_back({std::move(binding), is_elsewhere(core_, each)});
  });
}

bool Work::is_listed_here(std::string_view key) const {
  return std::any_of(listed_->begin(), listed_->end(), [&](const Listed& each) { return !each.elsewhere && each.binding->key() == key; });
}

void Work::keep_within_limits() {
  const std::size_t most = limits_.max_contacts ? limits_.max_contacts : kMostContacts;
  if (!listed_ || listed_->size() <= most) return;
  std::vector<const Binding*> others;
  for (const auto& each : *listed_) {
    const auto& key = each.binding->key();
    if (std::none_of(changes_.begin(), changes_.end(), [&](const Change& change) { return change.key == key; })) others.push_back(each.binding.get());
  }
  const auto excess = listed_->size() - most;
  if (limits_.policy == MaxContactsPolicy::replace_unavailable)
    std::erase_if(others, [&](const Binding* other) {
      const Binding* ours = table_.find(table_.find(username_, other->key()));
      return !ours || !ours->unavailable();
    });
  if (limits_.policy == MaxContactsPolicy::reject || others.size() < excess) return refuse(Refusal{403, "Too many contacts"});
  // When a row was last refreshed no store tells: the one that would end first has been silent for longest, as far as can be known.
  std::stable_sort(others.begin(), others.end(), [](const Binding* a, const Binding* b) { return a->facts().expires < b->facts().expires; });
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < excess; ++i) keys.emplace_back(others[i]->key());
  for (auto& key : keys) changes_.push_back(Change{Change::What::remove, nullptr, std::move(key)});
}

void Work::refuse(const jackfield::Message& answer) {
  refuse(Refusal{.code = code_of(answer), .phrase = phrase_of(answer)});
}

void Work::refuse(Refusal refusal) {
  refusal_ = std::move(refusal);
  undoing_ = true;
}

void Work::read_answer(Change& change, const jackfield::Message& answer) {
  const auto granted = std::min<long long>(answer.number(param::kExpires, -1), kLongest);
  const auto now = core_.engine.clock().now();
  if (granted > 0 && static_cast<std::uint32_t>(granted) != change.binding->remaining(now))
    change.binding->set_expires(now + std::chrono::seconds(granted));
  change.binding->set_shared(store_is_shared_);
  // D8: a store that says nothing keeps one.
  const auto keeps = answer.number(param::kMaxContacts, 1);
  store_keeps_ = keeps > 0 ? static_cast<std::size_t>(keeps) : 0;
  for (const auto& [name, value] : answer.parameters())
    if (name.starts_with(kReplyHeader)) reply_headers_.emplace_back(name.substr(kReplyHeader.size()), value);
}

Work::Effects Work::apply() {
  Effects effects;
  const auto take = [&](BindingId id) {
    if (auto binding = table_.take(id)) effects.gone.push_back(std::move(binding));
  };
  const auto ids_of_user = [&] {
    std::vector<BindingId> ids;
    table_.each_of(username_, [&](BindingId id, const Binding&) { ids.push_back(id); });
    return ids;
  };
  for (auto& change : changes_) {
    switch (change.what) {
      case Change::What::remove: take(table_.find(username_, change.key)); break;
      case Change::What::remove_all: for (const auto id : ids_of_user()) take(id); break;
      case Change::What::put: {
        auto entered = table_.put(std::move(change.binding));
        if (entered.replaced) effects.gone.push_back(std::move(entered.replaced));
        effects.entered.push_back(entered.id);
        break;
      }
    }
  }
  if (listed_) {
    // The table is the index of this server's flows: what is no longer in the store, or has moved to another server, leaves without a word.
    for (const auto id : ids_of_user()) {
      const auto* binding = table_.find(id);
      const bool just_entered = std::find(effects.entered.begin(), effects.entered.end(), id) != effects.entered.end();
      if (binding->shared() && !just_entered && !is_listed_here(binding->key())) take(id);
    }
    return effects;
  }
  if (effects.entered.empty() || store_keeps_.value_or(0) == 0) return effects;
  if (table_.count_of(username_) <= *store_keeps_) return effects;
  // What the store has dropped for the newer ones leaves without a word.
  auto ids = ids_of_user();
  const auto newer = [&](BindingId a, BindingId b) {
    const auto rank = [&](BindingId id) { return std::find(effects.entered.begin(), effects.entered.end(), id) - effects.entered.begin(); };
    const bool a_new = rank(a) < std::ssize(effects.entered), b_new = rank(b) < std::ssize(effects.entered);
    if (a_new != b_new) return a_new;
    if (a_new) return rank(a) > rank(b);
    return table_.find(a)->facts().refreshed > table_.find(b)->facts().refreshed;
  };
  std::stable_sort(ids.begin(), ids.end(), newer);
  for (std::size_t i = *store_keeps_; i < ids.size(); ++i) {
    take(ids[i]);
    effects.entered.erase(std::remove(effects.entered.begin(), effects.entered.end(), ids[i]), effects.entered.end());
  }
  return effects;
}

std::vector<Binding::Ptr> Work::take_back(Effects effects, Refusal refusal) {
  const auto change_of = [this](std::string_view key) {
    return std::find_if(changes_.begin(), changes_.end(), [&](const Change& change) { return change.key == key; });
  };
  const auto came = [&](Binding::Ptr binding) {
    if (const auto change = change_of(binding->key()); change != changes_.end()) change->binding = std::move(binding);
  };
  std::vector<Binding::Ptr> lost;
  std::vector<std::string> back;
  for (auto& gone : effects.gone) {
    const auto& flow = gone->facts().flow;
    if (flow && stack::is_reliable(flow.kind) && !core_.transport.alive(flow)) {
      lost.push_back(std::move(gone));
      continue;
    }
    back.emplace_back(gone->key());
    if (auto successor = table_.put(std::move(gone)).replaced) came(std::move(successor));
  }
  for (const auto id : effects.entered) {
    const auto* binding = table_.find(id);
    if (binding && std::find(back.begin(), back.end(), binding->key()) == back.end()) came(table_.take(id));
  }
  // What a store dropped by itself, or with all others, is told to it like what was to be removed by name.
  for (auto& key : back)
    if (change_of(key) == changes_.end()) changes_.insert(changes_.begin(), Change{Change::What::remove, nullptr, std::move(key)});
  next_ = changes_.size();
  refuse(std::move(refusal));
  return lost;
}

}  // namespace jackfield::sip::registrar
