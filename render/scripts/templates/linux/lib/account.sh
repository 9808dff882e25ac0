# group_of USER: the name of its group.
group_of() { id -gn "$1"; }
# Who runs the client here: the owner of its data, else rport.
owner_of_data() {
	# shellcheck disable=SC2012 # one known folder, and stat is not POSIX
	owner=$(ls -ld "$DATA" 2>/dev/null | awk '{ print $3 }')
	case $owner in '' | root | [0-9]*) echo rport ;; *) echo "$owner" ;; esac
}
# The client's user could place links in its folders for root to follow: what is done there is done as that user, away
# from root's terminal. $1: commands, which find $2 in $FILE. $3: another user than the client's.
as_user() {
	apart=''
	! have setsid || apart=setsid
	FILE=${2:-} $apart su -s /bin/sh -c "$1" "${3:-$RUN_AS}" 2>/dev/null
}
# The rpm of Debian makes a database in the home of whoever asks.
rpm_has_client() { HOME=/dev/null rpm -q rport >/dev/null 2>&1 </dev/null; }
# Sets BIN (empty: no client) and METHOD (deb, rpm, archive).
find_client() {
	BIN='' METHOD=archive
	if dpkg-query -W -f '${Status}\n' rport 2>/dev/null | grep -q '^install ok installed'; then METHOD=deb BIN=/usr/bin/rport
	elif rpm_has_client; then METHOD=rpm BIN=/usr/bin/rport
	else
		for program in /usr/bin/rport /usr/local/bin/rport; do [ ! -f "$program" ] || BIN=$program; done
	fi
}
# version_of PROGRAM: the version that it says.
version_of() { "$1" --version 2>/dev/null </dev/null | sed -n 's/^[^0-9]*\([0-9][^ ]*\).*/\1/p' | head -n 1; }
