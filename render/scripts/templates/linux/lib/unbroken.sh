# Runs a function that stops the client, so that nothing can end it half-way: the terminal may hang on
# a tunnel of this client. It goes on without us, and what it says is also in REPORT.
unbroken() {
	REPORT=/var/log/${NAME%.sh}.log
	[ -z "${RPORT_DETACHED:-}" ] || REPORT=/dev/null # it is our output already
	[ -n "${RPORT_DETACHED:-}" ] || rm -f "$REPORT"
	(: >"$REPORT") 2>/dev/null || REPORT=$TMP/report
	: >"$TMP/out"
	: >"$TMP/err"
	exec 8<"$TMP/out" 9<"$TMP/err"
	trap '' HUP INT TERM PIPE
	(
		WORKER=yes
		exec 8<&- 9<&-
		trap 'clean_up $?' EXIT
		"$@"
	) >"$TMP/out" 2>"$TMP/err" </dev/null &
	worker=$!
	trap 'leave' HUP INT TERM PIPE
	box=$TMP TMP='' STARTED=yes CODE=''
	wait $worker || CODE=$?
	trap '' HUP INT TERM PIPE
	cat <&8
	cat <&9 >&2
	# All has been said: where nothing is changed, or all is gone, no log stays.
	case $NAME:${CODE:-0} in rport-uninstall.sh:* | *:[123]) [ "$REPORT" = /dev/null ] || rm -f "$REPORT" ;; esac
	exit "${CODE:-0}"
}
# What is there, when the administrator does not wait for the end.
leave() {
	trap '' HUP INT TERM PIPE
	set +e
	CODE=130 seconds=0
	if [ "$NAME" = rport-uninstall.sh ]; then
		warn "interrupted. The removal goes on in the background: see $REPORT."
		exit 130
	fi
	while [ -d "$box" ] && [ ! -e "$box/started" ] && [ $seconds -lt 15 ]; do
		sleep 1
		seconds=$((seconds + 1))
	done
	pids=$(client_pids)
	if [ -n "$pids" ]; then pids="The client runs ($BIN, version $(version_of "$BIN"))."; else pids='The client is being started.'; fi
	warn "interrupted. $pids" "Whether it connects is judged in the background, and what does not is taken back: see $REPORT."
	exit 130
}

# A restart of the client ends what it runs: then this goes on outside of its reach.
inside_client() {
	process=$$
	while [ "${process:-0}" -gt 1 ]; do
		[ "$(cat "/proc/$process/comm" 2>/dev/null)" != rport ] || return 0
		process=$(awk '$1 == "PPid:" { print $2 }' "/proc/$process/status" 2>/dev/null) || :
	done
	grep -qs '/rport\.service$' /proc/self/cgroup
}
# Goes on outside of the client, whose restart would end this script.
detach() {
	grep -qs "$NAME" "$0" || die 1 'the client itself runs this script, so it must come from a file.' "Save it as $NAME, then: sh $NAME"
	make_tmp
	if have write_login; then # uninstall.sh downloads nothing
		detect_fetcher
		write_login
	fi
	cp "$0" "$TMP/$NAME"
	log=/var/log/${NAME%.sh}.log
	# A file for what must be known there, and no options of systemd-run: 219 and 232 know few, and everybody can ask systemd
	# for a --setenv.
	{
		awk 'BEGIN {
			quote = "\047"
			n = split("http_proxy https_proxy all_proxy no_proxy HTTPS_PROXY ALL_PROXY NO_PROXY RPORT_INSTALLER_WAIT", name, " ")
			for (i = 1; i <= n; i++) if (name[i] in ENVIRON) {
				parts = split(ENVIRON[name[i]], part, quote)
				text = "export " name[i] "=" quote part[1]
				for (j = 2; j <= parts; j++) text = text quote "\\" quote quote part[j]
				print text quote
			}
		}'
		# shellcheck disable=SC2016 # for the shell that reads it
		echo 'umask 077; export RPORT_DETACHED="${0%/*}"; sh "$RPORT_DETACHED/'"$NAME\" \"\$@\" >$log 2>&1 || :"
	} >"$TMP/start"
	rm -f "$log"
	say "The client runs this script, so it goes on in the background; see $log."
	if [ "$INIT" = systemd ]; then
		quietly systemd-run sh "$TMP/start" "$@" || die 1 'systemd does not run this script outside of the client:' "$(cat "$TMP/said")"
	else
		run='sh'
		! have setsid || run='setsid sh'
		$run "$TMP/start" "$@" >/dev/null 2>&1 </dev/null &
	fi
	TMP=''
}
# The folder that detach made, or a new one.
make_or_take_tmp() { case ${RPORT_DETACHED:-} in */rport.????????) TMP=$RPORT_DETACHED ;; *) make_tmp ;; esac }
