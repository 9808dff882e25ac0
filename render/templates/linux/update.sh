#!/bin/sh
# SPDX-License-Identifier: MIT
# Updates the RPort client of this machine. Try -h for help, -n to see what it would do.
# Everything is inside functions that the last line calls: a download that was cut off does nothing.

sources() {
  NAME=rport-update.sh
  DEFAULT_VERSION={{version}}
  UNSTABLE={{unstable_version}}
  LINUX_URL={{linux_url}}
  CHECKSUMS_URL={{checksums_url}}
  DEB_REPO={{deb_repo}}
  RPM_REPO={{rpm_repo}}
  REPO_KEYS={{repo_keys}}
  TACOSCRIPT_URL={{tacoscript_url}}
  SHA256={{sha256}}
}

help() {
  cat <<'END'
Usage: sh rport-update.sh [options]
Updates the RPort client, the way it was installed. The configuration is kept; sections that are new are added to it. When
the new version does not connect, the old one is put back.
  -h          print this help
  -n          dry run: print every action, change nothing
  -q          quiet: print warnings and errors only
  -c          update (this is the default)
  -u          uninstall the client with its configuration, data and logs
  -t          newest unstable version
  -v VERSION  exactly this version
  -p          use the archive, not the deb or rpm repository
  -z URL      use the package (tar.gz, deb or rpm) from this address
  -m          do not update Tacoscript (otherwise it is updated where it is installed)
  -x          allow the server to execute any command and script
  -d          forbid the server to execute scripts
  -s          sudo rule: full root access for the client's user
  -r          file reception: the server may send files to this machine
  -b          sudo rule for file reception: received files may be written anywhere (needs -r)
Started by the client itself, the script goes on in the background; its output is then in /var/log/rport-update.log.
Environment: RPORT_INSTALLER_DL_USERNAME, RPORT_INSTALLER_DL_PASSWORD  login for -z
             RPORT_INSTALLER_WAIT   seconds to wait for the connection (40)
             http_proxy, https_proxy, no_proxy   for downloads
Exit code: 0 updated, or up to date    1 wrong usage or environment    3 download, package or checksum bad (1, 3: nothing changed)
           4 the new version does not connect, the old one was put back    130 interrupted
END
}

main() {
  set_up
  sources
  options "$@"
  case $ACTION in
    help) help ;;
    uninstall) uninstall ;;
    update) update "$@" ;;
  esac
}

options() {
  ACTION=update VERSION='' CHANNEL=stable ARCHIVE_ONLY='' URL='' COMMANDS='' SCRIPTS='' SUDO='' RECEPTION='' RECEPTION_SUDO=''
  TACOSCRIPT=yes WAIT=${RPORT_INSTALLER_WAIT:-40}
  while getopts :hnqcutv:pz:mxdsrb option; do
    case $option in
      h) ACTION=help ;;
      n) DRY=yes ;;
      q) QUIET=yes ;;
      c) ACTION=update ;;
      u) ACTION=uninstall ;;
      t) CHANNEL=unstable DEFAULT_VERSION=$UNSTABLE ;;
      v) VERSION=$OPTARG ;;
      p) ARCHIVE_ONLY=yes ;;
      z) URL=$OPTARG ;;
      m) TACOSCRIPT='' ;;
      x) COMMANDS=yes ;;
      d) SCRIPTS=no ;;
      s) SUDO=yes ;;
      r) RECEPTION=yes ;;
      b) RECEPTION_SUDO=yes ;;
      :) usage "option -$OPTARG needs an argument." ;;
      *) usage "there is no option -$OPTARG." ;;
    esac
  done
  shift $((OPTIND - 1))
  [ $# -eq 0 ] || usage "unexpected argument: $1"
  [ -z "$RECEPTION_SUDO" ] || [ -n "$RECEPTION" ] || usage '-b needs -r.'
  [ -z "$SCRIPTS" ] || [ -z "$COMMANDS" ] || usage '-x and -d exclude each other.'
  check_numbers
}

update() {
  need_root
  find_client
  if [ -z "$BIN" ] || [ ! -f "$CONF" ]; then die 1 'the client is not installed on this machine.' 'Pair the machine with an installer from your server.'; fi
  detect_init
  if [ -z "${RPORT_UPDATE_FOLDER:-}" ] && [ -z "$DRY" ] && inside_client; then
    detach "$@"
    return
  fi
  case ${RPORT_UPDATE_FOLDER:-} in */rport.????????) TMP=$RPORT_UPDATE_FOLDER ;; *) make_tmp ;; esac
  detect_arch
  detect_fetcher
  detect_packages
  [ -z "$SUDO$RECEPTION_SUDO" ] || need_sudo
  RUN_AS=$(owner_of_data)
  GROUP=$(group_of "$RUN_AS") || die 1 "the user $RUN_AS does not exist." 'Repair the client with an installer from your server.'
  LOG_FILE=$(toml "$CONF" logging log_file)
  LOG_FILE=${LOG_FILE:-$LOGS/rport.log}
  OLD_VERSION=$(version_of "$BIN")
  get_ready
  apply
  restart
}

