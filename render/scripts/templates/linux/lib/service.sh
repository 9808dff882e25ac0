INIT_SCRIPT=/etc/init.d/rport
# Not those in containers: same program, same mount namespace. Root without CAP_SYS_PTRACE (in a container) may read neither.
client_pids() {
	here=$(readlink /proc/self/ns/mnt) || :
	for proc in /proc/[0-9]*; do
		read -r comm 2>/dev/null <"$proc/comm" || continue
		[ "$comm" = rport ] || continue
		exe=$(readlink "$proc/exe" 2>/dev/null) || exe=$(tr '\0' '\n' 2>/dev/null <"$proc/cmdline" | head -n 1)
		case $exe in "$BIN" | "$BIN (deleted)") ;; *) continue ;; esac
		space=$(readlink "$proc/ns/mnt" 2>/dev/null) || space=$here
		[ "$space" != "$here" ] || echo "${proc#/proc/}"
	done
}
# Stops the client and waits for its end.
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
# The client must not inherit that signals are ignored, and not die with the terminal.
apart() {
	if have setsid; then
		trap - HUP INT TERM PIPE
		exec setsid "$@"
	fi
	trap - TERM PIPE
	exec "$@"
}
# Starts the client, as service or by itself.
service_start() {
	case $INIT in
		systemd) systemctl restart rport ;; # start would wait until RestartSec of a crashed one is over
		openrc) (apart rc-service rport start) ;;
		sysv) (apart "$INIT_SCRIPT" start) ;;
		# In the background, as its user and never as root.
		*) (umask 027; apart su -s /bin/sh "$RUN_AS" -c "exec $BIN -c $CONF") & ;;
	esac >"$TMP/said" 2>&1 </dev/null || :
}
