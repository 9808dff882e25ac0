HOLD=15
# What other programs wrote, without the credentials. Only they are taken out, so that the reason stays.
redact() {
	R1=${PASSWORD:-} R2=${CLIENT_ID:-} awk '
	function cut(secret,   at, done) {
		if (length(secret) < 4) return
		done = ""
		while ((at = index($0, secret)) > 0) {
			done = done substr($0, 1, at - 1) "***"
			$0 = substr($0, at + length(secret))
		}
		$0 = done $0
	}
	{ cut(ENVIRON["R1"]); cut(ENVIRON["R2"]); print }'
}
# How long the client's log is now.
log_size() { if [ -f "$LOG" ] && [ ! -L "$LOG" ]; then wc -c <"$LOG"; else echo 0; fi; }
# What the client has logged since its start.
log_new() { [ ! -f "$LOG" ] || [ -L "$LOG" ] || tail -c "+$((LOG_FROM + 1))" "$LOG" 2>/dev/null || :; }
# What the client wrote since its start: sets STATE (empty: nothing about a connection) and TRIED (the last server that it
# tried; empty at level error).
read_log() {
	STATE='' TRIED=''
	log_new | awk '
	/: Trying to connect to / { tried = $0; sub(/.*: Trying to connect to /, "", tried); sub(/ .*/, "", tried); denied = 0 }
	/: Connected to / { state = "connected" }
	/: Disconnected/ { state = "" }
	/: connection error: / && !denied { state = "failed" }
	/: Authentication failed/ { state = "refused"; denied = 1 }
	/already connected or previous session/ { state = "duplicate" }
	/client auth ID is already in use/ { state = "used" }
	END { print state; print tried }' >"$TMP/log"
	{ read -r STATE; read -r TRIED; } <"$TMP/log" || :
}

