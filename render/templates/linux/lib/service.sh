UNIT=/etc/systemd/system/rport.service
INIT_SCRIPT=/etc/init.d/rport

# Process ids of this machine's client: same program, same mount namespace (so not the clients in containers).
client_pids() {
  here=$(readlink /proc/self/ns/mnt 2>/dev/null || :)
  for proc in /proc/[0123456789]*; do
    case $(readlink "$proc/exe" 2>/dev/null || :) in
      "$BIN" | "$BIN (deleted)") [ "$(readlink "$proc/ns/mnt" 2>/dev/null || :)" != "$here" ] || echo "${proc#/proc/}" ;;
    esac
  done
}
kill_client() {
  for round in TERM TERM TERM KILL; do
    pids=$(client_pids)
    [ -n "$pids" ] || return 0
    # shellcheck disable=SC2086 # a list of numbers
    kill -"$round" $pids 2>/dev/null || :
    sleep 1
  done
}

# Writes the service definition, unless there is one (from a package, or an earlier run) that starts the same thing.
service_define() {
  case $INIT in
    systemd)
      unit_text=$(systemctl cat rport.service 2>/dev/null || :)
      case $unit_text in
        *"User=$RUN_AS
"*) [ -z "$FORCE" ] || [ ! -f "$UNIT" ] || service_forget ;;
        '') ;;
        *) service_forget ;;
      esac
      if ! systemctl cat rport.service >/dev/null 2>&1; then
        note service rport
        "$BIN" --service install --service-user "$RUN_AS" --config "$CONF" >"$TMP/said" 2>&1 ||
          die 1 'the client refuses its configuration, or cannot register its service:' "$(redact <"$TMP/said" | tail -n 3)"
      fi
      systemctl daemon-reload
      systemctl enable rport.service >/dev/null 2>&1 || warn 'the service could not be enabled: it will not start with the machine.'
      ;;
    openrc)
      openrc_script >"$TMP/init"
      put_init_script
      rc-update add rport default >/dev/null || warn 'the service could not be enabled: it will not start with the machine.'
      ;;
    sysv)
      sysv_script >"$TMP/init"
      put_init_script
      if have update-rc.d; then update-rc.d rport defaults
      elif have chkconfig; then chkconfig --add rport
      else for level in 2 3 4 5; do ln -sf "$INIT_SCRIPT" "/etc/rc$level.d/S95rport"; done
      fi >/dev/null 2>&1 || warn 'the service could not be enabled: it will not start with the machine.'
      ;;
  esac
}
put_init_script() {
  [ -e "$INIT_SCRIPT" ] || note service rport
  put "$TMP/init" "$INIT_SCRIPT" 755 root:root
}
service_forget() {
  rm -f "$UNIT"
  systemctl daemon-reload
}

openrc_script() {
  cat <<END
#!/sbin/openrc-run
# RPort client. Written by the installer of the pairing service.
description="RPort client"
command="$BIN"
command_args="-c $CONF"
command_user="$RUN_AS"
command_background=true
pidfile="/run/rport.pid"
depend() { need net; after firewall; }
END
}
sysv_script() {
  cat <<END
#!/bin/sh
### BEGIN INIT INFO
# Provides:          rport
# Required-Start:    \$network \$remote_fs
# Required-Stop:     \$network \$remote_fs
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: RPort client
### END INIT INFO
# chkconfig: 2345 95 05
# description: RPort client. Written by the installer of the pairing service.
pidfile=/var/run/rport.pid
running() { [ -s "\$pidfile" ] && kill -0 "\$(cat "\$pidfile")" 2>/dev/null; }
start() {
  running && return 0
  if command -v start-stop-daemon >/dev/null 2>&1; then
    start-stop-daemon --start --background --make-pidfile --pidfile "\$pidfile" --chuid $RUN_AS --exec $BIN -- -c $CONF
  else
    su -s /bin/sh $RUN_AS -c 'exec $BIN -c $CONF </dev/null >/dev/null 2>&1 & echo \$!' >"\$pidfile"
  fi
}
stop() {
  running && kill "\$(cat "\$pidfile")"
  for i in 1 2 3 4 5 6 7 8 9 10; do running || break; sleep 1; done
  rm -f "\$pidfile"
}
case "\$1" in
  start) start ;;
  stop) stop ;;
  restart | force-reload) stop; start ;;
  status) if running; then echo running; else echo stopped; exit 3; fi ;;
  *) echo "Usage: \$0 {start|stop|restart|status}" >&2; exit 2 ;;
esac
END
}

service_start() {
  case $INIT in
    systemd) systemctl reset-failed rport.service 2>/dev/null || :; systemctl start rport.service ;;
    openrc) rc-service rport start ;;
    sysv) "$INIT_SCRIPT" start ;;
    none) start_alone ;;
  esac >"$TMP/said" 2>&1 </dev/null
}
# No init system: started once, in the background, as its user and never as root.
start_alone() {
  # shellcheck disable=SC2016 # $0 and $1 are for the inner shell
  if have setpriv && setpriv --help 2>&1 | grep -q -e --reuid; then
    (trap '' HUP INT; umask 027; exec setpriv --reuid "$RUN_AS" --regid "$(group_of "$RUN_AS")" --init-groups "$BIN" -c "$CONF") &
  elif have su; then
    (trap '' HUP INT; umask 027; exec su -s /bin/sh "$RUN_AS" -c 'exec "$0" -c "$1"' "$BIN" "$CONF") &
  else
    start-stop-daemon -S -b -c "$RUN_AS" -x "$BIN" -- -c "$CONF"
  fi
}
service_stop() {
  case $INIT in
    systemd) systemctl stop rport.service ;;
    openrc) rc-service rport stop ;;
    sysv) [ ! -x "$INIT_SCRIPT" ] || "$INIT_SCRIPT" stop ;;
  esac >/dev/null 2>&1 </dev/null || :
  kill_client
}
service_remove() {
  case $INIT in
    systemd) systemctl disable rport.service || : ;;
    openrc) rc-update del rport default || : ;;
    sysv)
      if have update-rc.d; then rm -f "$INIT_SCRIPT"; update-rc.d rport remove || :
      elif have chkconfig; then chkconfig --del rport || :
      fi
      ;;
  esac >/dev/null 2>&1
  rm -f "$UNIT" "$INIT_SCRIPT" /etc/systemd/system/*.wants/rport.service /etc/rc?.d/[SK]??rport /etc/runlevels/*/rport \
    /run/rport.pid /var/run/rport.pid
  [ "$INIT" != systemd ] || systemctl daemon-reload
}

# redact: standard input without the credentials, for everything that another program wrote.
redact() {
  R1="${PASSWORD:-}" R2="${CLIENT_ID:-}" awk '
    function hide(s, secret,   p, out) {
      if (length(secret) < 4) return s
      while (p = index(s, secret)) { out = out substr(s, 1, p - 1) "***"; s = substr(s, p + length(secret)) }
      return out s
    }
    { print hide(hide($0, ENVIRON["R1"]), ENVIRON["R2"]) }'
}

log_mark() { LOG_FROM=$(($(cat "$LOG_FILE" 2>/dev/null | wc -c) + 1)); }
log_new() { tail -c "+$LOG_FROM" "$LOG_FILE" 2>/dev/null || :; }
# Waits until the client's own log says that it is connected. Sets VERDICT: connected, refused, duplicate or silent.
await_connection() {
  VERDICT=silent waited=0
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
