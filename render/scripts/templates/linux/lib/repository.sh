# Whether the package repository of the client has something for this system.
repository_answers() {
	[ "$INIT" = systemd ] || return 1 # the packages call systemctl
	case $PACKAGES:$ARCHS in
		:* | apt*' - '* | [!a]*' -') return 1 ;;
		apt*) index=$DEB_REPO/dists/$CODENAME/Release key=dearmor.gpg ;;
		*) index=$RPM_REPO/$CHANNEL/repodata/repomd.xml key=key.gpg ;;
	esac
	fetch "$index" "$TMP/key" && fetch "$REPO_KEYS/$key" "$TMP/key" || return 1
	if [ "$PACKAGES" = apt ] && [ -z "$DRY" ] && ! apt_is_free; then
		warn 'the lock of dpkg is held: the archive is used.'
		return 1
	fi
}
# Adds the package repository of the client and its signing key.
add_repository() {
	act "add the repository of the client ($CHANNEL)" || return 0
	file=/etc/yum.repos.d/rport.repo
	case $PACKAGES in
		apt) file=/etc/apt/sources.list.d/rport.list ;;
		zypper) file=/etc/zypp/repos.d/rport.repo ;;
	esac
	if [ "$PACKAGES" = apt ]; then
		put "$TMP/key" /usr/share/keyrings/rport.gpg 644
		echo "deb [signed-by=/usr/share/keyrings/rport.gpg] $DEB_REPO $CODENAME $CHANNEL" >"$TMP/repo"
	else
		quietly rpm --import "$TMP/key" || die 3 'the key of the repository is bad.' "$(said)" 'Use -p.'
		printf '%s\n' '[rport]' name=RPort "baseurl=$RPM_REPO/$CHANNEL/" enabled=1 gpgcheck=1 "gpgkey=$REPO_KEYS/key.gpg" >"$TMP/repo"
	fi
	put "$TMP/repo" $file 644
}
