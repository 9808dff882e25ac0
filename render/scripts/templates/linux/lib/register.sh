# Registers the service, started with the machine, and not started yet.
service_define() {
	case $INIT in
		systemd)
			if has f || ! systemctl cat rport 2>/dev/null | grep -qx "User=$RUN_AS"; then
				[ ! -f "$UNIT" ] || { keep_old "$UNIT" && rm "$UNIT"; }
				note service_remove rport
				(umask 022 && quietly "$BIN" --service install --service-user "$RUN_AS" --config "$CONF") || die 1 'the client refuses to be a service:' "$(said | redact)"
			fi
			systemctl daemon-reload
			quietly systemctl enable rport
			;;
		openrc)
			put_init '#!/sbin/openrc-run' "command='$BIN'" "command_args='-c $CONF'" "command_user='$RUN_AS'" \
				command_background=true pidfile=/run/rport.pid 'depend() { use net; }'
			quietly rc-update add rport default
			;;
		sysv)
			put_init "$(sysv_script)"
			quietly update-rc.d rport defaults
			;;
	esac || warn 'the service will not start with the machine.'
}
# put_init LINE...: writes the init script.
put_init() {
	printf '%s\n' "$@" >"$TMP/init"
	[ -e "$INIT_SCRIPT" ] || note service_remove rport
	put "$TMP/init" "$INIT_SCRIPT" 755
}
# The init script for SysV.
sysv_script() {
	cat <<END
#!/bin/sh
### BEGIN INIT INFO
# Provides: rport
# Required-Start: \$network \$remote_fs
# Required-Stop: \$network
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
# Short-Description: RPort client
### END INIT INFO
pid=/var/run/rport.pid
# Whether the client runs.
up() { [ -s \$pid ] && kill -0 "\$(cat \$pid)" 2>/dev/null; }
case \$1 in
  start) up || su -s /bin/sh $RUN_AS -c 'exec $BIN -c $CONF </dev/null >/dev/null 2>&1 & echo \$!' >\$pid ;;
  stop) up && kill "\$(cat \$pid)"; for i in 1 2 3 4 5 6 7 8 9; do up && sleep 1; done; rm -f \$pid ;;
  restart) "\$0" stop; "\$0" start ;;
  status) up ;;
esac
END
}
