// Messages as lines of text, for programs that read them (COMPAT §9 and §10), and which of their parameters nobody may read.
#pragma once

#include <jackfield/message.h>

#include <string>
#include <string_view>

namespace jackfield {

/// Bytes below 32, the colon (and in a parameter's name =) become % and the byte plus 64; % becomes %%.
void append_escaped(std::string& out, std::string_view text, bool is_name = false);

/// `%%<message:ID:HANDLED:NAME:RETVAL` and `:NAME=VALUE` for each parameter; no line end. With `masked`, what is secret is `***`.
void append_dispatched(std::string& out, std::string_view id, bool handled, const Message& message, bool masked);

/// Whether the values of a parameter of this name are passwords or what passwords can be guessed from.
bool is_secret(std::string_view parameter);
/// A command line without what follows `auth`, `passwd` or `password`: fit for logs and histories.
std::string masked_command(std::string_view line);

}  // namespace jackfield
