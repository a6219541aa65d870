#!/usr/bin/env bash
# apt_install.sh PACKAGE… : the part of install.sh that runs as root.
set -eu
export DEBIAN_FRONTEND=noninteractive

made_policy='' kept_clusters=''
clean_up() {
  [ -z "$made_policy" ] || rm -f "$policy"
  [ -z "$kept_clusters" ] || mv -f "$kept_clusters" "$clusters"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# A policy that forbids starting services, while we install only: kamailio and others would start listening.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  made_policy=yes
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi

install=(apt-get install --yes --quiet --no-install-recommends --no-remove -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300)

# PostgreSQL's package makes a cluster that starts with the machine, unless it is told not to; the tests make their own.
clusters=/etc/postgresql-common/createcluster.conf
make_no_cluster() {
  "${install[@]}" postgresql-common
  kept_clusters=$clusters.before-jackfield
  cp -p "$clusters" "$kept_clusters"
  echo 'create_main_cluster = false' >>"$clusters"
}

# Lists of packages that are absent or too old show as a name apt does not know or a file it cannot fetch.
"${install[@]}" --download-only "$@" || apt-get update --quiet
case " $* " in
  *" postgresql "*) make_no_cluster ;;
esac
"${install[@]}" "$@"