# Sets FROM: none (up to date), archive, file or repository.
get_ready() {
  FROM=archive
  if [ -n "$URL" ]; then
    write_login
    get_client "$URL"
    [ "$GOT" = archive ] || FROM=file
  elif [ "$METHOD" != archive ]; then
    [ -z "$ARCHIVE_ONLY" ] || die 1 "the client on this machine belongs to a $METHOD package." 'Leave out -p.'
    [ -n "$PACKAGES" ] && repository_answers || die 3 'the package repository has nothing for this machine, or cannot be reached.' 'Use -z with the address of a package.'
    FROM=repository
  elif [ "${VERSION:-$DEFAULT_VERSION}" = "$OLD_VERSION" ]; then
    FROM=none
    say "- keep the client, it has version $OLD_VERSION already"
  else
    get_client
  fi
  case $FROM.$METHOD in
    archive.archive | none.* | repository.* | file.deb | file.rpm) ;;
    *) die 1 "the client on this machine was installed by $METHOD, this package is another kind." 'Uninstall it first (-u), then pair it again.' ;;
  esac
  if [ -n "$TACOSCRIPT" ] && [ -x /usr/local/bin/tacoscript ]; then get_tacoscript; else TACOSCRIPT=''; fi
}

apply() {
  case $FROM in
    archive) put_client ;;
    file) keep_old && install_package "$TMP/package.$GOT" ;;
    repository) keep_old && add_repository && install_package ;;
  esac
  [ -z "$COMMANDS" ] || edit_commands
  [ -z "$SCRIPTS" ] || edit remote-scripts enabled set false
  [ -z "$RECEPTION" ] || edit file-reception enabled set true
  if act "keep $CONF, with what was asked for and what is new"; then
    toml "$CONF" >"$TMP/rport.conf" || die 1 "$CONF is written in a way that this script cannot change." 'Change it by hand, and leave out -x, -d and -r.'
    for example in "$TMP/new/rport.example.conf" "$CONF.dpkg-dist" "$CONF.rpmnew"; do
      if [ -f "$example" ]; then new_sections "$TMP/rport.conf" "$example" >>"$TMP/rport.conf.more"; cat "$TMP/rport.conf.more" >>"$TMP/rport.conf"; break; fi
    done
    cmp -s "$TMP/rport.conf" "$CONF" || put "$TMP/rport.conf" "$CONF" 640 "root:$GROUP"
  fi
  [ -z "$SUDO" ] || sudo_all
  [ -z "$RECEPTION_SUDO" ] || sudo_files
  [ -z "$TACOSCRIPT" ] || put_tacoscript
}
# A package replaces the program by itself: a copy of the old one is what is put back.
keep_old() {
  act "keep a copy of $BIN" || return 0
  mkdir -p "$TMP/old${BIN%/*}" && cp -p "$BIN" "$TMP/old$BIN" && note old "$BIN"
}
# new_sections CONF EXAMPLE: the sections of EXAMPLE that CONF lacks.
new_sections() {
  awk '
    /^[ \t]*\[[^]]*\][ \t\r]*$/ {
      name = $0
      gsub(/[][ \t\r"]/, "", name)
      if (FILENAME == ARGV[1]) { known[name] = 1; next }
      copy = !(name in known)
    }
    FILENAME != ARGV[1] && copy' "$1" "$2"
}

restart() {
  if [ "$FROM" = none ] && [ -z "$UNDO" ]; then say 'The client is up to date.'; return; fi
  act "restart the client and wait up to $WAIT seconds for its connection" || return 0
  STARTED=yes
  service_stop
  log_mark
  service_start || :
  if await_connection; then
    say "The client is connected, version $(version_of "$BIN")${OLD_VERSION:+ (was $OLD_VERSION)}."
    return
  fi
  log_new | tail -n 5 | redact >"$TMP/why"
  service_stop
  undo
  log_mark
  service_start || :
  if await_connection; then back='The old version was put back and is connected.'
  else back='The old version was put back; it does not connect either, so look for the cause at the server or on the way to it.'
  fi
  die 4 'the new version does not connect.' "$back" "$(cat "$TMP/why")"
}

# Restarting the client would end this script when the client runs it: so it goes on outside of the client's reach.
inside_client() {
  process=$$
  while [ "${process:-0}" -gt 1 ]; do
    [ "$(cat "/proc/$process/comm" 2>/dev/null || :)" != rport ] || return 0
    process=$(awk '$1 == "PPid:" { print $2 }' "/proc/$process/status" 2>/dev/null || :)
  done
  return 1
}
detach() {
  [ -f "$0" ] || die 1 'the client itself runs this script, so it must be started from a file.' "Save it as $NAME, then: sh $NAME"
  make_tmp
  cp "$0" "$TMP/$NAME"
  RPORT_UPDATE_FOLDER=$TMP
  export RPORT_UPDATE_FOLDER
  log=/var/log/rport-update.log
  rm -f "$log"
  : >"$log"
  if [ "$INIT" = systemd ] && have systemd-run; then
    systemd-run --quiet --collect --setenv=RPORT_UPDATE_FOLDER="$TMP" --setenv=RPORT_INSTALLER_WAIT="$WAIT" \
      ${RPORT_INSTALLER_DL_USERNAME:+--setenv=RPORT_INSTALLER_DL_USERNAME --setenv=RPORT_INSTALLER_DL_PASSWORD} \
      sh -c "exec sh \"\$@\" >$log 2>&1" sh "$TMP/$NAME" "$@" </dev/null
  elif have setsid; then setsid sh "$TMP/$NAME" "$@" >"$log" 2>&1 </dev/null &
  else sh "$TMP/$NAME" "$@" >"$log" 2>&1 </dev/null &
  fi
  TMP=''
  say "The client runs this script, so the update goes on in the background; see $log."
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
