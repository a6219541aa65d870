// D3: a user registers and calls under numbers of his own. Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core.h"
#include "sip/headers.h"

namespace jackfield::sip::admission {

/// Whether `number` is the user's name, the `number` his user.auth answer gave, or one of its comma-separated `alternatives`.
bool is_own_number(const Sender& user, std::string_view number);

/// RFC 3323 §4.1.1.3: a caller who wants not to be known.
bool is_anonymous(const NameAddr& from);

/// The user's own switch (`check_to`, `check_from` among the parameters of his user.auth answer), else the general one.
bool check_wanted(const Sender& user, std::string_view switch_name, bool general);

}  // namespace jackfield::sip::admission
