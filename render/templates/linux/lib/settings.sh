FLAGS='' VERSION='' CHANNEL=stable URL='' GOT='' WAIT=${RPORT_INSTALLER_WAIT:-40}
has() { case $FLAGS in *"$1"*) ;; *) return 1 ;; esac; }
set_flag() {
	case $option in
		:) usage "option -$OPTARG needs an argument." ;;
		\?) usage "there is no option -$OPTARG." ;;
		n) DRY=yes ;;
		q) QUIET=yes ;;
		f) FORCE=yes ;;
	esac
	FLAGS=$FLAGS$option
}
check_arguments() {
	[ $# -eq 0 ] || usage "unexpected argument: $1"
	case $VERSION in *[!0-9A-Za-z.+~_-]*) usage "'$VERSION' is not a version." ;; esac
	case $WAIT in '' | *[!0-9]*) usage 'RPORT_INSTALLER_WAIT must be a number of seconds.' ;; esac
	! has b || has r || usage '-b needs -r.'
}
need_sudo() {
	if ! has s && ! has b; then return; fi
	is_dir /etc/sudoers.d || die 1 '-s and -b need sudo: install it.'
}
edit_settings() {
	if has x; then
		for section in remote-commands remote-scripts; do edit $section enabled set true; done
		edit remote-commands allow set "['.*']"
		edit remote-commands deny set '[]'
		edit remote-commands order set "['allow','deny']"
	fi
	! has r || edit file-reception enabled set true
}
sudo_rules() {
	! has s || sudo_rule rport-all-cmd "$RUN_AS ALL=(ALL) NOPASSWD: ALL"
	! has b || sudo_rule rport-filereception "$RUN_AS ALL=NOPASSWD: $(command -v chown) * $DATA/filepush/*_rport_filepush
$RUN_AS ALL=NOPASSWD: $(command -v mv) $DATA/filepush/*_rport_filepush *"
}
sudo_rule() {
	echo "$2" >"$TMP/rule"
	act "write the sudo rule /etc/sudoers.d/$1" || return 0
	! have visudo || quietly visudo -cqf "$TMP/rule" || die 1 'sudo refuses the rule:' "$(said)"
	put "$TMP/rule" "/etc/sudoers.d/$1" 440
}
