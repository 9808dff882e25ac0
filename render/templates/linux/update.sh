#!/bin/sh
# SPDX-License-Identifier: MIT
# Updates the RPort client of this machine. -h: help, -n: what it would do.
# All code is in functions: a download that was cut off does nothing.

sources() {
	NAME=rport-update.sh
	STABLE={{version}}
	UNSTABLE={{unstable_version}}
	LINUX_URL={{linux_url}}
	CHECKSUMS_URL={{checksums_url}}
	TACOSCRIPT_URL={{tacoscript_url}}
	SHA256={{sha256}}
	STRICT={{strict_checksums}}
	PAIRING_URL={{pairing_url}}
}
help() {
	cat <<'END'
Usage: sh rport-update.sh [options]
Updates the RPort client, the way it was installed. The configuration is kept, new sections are added to it. When the new
version does not connect, the old one is put back.
  -h          this help
  -n          dry run: print every action, change nothing
  -q          quiet: warnings and errors only
  -c          update (default)
  -u          uninstall the client with configuration, data and logs
  -t          newest unstable version
  -v VERSION  exactly this version
  -p          use the archive (refused for a client from a deb or rpm)
  -z URL      use this package (tar.gz, deb, rpm)
  -m          leave Tacoscript alone (else it is updated where it is installed)
  -x          let the server execute any command and script
  -d          do not let the server execute scripts
  -s          sudo rule: full root access for the client
  -r          let the server send files
  -b          sudo rule: received files may go anywhere (needs -r)
Started by the client itself, it goes on in the background, see /var/log/rport-update.log.
Environment: RPORT_INSTALLER_DL_USERNAME and _PASSWORD  login for -z
             RPORT_INSTALLER_WAIT  seconds to wait for the connection (40)
             http_proxy, https_proxy, no_proxy  for downloads
Exit code:   0 updated and connected, or up to date
             1 wrong usage or environment   3 bad download, package or checksum   (1, 3: nothing was changed)
             4 the new version does not connect, the old one was put back   130 interrupted
END
}

main() {
	set_up
	sources
	options "$@"
	case $ACTION in
		update) update "$@" ;;
		*) "$ACTION" ;;
	esac
}
options() {
	ACTION=update
	while getopts :hnqcutv:pz:mxdsrb option; do
		case $option in
			h) ACTION=help ;;
			c) ACTION=update ;;
			u) ACTION=uninstall ;;
			t) CHANNEL=unstable STABLE=$UNSTABLE ;;
			v) VERSION=$OPTARG ;;
			z) URL=$OPTARG ;;
			*) set_flag ;;
		esac
	done
	shift $((OPTIND - 1))
	check_arguments "$@"
	if has x && has d; then usage '-x and -d exclude each other.'; fi
}

