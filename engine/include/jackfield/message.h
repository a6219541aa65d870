// A message: a name, a creation time, a return value, an ordered list of text parameters and at most one typed payload.
// Owned by whoever dispatches it; after Bus::enqueue by the bus. Engine thread only.
#pragma once

#include <jackfield/arena.h>
#include <jackfield/clock.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <typeinfo>

namespace jackfield {

/// One parameter. Both views point into the message's arena (or at constants) and live as long as the message does.
struct Parameter {
  std::string_view name;
  std::string_view value;
};

class Message {
 public:
  /// `name` is copied. `created` is the wall clock's time, shown to scripts in whole seconds.
  explicit Message(std::string_view name, WallTime created = {});
  /// The one moved from is only good for destruction and assignment.
  Message(Message&&) noexcept = default;
  Message& operator=(Message&&) noexcept = default;
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;
  ~Message() = default;

  std::string_view name() const { return name_; }
  /// A handler that renames the message changes which later handlers see it, in the same dispatch.
  void rename(std::string_view name) { name_ = arena_.copy(name); }

  WallTime created() const { return created_; }

  std::string_view retvalue() const { return retvalue_; }
  void set_retvalue(std::string_view value) { retvalue_ = arena_.copy(value); }

  /// A broadcast runs every handler; its result is true when one of them returned true.
  bool broadcast() const { return broadcast_; }
  void set_broadcast(bool broadcast) { broadcast_ = broadcast; }

  std::span<const Parameter> parameters() const { return {parameters_, count_}; }
  const Parameter* find(std::string_view name) const;
  bool has(std::string_view name) const { return find(name) != nullptr; }
  /// The value, or `fallback` when there is no such parameter. An empty value is a value.
  std::string_view get(std::string_view name, std::string_view fallback = {}) const;
  /// Yate's booleans (settings.h `parse_boolean`); anything else is `fallback`.
  bool flag(std::string_view name, bool fallback = false) const;
  /// A decimal number; anything else is `fallback`.
  long long number(std::string_view name, long long fallback = 0) const;

  /// Replaces the value or appends the parameter. Name and value are copied into the arena.
  Message& set(std::string_view name, std::string_view value);
  Message& set(std::string_view name, long long value);
  /// Appends a parameter that is known not to be there yet: a new message is filled without looking through it each time.
  Message& add(std::string_view name, std::string_view value) { return append(name, value), *this; }
  Message& add(std::string_view name, long long value);
  Message& set_flag(std::string_view name, bool value) { return set(name, value ? "true" : "false"); }
  /// Returns whether the parameter was there. The order of the others is kept.
  bool erase(std::string_view name);
  void clear_parameters() { count_ = 0; }
  /// Copies every parameter of `other` whose name this message does not have.
  void merge_missing(const Message& other);

  /// The one typed payload (database rows, a channel's id). Attaching replaces it.
  template <class T>
  void attach(std::shared_ptr<T> payload) {
    payload_type_ = &typeid(T);
    payload_ = std::move(payload);
  }
  /// Null when there is none or it is of another type.
  template <class T>
  T* payload() const {
    return payload_ && *payload_type_ == typeid(T) ? static_cast<T*>(payload_.get()) : nullptr;
  }
  void detach() { payload_.reset(); }

 private:
  Parameter* mutable_find(std::string_view name);
  void append(std::string_view name, std::string_view value);

  Arena arena_;
  std::string_view name_;
  std::string_view retvalue_;
  Parameter* parameters_ = nullptr;  // lies in the arena, as what it points to does
  std::uint32_t count_ = 0;
  std::uint32_t capacity_ = 0;
  std::shared_ptr<void> payload_;
  const std::type_info* payload_type_ = nullptr;
  WallTime created_;
  bool broadcast_ = false;
};

}  // namespace jackfield
