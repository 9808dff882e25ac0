# What the options do, shared by installer and update.
check_numbers() {
  case $VERSION in *[!0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.+~_-]*) usage "'$VERSION' is not a version." ;; esac
  case $WAIT in '' | *[!0123456789]*) usage 'RPORT_INSTALLER_WAIT must be a number of seconds.' ;; esac
}
need_sudo() { is_dir /etc/sudoers.d || die 1 'sudo is not installed, so -s and -b cannot work.' 'Install sudo, or leave out -s and -b.'; }
# sudo_rule FILE: the rule comes from standard input; a broken file would lock everyone out of sudo.
sudo_rule() {
  cat >"$TMP/rule"
  act "write the sudo rule /etc/sudoers.d/$1" || return 0
  ! have visudo || visudo -cqf "$TMP/rule" >/dev/null 2>&1 || die 1 "sudo does not accept the rule for $1." 'Please report this to your administrator.'
  put "$TMP/rule" "/etc/sudoers.d/$1" 440 root:root
}
sudo_all() { echo "$RUN_AS ALL=(ALL) NOPASSWD: ALL" | sudo_rule rport-all-cmd; }
sudo_files() {
  sudo_rule rport-filereception <<END
# The client may hand over received files: change their owner, and move them anywhere.
$RUN_AS ALL=NOPASSWD: $(command -v chown) * $DATA/filepush/*_rport_filepush
$RUN_AS ALL=NOPASSWD: $(command -v mv) $DATA/filepush/*_rport_filepush *
END
}
edit_commands() {
  edit remote-commands enabled set true
  edit remote-commands allow set "['.*']"
  edit remote-commands deny set '[]'
  edit remote-commands order set "['allow','deny']"
  edit remote-scripts enabled set true
}

# Tacoscript is downloaded before anything is changed, and installed at the end.
get_tacoscript() {
  act 'download Tacoscript' || return 0
  replace "$TACOSCRIPT_URL" '{channel}' "$CHANNEL"
  replace "$replaced" '{os}' Linux
  replace "$replaced" '{arch}' "$ARCH"
  download "$replaced" "$TMP/taco.tar.gz"
  check_sum "$TMP/taco.tar.gz" tacoscript.tar.gz
  unpack "$TMP/taco.tar.gz" "$TMP/taco" tacoscript
}
put_tacoscript() {
  act 'install /usr/local/bin/tacoscript' || return 0
  put "$TMP/taco/tacoscript" /usr/local/bin/tacoscript 755 root:root
  : >"$TMP/mark"
  put "$TMP/mark" "$CONF_DIR/.tacoscript" 644 root:root
}

# download URL FILE [LOGIN]: or the end.
download() {
  case $1 in
    *@*) die 1 'the download address holds a login.' 'Put it into RPORT_INSTALLER_DL_USERNAME and RPORT_INSTALLER_DL_PASSWORD.' ;;
    http://* | https://*) ;;
    *) die 1 "not an http or https address: $1" ;;
  esac
  say "- download $1"
  fetch "$@" || die 3 "cannot download $1:" "$(said)" 'Check the network, the proxy (https_proxy) and the free space of the disk.'
  case $(kind_of "$2") in
    html) die 3 "the server sent a web page instead of a package: $1" 'Is there a proxy or login page in between?' ;;
    unknown) die 3 "what the server sent is not a package: $1" 'Check the address; run this script again if the download was cut off.' ;;
  esac
}

# get_client [URL]: downloads, checks and unpacks the client into $TMP/new; GOT says what it is (archive, deb, rpm).
get_client() {
  url=${1:-$(expand "$LINUX_URL" "${VERSION:-$DEFAULT_VERSION}")}
  act "download the client from $url" || { GOT=archive; return 0; }
  download "$url" "$TMP/package" ${1:+login}
  GOT=$(kind_of "$TMP/package")
  file=${url%%\?*}
  file=${file##*/}
  if [ -n "${1:-}" ]; then check_sum "$TMP/package" "$file"; else check_sum "$TMP/package" "$file" "$(expand "$CHECKSUMS_URL" "${VERSION:-$DEFAULT_VERSION}")"; fi
  case $GOT in
    archive) unpack "$TMP/package" "$TMP/new" rport ;;
    *) mv "$TMP/package" "$TMP/package.$GOT" ;;
  esac
}
# put_client: the new program takes its place only after it has run once on this machine.
put_client() {
  act "install $BIN" || return 0
  old_version=$(version_of "$BIN") || :
  [ -d "${BIN%/*}" ] || make_dir "${BIN%/*}" 755 root:root
  put "$TMP/new/rport" "$BIN" 755 root:root
  new_version=$(version_of "$BIN")
  [ -n "$new_version" ] || die 3 'the downloaded client does not run on this machine.' 'Is it for another processor, or is the file system mounted noexec?'
  say "  version $new_version${old_version:+ (was $old_version)}"
}
