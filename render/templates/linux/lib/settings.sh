check_arguments() {
	case $VERSION in *[!0-9A-Za-z.+~_-]*) usage "'$VERSION' is not a version." ;; esac
	case $WAIT in '' | *[!0-9]*) usage 'RPORT_INSTALLER_WAIT must be a number of seconds.' ;; esac
	[ -z "$RECEPTION_SUDO" ] || [ -n "$RECEPTION" ] || usage '-b needs -r.'
}
need_sudo() {
	[ -z "$SUDO$RECEPTION_SUDO" ] || is_dir /etc/sudoers.d || die 1 'sudo is not installed: -s and -b cannot work.' 'Install sudo first.'
}
edit_settings() {
	if [ -n "$COMMANDS" ]; then
		edit remote-commands enabled set true
		edit remote-commands allow set "['.*']"
		edit remote-commands deny set '[]'
		edit remote-commands order set "['allow','deny']"
		edit remote-scripts enabled set true
	fi
	[ -z "$RECEPTION" ] || edit file-reception enabled set true
}
sudo_rules() {
	[ -z "$SUDO" ] || sudo_rule rport-all-cmd "$RUN_AS ALL=(ALL) NOPASSWD: ALL"
	[ -z "$RECEPTION_SUDO" ] || sudo_rule rport-filereception "$RUN_AS ALL=NOPASSWD: $(command -v chown) * $DATA/filepush/*_rport_filepush
$RUN_AS ALL=NOPASSWD: $(command -v mv) $DATA/filepush/*_rport_filepush *"
}
# A broken rule would lock everyone out of sudo.
sudo_rule() {
	echo "$2" >"$TMP/rule"
	act "write the sudo rule /etc/sudoers.d/$1" || return 0
	! have visudo || quietly visudo -cqf "$TMP/rule" || die 1 'sudo refuses the rule:' "$(said)"
	put "$TMP/rule" "/etc/sudoers.d/$1" 440
}
