// Whether digest credentials were made for this very request: their `uri` against the Request-URI (RFC 7616 §3.4.6). Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "sip/message.h"

namespace jackfield::sip::admission {

/// Whether host and port name this server, or a domain it serves.
using IsOurs = std::function<bool(std::string_view host, std::uint16_t port)>;

/// True when `digest_uri` means what the request is for. Phones and the proxies before us write it in many ways, so only what
/// contradicts is a mismatch: another user, or another host unless both are ours. Ports, parameters and the scheme do not count; a
/// `uri` without a user is the registrar's, which some phones give with every request.
bool is_for_request(std::string_view digest_uri, const Message& request, const IsOurs& is_ours);

}  // namespace jackfield::sip::admission
