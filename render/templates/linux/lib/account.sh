group_of() { id -gn "$1"; }
owner_of_data() {
	# shellcheck disable=SC2012 # one known folder, and stat is not POSIX
	owner=$(ls -ld "$DATA" 2>/dev/null | awk '{ print $3 }')
	case $owner in '' | root) echo rport ;; *) echo "$owner" ;; esac
}
find_client() {
	BIN='' METHOD=archive
	if dpkg-query -W -f '${Status}\n' rport 2>/dev/null | grep -q '^install ok installed'; then METHOD=deb BIN=/usr/bin/rport
	elif hush rpm -q rport; then METHOD=rpm BIN=/usr/bin/rport
	else
		for program in /usr/bin/rport /usr/local/bin/rport; do [ ! -f "$program" ] || BIN=$program; done
	fi
}
version_of() { "$1" --version 2>/dev/null </dev/null | sed -n 's/^[^0-9]*\([0-9][^ ]*\).*/\1/p' | head -n 1; }
