// The lines of conf.d/register.conf that are in force: queries for the schema of share/sql. They are written so that SQLite and
// PostgreSQL both take them: times are seconds since 1970, `ON CONFLICT` is in both.
#pragma once

#include <string_view>

namespace jackfield::register_module::shipped {

inline constexpr std::string_view kGeneral =
    R"(user.auth=yes
user.register=yes
user.unregister=yes
user.bindings=yes
engine.timer=yes
call.preroute=yes
call.route=yes
call.cdr=yes
linetracker=yes
)";

inline constexpr std::string_view kDefault = "account=jackfield\n";

inline constexpr std::string_view kAuth =
    R"(result=
dry_run=yes
query=SELECT ha1_md5, ha1_sha256, ha1_realm, number, alternatives, max_contacts FROM users WHERE username = '${username}' AND enabled = 1
)";

inline constexpr std::string_view kRegister =
    R"(max_contacts=0
query=INSERT INTO bindings (username, binding, data, expires, q, nodename, process, listener, ip_host, ip_port, \
  ip_transport, connection_id, connection_reliable, reg_nat_addr, sip_contact, sip_callid, sip_cseq, sip_instance, reg_id, sip_path, device) \
  SELECT username, '${binding}', '${data}', '${expires_at}', '${q}', '${nodename}', '${process}', '${listener}', '${ip_host}', \
  '${ip_port}', '${ip_transport}', '${connection_id}', '${connection_reliable}', '${reg_nat_addr}', '${sip_contact}', '${sip_callid}', '${sip_cseq}', \
  '${sip_instance}', '${reg_id}', '${sip_path}', '${device}' FROM users WHERE username = '${username}' AND enabled = 1 \
  ON CONFLICT (username, binding) DO UPDATE SET data = excluded.data, expires = excluded.expires, q = excluded.q, \
  nodename = excluded.nodename, process = excluded.process, listener = excluded.listener, ip_host = excluded.ip_host, ip_port = excluded.ip_port, \
  ip_transport = excluded.ip_transport, connection_id = excluded.connection_id, connection_reliable = excluded.connection_reliable, \
  reg_nat_addr = excluded.reg_nat_addr, sip_contact = excluded.sip_contact, sip_callid = excluded.sip_callid, \
  sip_cseq = excluded.sip_cseq, sip_instance = excluded.sip_instance, reg_id = excluded.reg_id, sip_path = excluded.sip_path, \
  device = excluded.device

; Connections did not survive the last run.
initquery=DELETE FROM bindings WHERE nodename = '${nodename}' AND connection_reliable = 'true' AND process <> '${process}'
)";

inline constexpr std::string_view kUnregister =
    R"(query=DELETE FROM bindings WHERE (username = '${username}' AND '${username}' <> '' AND ('${binding}' = '' OR binding = '${binding}')) \
  OR ('${username}' = '' AND '${connection_id}' <> '' AND nodename = '${nodename}' AND connection_id = '${connection_id}' \
  AND connection_reliable = 'true')
)";

inline constexpr std::string_view kBindings =
    R"(dry_run=yes
query=SELECT * FROM bindings WHERE username = '${username}' AND (expires = 0 OR expires > '${now}')
query_all=SELECT * FROM bindings WHERE nodename = '${nodename}' AND (expires = 0 OR expires > '${now}')
)";

inline constexpr std::string_view kTimer = "query=DELETE FROM bindings WHERE expires <> 0 AND expires <= '${now}'\n";

inline constexpr std::string_view kPreroute =
    R"(; A user who has as many calls as he may have calls nobody else.
result=refusal
dry_run=yes
query=SELECT '-' AS refusal, '${over_limit}' AS error, '${over_limit_code}' AS cause_sip, 'All lines of the caller are in use' AS reason_sip \
  FROM users WHERE username = '${username}' AND inuse_limit > 0 AND '${emergency}' <> 'true' AND inuse_limit <= \
  (SELECT count(DISTINCT billid) FROM calls_in_use WHERE calls_in_use.username = users.username AND billid <> '${billid}')
)";

inline constexpr std::string_view kRoute =
    R"(rows=fork
dry_run=yes
query=SELECT CASE WHEN u.lines >= u.inuse_limit AND u.inuse_limit > 0 THEN '-' ELSE b.data END AS location, \
  CASE WHEN u.lines >= u.inuse_limit AND u.inuse_limit > 0 THEN '${over_limit}' WHEN b.data IS NULL THEN 'offline' END AS error, \
  CASE WHEN u.lines >= u.inuse_limit AND u.inuse_limit > 0 THEN '${over_limit_code}' END AS cause_sip, \
  CASE WHEN u.lines >= u.inuse_limit AND u.inuse_limit > 0 THEN 'All lines of the called user are in use' END AS reason_sip, \
  CASE WHEN b.q = '' THEN '1.000' ELSE b.q END AS q, 'sip' AS driver \
  FROM (SELECT username, inuse_limit, (SELECT count(DISTINCT billid) FROM calls_in_use \
  WHERE calls_in_use.username = users.username AND billid <> '${billid}') AS lines \
  FROM users WHERE (username = '${called}' OR number = '${called}') AND enabled = 1) u \
  LEFT JOIN bindings b ON b.username = u.username AND (b.expires = 0 OR b.expires > '${now}') \
  ORDER BY CASE WHEN b.data IS NULL THEN 1 ELSE 0 END, CASE WHEN b.q = '' THEN '1.000' ELSE b.q END DESC, b.username
)";

inline constexpr std::string_view kCdr =
    R"(cdr_initialize=INSERT INTO calls (nodename, runid, cdrid, time, chan, address, direction, billid, caller, called, username, \
  duration, billtime, ringtime, status, reason, ended) VALUES ('${nodename}', '${runid}', '${cdrid}', '${time}', '${chan}', '${address}', \
  '${direction}', '${billid}', '${caller}', '${called}', '${username}', '${duration$0}', '${billtime$0}', '${ringtime$0}', \
  '${status}', '${reason}', 0)
cdr_finalize=UPDATE calls SET address = '${address}', billid = '${billid}', caller = '${caller}', called = '${called}', \
  username = '${username}', duration = '${duration$0}', billtime = '${billtime$0}', ringtime = '${ringtime$0}', status = '${status}', \
  reason = '${reason}', ended = 1 WHERE nodename = '${nodename}' AND runid = '${runid}' AND cdrid = '${cdrid}' AND time = '${time}'

; Calls that were up when the server was killed. It runs before any record of the new run is written.
initquery=UPDATE calls SET ended = 1, status = 'lost', reason = 'The server ended before the call' \
  WHERE nodename = '${nodename}' AND ended = 0
)";

inline constexpr std::string_view kLines =
    R"(cdr_initialize=INSERT INTO calls_in_use (nodename, runid, cdrid, username, billid, direction, since) \
  SELECT '${nodename}', '${runid}', '${cdrid}', username, '${billid}', '${direction}', '${time}' FROM users \
  WHERE ('${direction}' = 'incoming' AND username = '${username}') \
  OR ('${direction}' = 'outgoing' AND (username = '${external}' OR number = '${external}'))
cdr_finalize=DELETE FROM calls_in_use WHERE nodename = '${nodename}' AND runid = '${runid}' AND cdrid = '${cdrid}'
initquery=DELETE FROM calls_in_use WHERE nodename = '${nodename}'
)";

}  // namespace jackfield::register_module::shipped
