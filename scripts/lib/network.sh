# What scripts/run asks this machine: its addresses, who has a port, which one is free.

# Every address another device can reach, IPv4 first; the loopback address where there is none.
reachable_addresses() {
  local found
  found=$(ip -oneline -4 address show scope global up 2>/dev/null | awk '{ sub("/.*", "", $4); print $4 }'
          ip -oneline -6 address show scope global up -deprecated 2>/dev/null | awk '{ sub("/.*", "", $4); print "[" $4 "]" }')
  echo "${found:-127.0.0.1   (this machine has no address another device can reach)}"
}

# port_owner PORT: prints who has it, UDP or TCP, on any address; fails when nobody has.
port_owner() {
  local line
  line=$({ ss -Hlnup "sport = :$1"; ss -Hlntp "sport = :$1"; } | head -n 1)
  [ -n "$line" ] || return 1
  # users:(("kamailio",pid=812,fd=4)); root alone sees other people's processes.
  sed -n 's/.*users:(("\([^"]*\)",pid=\([0-9]*\).*/\1 (process \2)/p; t; s/.*/a process of another user/p' <<<"$line"
}

next_free_port() {
  local port=$(($1 + 1))
  while port_owner "$port" >/dev/null; do port=$((port + 1)); done
  echo "$port"
}
