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

# Any HTTP answer will do; the path is not used.
probe_server() {
	host=${CONNECT_URL#*://}
	host=${host%%[/?]*}
	case $host in *[!]0-9A-Za-z.:_[-]*) warn 'unusual server name: connection not tested.'; return ;; esac
	case $CONNECT_URL in
		[Hh][Tt][Tt][Pp][Ss]://* | [Ww][Ss][Ss]://*) host=https://$host ;;
		*) host=http://$host ;;
	esac
	act "test the connection to $host" || return 0
	login='' limit=yes status=0
	request "$host/" /dev/null || status=$?
	[ $status -ne 0 ] || return 0
	# What the tool says is in the language of the machine, what it returns is not.
	case $FETCHER$status:$(cat "$TMP/said") in
		curl22:* | curl52:* | wget[68]:* | busybox*'server returned error: HTTP/'*) return ;;
		curl5:* | curl97:* | *[Pp]roxy*) why='Check the proxy variables (sudo -E keeps them).' ;;
		curl6:* | *resolve* | *'bad address'* | *'not known'*) why='Check its name and the DNS here.' ;;
		curl28:* | *'imed out'* | *timeout* | *Terminated*) why='No answer: is there a firewall, or a proxy needed?' ;;
		curl35:* | curl5[389]:* | curl6[06]:* | curl7[7]:* | curl8[023]:* | curl9[01]:* | wget5:* | *ertificate* | *SSL* | *TLS*)
			why='TLS failed: check its certificate and the clock here.' ;;
		*) why='Refused: is it running, and is the port right?' ;;
	esac
	die 2 "cannot reach the server $host." "$why" "$(said)"
}

# The client knows no proxy variables. As under Windows it gets a proxy only if no direct way leads to the server.
find_proxy() {
	case $CONNECT_URL in
		[Hh][Tt][Tt][Pp][Ss]://* | [Ww][Ss][Ss]://*) PROXY=${https_proxy:-${HTTPS_PROXY:-${all_proxy:-${ALL_PROXY:-}}}} ;;
		*) PROXY=${http_proxy:-${all_proxy:-${ALL_PROXY:-}}} ;;
	esac
	[ -z "$DRY" ] || PROXY=''
	case $host in http://* | https://*) ;; *) PROXY='' ;; esac # unusual: not tested
	[ -n "$PROXY" ] || return 0
	direct=yes login='' limit=yes
	if request "$host/" /dev/null || answered; then PROXY=''; return; fi
	case $PROXY in *://*) ;; *) PROXY=http://$PROXY ;; esac
	say '- only the proxy leads to the server: the client gets it'
}

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
# Whether the package repository of the client has something for this system.
repository_answers() {
	[ "$INIT" = systemd ] || return 1 # the packages call systemctl
	case $PACKAGES:$ARCHS in
		:* | apt*' - '* | [!a]*' -') return 1 ;;
		apt*) index=$DEB_REPO/dists/$CODENAME/Release key=dearmor.gpg ;;
		*) index=$RPM_REPO/$CHANNEL/repodata/repomd.xml key=key.gpg ;;
	esac
	fetch "$index" "$TMP/key" && fetch "$REPO_KEYS/$key" "$TMP/key" || return 1
	if [ "$PACKAGES" = apt ] && [ -z "$DRY" ] && ! apt_is_free; then
		warn 'the lock of dpkg is held: the archive is used.'
		return 1
	fi
}
# Adds the package repository of the client and its signing key.
add_repository() {
	act "add the repository of the client ($CHANNEL)" || return 0
	file=/etc/yum.repos.d/rport.repo
	case $PACKAGES in
		apt) file=/etc/apt/sources.list.d/rport.list ;;
		zypper) file=/etc/zypp/repos.d/rport.repo ;;
	esac
	if [ "$PACKAGES" = apt ]; then
		put "$TMP/key" /usr/share/keyrings/rport.gpg 644
		echo "deb [signed-by=/usr/share/keyrings/rport.gpg] $DEB_REPO $CODENAME $CHANNEL" >"$TMP/repo"
	else
		quietly rpm --import "$TMP/key" || die 3 'the key of the repository is bad.' "$(said)" 'Use -p.'
		printf '%s\n' '[rport]' name=RPort "baseurl=$RPM_REPO/$CHANNEL/" enabled=1 gpgcheck=1 "gpgkey=$REPO_KEYS/key.gpg" >"$TMP/repo"
	fi
	put "$TMP/repo" $file 644
}

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
# make_folder PATH MODE OWNER [GROUP]: creates it where it is missing; owner and mode are set in any case.
make_folder() {
	if [ ! -d "$1" ]; then
		act "create $1" || return 0
		new_folder "$1"
	fi
	[ -n "$DRY" ] || { chown "$3:${4:-$(group_of "$3")}" "$1" && chmod "$2" "$1"; }
}
# With -a: the new user reads what it takes over.
hand_over() {
	before=$(owner_of_data)
	if [ -n "$DRY" ] || [ ! -d "$DATA" ] || [ "$before" = "$RUN_AS" ] || ! hush id "$before"; then return; fi
	for folder in "$DATA" "$LOGS"; do
		# shellcheck disable=SC2016 # for the shell of that user
		as_user 'chmod -R a+rX "$FILE"' "$folder" "$before" </dev/null || :
	done
}
# What belongs to others in the client's folders - a client that was run as root, the user before -a - is replaced by
# copies. Not by chown: a link there may lead to any file. What cannot be read stays under another name.
own_files() {
	[ -z "$DRY" ] || return 0
	for folder in "$DATA" "$LOGS"; do
		# shellcheck disable=SC2016 # for the shell of that user
		as_user 'cd "$FILE" || exit
			find . ! -name . ! -user "$(id -u)" ! -name "*.unreadable" -prune | while IFS= read -r file; do
				rm -rf "$file.own"
				if cp -R "$file" "$file.own"; then mv -f "$file" "$file.unreadable"; mv "$file.own" "$file"; rm -rf "$file.unreadable"
				else rm -rf "$file.own"; mv -f "$file" "$file.unreadable"; echo "$file"; fi
			done' "$folder" </dev/null >"$TMP/unreadable" || :
		[ ! -s "$TMP/unreadable" ] || warn "$RUN_AS cannot read in $folder, now called .unreadable:" "$(cat "$TMP/unreadable")"
	done
}
# Keeps the old configuration beside the new one, under a name with the time.
back_up() {
	backup=$CONF.$(date +%Y%m%d-%H%M%S).bak
	act "save the old configuration as $backup" || return 0
	put "$CONF" "$backup" 600
	[ -n "$FORCE" ] || return 0
	keep_old "$CONF"
	rm "$CONF" # a package brings its own again
}

