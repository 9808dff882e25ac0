#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs the RPort client on this machine and connects it to your server. Try -h for help, -n to see what it would do.
# Everything is inside functions that the last line calls: a download that was cut off does nothing.

credentials() {
  # Environment variables of these names must not be passed on to other programs.
  unset FINGERPRINT CONNECT_URL CLIENT_ID PASSWORD
FINGERPRINT={{fingerprint}}
CONNECT_URL={{connect_url}}
CLIENT_ID={{client_id}}
PASSWORD={{password}}
}
sources() {
  NAME=rport-installer.sh
  PAIRPORT_VERSION={{pairport_version}}
  STABLE={{version}}
  UNSTABLE={{unstable_version}}
  LINUX_URL={{linux_url}}
  CHECKSUMS_URL={{checksums_url}}
  DEB_REPO={{deb_repo}}
  RPM_REPO={{rpm_repo}}
  REPO_KEYS={{repo_keys}}
  USE_REPOSITORIES={{use_repositories}}
  TACOSCRIPT_URL={{tacoscript_url}}
  SHA256={{sha256}}
}

help() {
  cat <<'END'
Usage: sh rport-installer.sh [options]
Installs the RPort client and connects it to your server.
  -h          print this help
  -v          print the version of the client that would be installed
  -n          dry run: print every action, change nothing
  -q          quiet: print warnings and errors only
  -c          install (this is the default)
  -u          uninstall the client with its configuration, data and logs
  -f          force: install the program again and rewrite the configuration (only the client id is kept)
  -t          newest unstable version
  -V VERSION  exactly this version
  -p          use the archive, not the deb or rpm repository
  -z URL      use the package (tar.gz, deb or rpm) from this address
  -x          allow the server to execute any command and script
  -s          sudo rule: full root access for the client's user
  -r          file reception: the server may send files to this machine (otherwise it is switched off)
  -b          sudo rule for file reception: received files may be written anywhere (needs -r)
  -a USER     run the client as USER instead of rport; created if missing
  -g TAG      add a tag to the client; repeatable
  -d          identify this machine by a random UUID instead of its machine-id (with -f: by a new one)
  -i          install Tacoscript, too
  -l          go on although SELinux is enforcing
  -N          no service: install and configure only, print the command that runs the client
An installed client is repaired and paired again: its id and settings are kept, the old configuration is saved beside it.
Environment: RPORT_INSTALLER_DL_USERNAME, RPORT_INSTALLER_DL_PASSWORD  login for -z
             RPORT_INSTALLER_WAIT   seconds to wait for the connection (40)
             http_proxy, https_proxy, no_proxy   for downloads
Exit code: 0 connected                 1 wrong usage or environment, nothing changed
           2 cannot reach the server, nothing changed    3 download, package or checksum bad, nothing changed
           4 installed, but not connected (the client is stopped when the server refuses its credentials or its id)
           5 already installed in a way that this script cannot change, left alone    130 interrupted
END
}

main() {
  set_up
  sources
  options "$@"
  case $ACTION in
    help) help ;;
    version) echo "rport ${VERSION:-$DEFAULT_VERSION} (installer of pairport $PAIRPORT_VERSION)" ;;
    uninstall) uninstall ;;
    install) install ;;
  esac
}

