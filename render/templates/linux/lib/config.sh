# rport.conf is edited section by section, because key names repeat in it. EDITS holds one change a line:
#   SECTION KEY set|default TOML    or, for what must not be seen:    SECTION KEY set|default $NAME
# `default` leaves a key alone that is set already. $NAME is an environment variable of awk, whose value is quoted there.
EDITS=''
edit() { EDITS="$EDITS$1 $2 $3 $4
"; }

# toml FILE [SECTION KEY]: FILE with EDITS made, or the value of one key. Exit 5: written in a way that this editor does not know.
toml() {
  EDITS=$EDITS GET="${2:-} ${3:-}" awk '
    # A basic string: backslash, quote and control characters escaped, everything else as it is.
    function quote(s,   i, c, out) {
      for (i = 1; i <= length(s); i++) {
        c = substr(s, i, 1)
        if (c in control) out = out sprintf("\\u%04X", control[c])
        else out = out (c == "\\" || c == "\"" ? "\\" c : c)
      }
      return "\"" out "\""
    }
    # Follows strings and brackets over the lines of a value.
    function scan(s,   i, c, p) {
      for (i = 1; i <= length(s); i++) {
        if (multi != "") {
          if (multi ~ /"/ && substr(s, i, 1) == "\\") { i++; continue }
          if (substr(s, i, 3) == multi) { multi = ""; i += 2 }
          continue
        }
        c = substr(s, i, 1)
        if (c == "#") return
        if (c == "[" || c == "{") depth++
        else if (c == "]" || c == "}") depth--
        else if (c == "\"" || c == "\047") {
          if (substr(s, i, 3) == c c c) { multi = c c c; i += 2; continue }
          for (i++; i <= length(s) && substr(s, i, 1) != c; i++) if (c == "\"" && substr(s, i, 1) == "\\") i++
        }
      }
    }
    function trim(s) { gsub(/^[ \t"\047]+|[ \t"\047]+$/, "", s); return s }
    # The text of a one-line value without its quotes, escapes and comment.
    function plain(s,   i, c, out) {
      c = substr(s, 1, 1)
      if (c != "\"" && c != "\047") { sub(/[ \t]*#.*/, "", s); return s }
      for (i = 2; i <= length(s) && substr(s, i, 1) != c; i++) {
        if (c == "\"" && substr(s, i, 1) == "\\") i++
        out = out substr(s, i, 1)
      }
      return out
    }
    BEGIN {
      for (i = 1; i < 32; i++) control[sprintf("%c", i)] = i
      control[sprintf("%c", 127)] = 127
      split(ENVIRON["GET"], get, " ")
      bom = "\357\273\277"
    }
    NR == 1 && index($0, bom) == 1 { $0 = substr($0, length(bom) + 1) }
    {
      sub(/\r$/, "")
      line[NR] = $0
      if (depth > 0 || multi != "") { more[NR] = 1; scan($0); next }
      if ($0 ~ /^[ \t]*\[/) {
        section = $0
        sub(/^[ \t]*\[/, "", section); sub(/\].*/, "", section)
        section = trim(section)
        if (!(section in header)) header[section] = NR
        next
      }
      name = $0
      sub(/=.*/, "", name)
      if (name == $0) next
      if (name ~ /^[ \t]*#/) {
        sub(/#/, "", name)
        if (name ~ /^[ \t]*[A-Za-z0-9_-]+[ \t]*$/) hint[section, trim(name)] = NR
        next
      }
      name = trim(name)
      key[NR] = section SUBSEP name
      if (section == "") { sub(/[ \t"\047]*\..*/, "", name); top[name] = 1 }
      if (!(key[NR] in first)) first[key[NR]] = NR
      value = $0
      sub(/^[^=]*=[ \t]*/, "", value)
      scan(value)
      if (section == get[1] && name == get[2] && !found) { found = 1; print plain(value) }
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
        else if (at in hint) after[hint[at]] = after[hint[at]] "\n" text
        else if (part[1] in header) after[header[part[1]]] = after[header[part[1]]] "\n" text
        else {
          if (!(part[1] in added)) order[++sections] = part[1]
          added[part[1]] = added[part[1]] text "\n"
        }
      }
      for (i = 1; i <= NR; i++) {
        if (!more[i]) {
          gone = (i in key) && (key[i] in new)
          if (gone && first[key[i]] == i) print new[key[i]]
        }
        if (!gone) print line[i]
        if (i in after) print substr(after[i], 2)
      }
      for (i = 1; i <= sections; i++) printf "\n[%s]\n%s", order[i], added[order[i]]
    }' "$1"
}
