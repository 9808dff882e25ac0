#!/bin/sh
# SPDX-License-Identifier: MIT
# Updates the client of RPort (https://github.com/openrport/openrport) on this machine.
# Made by pairport {{pairport_version}} for the pairing service {{pairing_url}}
#
# What it changes, and notes before each change (-n: prints that and changes nothing; -h: help):
#   program      the way it was installed: by the deb or rpm package, or by an archive
#   settings     /etc/rport/rport.conf: only sections that it lacks, and what options ask for
#   sudo rules   /etc/sudoers.d/rport-*: only with options that ask for them
# The client is restarted. When the new version does not connect, the old one is put back.
# Exit code: 0 updated and connected, or up to date, 1 wrong usage or environment, 3 bad download or package (1, 3: nothing
# is changed), 4 the new version does not connect, the old one is back, 130 interrupted
#
# All of it is one command, between { and }: a download that was cut off does nothing.
{

# Where the client comes from, as the service is configured.
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
# What -h prints.
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
  -b          sudo rule: received files may go anywhere (chown, mv): as good as root for the client (needs -r)
Started by the client itself, or when the terminal ends, it goes on in the background: see /var/log/rport-update.log.
Environment: RPORT_INSTALLER_DL_USERNAME and _PASSWORD  login for -z (sudo -E keeps them)
             RPORT_INSTALLER_WAIT  seconds to wait for the connection (40)
             http_proxy, https_proxy, no_proxy  for downloads
Exit code:   0 updated and connected, or up to date
             1 wrong usage or environment   3 bad download, package or checksum   (1, 3: nothing was changed)
             4 the new version does not connect, the old one was put back (or stays, if the id is still in use)
             130 interrupted
END
}

# Sets up, reads the options, does one action.
main() {
	set_up
	sources
	options "$@"
	case $ACTION in
		update) update "$@" ;;
		*) "$ACTION" ;;
	esac
}
# Reads the options; ACTION says what to do.
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

