#include "trust.h"

#include "text/trimmed.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include <pwd.h>
#include <unistd.h>

namespace jackfield::door {

tl::expected<Trust, std::string> Trust::parse(std::string_view text) {
  Trust trust;
  while (!text.empty()) {
    const auto comma = std::min(text.find(','), text.size());
    const std::string name(trimmed(text.substr(0, comma)));
    text.remove_prefix(std::min(comma + 1, text.size()));
    if (name.empty() || name == "owner") continue;
    if (name == "any") {
      trust.everybody_ = true;
      continue;
    }
    std::array<char, 16384> room;
    passwd entry{};
    passwd* found = nullptr;
    if (getpwnam_r(name.c_str(), &entry, room.data(), room.size(), &found) != 0 || found == nullptr)
      return tl::unexpected(fmt::format("there is no account `{}` on this machine; write owner, any, or the names of accounts", name));
    trust.besides_.push_back(entry.pw_uid);
    trust.names_ += fmt::format(", {}", name);
  }
  return trust;
}

bool Trust::admits(std::optional<uid_t> user) const {
  if (everybody_) return true;
  return user && (*user == 0 || *user == geteuid() || std::ranges::find(besides_, *user) != besides_.end());
}

std::string Trust::text() const { return everybody_ ? "everybody with an account on this machine" : fmt::format("root, the server's own account{}", names_); }

}  // namespace jackfield::door
