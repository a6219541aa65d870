#include "far_side.h"

#include <fmt/format.h>

namespace jackfield::accfile {
namespace {

constexpr std::string_view kAsterisk = R"conf(--- Asterisk: pjsip.conf (with a transport of yours)

[{name}-auth]
type=auth
auth_type=userpass
username={username}
password={password}

[{name}]
type=aor
contact=sip:{host}

[{name}]
type=endpoint
context=from-{name}
disallow=all
allow=ulaw,alaw
aors={name}
outbound_auth={name}-auth
from_user={username}

[{name}]
type=registration
server_uri=sip:{host}
client_uri=sip:{username}@{host}
contact_user={username}
outbound_auth={name}-auth
endpoint={name}
line=yes
retry_interval=30
forbidden_retry_interval=60
max_retries=10000
)conf";

constexpr std::string_view kKamailio = R"conf(--- Kamailio: kamailio.cfg (behind tm and rr, with reg_db_url of yours) and a row of its table uacreg

loadmodule "uac.so"
modparam("uac", "reg_contact_addr", "YOUR-ADDRESS:5060")
modparam("uac", "reg_retry_interval", 30)
modparam("uac", "auth_realm_avp", "$avp(realm)")
modparam("uac", "auth_username_avp", "$avp(user)")
modparam("uac", "auth_password_avp", "$avp(password)")

INSERT INTO uacreg (l_uuid, l_username, l_domain, r_username, r_domain, realm, auth_username, auth_password, auth_proxy, expires)
  VALUES ('{name}', '{username}', 'YOUR-ADDRESS', '{username}', '{host}', '{realm}', '{username}', '{password}', 'sip:{host}', 300);

# Calls to this side go to sip:NUMBER@{host}. In their failure_route:
#   if (t_check_status("401|407")) {{ $avp(realm) = "{realm}"; $avp(user) = "{username}"; $avp(password) = "{password}"; uac_auth(); t_relay(); }}
)conf";

constexpr std::string_view kYate = R"conf(--- Yate: accfile.conf

[{name}]
enabled=yes
protocol=sip
username={username}
password={password}
registrar={host}
interval=300
)conf";

constexpr std::string_view kFreeswitch = R"conf(--- FreeSWITCH: sip_profiles/external/{name}.xml

<include>
  <gateway name="{name}">
    <param name="username" value="{username}"/>
    <param name="password" value="{password}"/>
    <param name="realm" value="{realm}"/>
    <param name="from-domain" value="{host}"/>
    <param name="proxy" value="{host}"/>
    <param name="register" value="true"/>
    <param name="expire-seconds" value="300"/>
    <param name="retry-seconds" value="30"/>
    <param name="caller-id-in-from" value="true"/>
    <param name="extension" value="auto_to_user"/>
  </gateway>
</include>
)conf";

}  // namespace

std::string far_side_text(const FarSide& side) {
  std::string out;
  for (const auto text : {kAsterisk, kKamailio, kYate, kFreeswitch}) {
    out += fmt::format(fmt::runtime(text), fmt::arg("name", side.name), fmt::arg("username", side.username), fmt::arg("password", side.password),
                       fmt::arg("realm", side.realm), fmt::arg("host", side.host));
    out += '\n';
  }
  return out;
}

}  // namespace jackfield::accfile
