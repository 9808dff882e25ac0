REPO_FILES='/etc/apt/sources.list.d/rport.list /usr/share/keyrings/rport.gpg /etc/yum.repos.d/rport.repo /etc/zypp/repos.d/rport.repo'
# The server shares folders and user with the client: then nothing is removed.
refuse_beside_server() {
	beside=/etc/rport/rportd.conf
	for proc in /proc/[0-9]*; do
		if [ "$(cat "$proc/comm" 2>/dev/null)" = rportd ] && [ "$(id -u "$RUN_AS" 2>/dev/null)" = "$(awk '$1 == "Uid:" { print $2 }' "$proc/status")" ]; then
			die 1 "the RPort server (rportd) runs here as the same user, $RUN_AS." 'Removing the client would break it. Nothing was changed.'
		fi
	done
	[ ! -e "$beside" ] || die 1 "the RPort server is installed here ($beside)." 'Removing the client would break it. Nothing was changed.'
}
# Takes each folder from its owner before looking inside: so the client's user can put no link in the way.
remove_tree() {
	if [ -L "$1" ] || [ ! -d "$1" ]; then
		rm -f "$1" 2>/dev/null
		return
	fi
	chown root "$1" && chmod 700 "$1" || return 1
	for entry in "$1"/* "$1"/.[!.]* "$1"/..?*; do
		if [ -e "$entry" ] || [ -L "$entry" ]; then remove_tree "$entry" || :; fi
	done
	rmdir "$1" 2>/dev/null
}
# Removes the client, and says so before.
uninstall() {
	need_root
	detect_init
	find_client
	RUN_AS=$(owner_of_data)
	refuse_beside_server
	if [ -z "$BIN" ] && [ ! -e "$CONF_DIR" ] && [ ! -e "$DATA" ]; then say 'The RPort client is not installed.'; return; fi
	BIN=${BIN:-/usr/local/bin/rport}
	if [ -z "$DRY${RPORT_DETACHED:-}" ] && inside_client; then detach ${QUIET:+-q}; return; fi
	if act 'stop the client and remove its service'; then
		make_or_take_tmp
		unbroken remove_all
	fi
	remove_all
}
# Stops and removes everything of the client.
remove_all() {
	taco=''
	[ ! -e "$CONF_DIR/.tacoscript" ] || taco=/usr/local/bin/tacoscript
	if [ -z "$DRY" ]; then
		service_stop
		service_remove
	fi
	if [ "$METHOD" != archive ] && act "remove the $METHOD package rport"; then
		remove_package || warn 'the package could not be removed.'
	fi
	for path in $REPO_FILES /etc/sudoers.d/rport-all-cmd /etc/sudoers.d/rport-filereception /etc/sudoers.d/rport-update-status \
		/usr/local/bin/rport $taco /var/log/rport-update.log /var/log/rport-installer.log "$CONF_DIR" "$LOGS" "$DATA"; do
		if { [ -e "$path" ] || [ -L "$path" ]; } && act "remove $path"; then
			remove_tree "$path" || warn "$path could not be removed: something is mounted there?"
		fi
	done
	for name in "$RUN_AS" $(earlier_users); do remove_user "$name"; done
	[ -n "$DRY" ] || say 'The RPort client has been removed.'
}
