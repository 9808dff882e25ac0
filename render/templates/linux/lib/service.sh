INIT_SCRIPT=/etc/init.d/rport
## Not those in containers: same program, same mount namespace.
client_pids() {
	for proc in /proc/[0-9]*; do
		case $(readlink "$proc/exe" 2>/dev/null) in
			"$BIN" | "$BIN (deleted)") [ "$(readlink "$proc/ns/mnt")" != "$(readlink /proc/self/ns/mnt)" ] || echo "${proc#/proc/}" ;;
		esac
	done
}
service_stop() {
	case $INIT in
		systemd) systemctl stop rport ;;
		openrc) rc-service rport stop || rc-service rport zap ;; # zap: forget a crashed one
		sysv) "$INIT_SCRIPT" stop ;;
	esac >/dev/null 2>&1 </dev/null || :
	for signal in TERM TERM TERM KILL; do
		pids=$(client_pids)
		[ -n "$pids" ] || return 0
		# shellcheck disable=SC2086 # numbers
		kill -"$signal" $pids 2>/dev/null || :
		sleep 1
	done
}
service_start() {
	case $INIT in
		systemd) systemctl start rport ;;
		openrc) rc-service rport start ;;
		sysv) "$INIT_SCRIPT" start ;;
		## In the background, as its user and never as root.
		*)
			(umask 027; trap '' HUP INT; exec su -s /bin/sh "$RUN_AS" -c "exec $BIN -c $CONF") &
			;;
	esac >"$TMP/said" 2>&1 </dev/null || :
}
