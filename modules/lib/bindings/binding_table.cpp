#include "bindings/binding_table.h"

#include <jackfield/messages/parameters.h>

#include <cstring>
#include <functional>
#include <new>

namespace jackfield::bindings {
namespace {

constexpr std::size_t kFirstBuckets = 256;  // a power of two, as every later size

std::uint32_t hash_of(std::string_view text) {
  const auto hash = std::hash<std::string_view>()(text);
  return static_cast<std::uint32_t>(hash ^ (hash >> 32));
}

}  // namespace

void Binding::Delete::operator()(Binding* binding) const noexcept {
  binding->~Binding();
  ::operator delete(binding);
}

Binding::Pointer Binding::make(PackedBinding packed, std::int64_t expires_ms, bool kept) {
  const auto bytes = packed.bytes();
  auto* binding = new (::operator new(sizeof(Binding) + bytes.size())) Binding;
  std::memcpy(static_cast<void*>(binding + 1), bytes.data(), bytes.size());
  binding->expires_ms_ = expires_ms;
  binding->size_ = static_cast<std::uint32_t>(bytes.size());
  binding->hash_ = hash_of(packed.username());
  binding->kept_ = kept;
  return Pointer(binding);
}

PackedBinding Binding::packed() const {
  return PackedBinding::of_checked({reinterpret_cast<const char*>(this + 1), size_});
}

std::string_view Binding::username() const {
  std::string_view bytes(reinterpret_cast<const char*>(this + 1), size_);
  const auto size = take_number(bytes);
  return bytes.substr(0, *size);
}

BindingTable::BindingTable() : users_(kFirstBuckets), connections_(kFirstBuckets) {}
BindingTable::~BindingTable() = default;

Binding& BindingTable::add(PackedBinding packed, std::int64_t expires_ms) {
  if (size_ >= users_.size()) grow();
  const auto connection = packed.connection();
  auto made = Binding::make(packed, expires_ms, !connection.reliable);
  if (free_.empty()) {
    free_.push_back(static_cast<BindingId>(slots_.size()));
    slots_.emplace_back();
  }
  made->id_ = free_.back();
  free_.pop_back();
  // At the chain's end: a user's bindings stay in the order in which they came.
  auto** link = &users_[made->hash_ & (users_.size() - 1)];
  while (*link) link = &(*link)->next_in_bucket_;
  ++size_;
  return place(std::move(made), link, connection.id);
}

Binding& BindingTable::replace(Binding& old, PackedBinding packed, std::int64_t expires_ms) {
  const auto connection = packed.connection();
  auto made = Binding::make(packed, expires_ms, !connection.reliable);  // before `old` goes: `packed` may be a view into it
  made->id_ = old.id_;
  auto** link = user_link(old);
  unlink(old);
  return place(std::move(made), link, connection.id);
}

Binding& BindingTable::place(Binding::Pointer made, Binding** link, std::string_view connection_id) {
  auto& binding = *made;
  binding.next_in_bucket_ = *link;
  *link = &binding;
  link_connection(binding, connection_id);
  slots_[binding.id_] = std::move(made);
  return binding;
}

void BindingTable::remove(Binding& binding) {
  const auto id = binding.id_;
  unlink(binding);
  slots_[id].reset();
  free_.push_back(id);
  --size_;
}

void BindingTable::clear() {
  slots_.clear();
  free_.clear();
  users_.assign(kFirstBuckets, nullptr);
  connections_.assign(kFirstBuckets, nullptr);
  size_ = 0;
}

void BindingTable::unlink(Binding& binding) {
  *user_link(binding) = binding.next_in_bucket_;
  if (binding.link_on_connection_) {
    *binding.link_on_connection_ = binding.next_on_connection_;
    if (binding.next_on_connection_) binding.next_on_connection_->link_on_connection_ = binding.link_on_connection_;
  }
}

Binding** BindingTable::user_link(const Binding& binding) {
  auto** link = &users_[binding.hash_ & (users_.size() - 1)];
  while (*link != &binding) link = &(*link)->next_in_bucket_;
  return link;
}

void BindingTable::link_connection(Binding& binding, std::string_view connection_id) {
  if (connection_id.empty()) return;
  // At the front and linked both ways: thousands of bindings may share the connection of a listener.
  auto** head = &connections_[hash_of(connection_id) & (connections_.size() - 1)];
  binding.link_on_connection_ = head;
  binding.next_on_connection_ = *head;
  if (*head) (*head)->link_on_connection_ = &binding.next_on_connection_;
  *head = &binding;
}

void BindingTable::grow() {
  const auto buckets = users_.size() * 2;
  std::vector<Binding*> old(buckets);
  old.swap(users_);
  std::vector<Binding**> ends(buckets);
  for (std::size_t i = 0; i < buckets; ++i) ends[i] = &users_[i];
  for (auto* binding : old) {
    while (binding) {
      auto* next = binding->next_in_bucket_;
      auto**& end = ends[binding->hash_ & (buckets - 1)];
      binding->next_in_bucket_ = nullptr;
      *end = binding;
      end = &binding->next_in_bucket_;
      binding = next;
    }
  }
  connections_.assign(buckets, nullptr);
  each([this](Binding& binding) {
    if (!binding.link_on_connection_) return;
    binding.link_on_connection_ = nullptr;
    link_connection(binding, binding.packed().connection().id);
  });
}

Binding* BindingTable::find(std::string_view username, std::string_view key) const {
  const auto hash = hash_of(username);
  for (auto* binding = users_[hash & (users_.size() - 1)]; binding; binding = binding->next_in_bucket_) {
    if (binding->hash_ != hash) continue;
    const auto packed = binding->packed();
    if (packed.username() == username && packed.key() == key) return binding;
  }
  return nullptr;
}

void BindingTable::of_user(std::string_view username, std::vector<Binding*>& out) const {
  const auto hash = hash_of(username);
  for (auto* binding = users_[hash & (users_.size() - 1)]; binding; binding = binding->next_in_bucket_) {
    if (binding->hash_ == hash && binding->username() == username) out.push_back(binding);
  }
}

bool BindingTable::has_user(std::string_view username) const {
  const auto hash = hash_of(username);
  for (auto* binding = users_[hash & (users_.size() - 1)]; binding; binding = binding->next_in_bucket_) {
    if (binding->hash_ == hash && binding->username() == username) return true;
  }
  return false;
}

void BindingTable::on_connection(std::string_view connection_id, std::vector<Binding*>& out) const {
  if (connection_id.empty()) return;
  for (auto* binding = connections_[hash_of(connection_id) & (connections_.size() - 1)]; binding; binding = binding->next_on_connection_) {
    if (binding->packed().parameter(messages::param::kConnectionId) == connection_id) out.push_back(binding);
  }
}

}  // namespace jackfield::bindings
