# Installs the Debian packages of scripts/lib/packages that are missing. Sourced by the commands in scripts/.
# Nothing is removed, nothing recommended comes along, and no service is started by an installation.

# packages_of GROUP… : the names, one a line.
packages_of() {
  local groups="$*"
  awk -v groups="$groups" 'BEGIN { split(groups, g); for (i in g) want[g[i]] = 1 } $1 in want { print $2 }' \
    "$checkout/scripts/lib/packages" | sort -u
}

missing_packages() {
  local installed
  installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' 2>/dev/null | awk '$2 == "installed" { print $1 }')
  comm -23 <(packages_of "$@") <(sort -u <<<"$installed")
}

# install_packages GROUP…
install_packages() {
  local missing
  if ! command -v dpkg-query >/dev/null; then
    say "This system has no dpkg. Jackfield builds on Debian 12; elsewhere install what scripts/lib/packages lists by other means."
    return 0
  fi
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -eq 0 ] && return 0

  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null; then
      as_root=(sudo)
    else
      die "These packages are missing and installing them takes root. Run as root, then try again:" \
        "  apt-get install --no-install-recommends ${missing[*]}"
    fi
  fi
  say "Installing ${#missing[@]} Debian packages: ${missing[*]}"
  local log
  log=$(mktemp)
  if ! "${as_root[@]}" bash "$checkout/scripts/lib/apt_install.sh" "${missing[@]}" >"$log" 2>&1; then
    grep -E '^(E:|W:|dpkg: error)|Conflicts:|Depends:' "$log" | head -n 10 >&2 || true
    die "apt-get could not install them; the whole output is in $log. By hand:" \
      "  ${as_root[*]} apt-get update && ${as_root[*]} apt-get install --no-install-recommends ${missing[*]}"
  fi
  rm -f "$log"
}
