#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs the client of RPort (https://github.com/openrport/openrport) and connects it to your server.
# Made by pairport {{pairport_version}} for the pairing service {{pairing_url}}
#
# What it changes on this machine, and notes before each change (-n: prints that and changes nothing; -h: help):
#   program      a deb or rpm package and its repository, or /usr/local/bin/rport out of an archive
#   settings     /etc/rport/rport.conf; the one before is kept beside it
#   data, logs   /var/lib/rport and /var/log/rport
#   user         rport, without a login: the client runs as that user
#   service      rport, of systemd, OpenRC or SysV
#   sudo rules   /etc/sudoers.d/rport-*
# Exit code: 0 connected, 1 wrong usage or environment, 2 cannot reach the server, 3 bad download or package (1-3: nothing
# is changed, or all is undone), 4 installed but not connected, 5 configuration of unknown form, 130 interrupted
#
# It holds a password: delete it afterwards.
# All of it is one command, between { and }: a download that was cut off does nothing.
{

# values: begin
# made {{made_at}}, valid until {{valid_until}}
# The credentials of the pairing, never exported and never in the arguments of a program.
credentials() {
	unset FINGERPRINT CONNECT_URL CLIENT_ID PASSWORD # not exported, whatever the environment says
FINGERPRINT={{fingerprint}}
CONNECT_URL={{connect_url}}
CLIENT_ID={{client_id}}
PASSWORD={{password}}
}
# values: end

# Where the client comes from, as the service is configured.
sources() {
	NAME=rport-installer.sh
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
	STRICT={{strict_checksums}}
	PAIRING_URL={{pairing_url}}
}
# What -h prints.
help() {
	cat <<'END'
Usage: sh rport-installer.sh [options]
Installs the RPort client and connects it to your server. A client that is here already is repaired and paired again: id,
program and settings stay, the old configuration is saved.
  -h          this help
  -v          print the version to be installed
  -n          dry run: print the actions, change nothing
  -q          quiet: warnings and errors only
  -c          install (default)
  -u          uninstall client, configuration, data and logs
  -f          force: replace program and configuration (the id stays)
  -t          newest unstable version
  -V VERSION  exactly this version
  -p          archive, no deb or rpm repository
  -z URL      this package (tar.gz, deb, rpm)
  -x          let the server run any command and script
  -s          sudo rule: full root access for the client
  -r          let the server send files (else off)
  -b          sudo rule: received files may go anywhere (chown, mv): as good as root for the client (needs -r)
  -k          no sudo rule for apt-get update, zypper refresh
  -a USER     run as USER, not rport; created if missing
  -g TAG      add a tag; repeatable
  -d          random UUID as id (with -f: a new one)
  -i          install Tacoscript, too
  -l          go on if SELinux is enforcing
  -N          no service: print the client's command
  -w          delete this script (it holds a password) and its folder when all is done
Without systemd the archive is used, no package. A proxy that alone leads to the server becomes the client's.
Environment (sudo -E keeps it): RPORT_INSTALLER_DL_USERNAME and _PASSWORD (login for -z), https_proxy,
  RPORT_INSTALLER_WAIT (seconds, 40)
Exit code: 0 connected, 1 wrong usage or environment, 2 cannot reach the server, 3 bad download or package (1-3: nothing
  changed), 4 not connected: the old pairing was put back if it was connected, else installed (and stopped if refused),
  5 configuration of unknown form, left alone, 130 interrupted. Started by the client itself, or when the terminal ends, it
  goes on in the background: see /var/log/rport-installer.log
END
}

# Sets up, reads the options, does one action.
main() {
	set_up
	sources
	options "$@"
	case $ACTION in
		version) echo "rport ${VERSION:-$STABLE}" ;;
		*) "$ACTION" "$@" ;;
	esac
}
# Reads the options; ACTION says what to do.
options() {
	ACTION=install RUN_AS='' TAGS='' PROXY=''
	while getopts :hvnqcuftV:pz:xsrbka:g:dilNw option; do
		case $option in
			h) ACTION=help ;;
			v) ACTION=version ;;
			c) ACTION=install ;;
			u) ACTION=uninstall ;;
			t) CHANNEL=unstable STABLE=$UNSTABLE ;;
			V) VERSION=$OPTARG ;;
			z) URL=$OPTARG ;;
			a) RUN_AS=$OPTARG && case $OPTARG in '' | root | [!a-z_]* | *[!a-z0-9_-]*) usage "-a: not a possible user: '$OPTARG'" ;; esac ;;
			g) TAGS="$TAGS$OPTARG
" && case $OPTARG in '' | *[[:cntrl:]]*) usage '-g: empty tag or control character.' ;; esac ;;
			*) set_flag ;;
		esac
	done
	shift $((OPTIND - 1))
	check_arguments "$@"
}

