user_exists() { id -u "$1" >/dev/null 2>&1; }
check_user() {
  case $1 in
    '' | -* | [0123456789]* | *[!abcdefghijklmnopqrstuvwxyz0123456789_-]*) usage "-a: '$1' is not a user name." ;;
    root) usage '-a: the client refuses to run as root.' ;;
  esac
}
# A system user that cannot log in. Small systems without useradd have BusyBox's adduser, the smallest have neither.
make_user() {
  ! user_exists "$1" || return 0
  act "create the user $1" || return 0
  note user "$1"
  if have useradd; then
    useradd -r -U -d "$DATA" -M -s /bin/false -c 'RPort client' "$1" </dev/null
  elif adduser --help 2>&1 | grep -q BusyBox; then
    addgroup -S "$1" && adduser -S -D -H -h "$DATA" -s /bin/false -g 'RPort client' -G "$1" "$1" </dev/null
  else
    make_user_by_hand "$1"
  fi || :
  user_exists "$1" || die 1 "cannot create the user $1." 'Is /etc read-only or the disk full? Or create it yourself, and use -a.'
}
make_user_by_hand() {
  new_id=$(awk -F: '{ used[$3] } END { for (i = 999; i > 99 && i in used; i--); print i }' /etc/passwd /etc/group)
  echo "$1:x:$new_id:" >>/etc/group
  echo "$1:x:$new_id:$new_id:RPort client:$DATA:/bin/false" >>/etc/passwd
}
# Only a user that was made for the client is removed: its home is the client's data folder.
remove_user() {
  grep -q "^$1:[^:]*:[^:]*:[^:]*:[^:]*:$DATA/*:" /etc/passwd || return 0
  act "remove the user $1" || return 0
  if have userdel; then userdel "$1"
  elif deluser --help 2>&1 | grep -q BusyBox; then deluser "$1"
  else
    for list in /etc/passwd /etc/group /etc/shadow; do
      [ ! -f "$list" ] || { cp -p "$list" "$list.rport" && grep -v "^$1:" "$list.rport" >"$list"; rm -f "$list.rport"; }
    done
  fi </dev/null >/dev/null 2>&1 || warn "the user $1 could not be removed."
  if grep -q "^$1:" /etc/group; then groupdel "$1" 2>/dev/null || delgroup "$1" 2>/dev/null || :; fi
}
group_of() { id -gn "$1"; }