options() {
  ACTION=install VERSION='' CHANNEL=stable DEFAULT_VERSION=$STABLE ARCHIVE_ONLY='' URL='' COMMANDS='' SUDO='' RECEPTION=''
  RECEPTION_SUDO='' RUN_AS='' TAGS='' RANDOM_ID='' TACOSCRIPT='' SELINUX='' SERVICE=yes
  WAIT=${RPORT_INSTALLER_WAIT:-40}
  while getopts :hvnqcuftV:pz:xsrba:g:dilN option; do
    case $option in
      h) ACTION=help ;;
      v) ACTION=version ;;
      n) DRY=yes ;;
      q) QUIET=yes ;;
      c) ACTION=install ;;
      u) ACTION=uninstall ;;
      f) FORCE=yes ;;
      t) CHANNEL=unstable DEFAULT_VERSION=$UNSTABLE ;;
      V) VERSION=$OPTARG ;;
      p) ARCHIVE_ONLY=yes ;;
      z) URL=$OPTARG ;;
      x) COMMANDS=yes ;;
      s) SUDO=yes ;;
      r) RECEPTION=yes ;;
      b) RECEPTION_SUDO=yes ;;
      a) RUN_AS=$OPTARG && check_user "$OPTARG" ;;
      g) add_tag "$OPTARG" ;;
      d) RANDOM_ID=yes ;;
      i) TACOSCRIPT=yes ;;
      l) SELINUX=yes ;;
      N) SERVICE='' ;;
      :) usage "option -$OPTARG needs an argument." ;;
      *) usage "there is no option -$OPTARG." ;;
    esac
  done
  shift $((OPTIND - 1))
  [ $# -eq 0 ] || usage "unexpected argument: $1"
  [ -z "$RECEPTION_SUDO" ] || [ -n "$RECEPTION" ] || usage '-b needs -r.'
  check_numbers
}
add_tag() {
  case $1 in '' | *[[:cntrl:]]*) usage '-g: a tag must not be empty or hold control characters.' ;; esac
  TAGS="$TAGS$1
"
}

install() {
  need_root
  credentials
  if selinux_enforcing && [ -z "$SELINUX" ]; then
    die 1 'SELinux is enforcing on this machine and may stop the client.' 'Run the script again with -l to go on all the same.'
  fi
  make_tmp
  detect_arch
  detect_init
  detect_fetcher
  detect_packages
  find_client
  [ -z "$SUDO$RECEPTION_SUDO" ] || need_sudo
  look_at_old
  probe_server
  get_ready
  apply
  connect
}

# What is there already? Sets EXISTING and, for a configuration that is kept or rewritten, RUN_AS, OLD_ID, OLD_SYSTEM_ID.
look_at_old() {
  EXISTING='' OLD_ID='' OLD_SYSTEM_ID='' ATTRIBUTES=$DATA/client_attributes.json LOG_FILE=$LOGS/rport.log
  if [ -e "$CONF" ] || [ -L "$CONF" ]; then
    EXISTING=yes
    OLD_ID=$(toml "$CONF" client id)
    OLD_SYSTEM_ID=$(toml "$CONF" client use_system_id)
    if [ -z "$FORCE" ]; then
      [ ! -L "$CONF" ] || leave_alone "$CONF is a link."
      edit client server default '""'
      toml "$CONF" >/dev/null || leave_alone "$CONF is not divided into the usual sections."
      EDITS=''
      old=$(toml "$CONF" logging log_file)
      LOG_FILE=${old:-$LOG_FILE}
      old=$(toml "$CONF" client attributes_file_path)
      ATTRIBUTES=${old:-$ATTRIBUTES}
      case $TAGS$ATTRIBUTES in "$ATTRIBUTES" | *.json) ;; *) die 1 "the tags are in $ATTRIBUTES, which is not JSON." 'Add your tags there, and leave out -g.' ;; esac
    fi
  fi
  [ -n "$RUN_AS" ] || RUN_AS=$(owner_of_data)
}
leave_alone() { die 5 "the client is installed already, in a way that this script cannot change: $1" 'It was left alone. Use -f to rewrite the configuration.'; }