# HOST and PORT of an address, with the port that its scheme implies.
split_url() {
	HOST=${1#*://}
	HOST=${HOST%%[/?#]*} PORT=''
	HOST=${HOST##*@}
	case $HOST in
		*]:* | [!:]*:*[!0-9]*:*) case $HOST in *]:*) PORT=${HOST##*:} HOST=${HOST%:*} ;; esac ;;
		*:*:*) ;;
		*:*) PORT=${HOST##*:} HOST=${HOST%:*} ;;
	esac
	HOST=${HOST#"["}
	HOST=${HOST%]}
	case $HOST in *[A-Z]*) HOST=$(printf '%s\n' "$HOST" | tr '[:upper:]' '[:lower:]') ;; esac
	case $PORT:$1 in
		:[Hh][Tt][Tt][Pp][Ss]:* | :[Ww][Ss][Ss]:*) PORT=443 ;;
		:[Ss][Oo][Cc][Kk][Ss]*) PORT=1080 ;;
		:*) PORT=80 ;;
	esac
}
# addresses NAME: all addresses of a host.
addresses() {
	case $1 in '' | -* | *[!0-9A-Za-z.:_-]*) return ;; esac
	echo "$1"
	case $1 in *:*) return ;; *[!0-9.]*) ;; *) return ;; esac
	listed=$(awk -v name="$1" '{ sub(/#.*/, ""); for (i = 2; i <= NF; i++) if (tolower($i) == name) print $1 }' /etc/hosts 2>/dev/null) || :
	echo "$listed"
	if have getent; then getent ahosts "$1"; elif [ -z "$listed" ]; then nslookup "$1" | sed '1,/^Name/d'; fi 2>/dev/null </dev/null || :
}
# Where the client should be connected to; asked again, since a name may have other addresses a moment later.
find_peers() {
	for role in server proxy; do
		if [ $role = server ]; then split_url "$SERVER_URL"; else split_url "$PROXY_URL"; fi
		for address in $(addresses "$HOST"); do echo "$role $address $PORT"; done
	done >>"$TMP/peers"
}
# Each established connection of the client: server, proxy or other, its number in the kernel, the peer.
connections() {
	for pid in $(client_pids); do
		{
			cat "$TMP/peers"
			awk '$1 == "Uid:" { print "uid", $2 }' "/proc/$pid/status"
			ls -l "/proc/$pid/fd" || :
			cat "/proc/$pid/net/tcp" "/proc/$pid/net/tcp6" || :
		} 2>/dev/null | awk -v order="$(printf ab | od -An -tx2)" '
		function hex4(s,   p, i, r) {
			if (split(s, p, ".") != 4) return ""
			for (i = 1; i <= 4; i++) {
				if (p[i] !~ /^[0-9]+$/) return ""
				r = r sprintf("%02X", p[i])
			}
			return r
		}
		function groups(s,   p, i, n, r) {
			n = split(s, p, ":")
			for (i = 1; i <= n; i++) r = r substr("0000" p[i], length(p[i]) + 1)
			return r
		}
		function hex(s,   at, left, right) {
			sub(/%.*/, "", s)
			if (s !~ /:/) return hex4(s)
			if (s ~ /[^0-9A-Fa-f:.]/) return ""
			if (s ~ /\./) {
				match(s, /[^:]*$/)
				right = hex4(substr(s, RSTART))
				s = substr(s, 1, RSTART - 1) substr(right, 1, 4) ":" substr(right, 5)
			}
			if ((at = index(s, "::")) > 0) {
				left = groups(substr(s, 1, at - 1))
				right = groups(substr(s, at + 2))
				while (length(left) + length(right) < 32) left = left "0"
				s = left right
			} else s = groups(s)
			return plain(toupper(s))
		}
		# ::ffff:192.0.2.1 is 192.0.2.1.
		function plain(s) { return substr(s, 1, 24) == "00000000000000000000FFFF" ? substr(s, 25) : s }
		# The kernel prints words of 32 bits in the byte order of the processor.
		function network(s,   i, r) {
			if (order !~ /6261/) return plain(s)
			for (i = 1; i < length(s); i += 8) r = r substr(s, i + 6, 2) substr(s, i + 4, 2) substr(s, i + 2, 2) substr(s, i, 2)
			return plain(r)
		}
		function number(s,   i, r) {
			r = 0
			for (i = 1; i <= length(s); i++) r = r * 16 + index("0123456789ABCDEF", substr(s, i, 1)) - 1
			return r
		}
		function text(s,   i, r) {
			if (length(s) == 8) return number(substr(s, 1, 2)) "." number(substr(s, 3, 2)) "." number(substr(s, 5, 2)) "." number(substr(s, 7))
			for (i = 1; i < 32; i += 4) r = r (i > 1 ? ":" : "[") tolower(substr(s, i, 4))
			return r "]"
		}
		$1 == "server" || $1 == "proxy" { if ((at = hex($2)) != "") kind[at, $3] = $1; next }
		$1 == "uid" { uid = $2; next }
		/ -> / { seen = 1; if (/socket:\[/) { sub(/.*socket:\[/, ""); sub(/\].*/, ""); open[$0] = 1 }; next }
		$1 ~ /^[0-9]+:$/ && $4 == "01" && (seen ? ($10 in open) : $8 == uid) {
			split($3, end, ":")
			at = network(end[1]); port = number(end[2])
			what = "other"
			if ((at, port) in kind) what = kind[at, port]
			print what, $10, text(at) ":" port
		}
		$1 == "sl" { tables = 1 }
		END { if (!tables) print "hidden" }'
	done
}

# Sets VERDICT and NOTE by where a steady connection leads, when the log says nothing.
judge_peer() {
	VERDICT=connected
	case $kind in
		server) [ -z "$TRIED" ] || NOTE='It holds a connection to the server, which its log does not confirm.' ;;
		proxy) NOTE="It holds a connection to the proxy $PEER. Whether that leads to $SERVER_HOST cannot be seen here: look at the server." ;;
		other)
			case $(toml "$CONF" client fallback_servers) in
				'' | '[]') NOTE="It holds a connection to $PEER, which is no known address of $SERVER_HOST: look at the server." ;;
				*) VERDICT=elsewhere; return 1 ;;
			esac
			;;
	esac
}
# Starts the client and waits. The log can prove a connection and refuse one, but be silent: then it is connected
# when it holds one connection for 15 s. Sets VERDICT, PEER and NOTE (what could not be confirmed).
start_and_wait() {
	LOG_FROM=$(log_size) VERDICT=silent NOTE='' PEER='' waited=0 held=0 socket='' absent=0 kind='' number=''
	SERVER_URL=$(toml "$CONF" client server) PROXY_URL=$(toml "$CONF" client proxy)
	split_url "$SERVER_URL"
	SERVER_HOST=$HOST SERVER=$HOST:$PORT
	: >"$TMP/peers"
	find_peers
	service_start
	: >"$TMP/started"
	while [ "$waited" -lt "$WAIT" ] || { [ "$held" -gt 0 ] && [ "$waited" -lt $((WAIT + HOLD)) ]; }; do
		sleep 1
		waited=$((waited + 1))
		read_log
		case $STATE in refused | used) VERDICT=$STATE; return 1 ;; esac
		connections | sort -r >"$TMP/connections" # server, proxy, other, hidden
		if [ -z "$(client_pids)" ]; then
			absent=$((absent + 1)) held=0
			[ $absent -ne 2 ] || service_start
			[ $absent -lt 6 ] || { VERDICT=stopped; return 1; }
			continue
		fi
		absent=0 kind='' number='' PEER=''
		while read -r found inode peer; do
			if [ -z "$kind" ] || { [ "$kind" = "$found" ] && [ "$inode" = "$socket" ]; }; then kind=$found number=$inode PEER=$peer; fi
		done <"$TMP/connections"
		[ "$kind" != other ] || find_peers
		if [ -n "$number" ] && [ "$number" = "$socket" ]; then held=$((held + 1)); else socket=$number held=0; fi
		case $STATE in
			connected)
				if [ -n "$kind" ]; then
					split_url "$TRIED"
					[ "$HOST:$PORT" = "$SERVER" ] || { VERDICT=elsewhere; return 1; }
					VERDICT=connected
					return 0
				fi
				;;
			*)
				VERDICT=silent
				[ "$STATE" != duplicate ] || VERDICT=duplicate
				# At level error the log says what failed, and nothing when it works later.
				if [ "$held" -ge "$HOLD" ] && { [ -z "$STATE" ] || [ -z "$TRIED" ]; }; then judge_peer; return; fi
				;;
		esac
	done
	if [ "$kind" = hidden ] && [ -z "$STATE" ]; then VERDICT=connected NOTE='Whether it is connected cannot be seen here: look at the server.'; fi
	[ "$absent" -eq 0 ] || VERDICT=stopped
	[ $VERDICT = connected ]
}
# Why it is not connected: from the log, else from the client itself, which says on its standard error what it refuses.
last_words() {
	log_new | grep -i 'error\|fail\|refuse\|in use\|invalid' | tail -n 5 >"$TMP/why" || :
	[ -s "$TMP/why" ] || log_new | tail -n 5 >"$TMP/why"
	if [ ! -s "$TMP/why" ] && [ "$VERDICT" = stopped ]; then
		(trap - HUP INT TERM PIPE; exec su -s /bin/sh "$RUN_AS" -c "exec $BIN -c $CONF") >"$TMP/why" 2>&1 </dev/null &
		sleep 2
		for pid in $(client_pids); do kill "$pid" 2>/dev/null || :; done
	fi
	[ -s "$TMP/why" ] || if [ "$INIT" = systemd ]; then journalctl -qu rport -n 5 -o cat; else cat "$TMP/said"; fi >"$TMP/why"
	redact <"$TMP/why"
}
# What to do about VERDICT.
advice() {
	case $VERDICT in
		refused) echo 'Wrong credentials: use a new code. Five failed logins ban this address for an hour.' ;;
		used) echo 'The server allows these credentials one client (auth_multiuse_creds = false), and another one uses them: create others.' ;;
		duplicate)
			echo 'The id of this machine is connected already. After a power cut the server forgets the old session within minutes, and the'
			echo 'client connects by itself. If this is a clone of another machine, give it an id of its own: -d -f.'
			;;
		elsewhere) echo "It is connected to $PEER, not to $SERVER_HOST: see fallback_servers in $CONF." ;;
		stopped) echo "The client ended at once. Check $CONF." ;;
		*) echo "No connection in $WAIT s. Check fingerprint, server, firewall and $LOG." ;;
	esac
}
