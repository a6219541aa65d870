// What is kept of one registration, as one string of bytes: the same in memory and in the journal. Pure: bytes in, views out.
//
//   username, key, data, then for each kept parameter: its code, or 0 and its name; its value. Every text has its length in
//   front, in as many bytes of seven bits as it needs. A code with its highest bit set has no value: it is the key once more.
#pragma once

#include <jackfield/message.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace jackfield::bindings {

/// Appends and takes numbers in groups of seven bits, lowest first.
void append_number(std::string& out, std::uint64_t number);
std::optional<std::uint64_t> take_number(std::string_view& bytes);

/// A view of packed bytes that were checked (parse) or made here (pack).
class PackedBinding {
 public:
  struct Parameter {
    std::string_view name, value;
  };

  /// Nothing when the bytes are not whole: they came from a file.
  static std::optional<PackedBinding> parse(std::string_view bytes);
  /// The same for bytes that were checked before.
  static PackedBinding of_checked(std::string_view bytes);

  std::string_view bytes() const { return bytes_; }
  std::string_view username() const { return username_; }
  /// Names the binding within the user. Empty: somebody who knows no keys said it, and it is the user's only one.
  std::string_view key() const { return key_; }
  std::string_view data() const { return data_; }
  std::optional<std::string_view> parameter(std::string_view name) const;
  template <class Visit>
  void each_parameter(Visit visit) const {
    for (auto rest = parameters_; !rest.empty();) {
      const auto parameter = take_parameter(rest);
      if (!parameter) return;
      visit(parameter->name, parameter->value);
    }
  }
  /// The parameters that go with a call to this binding: those that `route_params` names, and the driver.
  template <class Visit>
  void each_route_parameter(Visit visit) const {
    const auto names = parameter("route_params").value_or(std::string_view());
    each_parameter([&](std::string_view name, std::string_view value) {
      if (name == "driver" || lists(names, name)) visit(name, value);
    });
  }
  /// How it came; both found in one pass.
  struct Connection {
    std::string_view id;
    bool reliable = false;
  };
  Connection connection() const;
  bool reliable() const { return connection().reliable; }

  /// Whether the comma-separated `names` have `name`.
  static bool lists(std::string_view names, std::string_view name);

 private:
  bool take_head(std::string_view& bytes);
  std::optional<Parameter> take_parameter(std::string_view& bytes) const;

  friend class BindingPacker;
  std::string_view bytes_, username_, key_, data_, parameters_;
  std::optional<Connection> connection_;  // whoever made it knows
};

/// Builds packed bytes; the buffer is used again and again.
class BindingPacker {
 public:
  void begin(std::string_view username, std::string_view key, std::string_view data);
  void add(std::string_view name, std::string_view value);
  /// Valid until the next begin().
  PackedBinding packed() const;
  /// What is kept of user.register: what routing and a restart need, never a password or a digest.
  PackedBinding pack(const Message& user_register);

 private:
  void add(std::uint8_t code, std::string_view name, std::string_view value);

  char* room(std::size_t bytes);
  /// Where its first byte is.
  std::size_t put_text(std::string_view text);
  std::string_view at(std::size_t offset, std::size_t size) const { return std::string_view(bytes_).substr(offset, size); }

  std::string bytes_;     // longer than what is in it: it grows once
  std::size_t size_ = 0;
  std::size_t key_at_ = 0, key_size_ = 0;
  std::size_t id_at_ = 0, id_size_ = 0;  // of the connection
  bool reliable_ = false;
};

}  // namespace jackfield::bindings
