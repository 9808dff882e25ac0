# Prints a message, unless -q was given.
say() { [ -n "$QUIET" ] || echo "$*"; }
# Prints a warning, which -q does not hide.
warn() {
	echo "Warning: $1" >&2
	shift
	[ $# -eq 0 ] || printf '         %s\n' "$@" >&2
}
# die CODE CAUSE [REMEDY...]: says why and what to do, and ends with a documented exit code.
die() {
	CODE=$1
	shift
	echo "Error: $1" >&2
	shift
	[ $# -eq 0 ] || printf '       %s\n' "$@" >&2
	exit "$CODE"
}
# usage CAUSE: prints the help and ends.
usage() { help >&2; die 1 "$1"; }
# Runs a command without input and output.
hush() { "$@" >/dev/null 2>&1 </dev/null; }
# Whether there is such a command.
have() { hush command -v "$1"; }
# act TEXT: goes before each change, prints it, and is false in a dry run.
act() {
	if [ -n "$DRY" ]; then echo "would $*"; return 1; fi
	say "- $*"
}

# Strict mode, a safe PATH, and clean_up however this ends.
set_up() {
	if [ -n "${ZSH_VERSION:-}" ]; then emulate sh; fi
	set -eu
	umask 077
	PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH
	LC_ALL=C # what is read below is bytes, and what tools say is compared
	export PATH LC_ALL
	QUIET='' DRY='' FORCE='' TMP='' CODE='' STARTED='' UNDO='' WORKER=''
	CONF_DIR=/etc/rport CONF=/etc/rport/rport.conf DATA=/var/lib/rport LOGS=/var/log/rport
	trap 'clean_up $?' EXIT
	trap 'CODE=130; exit 130' HUP INT TERM PIPE
}
# Runs at the end: undoes what was changed, if this failed before the client was started; removes the temporary folder.
clean_up() {
	trap - EXIT
	trap '' HUP INT TERM PIPE
	set +e
	if [ "$1" -ne 0 ]; then
		CODE=${CODE:-1}
		[ -n "$STARTED" ] || undo
	fi
	[ -z "$WORKER" ] || cat "$TMP/out" "$TMP/err" 2>/dev/null >>"$REPORT"
	[ -z "$TMP" ] || rm -rf "$TMP"
	exit "${CODE:-0}"
}

# Changes so far, newest first: they are undone when something fails before the service starts.
note() {
	UNDO="$1 $2
$UNDO"
}
# Undoes the changes that were noted, the newest first.
undo() {
	[ -n "$UNDO" ] || return 0
	warn 'undoing what was changed so far.'
	while read -r verb path <&3; do
		case $verb in
			file) rm -f "$path" ;;
			dir) rmdir "$path" ;;
			old) mv -f "$TMP/old$path" "$path" ;;
			?*) "$verb" "$path" ;;
		esac >/dev/null 2>&1 </dev/null || :
	done 3<<LIST
$UNDO
LIST
}
# keep_old PATH: keeps a copy, which undo puts back.
keep_old() { mkdir -p "$TMP/old${1%/*}" && cp -p "$1" "$TMP/old$1" && note old "$1"; }

# A private folder for temporary files.
make_tmp() { TMP=$(mktemp -d "${TMPDIR:-/tmp}/rport.XXXXXXXX"); }
# Ends unless this runs as root.
need_root() { [ "$(id -u)" -eq 0 ] || die 1 'this script must run as root.' "sudo sh $NAME"; }
# put SOURCE PATH MODE [OWNER]: replaces PATH in one step; the old file is kept for undo.
put() {
	if [ ! -e "$2" ]; then note file "$2"; else keep_old "$2" || die 1 "cannot keep a copy of $2: is the disk full?"; fi
	rm -f "$2.new"
	if cp "$1" "$2.new" && chown "${4:-root:root}" "$2.new" && chmod "$3" "$2.new" && mv -f "$2.new" "$2"; then return; fi
	rm -f "$2.new"
	die 1 "cannot write $2: is the disk full or read-only?"
}
