# Key names repeat in rport.conf, so it is edited section by section.
EDITS=''
# edit SECTION KEY set|default VALUE: notes a setting for toml. VALUE is TOML, or $NAME for a value that is quoted there.
edit() {
	EDITS="$EDITS$*
"
}
# toml FILE [SECTION KEY]: prints FILE with all noted settings, or the value of one key. Keys repeat, so it goes by sections.
toml() {
	SERVER=${CONNECT_URL:-} AUTH=${CLIENT_ID:-}:${PASSWORD:-} FINGERPRINT=${FINGERPRINT:-} ID=${ID:-} DATA=$DATA LOG=${LOG:-} \
		ATTRS=${ATTRS:-} PROXY=${PROXY:-} EDITS=$EDITS GET="${2:-} ${3:-}" awk '
	function quote(s) { gsub(/["\\]/, "\\\\&", s); return "\"" s "\"" }
	function scan(s,   i, c) {
		for (i = 1; i <= length(s); i++) {
			c = substr(s, i, 1)
			if (multi != "") {
				if (c == "\\" && multi ~ /"/) i++
				else if (substr(s, i, 3) == multi) { multi = ""; i += 2 }
			} else if (c == "#") return
			else if (c ~ /[[{]/) depth++
			else if (c ~ /[]}]/) depth--
			else if (c ~ /["\047]/) {
				if (substr(s, i, 3) == c c c) { multi = c c c; i += 2; continue }
				for (i++; i <= length(s) && substr(s, i, 1) != c; i++) if (c == "\"" && substr(s, i, 1) == "\\") i++
			}
		}
	}
	function plain(s) {
		if (match(s, /^"[^"]*"|^\047[^\047]*\047/)) return substr(s, 2, RLENGTH - 2)
		sub(/[ \t]*#.*/, "", s)
		return s
	}
	function trim(s) { gsub(/^[ \t"\047]+|[ \t"\047]+$/, "", s); return s }
	function add(line, text) { after[line] = after[line] text "\n" }
	BEGIN { split(ENVIRON["GET"], get, " ") }
	{
		sub(/\r$/, "")
		line[NR] = $0
		if (depth > 0 || multi != "") { more[NR] = 1; scan($0); next }
		if ($0 ~ /^[ \t]*\[/) {
			section = $0
			sub(/^[ \t]*\[/, "", section); sub(/\].*/, "", section)
			section = tolower(trim(section)) # the client ignores case
			if (!(section in header)) header[section] = NR
			next
		}
		name = $0
		if (!sub(/=.*/, "", name)) next
		if (sub(/^[ \t]*#/, "", name)) { hint[section, tolower(trim(name))] = NR; next }
		name = tolower(trim(name))
		key[NR] = section SUBSEP name
		if (!(key[NR] in first)) first[key[NR]] = NR
		if (section == "") { sub(/[ \t"\047]*\..*/, "", name); top[name] = 1 }
		value = $0
		sub(/^[^=]*=[ \t]*/, "", value)
		scan(value)
		if (section == get[1] && name == get[2] && !found++) print plain(value)
	}
	END {
		if (get[1] != "") exit
		n = split(ENVIRON["EDITS"], edits, "\n")
		for (i = 1; i < n; i++) {
			split(edits[i], part, " ")
			at = part[1] SUBSEP part[2]
			if (part[1] in top) exit 5
			if (part[3] == "default" && (at in first || at in want)) continue
			if (!(at in want)) wish[++wishes] = at
			want[at] = edits[i]
			sub(/^[^ ]+ [^ ]+ [^ ]+ /, "", want[at])
		}
		for (i = 1; i <= wishes; i++) {
			at = wish[i]
			split(at, part, SUBSEP)
			text = want[at]
			if (text ~ /^\$/) text = quote(ENVIRON[substr(text, 2)])
			text = "  " part[2] " = " text
			if (at in first) new[at] = text
			else if (at in hint) add(hint[at], text)
			else if (part[1] in header) add(header[part[1]], text)
			else {
				if (!(part[1] in added)) order[++sections] = part[1]
				added[part[1]] = added[part[1]] text "\n"
			}
		}
		for (i = 1; i <= NR; i++) {
			if (!more[i] && (gone = (i in key) && (key[i] in new)) && first[key[i]] == i) print new[key[i]]
			if (!gone) print line[i]
			printf "%s", after[i]
		}
		for (i = 1; i <= sections; i++) printf "\n[%s]\n%s", order[i], added[order[i]]
	}' "$1"
}
# Prints the settings that would be written (-n), without the credentials.
print_settings() {
	[ -z "$EDITS" ] || toml /dev/null | sed '/./!d; s/^  auth = .*/  auth = (client id and password)/; s#//[^@/"]*@#//***@#; s/^/  /'
}
# write_conf FILE: writes rport.conf from FILE with all noted settings.
write_conf() {
	toml "$1" >"$TMP/rport.conf" || die 5 "$CONF lacks the usual sections, and is left alone." 'The installer rewrites it with -f.'
	put "$TMP/rport.conf" "$CONF" 640 "root:$(group_of "$RUN_AS")"
}