# The settings of this pairing. Those that are there and not asked for stay.
configure() {
	case $EXISTING$FORCE in yes) mode='default' ;; *) mode='set' ;; esac
	# shellcheck disable=SC2016 # names of variables
	{
		edit client server set '$SERVER'
		edit client auth set '$AUTH'
		edit client fingerprint set '$FINGERPRINT'
		edit client use_hostname $mode true
		edit client data_dir $mode '$DATA'
		edit logging log_file $mode '$LOG'
		if [ $mode = set ]; then
			edit logging log_level set '"info"'
			edit remote-scripts enabled set false
			edit file-reception enabled set false
		fi
		! has d || ! has f || OLD_ID=''
		if has d || [ -n "$OLD_ID" ] || ! has_machine_id; then
			ID=${OLD_ID:-$(cat /proc/sys/kernel/random/uuid)}
			edit client use_system_id set false
			edit client id set '$ID'
		else
			edit client use_system_id set true
		fi
		[ -z "$TAGS" ] || edit client attributes_file_path set '$ATTRS'
		[ -z "$PROXY" ] || edit client proxy set '$PROXY'
	}
	edit_settings
	interpreters
	network_cards
	act "write $CONF" || { print_settings; return 0; }
	base=$CONF
	[ $mode = default ] || [ ! -f "$TMP/new/rport.example.conf" ] || base=$TMP/new/rport.example.conf
	[ -f "$base" ] || base=/dev/null
	write_conf "$base"
	[ -z "$TAGS" ] || write_tags
}
# The shells and languages that are here, for scripts of the server.
interpreters() {
	for interpreter in bash zsh ksh csh python3 perl pwsh fish; do
		path=$(command -v $interpreter) || continue
		case $path in /*[!0-9A-Za-z/._+-]*) ;; /*) edit interpreter-aliases $interpreter default "\"$path\"" ;; esac
	done
}
# Whether /etc/machine-id holds an id: 32 hexadecimal digits.
has_machine_id() {
	machine_id=''
	[ ! -r /etc/machine-id ] || read -r machine_id </etc/machine-id || :
	case $machine_id in *[!0-9a-f]*) return 1 ;; esac
	[ "${#machine_id}" -eq 32 ]
}
# Adds the tags of -g to the attributes file; what else is in it stays.
write_tags() {
	# shellcheck disable=SC2016 # for the shell of that user
	as_user 'test -f "$FILE" && exec cat "$FILE"' "$ATTRS" </dev/null >"$TMP/old_tags" || :
	TAGS=$TAGS awk '
	{ text = text $0 "\n" }
	END {
		at = match(text, /"tags"[ \t\n]*:[ \t\n]*\[/) ? RSTART + RLENGTH : 0
		rest = at ? substr(text, at) : "]"
		match(rest, /^([^]"]|"([^"\\]|\\.)*")*/)
		have = substr(rest, 1, RLENGTH)
		rest = substr(rest, RLENGTH + 1)
		n = split(ENVIRON["TAGS"], tag, "\n")
		for (i = 1; i < n; i++) {
			gsub(/["\\]/, "\\\\&", tag[i])
			if (!index(have, "\"" tag[i] "\"")) have = have (have ~ /"/ ? ", " : "") "\"" tag[i] "\""
		}
		if (at) printf "%s%s%s", substr(text, 1, at - 1), have, rest
		else {
			if (!sub(/\{[ \t\n]*"/, "\"", text)) text = "\"labels\": {}}\n"
			printf "{\"tags\": [%s], %s", have, text
		}
	}' "$TMP/old_tags" >"$TMP/tags"
	note put_tags_back "$ATTRS"
	tags_as_user "$ATTRS" <"$TMP/tags" || die 1 "$RUN_AS cannot write $ATTRS." 'Leave out -g.'
}
# Writes the attributes file as the client's user, who may own its folder.
tags_as_user() {
	# shellcheck disable=SC2016 # for the shell of that user
	as_user 'umask 027; rm -rf "$FILE.new"; cat >"$FILE.new" && mv -f "$FILE.new" "$FILE"' "$1"
}
# Undoes write_tags.
put_tags_back() {
	# shellcheck disable=SC2016
	if [ -s "$TMP/old_tags" ]; then tags_as_user "$1" <"$TMP/old_tags"; else as_user 'rm -f "$FILE"' "$1"; fi
}
# The first physical cards with a private and a public address.
network_cards() {
	! have ip || for card in /sys/class/net/*; do
		[ -e "$card/device" ] || continue
		speed=$(cat "$card/speed" 2>/dev/null) || :
		case $speed in '' | *[!0-9]*) speed=1000 ;; esac
		card=${card##*/}
		case $card in *[!0-9A-Za-z._:@-]*) continue ;; esac
		for address in $(ip addr show dev "$card" | awk '$1 ~ /^inet/ { print $2 }'); do
			case $address in
				10.* | 192.168.* | 172.1[6-9].* | 172.2?.* | 172.3[01].* | f[cd]*) net=lan ;;
				127.* | 169.254.* | fe80:* | ::1/*) continue ;;
				*) net=wan ;;
			esac
			edit monitoring net_"$net" default "['$card', '$speed']"
		done
	done
}

# Registers the service, started with the machine, and not started yet.
service_define() {
	case $INIT in
		systemd)
			if has f || ! systemctl cat rport 2>/dev/null | grep -qx "User=$RUN_AS"; then
				[ ! -f "$UNIT" ] || { keep_old "$UNIT" && rm "$UNIT"; }
				note service_remove rport
				(umask 022 && quietly "$BIN" --service install --service-user "$RUN_AS" --config "$CONF") || die 1 'the client refuses to be a service:' "$(said | redact)"
			fi
			systemctl daemon-reload
			quietly systemctl enable rport
			;;
		openrc)
			put_init '#!/sbin/openrc-run' "command='$BIN'" "command_args='-c $CONF'" "command_user='$RUN_AS'" \
				command_background=true pidfile=/run/rport.pid 'depend() { use net; }'
			quietly rc-update add rport default
			;;
		sysv)
			put_init "$(sysv_script)"
			quietly update-rc.d rport defaults
			;;
	esac || warn 'the service will not start with the machine.'
}
# put_init LINE...: writes the init script.
put_init() {
	printf '%s\n' "$@" >"$TMP/init"
	[ -e "$INIT_SCRIPT" ] || note service_remove rport
	put "$TMP/init" "$INIT_SCRIPT" 755
}
# The init script for SysV.
sysv_script() {
	cat <<END
#!/bin/sh
### BEGIN INIT INFO
# Provides: rport
# Required-Start: \$network \$remote_fs
# Required-Stop: \$network
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
# Short-Description: RPort client
### END INIT INFO
pid=/var/run/rport.pid
# Whether the client runs.
up() { [ -s \$pid ] && kill -0 "\$(cat \$pid)" 2>/dev/null; }
case \$1 in
  start) up || su -s /bin/sh $RUN_AS -c 'exec $BIN -c $CONF </dev/null >/dev/null 2>&1 & echo \$!' >\$pid ;;
  stop) up && kill "\$(cat \$pid)"; for i in 1 2 3 4 5 6 7 8 9; do up && sleep 1; done; rm -f \$pid ;;
  restart) "\$0" stop; "\$0" start ;;
  status) up ;;
esac
END
}

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
