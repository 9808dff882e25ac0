# Sets FETCHER: curl, wget (GNU) or busybox (its wget).
detect_fetcher() {
  if have curl; then FETCHER=curl
  elif ! have wget; then die 1 'neither curl nor wget is installed.' 'Install one of them and run this script again.'
  elif wget --version 2>/dev/null | grep -q 'GNU Wget'; then FETCHER=wget
  else FETCHER=busybox
  fi
}

# The login for -z never appears in a command line: both tools read it from a file that only root can read. With wget
# no redirection is followed, because wget would show the login to the other host as well.
write_login() {
  [ -n "${RPORT_INSTALLER_DL_USERNAME:-}" ] || return 0
  LOGIN="$RPORT_INSTALLER_DL_USERNAME:${RPORT_INSTALLER_DL_PASSWORD:-}"
  case $FETCHER in
    curl) LOGIN=$LOGIN awk 'BEGIN {
        s = ENVIRON["LOGIN"]
        for (i = 1; i <= length(s); i++) { c = substr(s, i, 1); out = out (c == "\\" || c == "\"" ? "\\" c : c) }
        print "user = \"" out "\""
      }' >"$TMP/curlrc" ;;
    wget) {
        printf 'max_redirect = 0\nheader = Authorization: Basic '
        LOGIN=$LOGIN awk 'BEGIN { printf "%s", ENVIRON["LOGIN"] }' | base64 | tr -d '\n'
        echo
      } >"$TMP/wgetrc" ;;
    busybox) die 1 'busybox wget cannot keep RPORT_INSTALLER_DL_PASSWORD secret.' 'Install curl or GNU wget.' ;;
  esac
}

# try_url URL FILE [LOGIN]: one request; what the tool said is in $TMP/said.
try_url() {
  case $FETCHER${3:+-login} in
    curl*) curl ${3:+-K "$TMP/curlrc"} -gfsSL --proto '=http,https' --connect-timeout 20 --speed-limit 100 --speed-time 60 \
      -o "$2" "$1" ;;
    wget-login) WGETRC="$TMP/wgetrc" wget -nv -t 1 -T 60 -O "$2" "$1" ;;
    wget) wget -nv -t 1 -T 60 -O "$2" "$1" ;;
    busybox*) wget -O "$2" "$1" ;;
  esac 2>"$TMP/said"
}

# fetch URL FILE [LOGIN]: tried three times unless the server says no.
fetch() {
  for pause in 1 3 0; do
    if try_url "$@"; then
      [ ! -s "$2" ] || return 0
      echo 'the answer is empty' >"$TMP/said"
      return 1
    fi
    ! grep -q ' 4[0-9][0-9]' "$TMP/said" || return 1
    sleep "$pause"
  done
  return 1
}
said() { grep -v '^Connecting to\|^--\|^$' "$TMP/said" | tail -n 1; }

# replace TEXT SLOT VALUE
replace() {
  replaced=$1
  while :; do
    case $replaced in *"$2"*) replaced=${replaced%%"$2"*}$3${replaced#*"$2"} ;; *) break ;; esac
  done
}
# expand TEMPLATE VERSION: a URL of the service's configuration, for this machine.
expand() {
  replace "$1" '{version}' "$2"
  replace "$replaced" '{os}' linux
  replace "$replaced" '{arch}' "$ARCH"
  printf '%s\n' "$replaced"
}

sha256_of() {
  if have sha256sum; then sha256sum <"$1"
  elif have shasum; then shasum -a 256 <"$1"
  elif have openssl; then openssl dgst -sha256 -r <"$1"
  fi | cut -d ' ' -f 1
}

# check_sum FILE NAME: against the operator's pinned sum of NAME, else against the release's list of sums.
check_sum() {
  known=$(printf '%s\n' "$SHA256" | awk -v name="$2" '$2 == name { print tolower($1); exit }')
  by='the sum that this pairing service pins'
  if [ -z "$known" ] && [ -n "${3:-}" ] && fetch "$3" "$TMP/sums"; then
    known=$(awk -v name="$2" '{ sub(/^\*/, "", $2) } $2 == name { print tolower($1); exit }' "$TMP/sums")
    by=$3
  fi
  if [ -z "$known" ]; then
    warn "nothing could be checked: no sha256 is known for $2."
    return 0
  fi
  actual=$(sha256_of "$1")
  [ -n "$actual" ] || die 1 'no program to calculate a sha256 was found.' 'Install sha256sum (coreutils), shasum or openssl.'
  [ "$actual" = "$known" ] || die 3 "the sha256 of $2 is wrong; it was not installed." "expected $known ($by)" "got      $actual" \
    'A proxy or mirror may have altered the file. If it happens again, tell your administrator.'
  say "  sha256 is correct ($by)"
}

# kind_of FILE: archive, deb, rpm, html or unknown, judged by its first bytes.
kind_of() {
  case $(od -An -tx1 -N8 "$1" 2>/dev/null | tr -d ' \n') in
    1f8b*) echo archive ;;
    213c617263683e0a) echo deb ;;
    edabeedb*) echo rpm ;;
    *) if head -c 500 "$1" | grep -qi '<html\|<!doctype\|<head\|<?xml'; then echo html; else echo unknown; fi ;;
  esac
}

# unpack FILE FOLDER PROGRAM
unpack() {
  mkdir "$2"
  if ! gzip -dc <"$1" 2>"$TMP/said" | (cd "$2" && tar -xof -) 2>>"$TMP/said" || [ ! -f "$2/$3" ] || [ -L "$2/$3" ]; then
    die 3 "the package is broken: $3 is not in it." "$(said)" 'If it was cut off, run this script again; is there space left on the disk?'
  fi
}
