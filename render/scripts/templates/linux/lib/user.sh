UNIT=/etc/systemd/system/rport.service
# Only a user made for the client, whose home is the client's data.
remove_user() {
	grep -q "^$1:[^:]*:[^:]*:[^:]*:[^:]*:$DATA:" /etc/passwd || return 0
	act "remove the user $1" || return 0
	if have userdel; then hush userdel "$1"
	else hush deluser "$1"
	fi || warn "the user $1 could not be removed."
	# A group with members is not the client's alone.
	! grep -q "^$1:[^:]*:[^:]*:$" /etc/group || hush groupdel "$1" || hush delgroup "$1" || :
}
# Users made for the client, which it does not run as any more: it got another one (-a).
earlier_users() { awk -F: -v home="$DATA" -v now="$RUN_AS" '$6 == home && $1 != now { print $1 }' /etc/passwd; }
# A unit that an administrator has masked stays so.
is_masked() { [ "$(readlink "$UNIT" 2>/dev/null)" = /dev/null ] || [ "$(readlink "/run/systemd/system/${UNIT##*/}" 2>/dev/null)" = /dev/null ]; }
# Removes the service.
service_remove() {
	case $INIT in
		systemd) systemctl disable rport ;;
		openrc) rc-update del rport default ;;
		sysv) update-rc.d -f rport remove ;;
	esac >/dev/null 2>&1 || :
	is_masked || rm -f "$UNIT"
	rm -f "$INIT_SCRIPT" /etc/systemd/system/*.wants/rport.service /etc/rc?.d/[SK]??rport /run/rport.pid
	[ "$INIT" != systemd ] || systemctl daemon-reload || :
}
