UNIT=/etc/systemd/system/rport.service
# Only a user that was made for the client is removed: its home is the client's data folder.
remove_user() {
	grep -q "^$1:[^:]*:[^:]*:[^:]*:[^:]*:$DATA:" /etc/passwd || return 0
	act "remove the user $1" || return 0
	if have userdel; then userdel "$1"
	elif have deluser; then deluser "$1"
	else
		for list in /etc/passwd /etc/group; do
			cp -p "$list" "$list.old" && grep -v "^$1:" "$list.old" >"$list" && rm -f "$list.old"
		done
	fi </dev/null >/dev/null 2>&1 || warn "the user $1 could not be removed."
	if grep -q "^$1:" /etc/group; then groupdel "$1" 2>/dev/null || delgroup "$1" 2>/dev/null || :; fi
}
service_remove() {
	case $INIT in
		systemd) systemctl disable rport ;;
		openrc) rc-update del rport default ;;
		sysv) if have update-rc.d; then update-rc.d -f rport remove; elif have chkconfig; then chkconfig --del rport; fi ;;
	esac >/dev/null 2>&1 || :
	rm -f "$UNIT" "$INIT_SCRIPT" /etc/systemd/system/*.wants/rport.service /etc/rc?.d/[SK]??rport /run/rport.pid
	[ "$INIT" != systemd ] || systemctl daemon-reload || :
}
