# Reads and changes single keys in the [general] section of a file of conf.d.

# general_key FILE KEY: its value, nothing where the file does not set it.
general_key() {
  [ -e "$1" ] || return 0
  awk -v key="$2" '
    /^[ \t]*\[/ { general = /^[ \t]*\[general\]/ }
    general && $0 ~ "^[ \t]*" key "[ \t]*=" { sub(/^[^=]*=[ \t]*/, ""); print; exit }' "$1"
}

# set_general_key FILE KEY VALUE: in place of the line that has it, or of the comment that shows its default.
set_general_key() {
  local new
  new=$(touch "$1" && awk -v key="$2" -v value="$3" '
    /^[ \t]*\[/ { if (general && !done) { print key "=" value; done = 1 } general = /^[ \t]*\[general\]/ }
    general && !done && $0 ~ "^[ \t]*;?[ \t]*" key "[ \t]*=" { print key "=" value; done = 1; next }
    { print }
    END { if (!done) { if (!general) print "[general]"; print key "=" value } }' "$1")
  printf '%s\n' "$new" >"$1"
}
