// What a REFER asks for (RFC 3515), and which dialog a Replaces names (RFC 3891). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "sip/message.h"

namespace jackfield::sip::call {

/// The dialog another call is to take the place of, as its tags are seen by whoever gets the header (RFC 3891 §6.1).
struct Replaces {
  std::string call_id, to_tag, from_tag;
  bool early_only = false;
};
/// Nothing when a part is missing or given twice.
std::optional<Replaces> parse_replaces(std::string_view value);

struct ReferTarget {
  std::string uri;     ///< without its headers
  std::string called;  ///< its user, escapes undone
  std::string host;
  std::optional<Replaces> replaces = {};
  std::string replaces_text = {};  ///< as it goes into the INVITE when the dialog is none of ours
};

/// Why a REFER is refused.
struct BadRefer {
  int code;
  std::string_view reason;
};
/// Of a REFER that has passed check_mandatory().
tl::expected<ReferTarget, BadRefer> read_refer(const Message& refer);

/// RFC 4488: the sender wants to hear nothing of how it goes.
bool wants_no_reports(const Message& refer);

}  // namespace jackfield::sip::call
