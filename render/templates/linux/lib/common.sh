say() { [ -n "$QUIET" ] || printf '%s\n' "$*"; }
warn() { printf 'Warning: %s\n' "$*" >&2; }
# die CODE LINE...: the cause, the remedy, the documented exit code.
die() {
  EXIT_CODE=$1
  shift
  printf 'Error: %s\n' "$1" >&2
  shift
  [ $# -eq 0 ] || printf '       %s\n' "$@" >&2
  exit "$EXIT_CODE"
}
usage() { printf '%s: %s\n' "$NAME" "$1" >&2; help >&2; EXIT_CODE=1; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
# act TEXT: says what is about to be done; false when nothing may be changed (-n).
act() {
  if [ -n "$DRY" ]; then printf 'would %s\n' "$*"; return 1; fi
  say "- $*"
}

set_up() {
  if [ -n "${ZSH_VERSION:-}" ]; then emulate sh; fi
  set -eu
  umask 077
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH
  export PATH
  QUIET='' DRY='' FORCE='' TMP='' EXIT_CODE='' STARTED='' UNDO=''
  CONF_DIR=/etc/rport CONF=/etc/rport/rport.conf DATA=/var/lib/rport LOGS=/var/log/rport
  trap 'clean_up $?' EXIT
  trap 'EXIT_CODE=130; exit 130' HUP INT TERM
}

clean_up() {
  trap - EXIT
  trap '' HUP INT TERM
  set +e
  if [ "$1" -ne 0 ]; then
    if [ -z "$EXIT_CODE" ]; then
      EXIT_CODE=1
      printf 'Error: stopped by an unexpected failure, see the message above.\n' >&2
    fi
    [ -n "$STARTED" ] || undo
  fi
  [ -z "$TMP" ] || rm -rf "$TMP"
  exit "${EXIT_CODE:-0}"
}

# Everything that is changed before the service starts is noted in UNDO (newest first, one "VERB PATH" a line), so that
# a failure leaves the machine as it was.
note() { UNDO="$1 $2
$UNDO"; }
undo() {
  [ -n "$UNDO" ] || return 0
  warn 'undoing the changes that were made so far.'
  # Fed by a file: a pipe would end at the first tool that reads its standard input.
  printf '%s' "$UNDO" >"$TMP/undo"
  while read -r undo_verb undo_path <&3; do
    case $undo_verb in
      file) rm -f "$undo_path" ;;
      dir) rmdir "$undo_path" ;;
      old) mv -f "$TMP/old$undo_path" "$undo_path" ;;
      user) remove_user "$undo_path" ;;
      package) remove_package ;;
      service) service_remove ;;
    esac
  done 3<"$TMP/undo" >/dev/null 2>&1
}

make_tmp() { TMP=$(mktemp -d "${TMPDIR:-/tmp}/rport.XXXXXXXX") || die 1 'cannot create a temporary folder.' 'Is the disk full, or TMPDIR wrong?'; }
need_root() { [ "$(id -u)" -eq 0 ] || die 1 'this script must run as root.' "Run it again with sudo: sudo sh $NAME"; }

# make_dir PATH MODE OWNER
make_dir() {
  if [ ! -d "$1" ]; then
    mkdir -p "$1" || die 1 "cannot create $1." 'Is the disk full or read-only?'
    note dir "$1"
  fi
  chown "$3" "$1" && chmod "$2" "$1"
}

# put SOURCE PATH MODE OWNER: replaces PATH in one step, so that nobody ever sees half a file.
put() {
  if [ -e "$2" ]; then
    mkdir -p "$TMP/old${2%/*}" && cp -p "$2" "$TMP/old$2" || die 1 "cannot save $2." 'Is the disk full?'
    note old "$2"
  else
    note file "$2"
  fi
  rm -f "$2.new"
  if cp "$1" "$2.new" && chown "$4" "$2.new" && chmod "$3" "$2.new" && mv -f "$2.new" "$2"; then return 0; fi
  rm -f "$2.new"
  die 1 "cannot write $2." 'Is the disk full or read-only?'
}
