# Sourced first by every command in scripts/: where the checkout is, how we speak, how a preset is built.
set -euo pipefail
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

say() { printf '%s\n' "$*"; }
die() {
  printf '%s\n' "$@" >&2
  exit 1
}

# show_help FILE: the comment that opens FILE is its help.
show_help() { sed -n '2,/^$/{/^#/!q; s/^# \{0,1\}//; p}' "$1"; }

# configure_preset PRESET: what is built may be more than last time, for what has been installed since.
configure_preset() {
  local log
  log=$(mktemp)
  if ! (cd "$checkout" && cmake --preset "$1" >"$log" 2>&1); then
    cat "$log" >&2
    die "CMake could not configure build/$1."
  fi
  rm -f "$log"
}

# build_preset PRESET [TARGET…]: configures build/PRESET when needed and builds. Quiet unless something is to be done.
build_preset() {
  local preset=$1
  shift
  cd "$checkout"
  [ -e "build/$preset/build.ninja" ] || configure_preset "$preset"
  local targets=()
  [ $# -gt 0 ] && targets=(--target "$@")
  cmake --build "build/$preset" "${targets[@]}" -- ${JOBS:+-j "$JOBS"} | show_build
}

# show_build: what the build tool says, but nothing of having nothing to do; on a terminal its steps take one line.
show_build() {
  local columns=0
  [ -t 1 ] && columns=$(tput cols 2>/dev/null || echo 80)
  awk -v columns="$columns" '
    /^\[[0-9]+\/[0-9]+\] (Re-checking globbed directories|Looking up the commit)/ || /^ninja: no work to do/ { next }
    columns && /^\[[0-9]+\/[0-9]+\] / { printf "\r\033[K%s", substr($0, 1, columns - 1); fflush(); step = 1; next }
    { if (step) print ""; step = 0; print; fflush() }
    END { if (step) print "" }'
}
