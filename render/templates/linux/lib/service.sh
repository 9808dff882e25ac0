INIT_SCRIPT=/etc/init.d/rport
# Not those in containers: same program, same mount namespace.
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
		openrc) rc-service rport stop ;;
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
		# In the background, as its user and never as root.
		*)
			umask 027
			if setpriv --help 2>&1 | grep -q -e --reuid; then
				(trap '' HUP INT; exec setpriv --reuid "$RUN_AS" --regid "$(group_of "$RUN_AS")" --init-groups "$BIN" -c "$CONF") &
			else
				(trap '' HUP INT; exec su -s /bin/sh "$RUN_AS" -c "exec $BIN -c $CONF") &
			fi
			umask 077
			;;
	esac >"$TMP/said" 2>&1 </dev/null || :
}
# What other programs wrote, without the credentials.
redact() {
	R1=${PASSWORD:-} R2=${CLIENT_ID:-} awk '
	function hide(s, secret,   p, out) {
		if (length(secret) < 4) return s
		while (p = index(s, secret)) { out = out substr(s, 1, p - 1) "***"; s = substr(s, p + length(secret)) }
		return out s
	}
	{ print hide(hide($0, ENVIRON["R1"]), ENVIRON["R2"]) }'
}
log_size() { if [ -f "$LOG_FILE" ]; then wc -c <"$LOG_FILE"; else echo 0; fi; }
log_new() { [ ! -f "$LOG_FILE" ] || tail -c "+$((LOG_FROM + 1))" "$LOG_FILE"; }
start_and_wait() {
	LOG_FROM=$(log_size) VERDICT=silent waited=0
	service_start
	while [ "$waited" -lt "$WAIT" ]; do
		sleep 1
		waited=$((waited + 1))
		case $(log_new) in
			*'Connected to'*) VERDICT=connected; return 0 ;;
			*'Authentication failed'*) VERDICT=refused; return 1 ;;
			*'already in use'*) VERDICT=duplicate; return 1 ;;
		esac
	done
	return 1
}
last_words() {
	log_new | grep -i 'error\|fail\|refuse\|in use\|invalid' | tail -n 5 >"$TMP/why" || :
	[ -s "$TMP/why" ] || log_new | tail -n 5 >"$TMP/why"
	[ -s "$TMP/why" ] || tail -n 5 "$TMP/said" >"$TMP/why"
	redact <"$TMP/why"
}
