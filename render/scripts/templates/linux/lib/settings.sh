FLAGS='' VERSION='' CHANNEL=stable URL='' GOT='' WAIT=${RPORT_INSTALLER_WAIT:-40}
# has LETTER: was this option given?
has() { case $FLAGS in *"$1"*) ;; *) return 1 ;; esac; }
# Remembers the option that was just read.
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
# Ends for arguments that cannot be right.
check_arguments() {
	[ $# -eq 0 ] || usage "unexpected argument: $1"
	case $VERSION in *[!0-9A-Za-z.+~_-]*) usage "'$VERSION' is not a version." ;; esac
	case $WAIT in '' | *[!0-9]*) usage 'RPORT_INSTALLER_WAIT must be a number of seconds.' ;; esac
	! has b || has r || usage '-b needs -r.'
}
# Ends when -s or -b cannot work.
need_sudo() {
	if ! has s && ! has b; then return; fi
	has_sudo || die 1 '-s and -b need sudo: install it.'
}
# The settings that options ask for.
edit_settings() {
	if has x; then
		for section in remote-commands remote-scripts; do edit $section enabled set true; done
		edit remote-commands allow set "['.*']"
		edit remote-commands deny set '[]'
		edit remote-commands order set "['allow','deny']"
	fi
	! has r || edit file-reception enabled set true
}
# Whether there is a sudo with a folder for rules.
has_sudo() { is_dir /etc/sudoers.d && have visudo; }
# path_of COMMAND: its file. The shell of BusyBox has some commands in itself, and names no file for them.
path_of() {
	for folder in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin; do
		if [ -x "$folder/$1" ]; then echo "$folder/$1"; return; fi
	done
	command -v "$1"
}
# No wildcards: they match spaces and slashes. Whoever may move files anywhere and give them to anyone is root anyway.
sudo_rules() {
	if has s; then need_rule rport-all-cmd '(ALL)' ALL; else hand_over_rule /etc/sudoers.d/rport-all-cmd; fi
	old_rule=/etc/sudoers.d/rport-filereception
	if has b || { [ -e $old_rule ] && has_sudo; }; then
		need_rule rport-filereception '(root)' "NOSETENV: $(path_of chown), $(path_of mv)"
	fi
	refresh_rule
}
# With -a: a rule of the user before is for the new one, with whatever an administrator has made of it.
hand_over_rule() {
	if [ ! -e "$1" ] || [ "${OLD_USER:-$RUN_AS}" = "$RUN_AS" ] || ! has_sudo || ! act "hand $1 over to $RUN_AS"; then return 0; fi
	sed "s/^\(Defaults:\)\{0,1\}$OLD_USER /\1$RUN_AS /" "$1" >"$TMP/rule"
	quietly visudo -cf "$TMP/rule" || die 1 'sudo refuses the rule:' "$(said)"
	put "$TMP/rule" "$1" 440
}
# What the client calls to learn of pending updates, word for word. An update of the client adds no rule, but replaces
# that of other installers, which lets variables through (SETENV) and so makes the client's user root.
refresh_rule() {
	old_rule=/etc/sudoers.d/rport-update-status
	if has k; then drop_rule; return; fi
	has_sudo && { [ -e $old_rule ] || [ "$NAME" = rport-installer.sh ]; } || return 0
	commands=''
	! have apt-get || commands="$(path_of apt-get) update -o Debug\:\:NoLocking\=true"
	! have zypper || commands="${commands:+$commands, }$(path_of zypper) refresh"
	[ -z "$commands" ] || sudo_rule rport-update-status '(root)' "NOSETENV: $commands" || {
		warn 'sudo refuses the rule, so the client cannot tell of pending updates:' "$(said)"
		drop_rule
	}
}
# Removes the rule for package lists.
drop_rule() { if [ -e "$old_rule" ] && act "remove the sudo rule $old_rule"; then keep_old "$old_rule" && rm "$old_rule"; fi; }
# A rule that an option asks for.
need_rule() { sudo_rule "$@" || die 1 'sudo refuses the rule:' "$(said)"; }
# sudo_rule FILE (USER) COMMANDS. NOSETENV: no variables, whatever the sudoers file says; not every sudo knows it, nor
# requiretty. False if sudo refuses all forms.
sudo_rule() {
	rule="$RUN_AS ALL=$2 NOPASSWD: "
	act "write the sudo rule /etc/sudoers.d/$1" || { say "  $rule$3"; return 0; }
	for text in "Defaults:$RUN_AS !requiretty
$rule$3" "$rule$3" "$rule${3#NOSETENV: }"; do
		printf '%s\n' "$text" >"$TMP/rule"
		if quietly visudo -cf "$TMP/rule"; then
			put "$TMP/rule" "/etc/sudoers.d/$1" 440
			return
		fi
	done
	return 1
}
