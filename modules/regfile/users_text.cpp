#include "users_text.h"

#include "conf/conf_text.h"
#include "settings.h"

#include <fmt/format.h>

#include <algorithm>

namespace jackfield::regfile {
namespace {

constexpr std::size_t kMaxName = 64;
constexpr std::size_t kMaxPassword = 128;
constexpr std::string_view kNameMarks = "-_.+~@";

}  // namespace

std::optional<std::string> bad_user_name(std::string_view name) {
  if (name.empty()) return "a user needs a name";
  if (name.size() > kMaxName) return fmt::format("the name is longer than {} characters", kMaxName);
  if (name == kGeneral) return "`general` is the section of settings; choose another name";
  if (name.starts_with('-')) return fmt::format("`{}` looks like an option; a user's name does not begin with -", name);
  const auto bad = std::ranges::find_if_not(name, [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || kNameMarks.find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (bad == name.end()) return std::nullopt;
  return fmt::format("a user's name is made of letters, digits and {}; character {} of this one is none of them", kNameMarks,
                     bad - name.begin() + 1);
}

std::optional<std::string> bad_password(std::string_view password) {
  if (password.empty()) return "the password is empty";
  if (password.size() > kMaxPassword) return fmt::format("the password is longer than {} bytes", kMaxPassword);
  if (std::ranges::any_of(password, [](unsigned char c) { return c < 0x20 || c == 0x7f; })) return "the password has control characters";
  if (password.front() == ' ' || password.back() == ' ') return "the password begins or ends with a blank, which the file cannot hold";
  return std::nullopt;
}

std::string with_user(std::string_view text, std::string_view name, std::string_view password) {
  const conf::Keys keys{{std::string(user_key::kPassword), std::string(password)}};
  return conf::with_section(text, name, keys);
}

std::optional<std::string> with_password(std::string_view text, std::string_view name, std::string_view password) {
  constexpr std::string_view kHashes[] = {user_key::kPasswordMd5, user_key::kPasswordSha256};
  return conf::with_key(text, name, user_key::kPassword, password, kHashes);
}

std::optional<std::string> without_user(std::string_view text, std::string_view name) { return conf::without_section(text, name); }

}  // namespace jackfield::regfile