update() {
	need_root
	find_client
	[ -n "$BIN" ] || die 1 'the client is not installed here.' 'Pair this machine with an installer.'
	detect_init
	if [ -z "$DRY${RPORT_UPDATE_FOLDER:-}" ] && inside_client; then detach "$@"; return; fi
	case ${RPORT_UPDATE_FOLDER:-} in */rport.????????) TMP=$RPORT_UPDATE_FOLDER ;; *) make_tmp ;; esac
	detect_arch
	detect_fetcher
	need_sudo
	RUN_AS=$(owner_of_data)
	LOG=$(toml "$CONF" logging log_file)
	LOG=${LOG:-$LOGS/rport.log} OLD_VERSION=$(version_of "$BIN")
	get_ready
	apply
	restart
}
get_ready() {
	FROM=archive PACKAGES=''
	for tool in apt-get dnf yum zypper; do
		case $METHOD$tool in debapt-get | rpmdnf | rpmyum | rpmzypper) ! have $tool || [ -n "$PACKAGES" ] || PACKAGES=${tool%-get} ;; esac
	done
	if [ -n "$URL" ]; then
		write_login
		get_client "$URL"
		[ "$GOT" = archive ] || FROM='file'
	elif [ "$METHOD" != archive ]; then
		[ "$STRICT" != true ] || die 3 'this pairing service demands a sha256 for each package (strict_checksums); none is known for those of a repository.' 'Use -z with a package that its operator has named, or the package manager.'
		has p || FROM=repository
	elif [ "${VERSION:-$STABLE}" = "$OLD_VERSION" ]; then
		FROM=keep
		say "- the client has version $OLD_VERSION already"
	else
		get_client
	fi
	case $FROM$METHOD$GOT in
		archivearchive* | keep* | repositorydeb | repositoryrpm | filedebdeb | filerpmrpm) ;;
		*) die 1 "the client here was installed by $METHOD, and must be updated so." 'Leave out -p and -z, or uninstall it first (-u).' ;;
	esac
	has m || [ ! -f /usr/local/bin/tacoscript ] || get_tacoscript
}
apply() {
	case $FROM in
		archive) put_client ;;
		file) [ -n "$DRY" ] || keep_old "$BIN" && install_package "$TMP/package.$GOT" ;;
		repository) [ -n "$DRY" ] || keep_old "$BIN" && install_package ;;
	esac
	edit_settings
	! has d || edit remote-scripts enabled set false
	if act "keep $CONF, with the settings asked for and new sections"; then
		cp "$CONF" "$TMP/conf"
		for example in "$TMP/new/rport.example.conf" "$CONF.dpkg-dist" "$CONF.rpmnew"; do
			[ ! -f "$example" ] || new_sections "$example" >>"$TMP/conf"
		done
		[ "$(cksum <"$TMP/conf")$EDITS" = "$(cksum <"$CONF")" ] || write_conf "$TMP/conf"
	fi
	sudo_rules
	has m || [ ! -f /usr/local/bin/tacoscript ] || put_tacoscript
}
new_sections() {
	awk '
	/^[ \t]*\[[^]]*\][ \t\r]*$/ {
		name = $0
		gsub(/[^A-Za-z0-9_.-]/, "", name)
		if (FILENAME == ARGV[1]) known[name] = 1
		else { copy = !(name in known); if (copy) print "" }
	}
	FILENAME != ARGV[1] && copy' "$CONF" "$1"
}
restart() {
	if [ "$FROM" = keep ] && [ -z "$UNDO" ]; then return; fi
	act "restart the client and wait up to $WAIT s for its connection" || return 0
	STARTED=yes
	service_stop
	if start_and_wait; then say "The client is connected, version $(version_of "$BIN") (was $OLD_VERSION)."; return; fi
	words=$(last_words)
	service_stop
	undo
	again='The old version was put back and is connected.'
	start_and_wait || again='The old version was put back and does not connect either: look at the server and on the way to it.'
	die 4 "the new version does not connect ($VERDICT)." "$again" "$words"
}

## A restart of the client ends what it runs: then the update goes on outside of its reach.
inside_client() {
	process=$$
	while [ "${process:-0}" -gt 1 ]; do
		[ "$(cat "/proc/$process/comm" 2>/dev/null)" != rport ] || return 0
		process=$(awk '$1 == "PPid:" { print $2 }' "/proc/$process/status" 2>/dev/null) || :
	done
	return 1
}
detach() {
	grep -qs "$NAME" "$0" || die 1 'the client itself runs this script, so it must come from a file.' "Save it as $NAME, then: sh $NAME"
	make_tmp
	cp "$0" "$TMP/$NAME"
	RPORT_UPDATE_FOLDER=$TMP log=/var/log/rport-update.log
	export RPORT_UPDATE_FOLDER
	rm -f $log
	say "The client runs this script, so the update goes on in the background; see $log."
	TMP=''
	if [ "$INIT" = systemd ] && have systemd-run; then
		systemd-run --quiet --collect --setenv=RPORT_UPDATE_FOLDER --setenv=RPORT_INSTALLER_WAIT="$WAIT" \
			--setenv=RPORT_INSTALLER_DL_USERNAME --setenv=RPORT_INSTALLER_DL_PASSWORD --setenv=http_proxy --setenv=https_proxy --setenv=no_proxy \
			-p "StandardOutput=append:$log" -p "StandardError=append:$log" sh "$RPORT_UPDATE_FOLDER/$NAME" "$@"
	else
		run='sh'
		! have setsid || run='setsid sh'
		$run "$RPORT_UPDATE_FOLDER/$NAME" "$@" >$log 2>&1 </dev/null &
	fi
}

{{> lib/common.sh}}
{{> lib/platform.sh}}
{{> lib/init.sh}}
{{> lib/fetch.sh}}
{{> lib/account.sh}}
{{> lib/packages.sh}}
{{> lib/config.sh}}
{{> lib/settings.sh}}
{{> lib/service.sh}}
{{> lib/connect.sh}}

main "$@"
