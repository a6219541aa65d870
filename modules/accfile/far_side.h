// What the other side of an inbound connection writes into its configuration. Pure.
#pragma once

#include <string>
#include <string_view>

namespace jackfield::accfile {

struct FarSide {
  std::string_view name, username, password, realm;
  std::string_view host;  ///< where this server is reached, HOST or HOST:PORT
};

/// For Asterisk (PJSIP), Kamailio (uac), Yate (accfile) and FreeSWITCH (gateway), each under a heading that names its file.
std::string far_side_text(const FarSide& side);

}  // namespace jackfield::accfile