# All steps of an installation, in order: what can fail fails before anything is changed.
install() {
	need_root
	credentials
	[ "$(getenforce 2>/dev/null)" != Enforcing ] || has l || die 1 'SELinux is enforcing and may stop the client.' 'Use -l.'
	need_sudo
	detect_arch
	detect_init
	if [ -z "$DRY${RPORT_DETACHED:-}" ] && inside_client; then detach "$@"; return; fi
	make_or_take_tmp
	detect_fetcher
	detect_packages
	find_client
	look_at_old
	probe_server
	find_proxy
	get_ready
	# A package may stop the client itself.
	case $FROM$DRY in repository | file) unbroken apply_and_connect ;; esac
	apply
	connect
}
# apply and connect, where a package may stop the client.
apply_and_connect() {
	apply
	connect
}

# What an earlier installation left: EXISTING, OLD_ID, ATTRS, LOG, RUN_AS. A configuration that cannot be edited ends it.
look_at_old() {
	EXISTING='' OLD_ID='' ATTRS='' LOG=''
	if [ -e "$CONF" ] || [ -L "$CONF" ]; then
		EXISTING=yes
		[ "$(toml "$CONF" client use_system_id)" = true ] || OLD_ID=$(toml "$CONF" client id)
	fi
	if [ -n "$EXISTING" ] && [ -z "$FORCE" ]; then
		edit client server set 1
		if [ -L "$CONF" ] || ! toml "$CONF" >/dev/null; then die 5 "$CONF is a link or lacks the usual sections, and is left alone." 'Use -f to rewrite it.'; fi
		EDITS=''
		LOG=$(toml "$CONF" logging log_file)
		ATTRS=$(toml "$CONF" client attributes_file_path)
	fi
	LOG=${LOG:-$LOGS/rport.log} ATTRS=${ATTRS:-$DATA/client_attributes.json} OLD_USER=$(owner_of_data)
	RUN_AS=${RUN_AS:-$OLD_USER}
	case $TAGS$ATTRS in "$ATTRS" | *.json) ;; *) die 1 "the tags are in $ATTRS, which is not JSON." 'Leave out -g.' ;; esac
}

{{> lib/reach.sh}}

# What can fail fails here, before anything is changed.
get_ready() {
	FROM=archive
	if [ "$INIT" = systemd ] && ! has N && is_masked; then die 1 'the unit rport.service is masked.' 'systemctl unmask rport' 'Or use -N.'; fi
	if [ -n "$URL" ]; then
		write_login
		get_client "$URL"
		[ "$GOT" = archive ] || FROM='file'
	elif [ -n "$BIN" ] && [ "$FORCE$VERSION$CHANNEL" = stable ] && [ -n "$(version_of "$BIN")" ]; then
		FROM=keep
		say "- keep $BIN $(version_of "$BIN")"
	elif [ "$USE_REPOSITORIES$STRICT" = truefalse ] && ! has p && [ "$BIN" != /usr/local/bin/rport ] && repository_answers; then
		FROM=repository
	else
		get_client
	fi
	if [ "$FROM$GOT$INIT" != filedebsystemd ] && [ "$GOT" = deb ]; then
		die 1 'a deb of the client needs systemd.' 'Leave out -z.'
	fi
	case $FROM$METHOD in
		archivearchive | keep* | repository* | filedeb | filerpm) ;;
		filearchive) [ -z "$BIN" ] && case $GOT in deb) have dpkg ;; *) have rpm ;; esac ;;
		*) false ;;
	esac || die 1 "this package does not fit the $METHOD client or the tools here." 'Leave out -p, -V, -z, or uninstall first.'
	! has i || get_tacoscript
}
{{> lib/repository.sh}}