# Any answer over HTTP proves that the server can be reached. Only the server's address is used, nothing of the path.
probe_server() {
  case $CONNECT_URL in
    [Hh][Tt][Tt][Pp][Ss]://* | [Ww][Ss][Ss]://*) origin=https:// server_name=${CONNECT_URL#*://} ;;
    *://*) origin=http:// server_name=${CONNECT_URL#*://} ;;
    *) origin=http:// server_name=$CONNECT_URL ;;
  esac
  server_name=${server_name%%[/?]*}
  case $server_name in *[!]0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.:_[-]*)
    warn 'the name of the server has unusual characters, so the connection is not tested beforehand.'
    return 0
    ;;
  esac
  act "test the connection to $server_name" || return 0
  case $FETCHER in
    curl) curl -gsS -o /dev/null --connect-timeout 15 --max-time 30 "$origin$server_name/" ;;
    wget) wget -nv -t 1 -T 15 -O /dev/null "$origin$server_name/" ;;
    busybox) timeout 30 wget -O /dev/null "$origin$server_name/" ;;
  esac >/dev/null 2>"$TMP/said" && return 0
  case $(cat "$TMP/said") in
    *' error: HTTP'* | *'ERROR '[1-5][0-9][0-9]*) return 0 ;;
    *[Pp]roxy*) why='the proxy does not work. Check http_proxy, https_proxy and no_proxy (sudo drops them: use sudo -E).' ;;
    *resolve* | *'bad address'* | *'not known'*) why='its name cannot be resolved. Check the name and the DNS of this machine.' ;;
    *'imed out'* | *timeout*) why='no answer in time. Check firewalls on the way, and whether this machine needs a proxy.' ;;
    *ertificate* | *SSL* | *TLS*) why='TLS failed. Check the certificate of the server, the clock and the CA certificates of this machine.' ;;
    *efused* | *onnect*) why='the connection is refused. Is the server running, and is this the right port?' ;;
    *) why='it does not answer like a server. Is this the right port?' ;;
  esac
  die 2 "cannot reach the server $server_name: $why" "$(said)" 'Nothing was changed.'
}

# Downloads and checks everything, so that what can fail fails before anything is changed. Sets FROM: keep, archive, file
# (a deb or rpm that was downloaded) or repository.
get_ready() {
  if [ -n "$URL" ]; then
    write_login
    FROM=archive
    get_client "$URL"
    [ "$GOT" = archive ] || FROM=file
    case $GOT in deb) have dpkg ;; rpm) have rpm ;; esac || die 3 "this machine cannot install a $GOT package." 'Use the address of an archive (tar.gz).'
  elif [ -n "$BIN" ] && [ -z "$FORCE$VERSION" ] && [ "$CHANNEL" = stable ] && [ -n "$(version_of "$BIN")" ]; then
    FROM=keep
    say "- keep the installed client $BIN ($(version_of "$BIN"))"
  elif [ -z "$ARCHIVE_ONLY" ] && [ "$USE_REPOSITORIES" = true ] && [ -n "$PACKAGES" ] && [ "$METHOD$BIN" != archive/usr/local/bin/rport ] &&
    repository_answers; then
    FROM=repository
  else
    FROM=archive
    get_client
  fi
  case $FROM$METHOD in
    archivearchive | keep* | repository* | file*) ;;
    *) die 1 "the client on this machine belongs to a $METHOD package." 'Leave out -p, -V and -z, or uninstall it first (-u).' ;;
  esac
  [ -z "$TACOSCRIPT" ] || get_tacoscript
}

apply() {
  make_user "$RUN_AS"
  if act "create $CONF_DIR, $DATA and $LOGS"; then
    GROUP=$(group_of "$RUN_AS")
    make_dir "$CONF_DIR" 755 root:root
    make_dir "$DATA" 750 "$RUN_AS:$GROUP"
    make_dir "$LOGS" 750 "$RUN_AS:$GROUP"
  fi
  if [ -n "$EXISTING" ]; then back_up; fi
  case $FROM in
    archive)
      [ -n "$BIN" ] || BIN=/usr/local/bin/rport
      put_client
      ;;
    file) install_package "$TMP/package.$GOT" ;;
    repository)
      add_repository
      install_package
      ;;
  esac
  configure
  [ -z "$SUDO" ] || sudo_all
  [ -z "$RECEPTION_SUDO" ] || sudo_files
  [ -z "$TACOSCRIPT" ] || put_tacoscript
  if [ -n "$SERVICE" ] && [ "$INIT" != none ] && act "register the service ($INIT)"; then service_define; fi
  if [ -z "$DRY" ]; then
    # Whatever ran as root before: the client must be able to write its files.
    chown -hR "$RUN_AS:$GROUP" "$DATA" "$LOGS"
    if [ -n "$SELINUX" ] && have restorecon; then restorecon -R "$BIN" "$CONF_DIR" "$DATA" "$LOGS" || :; fi
  fi
}
back_up() {
  backup=$CONF.$(date +%Y%m%d-%H%M%S).bak
  act "save the old configuration as $backup" || return 0
  cp -p "$CONF" "$backup" || die 1 "cannot write $backup." 'Is the disk full?'
  note file "$backup"
  cp -p "$CONF" "$TMP/kept.conf"
  # With -f a package brings its own configuration again.
  if [ -n "$FORCE" ]; then
    mkdir -p "$TMP/old$CONF_DIR"
    mv "$CONF" "$TMP/old$CONF"
    note old "$CONF"
  fi
}