# All steps of an update, in order: what can fail fails before anything is changed.
update() {
	need_root
	find_client
	[ -n "$BIN" ] || die 1 'the client is not installed here.' 'Pair this machine with an installer.'
	detect_init
	if [ -z "$DRY${RPORT_DETACHED:-}" ] && inside_client; then detach "$@"; return; fi
	make_or_take_tmp
	detect_arch
	detect_fetcher
	need_sudo
	RUN_AS=$(owner_of_data)
	LOG=$(toml "$CONF" logging log_file)
	LOG=${LOG:-$LOGS/rport.log} OLD_VERSION=$(version_of "$BIN")
	get_ready
	NEWS=''
	# The package itself stops the client.
	case $FROM$DRY in repository | file) unbroken change ;; esac
	apply
	[ -n "$NEWS$DRY" ] || return 0
	act "restart the client and wait up to $WAIT s for its connection" || return 0
	unbroken restart
}
# apply and restart, where the package itself stops the client.
change() {
	apply
	if [ -n "$NEWS" ]; then restart; fi
}
# What can fail fails here, before anything is changed. FROM says where the program comes from.
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
		[ "$STRICT" != true ] ||
			die 3 'this pairing service demands a sha256 for each package (strict_checksums); none is known for those of a repository.' \
				'Use -z with a package that its operator has named, or the package manager.'
		has p || FROM=repository
		from_file_only || :
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
# A client from a single deb gets nothing from a repository that does not have it.
from_file_only() {
	[ "$FROM$PACKAGES" = repositoryapt ] && [ ! -f /etc/apt/sources.list.d/rport.list ] && [ -z "$(apt-cache madison rport 2>/dev/null)" ] || return 0
	[ "${VERSION:-$STABLE}" != "$OLD_VERSION" ] || { FROM=keep; say "- the client has version $OLD_VERSION already"; return; }
	die 1 "no repository here has the client: it has version $OLD_VERSION and was installed from a file." \
		"Version ${VERSION:-$STABLE} needs the address of its deb: -z URL."
}
# Makes the changes: each is printed first, and noted, so that it can be undone.
apply() {
	case $FROM in
		archive) put_client ;;
		file | repository)
			if [ -z "$DRY" ]; then
				keep_old "$BIN"
				if [ "$METHOD" = deb ]; then repack; fi
				note package_back "$TMP/old.deb"
			fi
			if [ "$FROM" = file ]; then install_package "$TMP/package.$GOT"; else install_package; fi
			;;
	esac
	case $FROM$DRY in
		archive | file | repository) cmp -s "$BIN" "$TMP/old$BIN" || NEWS=yes ;;
	esac
	if [ "$FROM$NEWS" = repository ]; then
		say "- the repository has no other version than $OLD_VERSION"
		[ "${VERSION:-$STABLE}" = "$OLD_VERSION" ] || warn "this service offers version ${VERSION:-$STABLE}; the repository does not."
	fi
	edit_settings
	! has d || edit remote-scripts enabled set false
	if act "keep $CONF, with the settings asked for and new sections"; then
		cp "$CONF" "$TMP/conf"
		for example in "$TMP/new/rport.example.conf" "$CONF.dpkg-dist" "$CONF.rpmnew"; do
			[ ! -f "$example" ] || new_sections "$example" >>"$TMP/conf"
		done
		[ "$(cat "$TMP/conf")$EDITS" = "$(cat "$CONF")" ] || { write_conf "$TMP/conf" && NEWS=yes; }
	else print_settings; fi
	sudo_rules
	has m || [ ! -f /usr/local/bin/tacoscript ] || put_tacoscript
}
# new_sections FILE: the sections of FILE that the configuration lacks.
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
# The installed package as a file again, for the way back: no repository may have it any more.
repack() {
	mkdir -p "$TMP/repack/DEBIAN"
	dpkg-query -L rport | while read -r path; do
		if [ -d "$path" ]; then mkdir -p "$TMP/repack$path"; elif [ -e "$path" ]; then cp -pP "$path" "$TMP/repack$path"; fi
	done
	dpkg-query -s rport | awk '!/^[ \t]/ { skip = /^(Status|Conffiles|Config-Version):/ } !skip' >"$TMP/repack/DEBIAN/control"
	for script in preinst postinst prerm postrm; do
		[ ! -f "/var/lib/dpkg/info/rport.$script" ] || cp -p "/var/lib/dpkg/info/rport.$script" "$TMP/repack/DEBIAN/$script"
	done
	if [ -s /var/lib/dpkg/info/rport.conffiles ]; then
		cp /var/lib/dpkg/info/rport.conffiles "$TMP/repack/DEBIAN/conffiles"
		# Never what is on the disk: dpkg would take it for the original, and replace it with the next package.
		while read -r path; do echo '# The original of this file is not known any more.' >"$TMP/repack$path"; done <"$TMP/repack/DEBIAN/conffiles"
	fi
	chmod -R go+rX "$TMP/repack"
	quietly dpkg-deb -Znone --build "$TMP/repack" "$TMP/old.deb" || die 1 'the installed package cannot be saved:' "$(said)"
	rm -rf "$TMP/repack"
}
# package_back FILE: undoes the update of a package.
package_back() {
	case $METHOD$PACKAGES in
		deb*) dpkg --force-confold,confmiss,downgrade -i "$1" ;;
		rpmzypper) zypper --non-interactive install --oldpackage "rport=$OLD_VERSION" ;;
		rpm?*) "$PACKAGES" -y downgrade "rport-$OLD_VERSION" ;;
	esac
}
# Restarts the client; puts the old version back when the new one does not connect.
restart() {
	STARTED=yes
	service_stop
	if start_and_wait || [ "$VERDICT" = elsewhere ]; then
		if [ -z "$NOTE" ] && [ "$VERDICT" = connected ]; then say "The client is connected, version $(version_of "$BIN") (was $OLD_VERSION)."
		else
			say "The client runs, version $(version_of "$BIN") (was $OLD_VERSION)."
			[ "$VERDICT" = connected ] || NOTE=$(advice)
			warn "$NOTE"
		fi
		return
	fi
	words=$(last_words) why=$(advice) verdict=$VERDICT
	# The old version would be told the same.
	[ "$verdict" != duplicate ] || die 4 "not connected yet, version $(version_of "$BIN") runs." "$why" "$words"
	service_stop
	undo
	again='The old version was put back and is connected.'
	start_and_wait || again='The old version was put back and does not connect either: look at the server and on the way to it.'
	die 4 "the new version does not connect ($verdict)." "$again" "$why" "$words"
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
{{> lib/unbroken.sh}}
{{> lib/connect.sh}}

main "$@"
}
