#include "permission.h"

#include <jackfield/messages/parameters.h>
#include <jackfield/settings.h>

namespace jackfield::upperreg {
namespace param = messages::param;
namespace {

constexpr std::string_view kOwnDomain = "own_domain";

/// The names of a user's parameters.
struct UserKeys {
  std::string_view permitted, username, authname, password, ha1, domain;
};
constexpr UserKeys kUserKeys[] = {
    {"upper", "upper_username", "upper_authname", "upper_password", "upper_ha1", ""},
    {"thru", "thru_username", "thru_authname", "thru_password", "thru_ha1", "thru_domain"},
};
const UserKeys& keys_of(Mode mode) { return kUserKeys[static_cast<std::size_t>(mode)]; }

}  // namespace

Destination destination(const UpperregSettings& settings, const Message& message) {
  using What = Destination::What;
  Destination out{What::here, lower_host(message.get(param::kDomain))};
  const auto* own = message.find(kOwnDomain);
  const bool ours = own && parse_boolean(own->value).value_or(false);
  const bool foreign = own && !ours;
  if (settings.upper.enabled && settings.is_upper_host(out.domain)) out.what = What::upper;
  else if (settings.thru.enabled && !ours && settings.serves(out.domain)) out.what = What::thru;
  else if (settings.thru.enabled && foreign) out.what = What::foreign;
  else if (settings.upper.enabled) out.what = What::upper;
  return out;
}

std::optional<StoredCredentials> stored_credentials(Mode mode, std::string_view domain, const Message& said, std::string_view user) {
  const auto& keys = keys_of(mode);
  // A password is shown to the server it is for only.
  if (!keys.domain.empty() && lower_host(said.get(keys.domain)) != domain) return std::nullopt;
  StoredCredentials out;
  out.password = said.get(keys.password);
  if (const auto hash = said.get(keys.ha1); !hash.empty()) {
    const auto colon = hash.rfind(':');  // a realm may have colons of its own
    if (colon != std::string_view::npos) {
      out.realm = hash.substr(0, colon);
      out.ha1 = hash.substr(colon + 1);
    }
  }
  if (!out.known()) return std::nullopt;
  const auto name = said.get(keys.username);
  out.authname = said.get(keys.authname, name.empty() ? user : name);
  return out;
}

Decision decide(const UpperregSettings& settings, const Destination& destination, const Message& message, const Message* said) {
  using What = Decision::What;
  if (destination.what == Destination::What::here) return {};
  if (destination.what == Destination::What::foreign) return {.what = What::refuse};
  const auto mode = destination.what == Destination::What::upper ? Mode::upper : Mode::thru;
  const auto& of = settings.of(mode);
  const auto& keys = keys_of(mode);
  const bool authenticated = message.flag(param::kAuthenticated);
  const auto user = message.get(param::kUsername);
  // Another server, or a PBX, whose own users are behind it.
  if (said && !said->get(param::kInLine).empty()) return {};
  // user@domain is what Thru's users are called here; nobody else may be called so.
  if (user.empty() || user.find('@') != std::string_view::npos) return {};

  const Decision refused{.what = of.reject ? What::refuse : What::here};
  bool permitted = of.permitted;
  if (said && said->has(keys.permitted)) permitted = said->flag(keys.permitted, false);
  if (message.has(keys.permitted)) permitted = message.flag(keys.permitted, false);  // the rule has the last word
  if (!permitted) return refused;

  auto credentials = said ? stored_credentials(mode, destination.domain, *said, user) : std::nullopt;
  if (!authenticated) {
    // With credentials that are kept here he proves to us who he is, and we are asked again.
    if (credentials || of.credentials == Kind::stored) return {};
    return {.what = What::carry};
  }
  if (!credentials) return refused;
  return {.what = What::carry, .kind = Kind::stored, .credentials = std::move(*credentials), .user = std::string(said->get(keys.username))};
}

}  // namespace jackfield::upperreg
