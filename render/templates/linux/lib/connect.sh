## What other programs wrote, without the credentials.
redact() {
	R1=${PASSWORD:-} R2=${CLIENT_ID:-} awk '
	function has(secret) { return length(secret) > 3 && index($0, secret) }
	{ print has(ENVIRON["R1"]) || has(ENVIRON["R2"]) ? "***" : $0 }'
}
log_size() { if [ -f "$LOG" ]; then wc -c <"$LOG"; else echo 0; fi; }
log_new() { [ ! -f "$LOG" ] || tail -c "+$((LOG_FROM + 1))" "$LOG"; }
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
	[ -s "$TMP/why" ] || if [ "$INIT" = systemd ]; then journalctl -qu rport -n 5 -o cat; else cat "$TMP/said"; fi >"$TMP/why"
	redact <"$TMP/why"
}
