# Another apt or dpkg, such as the first updates of a new machine, may need minutes. Then the archive is the better way.
lock_wait() { echo "DPkg::Lock::Timeout=$((WAIT * 3))"; }
# Whether apt gets its lock in time.
apt_is_free() { quietly apt-get -o "$(lock_wait)" check || ! grep -qi lock "$TMP/said"; }
# Runs a command; what it said is in $TMP/said.
quietly() { DEBIAN_FRONTEND=noninteractive "$@" >"$TMP/said" 2>&1 </dev/null; }
# install_package [FILE]: a package from a file or the repository.
install_package() {
	act "install the package ${1:-rport${VERSION:+ $VERSION} with $PACKAGES}" || return 0
	[ -n "$BIN" ] || note remove_package rport
	case ${1:-$PACKAGES} in
		*.deb) { ! have apt-get || apt_is_free; } && quietly dpkg --force-confold,confmiss -i "$1" ;;
		*.rpm) quietly rpm -U --force "$1" ;;
		apt)
			list=/etc/apt/sources.list.d/rport.list
			[ -f $list ] || list=''
			quietly apt-get -o "$(lock_wait)" ${list:+-o Dir::Etc::sourcelist=$list -o Dir::Etc::sourceparts=-} update &&
				quietly apt-get -y -o "$(lock_wait)" -o Dpkg::Options::=--force-confold,confmiss --allow-downgrades \
					install ${FORCE:+--reinstall} "rport${VERSION:+=$VERSION}"
			;;
		zypper) quietly zypper --non-interactive --gpg-auto-import-keys install ${FORCE:+--force} --oldpackage "rport${VERSION:+=$VERSION}" ;;
		*) quietly "$PACKAGES" -y install "rport${VERSION:+-$VERSION}" ;;
	esac || die 3 'the package could not be installed:' "$(said)" 'Use -p.'
	find_client
	[ -x "$BIN" ] || die 3 'the package holds no client.' 'Use -p.'
}
# Removes the package of the client.
remove_package() {
	if hush dpkg-query -W rport; then hush dpkg --purge rport; else hush rpm -e rport; fi
}
