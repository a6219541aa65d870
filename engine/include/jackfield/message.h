// A message: a name, a creation time, a return value, an ordered list of text parameters and at most one typed payload.
// Owned by whoever dispatches it; after Bus::enqueue by the bus. Engine thread only.
#pragma once

#include <jackfield/arena.h>
#include <jackfield/clock.h>
#include <jackfield/messages/declaration.h>

#include <concepts>
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

/// A parameter's name as Message takes it: any text, or a declared constant, which is neither hashed nor copied at run time.
class ParameterKey {
 public:
  template <class Text>
    requires std::convertible_to<const Text&, std::string_view>
  constexpr ParameterKey(const Text& name) : text_(name), tag_(detail::parameter_tag(text_)), lasting_(false) {}            // NOLINT
  constexpr ParameterKey(const messages::ParameterName& declared) : text_(declared.name), tag_(declared.tag), lasting_(true) {}  // NOLINT

  constexpr std::string_view text() const { return text_; }
  constexpr std::uint8_t tag() const { return tag_; }
  /// The text outlives every message.
  constexpr bool lasting() const { return lasting_; }

 private:
  std::string_view text_;
  std::uint8_t tag_;
  bool lasting_;
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
  const Parameter* find(ParameterKey name) const { return find(name.text(), name.tag()); }
  bool has(ParameterKey name) const { return find(name) != nullptr; }
  /// The value, or `fallback` when there is no such parameter. An empty value is a value.
  std::string_view get(ParameterKey name, std::string_view fallback = {}) const {
    const Parameter* const parameter = find(name);
    return parameter != nullptr ? parameter->value : fallback;
  }
  /// Yate's booleans (settings.h `parse_boolean`); anything else is `fallback`.
  bool flag(ParameterKey name, bool fallback = false) const;
  /// A decimal number; anything else is `fallback`.
  long long number(ParameterKey name, long long fallback = 0) const;

  /// Replaces the value or appends the parameter. What is not a declared constant is copied into the arena.
  Message& set(ParameterKey name, std::string_view value);
  Message& set(ParameterKey name, long long value);
  /// Appends a parameter that is known not to be there yet: a new message is filled without looking through it each time.
  Message& add(ParameterKey name, std::string_view value) { return append(name, arena_.copy(value)), *this; }
  Message& add(ParameterKey name, long long value);
  /// Appends to a list: `more` follows what is there already behind a comma.
  Message& extend(ParameterKey name, std::string_view more);
  Message& set_flag(ParameterKey name, bool value) { return set(name, value ? "true" : "false"); }
  /// Returns whether the parameter was there. The order of the others is kept.
  bool erase(ParameterKey name);
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
  /// Has the same payload as `other` from now on, whatever it is.
  void share_payload(const Message& other) {
    payload_ = other.payload_;
    payload_type_ = other.payload_type_;
  }

 private:
  const Parameter* find(std::string_view name, std::uint8_t tag) const;
  Parameter* mutable_find(ParameterKey name) { return const_cast<Parameter*>(find(name)); }
  /// `value` lasts as long as the message already.
  void append(ParameterKey name, std::string_view value) {
    if (count_ == capacity_) grow();
    tags_[count_] = name.tag();
    parameters_[count_++] = {name.lasting() ? name.text() : arena_.copy(name.text()), value};
  }
  void grow();

  Arena arena_;
  std::string_view name_;
  std::string_view retvalue_;
  // Both lie in the arena, as what the parameters point to does.
  Parameter* parameters_ = nullptr;
  std::uint8_t* tags_ = nullptr;  // of the parameters' names
  std::uint32_t count_ = 0;
  std::uint32_t capacity_ = 0;
  std::shared_ptr<void> payload_;
  const std::type_info* payload_type_ = nullptr;
  WallTime created_;
  bool broadcast_ = false;
};

}  // namespace jackfield
