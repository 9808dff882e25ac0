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
