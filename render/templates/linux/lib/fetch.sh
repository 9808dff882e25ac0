# Sets FETCHER: curl, wget (GNU) or busybox (its wget).
detect_fetcher() {
	if have curl; then FETCHER=curl
	elif ! have wget; then die 1 'neither curl nor wget is installed.' 'Install one of them.'
	elif wget --version 2>/dev/null | grep -q 'GNU Wget'; then FETCHER=wget
	else FETCHER=busybox
	fi
}
# The login for -z: from a file that only root can read, never in a command line. wget would show it to the target of a
# redirection as well, so there it follows none.
write_login() {
	[ -n "${RPORT_INSTALLER_DL_USERNAME:-}" ] || return 0
	RPORT_INSTALLER_DL_PASSWORD=${RPORT_INSTALLER_DL_PASSWORD:-}
	export RPORT_INSTALLER_DL_USERNAME RPORT_INSTALLER_DL_PASSWORD
	case $FETCHER in
		curl) awk 'BEGIN {
				s = ENVIRON["RPORT_INSTALLER_DL_USERNAME"] ":" ENVIRON["RPORT_INSTALLER_DL_PASSWORD"]
				for (i = 1; i <= length(s); i++) { c = substr(s, i, 1); out = out (c ~ /["\\]/ ? "\\" c : c) }
				print "user = \"" out "\""
			}' >"$TMP/login" ;;
		wget) cat >"$TMP/login" <<END ;;
auth_no_challenge = on
max_redirect = 0
http_user = $RPORT_INSTALLER_DL_USERNAME
http_password = $RPORT_INSTALLER_DL_PASSWORD
END
		*) die 1 'busybox wget cannot keep a password secret.' 'Install curl or GNU wget.' ;;
	esac
}
# fetch URL FILE [login]: three tries, unless the server says no. What the tool said last is in $TMP/said.
fetch() {
	login=''
	[ -z "${3:-}" ] || [ ! -f "$TMP/login" ] || login=$TMP/login
	for pause in 1 3 0; do
		case $FETCHER in
			curl) curl ${login:+-K "$login"} -gfsSL --proto '=http,https' --connect-timeout 20 --speed-limit 100 --speed-time 60 -o "$2" "$1" ;;
			wget) WGETRC=${login:-${WGETRC:-}} wget -nv -t 1 -T 60 -O "$2" "$1" ;;
			*) wget -O "$2" "$1" ;;
		esac 2>"$TMP/said" && [ -s "$2" ] && return 0
		! grep -q ' 4[0-9][0-9]' "$TMP/said" || return 1
		sleep "$pause"
	done
	[ -s "$TMP/said" ] || echo 'the answer is empty' >"$TMP/said"
	return 1
}
said() { grep -v '^Connecting\|^saving\|^$' "$TMP/said" | tail -n 3; }

# replace TEXT SLOT VALUE...: the result is in REPLACED.
replace() {
	REPLACED=$1
	shift
	while [ $# -gt 0 ]; do
		case $REPLACED in
			*"$1"*) REPLACED=${REPLACED%%"$1"*}$2${REPLACED#*"$1"} ;;
			*) shift 2 ;;
		esac
	done
}