# Makes the changes: each is printed first, and noted, so that it can be undone.
apply() {
	make_user
	hand_over
	make_folder "$CONF_DIR" 755 root root
	make_folder "$DATA" 750 "$RUN_AS"
	make_folder "$LOGS" 750 "$RUN_AS"
	own_files
	[ -z "$EXISTING" ] || back_up
	case $FROM in
		archive)
			BIN=${BIN:-/usr/local/bin/rport}
			put_client
			;;
		file) install_package "$TMP/package.$GOT" ;;
		repository) add_repository && install_package ;;
	esac
	configure
	sudo_rules
	! has i || put_tacoscript
	if ! has N && [ "$INIT" != none ] && act "register the service ($INIT)"; then service_define; fi
	[ -z "$DRY" ] || return 0
	! have restorecon || { restorecon -R "$BIN" "$CONF_DIR" && restorecon "$DATA" "$LOGS"; } || :
}
# The user that the client runs as: without a password, without a login shell.
make_user() {
	if hush id "$RUN_AS" || ! act "create the user $RUN_AS"; then return; fi
	group=-U
	if grep -q "^$RUN_AS:" /etc/group; then
		note put_group_back "$(awk -F: -v name="$RUN_AS" '$1 == name { print $3 }' /etc/group)"
		group="-g $RUN_AS"
	fi
	note remove_user "$RUN_AS"
	# shellcheck disable=SC2086 # two words
	if have useradd; then quietly useradd -r $group -d "$DATA" -M -s /bin/false "$RUN_AS"
	else
		[ "$group" != -U ] || quietly addgroup -S "$RUN_AS"
		quietly adduser -S -D -H -h "$DATA" -s /bin/false -G "$RUN_AS" "$RUN_AS"
	fi || :
	hush id "$RUN_AS" || die 1 "cannot create the user $RUN_AS." "$(said)" 'Create it, and use -a.'
}
# It was there before, and goes with its last user.
put_group_back() { grep -q "^$RUN_AS:" /etc/group || groupadd -r -g "$1" "$RUN_AS"; }
{{> lib/folders.sh}}
# Keeps the old configuration beside the new one, under a name with the time.
back_up() {
	backup=$CONF.$(date +%Y%m%d-%H%M%S).bak
	act "save the old configuration as $backup" || return 0
	put "$CONF" "$backup" 600
	[ -n "$FORCE" ] || return 0
	keep_old "$CONF"
	rm "$CONF" # a package brings its own again
}

{{> lib/configure.sh}}
{{> lib/tags.sh}}
{{> lib/network_cards.sh}}

{{> lib/register.sh}}

# Starts the client and reports the truth about its connection.
connect() {
	command="su -s /bin/sh $RUN_AS -c 'exec $BIN -c $CONF'"
	if has N; then
		say "Installed. This runs the client: $command"
		wipe_script
		return
	fi
	act "start the client and wait up to $WAIT s for its connection" || return 0
	if [ -n "$WORKER" ]; then bring_up; else unbroken bring_up; fi
}
# Starts the client, waits for its connection and says what came of it.
bring_up() {
	STARTED=yes
	: >"$TMP/peers"
	worked=$(connections)
	service_stop
	if start_and_wait; then
		if [ -z "$NOTE" ]; then say "Connected to $SERVER_HOST."; else say 'The client runs.' && warn "$NOTE"; fi
		[ "$INIT" != none ] || say "No init system starts it again; this does: $command"
		for name in $(earlier_users); do remove_user "$name"; done
		wipe_script
		return
	fi
	why=$(advice) words=$(last_words)
	case $VERDICT in
		duplicate | elsewhere) ;;
		*)
			[ -z "$EXISTING" ] || [ -z "$worked" ] || old_pairing
			[ "$VERDICT" = silent ] || service_stop
			;;
	esac
	die 4 'installed, but not connected.' "$why" "$words"
}
# A client that was connected is not lost by a pairing that is not.
old_pairing() {
	service_stop
	RUN_AS=$OLD_USER
	hand_over
	undo
	LOG=$(toml "$CONF" logging log_file)
	LOG=${LOG:-$LOGS/rport.log}
	chown "$RUN_AS" "$DATA" "$LOGS"
	own_files
	if [ "$INIT" = systemd ]; then hush systemctl daemon-reload && hush systemctl enable rport; fi || :
	again='The old pairing was put back and is connected.'
	start_and_wait || again='The old pairing was put back and does not connect any more.'
	die 4 'the new pairing does not connect.' "$again" "$why" "$words"
}

# This script holds a password. Its folder goes only if it is empty and named as mktemp names one.
wipe_script() {
	[ -z "$DRY" ] && [ -f "$0" ] && grep -q '^PASSWORD=' "$0" || return 0
	if ! has w; then
		say "This script ($0) holds a password: delete it, or use -w."
		return
	fi
	folder=$(cd -P "$(dirname "$0")" && pwd -P)
	rm -f "$0"
	cd /
	case ${0##*/}:${folder##*/} in "$NAME":tmp.??????*) rmdir "$folder" 2>/dev/null || : ;; esac
	say "This script was deleted."
}

{{> lib/common.sh}}
{{> lib/platform.sh}}
{{> lib/init.sh}}
{{> lib/distribution.sh}}
{{> lib/fetch.sh}}
{{> lib/account.sh}}
{{> lib/user.sh}}
{{> lib/packages.sh}}
{{> lib/config.sh}}
{{> lib/settings.sh}}
{{> lib/service.sh}}
{{> lib/unbroken.sh}}
{{> lib/connect.sh}}

main "$@"
}
