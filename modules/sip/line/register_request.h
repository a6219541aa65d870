// A REGISTER to another server up to its credentials (RFC 3261 §10.2): of a connection's own registration, and of those that are carried.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "line/services.h"
#include "sip/writer.h"

namespace jackfield::sip::line {

struct RegisterRequest {
  std::string_view uri;                        ///< Request-URI
  std::string_view from, to;                   ///< whole values
  std::string_view call_id;
  std::uint32_t cseq;
  unsigned max_forwards = 70;
  std::string_view contact;                    ///< URI; empty: it only asks what there is
  std::span<const std::string> old_contacts;   ///< URIs that are taken back with the same request
  std::uint32_t expires;                       ///< 0: the contact is taken back too
};

/// The request line and all headers but credentials and what the connection's settings add.
void begin_register(Writer& writer, const Context& context, const stack::FlowId& flow, std::string_view branch, const RegisterRequest& request);

}  // namespace jackfield::sip::line