# download URL FILE [login]: or the end.
download() {
	case $1 in
		*://*@*) die 1 'the download address holds a login.' 'Use RPORT_INSTALLER_DL_USERNAME and RPORT_INSTALLER_DL_PASSWORD.' ;;
		http://* | https://*) say "- download $1" ;;
		*) die 1 "not an http or https address: $1" ;;
	esac
	fetch "$@" || die 3 "cannot download $1:" "$(said)" 'Check the network, the proxy (https_proxy) and the free disk space.'
	case $(od -An -tx1 -N8 "$2" | tr -d ' \n') in
		1f8b*) GOT=archive ;;
		213c617263683e0a) GOT=deb ;;
		edabeedb*) GOT=rpm ;;
		*) die 3 "this is not a package, but $(head -c 300 "$2" | grep -qi '<html\|<!doctype' && echo 'a web page' || echo 'something else'): $1" 'Is there a proxy or a login page in between? Is the address right?' ;;
	esac
}
sha256_of() { if have sha256sum; then sha256sum <"$1"; else openssl dgst -sha256 -r <"$1"; fi | cut -d ' ' -f 1; }
# check_sum FILE NAME [URL]: against the operator's pinned sum of NAME, else against the list of sums at URL.
check_sum() {
	by='pinned by this pairing service'
	echo "$SHA256" >"$TMP/sums"
	if ! awk -v n="$2" '$2 == n { f = 1 } END { exit !f }' "$TMP/sums" && [ -n "${3:-}" ]; then
		by=$3
		fetch "$3" "$TMP/sums" || : >"$TMP/sums"
	fi
	known=$(awk -v n="$2" '{ sub(/^\*/, "", $2) } $2 == n { print tolower($1); exit }' "$TMP/sums")
	if [ -z "$known" ]; then warn "no sha256 is known for $2: nothing could be checked."; return; fi
	actual=$(sha256_of "$1") || :
	[ -n "$actual" ] || die 1 'there is no program to calculate a sha256.' 'Install coreutils or openssl.'
	[ "$actual" = "$known" ] || die 3 "the sha256 of $2 is wrong, it is not installed." "expected $known ($by)" "got      $actual"
	say "  sha256 is correct ($by)"
}
# unpack FILE FOLDER PROGRAM
unpack() {
	mkdir "$2"
	if ! gzip -dc <"$1" 2>"$TMP/said" | (cd "$2" && tar -xof -) 2>>"$TMP/said" || [ ! -f "$2/$3" ] || [ -L "$2/$3" ]; then
		die 3 "the package is broken or lacks $3." "$(said)" 'Run this script again if it was cut off. Is the disk full?'
	fi
}
# get_client [URL]: downloads, checks and unpacks; GOT says what it is.
get_client() {
	GOT=archive version=${VERSION:-$DEFAULT_VERSION}
	replace "$LINUX_URL" '{version}' "$version" '{os}' linux '{arch}' "$ARCH"
	url=${1:-$REPLACED}
	act "get the client from $url" || return 0
	download "$url" "$TMP/package" ${1:+login}
	file=${url%%\?*}
	replace "$CHECKSUMS_URL" '{version}' "$version" '{os}' linux '{arch}' "$ARCH"
	[ -z "${1:-}" ] || REPLACED=''
	check_sum "$TMP/package" "${file##*/}" "$REPLACED"
	if [ "$GOT" = archive ]; then unpack "$TMP/package" "$TMP/new" rport; else mv "$TMP/package" "$TMP/package.$GOT"; fi
}
# The new program is kept only if it runs on this machine.
put_client() {
	act "install $BIN" || return 0
	[ -d "${BIN%/*}" ] || { mkdir -p "${BIN%/*}" && chmod 755 "${BIN%/*}" && note dir "${BIN%/*}"; }
	put "$TMP/new/rport" "$BIN" 755 root:root
	new_version=$(version_of "$BIN")
	[ -n "$new_version" ] || die 3 'the new client does not run on this machine.' 'Is it for another processor, or the disk mounted noexec?'
	say "  version $new_version"
}
# Tacoscript is downloaded before anything is changed, and installed at the end.
get_tacoscript() {
	replace "$TACOSCRIPT_URL" '{channel}' "$CHANNEL" '{os}' Linux '{arch}' "$ARCH"
	act "get Tacoscript from $REPLACED" || return 0
	got=$GOT
	download "$REPLACED" "$TMP/taco.gz"
	GOT=$got
	check_sum "$TMP/taco.gz" tacoscript.tar.gz
	unpack "$TMP/taco.gz" "$TMP/taco" tacoscript
}
put_tacoscript() {
	act 'install /usr/local/bin/tacoscript' || return 0
	: >"$TMP/mark"
	[ -e /usr/local/bin/tacoscript ] || put "$TMP/mark" "$CONF_DIR/.tacoscript" 644 root:root
	put "$TMP/taco/tacoscript" /usr/local/bin/tacoscript 755 root:root
}
