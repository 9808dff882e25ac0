# Sets FETCHER: curl, wget (GNU), busybox.
detect_fetcher() {
	if have curl; then FETCHER=curl
	elif ! have wget; then die 1 'curl or wget is needed.'
	elif wget --version 2>/dev/null | grep -q 'GNU Wget'; then FETCHER=wget
	else FETCHER=busybox
	fi
}
# The login for -z goes through a file, never through a command line.
write_login() {
	[ -n "${RPORT_INSTALLER_DL_USERNAME:-}" ] || return 0
	[ "$FETCHER" = curl ] || die 1 'a login for -z needs curl.'
	awk 'BEGIN {
		s = ENVIRON["RPORT_INSTALLER_DL_USERNAME"] ":" ENVIRON["RPORT_INSTALLER_DL_PASSWORD"]
		gsub(/["\\]/, "\\\\&", s)
		print "user = \"" s "\""
	}' >"$TMP/login"
}
# Through pipes: a curl from a snap can neither read nor write files in our folder.
request() {
	echo 1 >"$TMP/status"
	{
		{
			case $FETCHER in
				curl) { cat "${login:-/dev/null}"; } | curl -K - ${direct:+--noproxy '*'} -gfsSL --proto '=http,https' --connect-timeout 20 --speed-limit 100 --speed-time 40 "$1" ;;
				wget) wget ${direct:+--no-proxy} -nv -t 1 -T 40 -O - "$1" ;;
				*) ${limit:+timeout 40} wget ${direct:+-Y off} -O - "$1" ;;
			esac 2>&3
			echo $? >"$TMP/status"
		} | cat >"$2" || echo 23 >"$TMP/status"
	} 3>&1 | cat >"$TMP/said"
	[ "$FETCHER" != wget ] || ! grep -q '^Failed to' "$TMP/said" || echo 4 >"$TMP/status" # wget2 1.99 returns 0 for that
	return "$(cat "$TMP/status")"
}
# After a request: there was an answer, though not a good one. curl and wget (1 and 2) say so by their exit code.
answered() {
	case $FETCHER$(cat "$TMP/status") in
		curl22 | wget[68] | *0) ;; # 6: a login is wanted
		busybox*) grep -q 'server returned error: HTTP' "$TMP/said" ;;
		*) return 1 ;;
	esac
}
# fetch URL FILE [login]: three tries, unless the server says no.
fetch() {
	login='' limit='' direct=''
	[ $# -lt 3 ] || [ ! -f "$TMP/login" ] || login=$TMP/login
	for pause in 1 3 0; do
		if request "$1" "$2" && [ -s "$2" ]; then return; fi
		if answered && ! grep -q ' 5[0-9][0-9]' "$TMP/said"; then break; fi
		sleep "$pause"
	done
	[ -s "$TMP/said" ] || echo 'the answer is empty' >"$TMP/said"
	return 1
}
# curl explains itself at length after the line that says it.
said() { grep '^curl: (' "$TMP/said" || grep -v '^Connecting\|^saving\|^$' "$TMP/said" | tail -n 3; }

# replace TEXT SLOT VALUE...: the result is in TEXT.
replace() {
	TEXT=$1
	shift
	while [ $# -gt 0 ]; do
		case $TEXT in
			*"$1"*) TEXT=${TEXT%%"$1"*}$2${TEXT#*"$1"} ;;
			*) shift 2 ;;
		esac
	done
}

# download URL FILE [login]: fetch or the end; KIND is what came, by its first bytes: archive, deb, rpm.
download() {
	case $1 in
		*://*@*) die 1 'the download address holds a login.' 'Use RPORT_INSTALLER_DL_USERNAME.' ;;
		http://* | https://*) say "- download $1" ;;
		*) die 1 "not an http or https address: $1" ;;
	esac
	if ! fetch "$@"; then
		help='Check network, proxy (https_proxy) and disk space.'
		case $FETCHER$(cat "$TMP/status"):$(said) in wget6:* | *' 401'*) help='It wants a login: set RPORT_INSTALLER_DL_USERNAME and _PASSWORD, and use sudo -E, which keeps them.' ;; esac
		die 3 "cannot download $1:" "$(said)" "$help"
	fi
	case $(od -An -tx1 -N8 "$2" | tr -d ' \n') in
		1f8b*) KIND=archive ;;
		213c617263683e0a) KIND=deb ;;
		edabeedb*) KIND=rpm ;;
		*) die 3 "this is no package, but perhaps a web page: $1" 'Is a proxy in between, or the address wrong?' ;;
	esac
}
# sum_of FILE: its sha256.
sum_of() { awk -v name="$1" '{ sub(/^\*/, "", $2) } $2 == name { print tolower($1); exit }' "$TMP/sums"; }
# check_sum FILE NAME [URL]: against the sum set by the operator, else the list at URL, else a warning.
check_sum() {
	echo "$SHA256" >"$TMP/sums"
	by='pinned by this pairing service' known=$(sum_of "$2")
	if [ -z "$known" ] && [ -n "${3:-}" ] && fetch "$3" "$TMP/sums"; then by=$3 known=$(sum_of "$2"); fi
	if [ -z "$known" ]; then
		[ "$STRICT" != true ] || die 3 "no sha256 is known for $2, and this pairing service demands one." 'Its operator can add it: [installer] sha256, or checksums_url.'
		warn "no sha256 is known for $2: nothing could be checked."
		return
	fi
	actual=$(if have sha256sum; then sha256sum <"$1"; else openssl dgst -sha256 -r <"$1"; fi | cut -d ' ' -f 1)
	[ "$actual" = "$known" ] || die 3 "the sha256 of $2 is wrong." "expected $known ($by)" "got      $actual"
	say "  sha256 is correct ($by)"
}
# unpack FILE: an archive into $TMP/new.
unpack() {
	mkdir "$2"
	if ! gzip -dc <"$1" 2>"$TMP/said" | (cd "$2" && tar -xof -) 2>>"$TMP/said" || [ ! -f "$2/$3" ] || [ -L "$2/$3" ]; then
		die 3 "the package is broken or lacks $3." "$(said)" 'Was it cut off? Disk full?'
	fi
}
# get_client [URL]: downloads, checks and unpacks the client into $TMP/new; sets GOT.
get_client() {
	GOT=archive version=${VERSION:-$STABLE}
	replace "$LINUX_URL" '{version}' "$version" '{os}' linux '{arch}' "${ARCHS%% *}"
	url=${1:-$TEXT}
	act "get the client from $url" || return 0
	download "$url" "$TMP/package" ${1:+login}
	GOT=$KIND
	file=${url%%\?*}
	replace "$CHECKSUMS_URL" '{version}' "$version" '{os}' linux '{arch}' "${ARCHS%% *}"
	[ -z "${1:-}" ] || TEXT=''
	check_sum "$TMP/package" "${file##*/}" "$TEXT"
	if [ "$GOT" = archive ]; then unpack "$TMP/package" "$TMP/new" rport; else mv "$TMP/package" "$TMP/package.$GOT"; fi
}
# With the folders above it, for everyone to read.
new_folder() {
	if [ -z "$1" ] || [ -d "$1" ]; then return; fi
	new_folder "${1%/*}"
	mkdir "$1" || die 1 "cannot create $1: disk full or read-only?"
	chmod 755 "$1"
	note dir "$1"
}
# The new program is kept only if it runs on this machine.
put_client() {
	act "install $BIN" || return 0
	new_folder "${BIN%/*}"
	put "$TMP/new/rport" "$BIN" 755
	new_version=$(version_of "$BIN")
	[ -n "$new_version" ] || die 3 'the new client does not run on this machine.' 'Is it for another processor, or the disk mounted noexec?'
	say "  version $new_version"
}
# Downloads and checks Tacoscript.
get_tacoscript() {
	replace "$TACOSCRIPT_URL" '{channel}' "$CHANNEL" '{os}' Linux '{arch}' "${ARCHS%% *}"
	act "get Tacoscript from $TEXT" || return 0
	download "$TEXT" "$TMP/taco.gz"
	check_sum "$TMP/taco.gz" tacoscript.tar.gz
	unpack "$TMP/taco.gz" "$TMP/taco" tacoscript
}
# Puts Tacoscript in place.
put_tacoscript() {
	act 'install /usr/local/bin/tacoscript' || return 0
	new_folder /usr/local/bin
	: >"$TMP/mark"
	[ -e /usr/local/bin/tacoscript ] || put "$TMP/mark" "$CONF_DIR/.tacoscript" 644
	put "$TMP/taco/tacoscript" /usr/local/bin/tacoscript 755
}
# Stops and removes everything of the client.
uninstall() {
	need_root
	make_tmp
	detect_fetcher
	fetch "$PAIRING_URL/uninstall.sh" "$TMP/uninstall" || die 2 "cannot get $PAIRING_URL/uninstall.sh:" "$(said)"
	sh "$TMP/uninstall" ${DRY:+-n} ${QUIET:+-q} || CODE=$?
	exit "${CODE:-0}"
}
