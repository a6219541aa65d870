// Edits the text of regfile.conf: adds, changes and removes users and leaves everything else as it was, comments and order
// included. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace jackfield::regfile {

/// What is wrong with a name for a new user, as a sentence; nothing when it is good.
std::optional<std::string> bad_user_name(std::string_view name);
/// The same for a password: what the file or a phone could not hold.
std::optional<std::string> bad_password(std::string_view password);

/// `text` with a section for the user at its end.
std::string with_user(std::string_view text, std::string_view name, std::string_view password);
/// With that password in place of the old one and of hashes, which would still admit the old one. Nothing: no such section.
std::optional<std::string> with_password(std::string_view text, std::string_view name, std::string_view password);
/// Without the user's sections. A comment right above the next section stays with that one.
std::optional<std::string> without_user(std::string_view text, std::string_view name);

}  // namespace jackfield::regfile
