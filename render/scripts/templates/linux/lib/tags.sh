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
