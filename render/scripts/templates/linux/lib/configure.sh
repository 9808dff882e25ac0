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
