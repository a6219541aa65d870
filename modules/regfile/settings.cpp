#include "settings.h"

namespace jackfield::regfile {
namespace {

constexpr Key kGeneralKeys[] = {
    {.name = "autocreate", .type = KeyType::boolean, .fallback = "no", .unit = "",
     .doc = "Whether somebody without a section here may register (another module must have let him in).", .reloadable = false},
    {.name = "auth", .type = KeyType::integer, .fallback = "100", .unit = "", .doc = "Priority of the answer to user.auth; lower runs first.",
     .reloadable = false, .min = 0, .max = 10000},
    {.name = "register", .type = KeyType::integer, .fallback = "100", .unit = "",
     .doc = "Priority of the answers to user.register and user.unregister.", .reloadable = false, .min = 0, .max = 10000},
    {.name = "route", .type = KeyType::integer, .fallback = "100", .unit = "", .doc = "Priority of the answer to call.route.",
     .reloadable = false, .min = 0, .max = 10000},
    {.name = "file", .type = KeyType::text, .fallback = "${statedir}/regfile-bindings.conf", .unit = "",
     .doc = "Where registrations are kept, in Yate's format; the journal that makes them survive a crash is beside it. "
            "Empty: they are kept in memory only.",
     .reloadable = false},
    {.name = "sync", .type = KeyType::boolean, .fallback = "yes", .unit = "",
     .doc = "Whether a registration is answered only once it would survive a power cut; with no, only the end of the process.",
     .reloadable = false},
    {.name = "allow_empty_password", .type = KeyType::boolean, .fallback = "no", .unit = "",
     .doc = "Whether a user whose password is present but empty is let in without one, as Yate does; else he is refused."},
    {.name = "max_contacts", .type = KeyType::integer, .fallback = "0", .unit = "",
     .doc = "How many phones a user may have registered at once; the newest push out the oldest. 0 is any number, 1 is Yate's way.",
     .min = 0, .max = 1000},
};

constexpr Key kUserKeys[] = {
    {.name = user_key::kPassword, .type = KeyType::secret, .fallback = "", .unit = "",
     .doc = "The password. Absent (and without a hash): this module does not authenticate the user at all. "
            "Empty: see allow_empty_password."},
    {.name = user_key::kPasswordMd5, .type = KeyType::secret, .fallback = "", .unit = "",
     .doc = "Instead of the password: REALM:HEX, the MD5 of user:realm:password."},
    {.name = user_key::kPasswordSha256, .type = KeyType::secret, .fallback = "", .unit = "",
     .doc = "Instead of the password: REALM:HEX, the SHA-256 of user:realm:password."},
    {.name = user_key::kAlternatives, .type = KeyType::list, .fallback = "", .unit = "",
     .doc = "Further numbers the user is called by; users who share one ring together."},
    {.name = "number", .type = KeyType::text, .fallback = "", .unit = "", .doc = "The user's telephone number, which he may call from.",
     .literal = true},
    {.name = user_key::kMaxContacts, .type = KeyType::integer, .fallback = "", .unit = "", .doc = "max_contacts of this user.", .min = 0,
     .max = 1000},
};

constexpr Section kSections[] = {
    {.name = kGeneral, .doc = "", .keys = kGeneralKeys},
    {.name = "*",
     .doc = "Every other section is a user. Any other key is a parameter that is set when the user authenticates and when he calls; "
            "${name} in it stands for a parameter of that message.",
     .keys = kUserKeys,
     .any_key = true,
     .sample = "`jackfield user add 101` writes a section like this one, with a good password:\n[101]\npassword=\nalternatives=4001,front-desk\n"},
};

}  // namespace

const KeyTable kKeys{.name = "regfile", .doc = "Users in a file: who may register and call, and where he is reached.", .sections = kSections};

GeneralSettings read_general(const Settings& settings) {
  return {.autocreate = settings.boolean(kGeneral, "autocreate"),
          .auth_priority = static_cast<int>(settings.integer(kGeneral, "auth")),
          .register_priority = static_cast<int>(settings.integer(kGeneral, "register")),
          .route_priority = static_cast<int>(settings.integer(kGeneral, "route")),
          .file = settings.text(kGeneral, "file"),
          .sync = settings.boolean(kGeneral, "sync"),
          .allow_empty_password = settings.boolean(kGeneral, "allow_empty_password"),
          .max_contacts = static_cast<std::uint32_t>(settings.integer(kGeneral, "max_contacts"))};
}

std::filesystem::path bindings_path(std::string_view written, const std::filesystem::path& state_dir,
                                    const std::function<std::optional<std::string_view>(std::string_view)>& run_parameter) {
  if (written.empty()) return {};
  // Absolute, so that a state directory named in the text is not taken for one below itself.
  const auto state = std::filesystem::absolute(state_dir);
  const auto name_of_state = state.string();
  return state / substitute(written, [&](std::string_view name) -> std::optional<std::string_view> {
    return name == "statedir" ? std::optional<std::string_view>(name_of_state) : run_parameter(name);
  });
}

}  // namespace jackfield::regfile
