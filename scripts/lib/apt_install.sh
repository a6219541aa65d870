#!/usr/bin/env bash
# apt_install.sh PACKAGE… : the part of install.sh that runs as root.
set -eu
export DEBIAN_FRONTEND=noninteractive

# A policy that forbids starting services, while we install only: kamailio and others would start listening.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 130' INT TERM
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi

install=(apt-get install --yes --quiet --no-install-recommends --no-remove -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300)

# Lists of packages that are absent or too old show as a name apt does not know or a file it cannot fetch.
if "${install[@]}" --download-only "$@"; then
  "${install[@]}" "$@"
else
  apt-get update --quiet
  "${install[@]}" "$@"
fi
