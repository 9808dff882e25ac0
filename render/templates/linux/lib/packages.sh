# Sets BIN and METHOD (deb, rpm, archive) of the client on this machine; BIN is empty when there is none.
find_client() {
  BIN='' METHOD=archive
  if dpkg-query -W -f '${Status}\n' rport 2>/dev/null | grep -q '^install ok installed'; then METHOD=deb
  elif have rpm && rpm -q rport >/dev/null 2>&1; then METHOD=rpm
  fi
  for candidate in /usr/local/bin/rport /usr/bin/rport; do
    case $METHOD$candidate in *b/usr/local* | rpm/usr/local*) continue ;; esac
    if [ -z "$BIN" ] && [ -f "$candidate" ]; then BIN=$candidate; fi
  done
}
version_of() { "$1" --version 2>/dev/null </dev/null | sed -n 's/^[^0-9]*\([0-9][0-9A-Za-z.+~-]*\).*/\1/p' | head -n 1; }

# The user that the installed client runs as: the owner of its data.
owner_of_data() {
  # shellcheck disable=SC2012 # one known folder, and stat is not POSIX
  owner=$(ls -ld "$DATA" 2>/dev/null | awk '{ print $3 }')
  case $owner in '' | root) echo rport ;; *) echo "$owner" ;; esac
}

# True when the configured repository has something for this machine; asked before anything is changed.
repository_answers() {
  case $PACKAGES in
    apt) [ "$DEB_ARCH" != - ] && fetch "$DEB_REPO/dists/$CODENAME/Release" "$TMP/release" ;;
    *) [ "$RPM_ARCH" != - ] && fetch "$RPM_REPO/$CHANNEL/repodata/repomd.xml" "$TMP/release" ;;
  esac
}
REPO_FILES='/etc/apt/sources.list.d/rport.list /usr/share/keyrings/rport.gpg /etc/yum.repos.d/rport.repo /etc/zypp/repos.d/rport.repo'

add_repository() {
  act "add the package repository of the client ($CHANNEL)" || return 0
  if [ "$PACKAGES" = apt ]; then
    fetch "$REPO_KEYS/dearmor.gpg" "$TMP/key" || die 3 'cannot download the key of the package repository:' "$(said)" 'Use -p to install the archive.'
    put "$TMP/key" /usr/share/keyrings/rport.gpg 644 root:root
    echo "deb [signed-by=/usr/share/keyrings/rport.gpg] $DEB_REPO $CODENAME $CHANNEL" >"$TMP/repo"
    put "$TMP/repo" /etc/apt/sources.list.d/rport.list 644 root:root
    return
  fi
  fetch "$REPO_KEYS/key.gpg" "$TMP/key" || die 3 'cannot download the key of the package repository:' "$(said)" 'Use -p to install the archive.'
  rpm --import "$TMP/key" || die 3 'the key of the package repository is not valid.' 'Use -p to install the archive.'
  printf '[rport]\nname=RPort client\nbaseurl=%s\nenabled=1\ngpgcheck=1\ngpgkey=%s\n' "$RPM_REPO/$CHANNEL/" "$REPO_KEYS/key.gpg" >"$TMP/repo"
  case $PACKAGES in
    zypper) put "$TMP/repo" /etc/zypp/repos.d/rport.repo 644 root:root ;;
    *) put "$TMP/repo" /etc/yum.repos.d/rport.repo 644 root:root ;;
  esac
}

# install_package [FILE]: from FILE, else from the repository, in version $VERSION if one is asked for.
install_package() {
  act "install the package ${1:-rport${VERSION:+ $VERSION} of the repository}" || return 0
  [ -n "$BIN" ] || note package rport
  case ${1:-$PACKAGES} in
    *.deb) quietly dpkg --force-confold --force-confmiss -i "$1" ;;
    *.rpm) quietly rpm -U --force "$1" ;;
    apt)
      only='-o Dir::Etc::sourcelist=/etc/apt/sources.list.d/rport.list -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0'
      # shellcheck disable=SC2086 # a list of options
      quietly apt-get $only update &&
        quietly apt-get -y -o Dpkg::Options::=--force-confold -o Dpkg::Options::=--force-confmiss --allow-downgrades \
          install ${FORCE:+--reinstall} "rport${VERSION:+=$VERSION}"
      ;;
    zypper) quietly zypper --non-interactive --gpg-auto-import-keys install ${FORCE:+--force} --oldpackage "rport${VERSION:+=$VERSION}" ;;
    *) quietly "$PACKAGES" -y install "rport${VERSION:+-$VERSION}" ;;
  esac || die 3 'the package could not be installed:' "$(tail -n 3 "$TMP/said")" 'Use -p to install the archive instead.'
  find_client
  [ -n "$BIN" ] || die 3 'the package holds no client.' 'Use -p to install the archive instead.'
}
quietly() { DEBIAN_FRONTEND=noninteractive "$@" >"$TMP/said" 2>&1 </dev/null; }
remove_package() {
  if have dpkg && dpkg-query -W rport >/dev/null 2>&1; then dpkg --purge rport
  elif have rpm; then rpm -e rport
  fi >/dev/null 2>&1 </dev/null
}