configure() {
  edit client server set '$SERVER'
  edit client auth set '$AUTH'
  edit client fingerprint set '$FINGERPRINT'
  edit client use_hostname default true
  edit client data_dir default "\"$DATA\""
  edit logging log_file default "\"$LOG_FILE\""
  if [ -z "$EXISTING" ] || [ -n "$FORCE" ]; then
    edit client use_hostname set true
    edit logging log_level set '"info"'
    edit remote-scripts enabled set false
    edit file-reception enabled set false
  fi
  NEW_ID=$OLD_ID
  if [ -n "$OLD_ID" ] && [ "$OLD_SYSTEM_ID" != true ] && [ "$RANDOM_ID$FORCE" != yesyes ]; then
    edit client use_system_id set false
    edit client id set '$NEW_ID'
  elif [ -n "$RANDOM_ID" ] || [ ! -s /etc/machine-id ]; then
    NEW_ID=$(new_uuid)
    edit client use_system_id set false
    edit client id set '$NEW_ID'
  else
    edit client use_system_id set true
  fi
  [ -z "$COMMANDS" ] || edit_commands
  [ -z "$RECEPTION" ] || edit file-reception enabled set true
  [ -z "$TAGS" ] || edit client attributes_file_path set '$ATTRIBUTES'
  for interpreter in bash zsh ksh csh python3 perl pwsh fish; do
    path=$(command -v "$interpreter" 2>/dev/null || :)
    case $path in /*[!abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._+-]*) ;;
      /*) edit interpreter-aliases "$interpreter" default "\"$path\"" ;;
    esac
  done
  network_cards
  act "write $CONF" || return 0
  base=$CONF
  if [ -n "$EXISTING" ] && [ -z "$FORCE" ]; then base=$TMP/kept.conf
  elif [ -f "$TMP/new/rport.example.conf" ]; then base=$TMP/new/rport.example.conf
  elif [ ! -e "$CONF" ]; then base=/dev/null
  fi
  (
    SERVER=$CONNECT_URL AUTH=$CLIENT_ID:$PASSWORD
    export SERVER AUTH FINGERPRINT NEW_ID ATTRIBUTES
    toml "$base"
  ) >"$TMP/rport.conf" || leave_alone "$CONF is not divided into the usual sections."
  put "$TMP/rport.conf" "$CONF" 640 "root:$GROUP"
  [ -z "$TAGS" ] || write_tags
}
new_uuid() {
  cat /proc/sys/kernel/random/uuid 2>/dev/null || uuidgen 2>/dev/null ||
    od -An -tx1 -N16 /dev/urandom | tr -d ' \n' | sed 's/^\(.\{8\}\)\(.\{4\}\).\(.\{3\}\).\(.\{3\}\)/\1-\2-4\3-a\4-/'
}

# Adds the tags to the ones in the attributes file, and leaves everything else in it alone.
write_tags() {
  old=/dev/null
  [ ! -s "$ATTRIBUTES" ] || old=$ATTRIBUTES
  TAGS=$TAGS awk '
    function quote(s) { gsub(/\\/, "\\\\", s); gsub(/"/, "\\\"", s); return "\"" s "\"" }
    { text = text $0 "\n" }
    END {
      n = split(ENVIRON["TAGS"], tag, "\n")
      start = match(text, /"tags"[ \t\r\n]*:[ \t\r\n]*\[/) ? RSTART + RLENGTH : 0
      if (start) { rest = substr(text, start); have = substr(rest, 1, index(rest, "]") - 1) }
      sub(/[ \t\r\n]+$/, "", have)
      for (i = 1; i < n; i++) if (!index(have, quote(tag[i]))) have = have (have ~ /[^ \t\r\n]/ ? ", " : "") quote(tag[i])
      if (start) printf "%s%s%s", substr(text, 1, start - 1), have, substr(rest, index(rest, "]"))
      else if (text ~ /\{[ \t\r\n]*"/) { sub(/\{/, "", text); printf "{\"tags\": [%s],\n%s", have, text }
      else printf "{\"tags\": [%s], \"labels\": {}}\n", have
    }' "$old" >"$TMP/attributes"
  put "$TMP/attributes" "$ATTRIBUTES" 640 "$RUN_AS:$GROUP"
}

# The first physical network card with a private address is the LAN, the first with a public one the WAN.
network_cards() {
  lan='' wan=''
  have ip || return 0
  for card in /sys/class/net/*; do
    [ -e "$card/device" ] || continue
    speed=$(cat "$card/speed" 2>/dev/null || :)
    case $speed in '' | 0 | -* | *[!0123456789]*) speed=1000 ;; esac
    card=${card##*/}
    case $card in *[!abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:@-]*) continue ;; esac
    for address in $(ip addr show dev "$card" 2>/dev/null | awk '$1 ~ /^inet6?$/ { print $2 }'); do
      case $address in
        10.* | 192.168.* | 172.1[6-9].* | 172.2[0-9].* | 172.3[01].* | 100.6[4-9].* | 100.[7-9][0-9].* | 100.1[01][0-9].* | 100.12[0-7].* | f[cd]*:*)
          [ -n "$lan" ] || lan="['$card', '$speed']" ;;
        127.* | 169.254.* | fe80:* | ::1/*) ;;
        *) [ -n "$wan" ] || wan="['$card', '$speed']" ;;
      esac
    done
  done
  [ -z "$lan" ] || edit monitoring net_lan default "$lan"
  [ -z "$wan" ] || edit monitoring net_wan default "$wan"
}

connect() {
  command="su -s /bin/sh $RUN_AS -c 'exec $BIN -c $CONF'"
  if [ -z "$SERVICE" ]; then
    STARTED=yes
    say "The client is installed and configured. This runs it: $command"
    return
  fi
  act "start the client and wait up to $WAIT seconds for its connection" || return 0
  STARTED=yes
  service_stop
  log_mark
  service_start || :
  if await_connection; then
    say "The client is connected to $server_name."
    [ "$INIT" != none ] || say "No init system was found: nothing starts the client again after a restart. This does: $command"
    return
  fi
  log_new | grep -i 'error\|fail\|refuse\|in use\|invalid' | tail -n 5 | redact >"$TMP/why" || :
  [ -s "$TMP/why" ] || log_new | tail -n 5 | redact >"$TMP/why"
  [ -s "$TMP/why" ] || redact <"$TMP/said" | tail -n 5 >"$TMP/why"
  case $VERDICT in
    refused) remedy='The server refuses the credentials. Pair this machine again with a new code. The client was stopped, because five failed logins would ban this address for an hour.' ;;
    duplicate) remedy='Another client uses the id of this machine (was it cloned?). Run the script again with -d -f. The client was stopped.' ;;
    *) remedy="No connection within $WAIT seconds. Check fingerprint, server and firewall; the client keeps trying, see $LOG_FILE." ;;
  esac
  [ "$VERDICT" = silent ] || service_stop
  die 4 'the client is installed, but it is not connected.' "$remedy" "$(cat "$TMP/why")"
}

{{> lib/common.sh}}
{{> lib/platform.sh}}
{{> lib/fetch.sh}}
{{> lib/account.sh}}
{{> lib/packages.sh}}
{{> lib/config.sh}}
{{> lib/settings.sh}}
{{> lib/service.sh}}
{{> lib/remove.sh}}

main "$@"
